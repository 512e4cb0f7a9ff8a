"""Remote files on this host: fetched whole, once for all processes, checked, renamed into place.

    THERMIX_CACHE or ~/.cache/thermix
        files/   KEY-name, and KEY-name.sha256 beside it (`sha256sum -c *.sha256` reads it)
        parts/   what is being fetched
        locks/   one a file, held while it is fetched

Invariants: a file in `files/` is whole and was checked; two processes never fetch the same one at once; a
killed one leaves a part that nobody reads and the next one removes. What was evicted while it is open or
mapped stays readable until it is let go, as any deleted file on Unix does.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import time
import uuid
import weakref
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from thermix.errors import DataError, InvalidInput
from thermix.sources.byte_size import byte_size
from thermix.sources.fetch_bar import fetch_bar
from thermix.sources.remote import Checksum, RemoteFile, gone
from thermix.sources.room import make_room
from thermix.sources.stores import PassingError, patiently, store_of

__all__ = ["FileCache", "Holder", "default_cache", "hold"]

_BLOCK = 1 << 20
_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_LET_GO_SECONDS = 1.0


class Holder(Protocol):
    """What keeps cached files open, such as memory maps."""

    def let_go(self) -> None:
        """Let go of files that are no longer in the cache."""
        ...


_holders: list[weakref.ref[Any]] = []


def hold(holder: Holder) -> None:
    """Ask a holder, as long as it lives, to let go of what was evicted, so that the disk gets its space."""
    _holders.append(weakref.ref(holder, _holders.remove))


class FileCache:
    """A folder of fetched files, shared by all processes of a host.

    Args:
        folder: where; made when it is missing.
        limit: most bytes to keep; None for no limit but the disk: a twentieth of it, 10 GB at most, is
            always left free. Files used least recently go first.
        waits: seconds between tries; left out, seven tries in half a minute.
    """

    def __init__(
        self, folder: str | os.PathLike[str], limit: int | None = None, waits: Sequence[float] | None = None
    ) -> None:
        self.folder = Path(folder)
        self.limit = limit
        self._waits = waits
        self._no_md5: set[str] = set()
        self._let_go_at = 0.0

    def fetch(self, file: RemoteFile) -> Path:
        """The path of a file in the cache, fetched if it is not there; an eviction may remove it any time.

        Raises:
            DataError, InvalidInput, MissingExtra: as for `open`.
        """
        os.close(self.open(file))
        return self._entry(file)

    def open(self, file: RemoteFile) -> int:
        """An open descriptor of a file, fetched if it is not there; no eviction can take it away.

        Raises:
            DataError: it cannot be fetched, or comes with another size or checksum; nothing of it is kept.
            InvalidInput: the folder cannot be written to, or the limit is below the file's size.
            MissingExtra: the library for the store is not installed.
        """
        descriptor = self.held(file)
        if descriptor is None:
            with self._lock(f"{file.key}.lock", file):
                descriptor = self.held(file)
                if descriptor is None:
                    descriptor = self._fetched(file)
        if _holders and time.monotonic() - self._let_go_at > _LET_GO_SECONDS:
            self._let_go()
        return descriptor

    def held(self, file: RemoteFile) -> int | None:
        """An open descriptor of a file if it is in the cache, else None; counts as a use of it."""
        entry = self._entry(file)
        try:
            descriptor = os.open(entry, _READ)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._unusable(entry, error) from error
        if os.fstat(descriptor).st_size != file.size:  # somebody else changed it: fetched anew
            os.close(descriptor)
            return None
        with contextlib.suppress(OSError):  # a cache filled beforehand may be read-only
            os.utime(entry)
        return descriptor

    def holds(self, file: RemoteFile) -> bool:
        """Whether a file is in the cache."""
        return self._entry(file).exists()

    def verify(self) -> Iterator[Path]:
        """The files in the cache that are not, or no longer, what was fetched; reads all of them.

        Raises:
            DataError: a file cannot be read.
        """
        for sums in sorted(self.folder.glob("files/*.sha256")):
            file = sums.with_suffix("")
            try:
                if _hash(file, "sha256") != sums.read_text("utf-8").split(" ")[0]:
                    yield file
            except FileNotFoundError:  # evicted meanwhile
                continue
            except OSError as error:
                raise DataError(f"{file}: it cannot be read: {error.strerror}. Remove it.") from error

    def _entry(self, file: RemoteFile) -> Path:
        return self.folder / "files" / file.key

    def _fetched(self, file: RemoteFile) -> int:
        """Fetch a file whose lock is held."""
        part = self.folder / "parts" / f"{file.key}.{uuid.uuid4().hex}.{file.size}.part"
        with self._lock("room.lock", file):
            self._remove_stale(file)
            make_room(self.folder, file, self.limit, self._is_free, self._let_go)
            part.touch(exist_ok=False)  # its name keeps its space for it
        try:
            digest = self._download(file, part)
            return self._put_in_place(file, part, digest)
        finally:
            with contextlib.suppress(OSError):
                os.unlink(part)

    def _download(self, file: RemoteFile, part: Path) -> str:
        """Fetch and check; returns the SHA-256."""
        where = f"sources.{file.source}: {file}"
        before: set[str] = set()
        with fetch_bar(file.name, file.size) as callback:
            try:
                return patiently(partial(self._tried, file, part, callback, before), where, self._waits)
            except FileNotFoundError as error:
                raise gone(file) from error

    def _tried(self, file: RemoteFile, part: Path, callback: Any, before: set[str]) -> str:
        store, path = store_of(file.url, file.source)
        store.get_file(path, str(part), callback=callback)
        size = os.stat(part).st_size
        if size != file.size:
            raise PassingError(f"it came with {size} bytes, and {file.size} were due")
        digest = _hash(part, "sha256")
        if file.checksum is not None:
            self._check(file, part, file.checksum, digest, before)
        return digest

    def _check(self, file: RemoteFile, part: Path, checksum: Checksum, digest: str, before: set[str]) -> None:
        bucket = "/".join(file.url.split("/")[:3])
        if not checksum.firm and bucket in self._no_md5:
            return
        found = digest if checksum.algorithm == "sha256" else _hash(part, checksum.algorithm)
        if found == checksum.digest:
            return
        if not checksum.firm and digest in before:
            _refuse_changed(file)
            self._no_md5.add(
                bucket
            )  # the same bytes twice: the tag is none of their MD5, as where S3 encrypts
            return
        before.add(digest)
        raise PassingError(f"it came with {checksum.algorithm} {found}, and {checksum.digest} was due")

    def _put_in_place(self, file: RemoteFile, part: Path, digest: str) -> int:
        """Name a whole file as one; it is open before any eviction can see it."""
        entry = self._entry(file)
        try:
            _flush_to_disk(part)
            with self._lock("room.lock", file):
                entry.with_name(f"{entry.name}.sha256").write_text(f"{digest}  {entry.name}\n", "utf-8")
                os.replace(part, entry)
                return os.open(entry, _READ)
        except OSError as error:
            raise DataError(
                f"sources.{file.source}: {file}: it cannot be written to the cache {self.folder}: "
                f"{error.strerror}. Free space there, or name another folder in THERMIX_CACHE."
            ) from error

    def _remove_stale(self, file: RemoteFile) -> None:
        """Remove what a killed process left of a file whose lock is ours."""
        for stale in (self.folder / "parts").glob(f"{file.key}.*.part"):
            stale.unlink(missing_ok=True)

    def _is_free(self, key: str) -> bool:
        """Whether nobody is fetching a file now."""
        from filelock import FileLock, Timeout

        try:
            with FileLock(self.folder / "locks" / f"{key}.lock", timeout=0):
                return True
        except Timeout:
            return False

    @contextlib.contextmanager
    def _lock(self, name: str, file: RemoteFile) -> Iterator[None]:
        """A lock between threads and processes, which the system gives back when its holder dies."""
        from filelock import FileLock

        try:
            for part in ("files", "parts", "locks"):
                (self.folder / part).mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.folder / "locks" / name)
            lock.acquire(poll_interval=0.02)
        except OSError as error:
            raise self._unusable(self.folder, error) from error
        try:
            yield
        finally:
            lock.release()

    def _let_go(self) -> None:
        self._let_go_at = time.monotonic()
        for reference in _holders.copy():  # other threads may add to it
            holder = reference()
            if holder is not None:
                holder.let_go()

    def _unusable(self, path: Path, error: OSError) -> InvalidInput:
        return InvalidInput(
            f"THERMIX_CACHE: {path}: the cache of remote files cannot be used: {error.strerror or error}. "
            "Name a folder in THERMIX_CACHE that can be written to."
        )


def default_cache() -> FileCache:
    """The cache that the environment names.

    `THERMIX_CACHE` is its folder, else `thermix` in `XDG_CACHE_HOME`, else `~/.cache/thermix`;
    `THERMIX_CACHE_LIMIT` the most it may hold, such as "200GB".

    Raises:
        InvalidInput: the limit is no size.
    """
    own, base = os.environ.get("THERMIX_CACHE"), os.environ.get("XDG_CACHE_HOME", "")
    shared = base if os.path.isabs(base) else os.path.expanduser("~/.cache")
    folder = os.path.abspath(os.path.expanduser(own)) if own else os.path.join(shared, "thermix")
    return _cache_at(folder, os.environ.get("THERMIX_CACHE_LIMIT", ""))


@functools.lru_cache(maxsize=16)
def _cache_at(folder: str, limit: str) -> FileCache:
    return FileCache(folder, byte_size("THERMIX_CACHE_LIMIT", limit) if limit else None)


def _refuse_changed(file: RemoteFile) -> None:
    """Refuse a file whose tag at the store is another one now."""
    store, path = store_of(file.url, file.source)
    store.invalidate_cache()
    now = f"ETag={store.info(path).get('ETag')}"
    if file.version.startswith("ETag=") and now != file.version:
        raise DataError(
            f"sources.{file.source}: {file}: it has changed since the source was opened ({now}, and it was "
            f"{file.version}); files must not change while they are read. Open the source anew."
        )


def _hash(path: Path, algorithm: str) -> str:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _flush_to_disk(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
