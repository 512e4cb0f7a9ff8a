"""Which files a path means, what is in them at a glance, and reading from many of them.

Knows nothing of formats. Invariant: the same path on the same files gives the same list in the same
order, whatever order the file system lists them in.
"""

from __future__ import annotations

import difflib
import glob
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from thermix.errors import DataError, InvalidInput

__all__ = ["FileReader", "content_digest", "find_paths"]

_SAMPLES = 16
_SAMPLE_BYTES = 4096
_OPEN_FILES = 64


def find_paths(path: str | Sequence[str], name: str) -> list[Path]:
    """The files and folders a path means.

    Args:
        path: a file, a folder, a glob (`*`, `?`, `[..]`, `**`), or a list of these. What a glob matches is
            sorted by name; a list keeps its order.
        name: of the source, for errors.

    Raises:
        InvalidInput: nothing lies there, a glob matches nothing, a remote address, or a file named twice.
    """
    entries = [path] if isinstance(path, str | os.PathLike) else list(path)
    if not entries:
        raise InvalidInput(
            f"sources.{name}.path: got an empty list; it must name at least one file or folder."
        )
    found = [each for entry in entries for each in _matches(entry, name)]
    _refuse_twice(found, name)
    return found


def _matches(entry: object, name: str) -> list[Path]:
    if not isinstance(entry, str | os.PathLike) or not os.fspath(entry):
        raise InvalidInput(f"sources.{name}.path: got {entry!r}; a path is text that is not empty.")
    text = os.path.expanduser(os.fspath(entry))
    if "://" in text:
        raise InvalidInput(
            f"sources.{name}.path: got {text!r}; this version reads local files only. Copy the data here."
        )
    if os.path.lexists(text) or not glob.has_magic(text):
        return [_existing(Path(text), name)]
    matches = sorted(glob.glob(text, recursive=True))
    if not matches:
        raise InvalidInput(
            f"sources.{name}.path: {text!r} matches no file (from folder {os.getcwd()}). "
            f"{_way_out(Path(text))}"
        )
    return [_existing(Path(match), name) for match in matches]


def _existing(path: Path, name: str) -> Path:
    if path.exists():
        return path
    if path.is_symlink():
        target = os.readlink(path)
        raise InvalidInput(
            f"sources.{name}.path: {path} is a link to {target}, which does not exist. Mend the link."
        )
    raise InvalidInput(
        f"sources.{name}.path: nothing lies at {path} (from folder {os.getcwd()}). {_way_out(path)}"
    )


def _way_out(path: Path) -> str:
    """The nearest name beside a path that does not exist, or how far up the path does exist."""
    folder = path.parent
    while not folder.is_dir():
        folder, path = folder.parent, folder
    near = difflib.get_close_matches(path.name, sorted(os.listdir(folder)), n=1)
    if near:
        return f"Did you mean {folder / near[0]}?"
    return f"Folder {folder} holds no such name: correct the path, or make the data first."


def _refuse_twice(paths: Sequence[Path], name: str) -> None:
    seen = set()
    for path in paths:
        real = os.path.realpath(path)
        if real in seen:
            raise InvalidInput(
                f"sources.{name}.path: {path} is named twice; its items would count twice. Name it once, "
                "or raise the source's score to draw it more often."
            )
        seen.add(real)


def content_digest(path: Path) -> bytes:
    """A hash of a file's size and of 16 blocks of 4 KiB spread evenly over it, from its first byte to its last.

    Files up to 64 KiB are hashed whole. A change that keeps the size and lies between the blocks is not
    seen; names and times do not count.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with open(path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            digest = hashlib.sha256(b"%d\n" % size)
            last = max(size - _SAMPLE_BYTES, 0)
            spread = [last * i // (_SAMPLES - 1) for i in range(_SAMPLES)]
            whole = range(0, size, _SAMPLE_BYTES)
            for offset in whole if size <= _SAMPLES * _SAMPLE_BYTES else spread:
                file.seek(offset)
                digest.update(file.read(_SAMPLE_BYTES))
    except OSError as error:
        raise DataError(f"{path}: it cannot be read: {error.strerror}. Check its permissions.") from error
    return digest.digest()


class _Handle:
    """An open file, closed when nobody uses it any more."""

    def __init__(self, path: Path) -> None:
        self.descriptor = -1
        self.descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))

    def __del__(self) -> None:
        if self.descriptor >= 0:
            os.close(self.descriptor)


class FileReader:
    """Bytes at a place in one of many files, with at most 64 of them open.

    Reads name their place (`pread`), so that threads and forked processes can share it; a file that ends
    early is an error and not, as with a memory map, the end of the process.

    Args:
        paths: the files.
        sizes: what they measured when they were looked at, in bytes.
        name: of the source, for errors.
    """

    def __init__(self, paths: Sequence[Path], sizes: Sequence[int], name: str) -> None:
        self._paths = paths
        self._sizes = sizes
        self._name = name
        self._handles: dict[int, _Handle] = {}

    def __reduce__(self) -> tuple[type[FileReader], tuple[Sequence[Path], Sequence[int], str]]:
        return FileReader, (self._paths, self._sizes, self._name)

    def read(self, file: int, start: int, stop: int) -> bytes:
        """Bytes [start, stop) of file number `file`.

        Raises:
            DataError: the file is gone, cannot be read, or has another size than before.
        """
        try:
            data = self._read(file, start, stop - start)
        except OSError as error:
            raise DataError(
                f"sources.{self._name}: {self._paths[file]}, byte {start}: it cannot be read: {error.strerror}. "
                "It could when the source was opened: put it back, then go on from the last checkpoint."
            ) from error
        if len(data) != stop - start:
            raise self._changed(file, start + len(data))
        return data

    def _read(self, file: int, start: int, count: int) -> bytes:
        if not hasattr(os, "pread"):  # Windows: a file of our own has a place of its own
            with open(self._paths[file], "rb", buffering=0) as own:
                own.seek(start)
                return own.read(count)
        handle = self._handles.get(file) or self._open(file)
        data = os.pread(handle.descriptor, count, start)
        while 0 < len(data) < count and (
            more := os.pread(handle.descriptor, count - len(data), start + len(data))
        ):
            data += more
        return data

    def _open(self, file: int) -> _Handle:
        handle = _Handle(self._paths[file])
        size = os.fstat(handle.descriptor).st_size
        if size != self._sizes[file]:
            raise self._changed(file, size)
        while len(self._handles) >= _OPEN_FILES:
            self._handles.pop(next(iter(self._handles), file), None)
        self._handles[file] = handle
        return handle

    def _changed(self, file: int, size: int) -> DataError:
        return DataError(
            f"sources.{self._name}: {self._paths[file]} is {size} bytes long, and was {self._sizes[file]} when "
            "the source was opened; files must not change while they are read. Put it back, or open the "
            "source anew."
        )

    def close(self) -> None:
        """Close every file."""
        self._handles = {}
