"""Opening, measuring and mapping one file, with errors that name it. Knows nothing of formats."""

from __future__ import annotations

import errno
import mmap
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import FileIO
from typing import Any, Generic, Protocol, TypeVar
from weakref import WeakValueDictionary

from thermix.errors import DataError

__all__ = [
    "Disk",
    "FileElsewhere",
    "Maps",
    "descriptor_of",
    "map_file",
    "map_limit",
    "open_raw",
    "opened",
    "unreadable",
]

T = TypeVar("T")

_OUT_OF_HANDLES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_SHARED_OUT = 1 << 14  # files or maps
_A_SOURCE, _FEWEST = 16, 16  # a source keeps a sixteenth of what may be open, and not less than this


class FileElsewhere(Protocol):
    """A file that is not on this host, or only when it is read; as text, where it lies."""

    @property
    def size(self) -> int:
        """In bytes."""
        ...

    def descriptor(self) -> int:
        """All of it as an open file here, which the caller closes."""
        ...

    def read(self, start: int, count: int, /) -> bytes:
        """Bytes [start, start + count), fewer at its end."""
        ...


def descriptor_of(path: str | os.PathLike[str] | FileElsewhere) -> int:
    """A file open for reading, which the caller closes.

    Raises:
        OSError: it cannot be opened.
        DataError: it cannot be fetched.
    """
    if isinstance(path, str | os.PathLike):
        return os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    return path.descriptor()


def open_raw(path: str | os.PathLike[str] | FileElsewhere) -> FileIO:
    """A file open for reading, without a buffer; raises as `descriptor_of`."""
    return open(path if isinstance(path, str | os.PathLike) else path.descriptor(), "rb", buffering=0)


@dataclass(frozen=True)
class Disk:
    """An open file; as text, how an error begins that is about it."""

    file: FileIO | FileElsewhere
    size: int
    path: str
    name: str

    def __str__(self) -> str:
        return f"sources.{self.name}: {self.path}"

    def read(self, start: int, count: int) -> bytes:
        """Bytes [start, start + count), fewer at the end of the file."""
        if not isinstance(self.file, FileIO):
            return self.file.read(start, count)
        self.file.seek(start)
        return self.file.read(count)


@contextmanager
def opened(path: str | FileElsewhere, name: str) -> Iterator[Disk]:
    """A file open for reading, closed on the way out.

    Args:
        path: of the file.
        name: of the source, for errors.

    Raises:
        DataError: it cannot be opened, or read inside the block, or is no file.
    """
    if not isinstance(path, str):
        yield Disk(path, path.size, str(path), name)
        return
    try:
        with open(path, "rb", buffering=0) as file:
            yield Disk(file, os.fstat(file.fileno()).st_size, path, name)
    except IsADirectoryError as error:
        raise DataError(
            f"sources.{name}: {path} is a folder, and a file is due there. Take it out, or name a file."
        ) from error
    except OSError as error:
        raise unreadable(error, path, name) from error


def unreadable(error: OSError, path: str, name: str) -> DataError:
    """The error of a file that cannot be read; it says why as the system does."""
    way_out = "Put it back, or take its shard out."
    if error.errno in (errno.EACCES, errno.EPERM):
        way_out = "Check its permissions."
    if error.errno in (errno.EMFILE, errno.ENFILE):
        way_out = "This process has too many files open: raise the limit (ulimit -n), or close some."
    return DataError(f"sources.{name}: {path}: it cannot be read: {error.strerror or error}. {way_out}")


def map_file(path: str | FileElsewhere, size: int, name: str) -> mmap.mmap:
    """A file in memory, read-only, its pages read from disk when they are first touched.

    Args:
        path: of the file.
        size: what it measured when it was looked at, in bytes, over 0.
        name: of the source, for errors.

    Raises:
        DataError: it has another size now. What shrinks after this call ends the process (SIGBUS), which
            no reader of memory maps can turn into an error.
        OSError: it cannot be opened or mapped.
    """
    descriptor = descriptor_of(path)
    try:
        now = os.fstat(descriptor).st_size
        if now != size:
            raise DataError(
                f"sources.{name}: {path} is {now} bytes long, and was {size} when the source was opened; "
                "files must not change while they are read. Put it back, or open the source anew."
            )
        return mmap.mmap(descriptor, size, access=mmap.ACCESS_READ, **_NO_HANDLE)
    finally:
        os.close(descriptor)


_NO_HANDLE: dict[str, Any] = {"trackfd": False} if sys.version_info >= (3, 13) else {}  # keeps no file open


class Maps(Generic[T]):
    """What was mapped of many files, a bounded number at a time.

    When it is full the one mapped first is dropped: reads come in random order, so that no other choice
    would be better. A map in use elsewhere lives until that is done with it; till then it is not made twice.

    Args:
        make: maps file number i; its OSError becomes a DataError.
        paths: of the files.
        name: of the source, for errors.
    """

    def __init__(self, make: Callable[[int], T], paths: Callable[[int], str], name: str) -> None:
        self._make = make
        self._path = paths
        self._name = name
        self._limit = max(map_limit(_A_SOURCE), _FEWEST)
        self._kept: dict[int, T] = {}
        self._alive: WeakValueDictionary[int, T] = WeakValueDictionary()

    def get(self, file: int) -> T:
        """What was mapped of file number `file`.

        Raises:
            DataError: the file is gone, cannot be read, or has another size than before.
        """
        kept = self._kept.get(file)
        return kept if kept is not None else self._mapped(file)

    def has(self, file: int) -> bool:
        """Whether a file is mapped and kept now."""
        return file in self._kept

    def clear(self) -> None:
        """Drop all maps."""
        self._kept = {}

    def drop(self, unwanted: Callable[[int], bool]) -> None:
        """Drop the maps of files whose number is unwanted."""
        for file in filter(unwanted, list(self._alive)):
            self._kept.pop(file, None)
            self._alive.pop(file, None)

    def _mapped(self, file: int) -> T:
        made = self._alive.get(file)
        if made is None:
            try:
                made = self._alive[file] = self._tried(file)
            except OSError as error:
                raise unreadable(error, self._path(file), self._name) from error
        while len(self._kept) >= self._limit:
            with suppress(RuntimeError):  # another thread put one in, or took one out
                self._kept.pop(next(iter(self._kept), file), None)
        self._kept[file] = made
        return made

    def _tried(self, file: int) -> T:
        try:
            return self._make(file)
        except OSError as error:
            if error.errno not in _OUT_OF_HANDLES or not self._kept:
                raise
        self._limit = max(1, len(self._kept) // 2)  # other sources need some too
        self.clear()
        return self._make(file)


def map_limit(share: int) -> int:
    """A share of the files a process may open: a map holds one open before Python 3.13.

    Args:
        share: a part in so many. At most 16,384 maps are shared out, whatever is allowed.
    """
    limit = _SHARED_OUT
    if not _NO_HANDLE:
        try:
            import resource
        except ImportError:  # Windows
            limit = 1024
        else:
            own = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
            limit = limit if own == resource.RLIM_INFINITY else min(own, limit)
    return max(limit // share, 1)
