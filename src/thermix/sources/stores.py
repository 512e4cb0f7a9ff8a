"""Talking to a store that an address names: its fsspec file system, patience, and errors in words.

Credentials are never asked for or passed on here: each store's library finds them where it always does.
Invariant: what may pass (a cut connection, a busy server) is tried again at fixed intervals; what will
not (nothing there, no permission) is not.
"""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from difflib import get_close_matches
from importlib import import_module
from typing import Any, Literal, TypeVar

from thermix.errors import DataError, InvalidInput, MissingExtra, ThermixError
from thermix.sources.addresses import protocol_of, shown

__all__ = [
    "Act",
    "PassingError",
    "is_absent",
    "is_taken",
    "lacks",
    "patiently",
    "side_by_side",
    "store_of",
    "store_to_write",
]

T = TypeVar("T")
V = TypeVar("V")
Act = Literal["read", "write"]

WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds between tries: seven tries in about half a minute, each time twice as long."""

_AT_ONCE = 16
_CONNECT_SECONDS = 30
_SILENT_SECONDS = 60
_LIBRARIES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "http": "aiohttp",
    "https": "aiohttp",
}
_MAY_PASS = (408, 425, 429)
_DISK = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EROFS, errno.EFBIG)
_PASSING = {  # by name, so that nothing is imported to look for it
    *("aiohttp.ClientConnectionError", "aiohttp.ClientPayloadError", "aiohttp.ServerDisconnectedError"),
    *("botocore.HTTPClientError", "botocore.ConnectionError", "botocore.IncompleteReadError"),
    *("botocore.ResponseStreamingError", "google.TransportError", "urllib3.HTTPError"),
    *("httpx.TransportError", "httpx2.TransportError"),
    *("requests.ConnectionError", "requests.Timeout", "gcsfs.ChecksumError"),
}
_NO_CREDENTIALS = {
    *("botocore.NoCredentialsError", "botocore.PartialCredentialsError", "botocore.TokenRetrievalError"),
    *("botocore.ProfileNotFound", "botocore.UnauthorizedSSOTokenError", "google.DefaultCredentialsError"),
}


class PassingError(Exception):
    """What came is not what was due; another try may bring it."""


def store_of(url: str, source: str) -> tuple[Any, str]:
    """The fsspec file system of an address, and the path in it.

    Args:
        url: the address.
        source: its name, for errors.

    Raises:
        MissingExtra: the library for it is not installed.
        InvalidInput: no protocol that fsspec knows.
        Exception: the store's own, where making it asks the store; `patiently` knows them.

    Ask anew before each use: after a fork another one is due, and fsspec sees to that.
    """
    return _store(url, f"sources.{source}.path", f"reading {shown(url)}")


def store_to_write(url: str) -> tuple[Any, str]:
    """The same for an address that is written to; raises as `store_of`."""
    return _store(url, "--out", f"writing to {shown(url)}")


def _store(url: str, where: str, purpose: str) -> tuple[Any, str]:
    protocol = protocol_of(url)
    try:
        fsspec = import_module("fsspec")
    except ImportError as error:
        raise MissingExtra("fsspec", "remote", purpose) from error
    try:
        store, path = fsspec.core.url_to_fs(url, **_options(protocol, fsspec.config.conf))
    except ImportError as error:
        if protocol in _LIBRARIES:
            raise MissingExtra(_LIBRARIES[protocol], "remote", purpose) from error
        raise InvalidInput(f"{where}: got {shown(url)}: {error}.") from error
    except ValueError as error:
        raise _unknown(url, where, error, fsspec.available_protocols()) from error
    return store, path


def _options(protocol: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Timeouts that fit files of any size, under whatever fsspec's own settings say.

    aiohttp gives up after five minutes, whatever has come by then; here it does after a minute of silence.
    """
    mine = settings.get(protocol, {})
    if protocol in ("http", "https"):
        headers = {"Accept-Encoding": "identity"} | mine.get("headers", {})
        return {"headers": headers, "client_kwargs": {"timeout": _timeout()} | mine.get("client_kwargs", {})}
    if protocol in ("gs", "gcs"):
        return {"session_kwargs": {"timeout": _timeout()} | mine.get("session_kwargs", {})}
    return {}


def _timeout() -> Any:
    limits = {"sock_connect": _CONNECT_SECONDS, "sock_read": _SILENT_SECONDS}
    return import_module("aiohttp").ClientTimeout(total=None, **limits)


def _unknown(url: str, what: str, error: ValueError, protocols: Iterable[str]) -> InvalidInput:
    protocol = protocol_of(url)
    where = f"{what}: got {shown(url)}"
    if protocol in protocols:
        return InvalidInput(f"{where}: it is no address that {protocol} takes: {error}.")
    near = get_close_matches(protocol, ["s3", "gs", "https", "http", *protocols], n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]}://?" if near else ""
    return InvalidInput(
        f"{where}; {protocol}:// is no protocol that fsspec knows, as s3, gs, https are.{hint}"
    )


