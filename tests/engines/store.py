"""An object store on loopback that refuses every so many requests, as large ones do under load."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

__all__ = ["RefusingStore", "made_bucket", "objects_in", "refusing_store", "say_where"]


@dataclass
class RefusingStore:
    """The server of moto behind a door.

    Attributes:
        url: of it.
        every: one in so many requests is refused; 0 for none.
        asked: requests so far.
        refused: those of them that got no answer but "slow down".
        forbidden: methods that are answered with "access denied".
        requests: method and path of each.
    """

    url: str = ""
    every: int = 0
    asked: int = 0
    refused: int = 0
    forbidden: set[str] = field(default_factory=set)
    requests: list[tuple[str, str]] = field(default_factory=list)


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
            store.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        if refuse:
            return _error(environ, start, "503 Slow Down", "SlowDown", "Please reduce your request rate.")
        if environ["REQUEST_METHOD"] in store.forbidden:
            return _error(environ, start, "403 Forbidden", "AccessDenied", "Access Denied")
        return inner(environ, start)  # type: ignore[no-any-return]

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


def _error(
    environ: dict[str, Any], start: Callable[..., Any], status: str, code: str, message: str
) -> Iterable[bytes]:
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    body = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>".encode()
    start(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [body]


def say_where(store: RefusingStore, patch: pytest.MonkeyPatch) -> None:
    """Let this process, and those it starts, find the store."""
    patch.setenv("AWS_ENDPOINT_URL", store.url)
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        patch.setenv(key, "test")
    patch.setenv("AWS_DEFAULT_REGION", "us-east-1")


def made_bucket(name: str) -> str:
    """A new bucket; its address."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    s3fs.S3FileSystem().mkdir(name)
    return f"s3://{name}"


def objects_in(url: str) -> dict[str, str]:
    """SHA-256 of every object below an address, by its path there."""
    import fsspec

    store, path = fsspec.core.url_to_fs(url)
    store.invalidate_cache()
    return {
        name[len(path) + 1 :]: hashlib.sha256(store.cat_file(name)).hexdigest() for name in store.find(path)
    }
