"""A folder of an object store that tasks write into: s3://, gs://.

A store has no rename, and no lock that ends with its process. It needs neither: an object is there whole or
not at all, under its own name, and what a task writes is the same whoever writes it. Tasks write to a folder
of their own machine, which goes to the store when it is whole. Invariant: files of tasks are never removed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import IO, Any, TypeVar

from thermix.engines.local_place import writing
from thermix.engines.object_lock import ObjectLock
from thermix.engines.places import LOCK, Room
from thermix.engines.scratch import scratch_folder, scratch_root
from thermix.errors import InvalidInput, ThermixError
from thermix.sources.addresses import path_of, protocol_of, shown
from thermix.sources.stores import Act, is_taken, lacks, patiently, side_by_side, store_to_write

__all__ = ["ObjectPlace", "is_store"]

T = TypeVar("T")

_STORES = ("s3", "s3a", "gs", "gcs", "memory")  # memory: fsspec's own, in this process
"""Where an object is there whole or not at all."""

_FEW = 4
_READ = 4 << 20  # bytes at a time


class ObjectPlace:
    """A folder of an object store.

    Args:
        url: its address.
        work: name in it of the folder for what is not finished.

    Raises:
        InvalidInput: an address of no object store, or of no bucket.
        MissingExtra: the library for it is not installed.
    """

    def __init__(self, url: str, work: str) -> None:
        if not is_store(url):
            raise InvalidInput(
                f"--out: got {shown(url)}; files are written to a folder, or to an object store, in which a "
                "file is there whole or not at all: s3:// or gs://. Give one of these, and copy them."
            )
        if not path_of(url).strip("/"):
            raise InvalidInput(
                f"--out: got {url}, without a bucket. Write {protocol_of(url)}://BUCKET/FOLDER."
            )
        self._url = url.rstrip("/")
        self._work = work
        self._lock: ObjectLock | None = None
        store_to_write(self._url)

    def __str__(self) -> str:
        return shown(self._url)

    @property
    def address(self) -> str:
        """The address itself."""
        return self._url

    def stranger(self, manifest: str) -> str | None:
        """As `Place.stranger` says; a folder is there when anything is in it."""
        if self.read([f"{self._work}/job.json"]) != [None]:
            return None
        names = self._asked("", _names)
        if names == [""]:
            raise InvalidInput(f"{self}: it is a file, and a folder is due there. Give another --out.")
        ours = not names or self._work in names or self.read([manifest]) != [None]
        return None if ours else min(names)

    @contextmanager
    def held(self, verb: str, made: str) -> Iterator[None]:
        """As `Place.held` says; see `ObjectLock` for what becomes of a dead run's lock."""
        with ObjectLock(self, f"{self._work}/{LOCK}", verb).held() as self._lock:
            yield

    def confirm(self) -> None:
        """As `Place.confirm` says; the store is not asked for it."""
        if self._lock is not None:
            self._lock.confirm()

    def alone(self, task: int) -> AbstractContextManager[None]:
        """Two may do a task at once: either writes the same bytes over the other's."""
        return nullcontext()

    @contextmanager
    def draft(self, names: Sequence[str]) -> Iterator[Path]:
        """A folder that is removed when all of its files are at the store."""
        with scratch_folder() as here:
            with writing(here):
                yield here
            files = sorted(file for file in here.rglob("*") if file.is_file())
            side_by_side(lambda file: self._put(file, file.relative_to(here).as_posix()), files)

    def read(self, names: Sequence[str]) -> list[bytes | None]:
        """As `Place.read` says, several at a time; of many, those that a listing of their folders has."""
        if len(names) <= _FEW:
            return side_by_side(self._read, names)
        folders = {name.rpartition("/")[0] for name in names}
        there = {f"{folder}/{name}" for folder in folders for name in self._asked(folder, _sizes)}
        found = [name for name in names if name in there]
        texts = dict(zip(found, side_by_side(self._read, found), strict=True))
        return [texts.get(name) for name in names]

    def sizes(self, names: Sequence[str]) -> list[int | None]:
        """As `Place.sizes` says, by one listing."""
        listed = self.listed()
        return [listed.get(name) for name in names]

    def listed(self) -> dict[str, int]:
        """The size of every file there, by its path.

        Raises:
            DataError: the store cannot be asked.
        """
        return self._asked("", _sizes)

    def used(self, name: str, use: Callable[[IO[bytes]], T]) -> T | None:
        """What a function makes of a file, read front to back; None where there is none.

        Args:
            name: of the file.
            use: begins anew where the store is cut off.

        Raises:
            DataError: it cannot be read.
        """

        def opened(store: Any, path: str) -> T:
            with store.open(path, "rb", block_size=_READ) as file:
                return use(file)

        try:
            return self._asked(name, opened)
        except FileNotFoundError:
            return None

    def write(self, name: str, content: bytes) -> None:
        """As `Place.write` says."""
        self._written(name, lambda store, path: store.pipe_file(path, content))

    def create(self, name: str, content: bytes) -> bool:
        """Write a file that is not there; False where the store says that it is.

        A store, or its library, that knows no such condition writes it.
        """

        def put(store: Any, path: str) -> bool:
            try:
                store.pipe_file(path, content, mode="create")
            except Exception as error:  # each store's library has its own
                if is_taken(error):
                    return False
                if not lacks(error):
                    raise
                store.pipe_file(path, content)
            return True

        return self._written(name, put)

    def remove(self, name: str) -> None:
        """Remove a file, where it is there.

        Raises:
            DataError: it cannot be removed.
        """
        with suppress(FileNotFoundError):
            self._asked(name, lambda store, path: store.rm_file(path), "write")

    def clear(self) -> None:
        """As `Place.clear` says; the lock goes when it is let go of."""
        with suppress(ThermixError):
            names = self._asked(self._work, _sizes)
            side_by_side(self.remove, [f"{self._work}/{name}" for name in names if name != LOCK])

    def room(self, need: int, tasks: int, at_once: int) -> Room:
        """The files of the tasks at work are on this machine's disk, one folder each."""
        folder = scratch_root()
        share = -(-need * min(at_once, tasks) // max(1, tasks))
        fate = f"are on their way to {self} at a time"
        free = shutil.disk_usage(folder).free
        return Room(share, free, str(folder), fate, "name another folder in TMPDIR")

    def _read(self, name: str) -> bytes | None:
        try:
            return self._asked(name, lambda store, path: bytes(store.cat_file(path)))
        except FileNotFoundError:
            return None

    def _put(self, file: Path, name: str) -> None:
        self._written(name, lambda store, path: store.put_file(str(file), path))

    def _written(self, name: str, action: Callable[[Any, str], T]) -> T:
        try:
            return self._asked(name, action, "write")
        except FileNotFoundError as error:
            bucket = path_of(self._url).partition("/")[0]
            raise InvalidInput(
                f"{self}: there is no bucket {bucket}. Make it, or correct the address."
            ) from error

    def _asked(self, name: str, action: Callable[[Any, str], T], act: Act = "read") -> T:
        url = f"{self._url}/{name}" if name else self._url
        return patiently(partial(_on_store, url, action), shown(url), act=act)


def is_store(url: str) -> bool:
    """Whether it is an address in a store that can be written to."""
    return protocol_of(url) in _STORES


def _on_store(url: str, action: Callable[[Any, str], T]) -> T:
    store, path = store_to_write(url)
    store.invalidate_cache()  # fsspec remembers listings, and takes them for what is there
    return action(store, path)


def _names(store: Any, path: str) -> list[str]:
    """The first part of each name in a folder; "" where the path is a file's."""
    try:
        found = [str(info["name"]) for info in store.ls(path, detail=True)]
    except FileNotFoundError:
        return []
    return [name[len(path) :].strip("/") for name in found if name != f"{path}/"]  # a mark of an empty folder


def _sizes(store: Any, path: str) -> dict[str, int]:
    """The size of each file in a folder and below it, by its path there."""
    try:
        found = store.find(path, detail=True)
    except FileNotFoundError:
        return {}
    return {name[len(path) :].lstrip("/"): int(info["size"]) for name, info in found.items()}
