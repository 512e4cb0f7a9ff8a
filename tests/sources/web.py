"""A web server on loopback that counts what it is asked, and misbehaves on demand."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Web", "web_server"]


@dataclass
class Web:
    """What the server serves, how it misbehaves, and what it was asked.

    Attributes:
        url: of its root, without a slash at the end.
        files: by name.
        faults: by name: what the next requests for it get, one each: a status, "cut" in mid-body, "short"
            (a whole answer of fewer bytes), "other" (of other bytes). The last one stays if `forever`.
        asked: (method, name, range) of every request.
        ranges: whether it knows them.
        delay: seconds before each body.
        rate: bytes a second; None for no limit.
        together: bodies wait for each other there.
        headers: by name, more of them.
        says_length: whether it knows how long files are.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, list[int | str]] = field(default_factory=dict)
    forever: bool = False
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    ranges: bool = True
    delay: float = 0.0
    rate: int | None = None
    together: threading.Barrier | None = None
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    says_length: bool = True

    def gets(self, name: str) -> int:
        """How many times a whole file was asked for."""
        return self.asked.count(("GET", name, None))


def _handler(web: Web) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            name = self.path.lstrip("/")
            web.asked.append((self.command, name, self.headers.get("Range")))
            faults = web.faults.get(name, []) if body else []
            fault = (faults[0] if web.forever else faults.pop(0)) if faults else None
            if name not in web.files or isinstance(fault, int):
                self.send_response(fault if isinstance(fault, int) else 404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self._send(name, fault, body)

        def _send(self, name: str, fault: str | None, body: bool) -> None:
            data, asked = web.files[name], self.headers.get("Range")
            if fault == "short":
                data = data[:-1]
            if fault == "other":
                data = bytes(byte ^ 1 for byte in data)
            if asked and web.ranges:
                first, last = asked.removeprefix("bytes=").split("-")
                part = data[int(first) : int(last) + 1]
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
                data = part
            else:
                self.send_response(200)
            if web.says_length:
                self.send_header("Content-Length", str(len(data)))
            else:
                self.close_connection = True
            for key, value in web.headers.get(name, {}).items():
                self.send_header(key, value)
            self.end_headers()
            if body:
                time.sleep(web.delay)
                if web.together:
                    web.together.wait(timeout=20)
                self._write(data[: len(data) // 2] if fault == "cut" else data)
            if fault == "cut":
                self.close_connection = True
                self.connection.close()

        def _write(self, data: bytes) -> None:
            step = len(data) if web.rate is None else max(1, web.rate // 20)
            for start in range(0, len(data), step or 1):
                self.wfile.write(data[start : start + step])
                if web.rate is not None:
                    time.sleep(0.05)

        def handle(self) -> None:
            with suppress(
                ValueError, OSError, threading.BrokenBarrierError
            ):  # the other side went away, or we cut the line
                super().handle()

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass


@contextmanager
def web_server() -> Iterator[Web]:
    """A server, for as long as the block runs."""
    web = Web()
    server = _Server(("127.0.0.1", 0), _handler(web))
    web.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield web
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