def patiently(
    action: Callable[[], T], where: str, waits: Sequence[float] | None = None, *, act: Act = "read"
) -> T:
    """What an action gives, tried again while what goes wrong may pass.

    Args:
        action: asks a store for something.
        where: how errors begin.
        waits: seconds between tries, one less than tries; left out, seven tries in half a minute.
        act: what it is, for errors.

    Raises:
        DataError, InvalidInput: it went wrong for good, or each time.
        FileNotFoundError: the store says there is no such thing.
    """
    waits = WAITS if waits is None else waits
    for tries in range(1, len(waits) + 2):
        try:
            return action()
        except ThermixError:
            raise
        except Exception as error:
            if is_absent(error):
                raise FileNotFoundError(errno.ENOENT, "nothing lies there", where) from error
            if tries > len(waits) or not _may_pass(error):
                raise _in_words(error, where, tries, act) from error
        time.sleep(waits[tries - 1])
    raise AssertionError("the last try returns or raises")


def side_by_side(action: Callable[[V], T], values: Iterable[V]) -> list[T]:
    """What an action gives for each value, in order, 16 of them asked for at a time."""
    every = list(values)
    if len(every) < 2:
        return [action(value) for value in every]
    with ThreadPoolExecutor(min(_AT_ONCE, len(every)), thread_name_prefix="thermix-remote") as pool:
        waiting = [pool.submit(action, value) for value in every]
        try:
            return [future.result() for future in waiting]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def is_absent(error: BaseException) -> bool:
    """Whether an error says that there is no such file: not merely that the store could not be asked."""
    status = _status(error)
    if status is not None:
        return status in (404, 410)
    return isinstance(error, FileNotFoundError) and not _may_pass(error)


def is_taken(error: BaseException) -> bool:
    """Whether an error says that a file was not made because one of that name is there."""
    return isinstance(error, FileExistsError) or _status(error) in (409, 412)


def lacks(error: BaseException) -> bool:
    """Whether an error says that a store, or its library, does not know what was asked for."""
    return isinstance(error, NotImplementedError | TypeError) or _status(error) == 501


def _causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it was raised from, the store's own last."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__


def _status(error: BaseException) -> int | None:
    """The HTTP status in an error of any store's library."""
    for each in _causes(error):
        response = getattr(each, "response", None)
        metadata = response.get("ResponseMetadata", {}) if isinstance(response, dict) else {}
        found = metadata.get("HTTPStatusCode") or getattr(response, "status_code", None)
        found = found or getattr(each, "status", None) or getattr(each, "code", None)
        if str(found).isdigit() and 100 <= int(str(found)) < 600:
            return int(str(found))
    return None


def _may_pass(error: BaseException) -> bool:
    kinds = PassingError | ConnectionError | TimeoutError | asyncio.TimeoutError
    if any(isinstance(each, kinds) or _is_named(each, _PASSING) for each in _causes(error)):
        return True  # also where it has a status: aiohttp gives a cut body the status 400
    status = _status(error)
    return status is not None and (status >= 500 or status in _MAY_PASS)


def _is_named(error: BaseException, names: set[str]) -> bool:
    """Whether an error's class, or one above it, has such a name: "library.Class"."""
    kinds = type(error).__mro__
    return any(f"{kind.__module__.partition('.')[0]}.{kind.__name__}" in names for kind in kinds)


def _in_words(error: Exception, where: str, tries: int, act: Act) -> ThermixError:
    """The error of a store as one of thermix."""
    root = list(_causes(error))[-1]
    said = " ".join((str(root) or str(error) or type(root).__name__).split()).rstrip(".")
    if any(_is_named(each, _NO_CREDENTIALS) for each in _causes(error)):
        return InvalidInput(
            f"{where}: no credentials for it were found: {said}. They are looked for where the store's own "
            "tools look (environment, configuration files, the machine's role); for a public S3 bucket set "
            "FSSPEC_S3_ANON=true."
        )
    status = _status(error)
    if isinstance(error, PermissionError) or status in (401, 403):
        give, may = ("give", "read it") if act == "read" else ("take", "list, read, write and delete there")
        return DataError(
            f"{where}: the store refuses to {give} it ({status or 'no permission'}): {said}. Check the "
            f"credentials, and that they may {may}; a name that does not exist may be refused so too."
        )
    times = f", {tries} times" if tries > 1 else ""
    if act == "write":
        return DataError(
            f"{where}: it cannot be written{times}: {type(root).__name__}: {said}. Run the same command "
            "again when the store can be reached: what is finished is kept."
        )
    if isinstance(error, OSError) and error.errno in _DISK:
        return DataError(
            f"{where}: it cannot be written to the cache: {error.strerror}. Free space there, or name "
            "another folder in THERMIX_CACHE. Nothing of it was left behind."
        )
    if isinstance(error, PassingError):
        return DataError(
            f"{where}: {error}, {tries} times. The file at the store is damaged: write it again."
        )
    return DataError(
        f"{where}: it cannot be read{times}: {type(root).__name__}: {said}. "
        "Try again when the store can be reached."
    )
