"""An object store on loopback that refuses every so many requests, as large ones do under load."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

__all__ = ["RefusingStore", "refusing_store"]


@dataclass
class RefusingStore:
    """The server of moto behind a door.

    Attributes:
        url: of it.
        every: one in so many requests is refused; 0 for none.
        asked: requests so far.
        refused: those of them that got no answer but "slow down".
    """

    url: str = ""
    every: int = 0
    asked: int = 0
    refused: int = 0


@contextmanager
def refusing_store() -> Iterator[RefusingStore]:
    """A store in this process, on a free port."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    store, lock = RefusingStore(), threading.Lock()
    inner = DomainDispatcherApplication(create_backend_app)

    def door(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        with lock:
            store.asked += 1
            refuse = bool(store.every) and store.asked % store.every == 0
            store.refused += refuse
        if not refuse:
            return inner(environ, start)  # type: ignore[no-any-return]
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        body = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
        start("503 Slow Down", [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
        return [body]

    server = make_server("127.0.0.1", 0, door, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    store.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield store
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
