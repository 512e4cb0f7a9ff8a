"""What is in files: a hash at a glance, and bytes at a place in one of many.

Knows nothing of formats. Invariant: a file that cannot be read, or is not as long as it was, is a DataError.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from thermix.errors import DataError
from thermix.sources.disk import FileElsewhere, descriptor_of, open_raw

__all__ = ["FileReader", "content_digest"]

_SAMPLES = 16
_SAMPLE_BYTES = 4096
_OPEN_FILES = 64


def content_digest(path: Path | FileElsewhere) -> bytes:
    """A hash of a file's size and of 16 blocks of 4 KiB, spread evenly from its first byte to its last.

    Files up to 64 KiB are hashed whole. A change that keeps the size and lies between the blocks is not
    seen; names and times do not count.

    Raises:
        DataError: the file cannot be read.
    """
    if not isinstance(path, Path):
        return _digest(path.size, path.read)
    try:
        with open(path, "rb", buffering=0) as file:

            def read(offset: int, count: int) -> bytes:
                file.seek(offset)
                return file.read(count)

            return _digest(os.fstat(file.fileno()).st_size, read)
    except OSError as error:
        raise DataError(f"{path}: it cannot be read: {error.strerror}. Check its permissions.") from error


def _digest(size: int, read: Callable[[int, int], bytes]) -> bytes:
    digest = hashlib.sha256(b"%d\n" % size)
    if size <= _SAMPLES * _SAMPLE_BYTES:
        digest.update(read(0, size))
        return digest.digest()
    last = size - _SAMPLE_BYTES
    for block in range(_SAMPLES):
        digest.update(read(last * block // (_SAMPLES - 1), _SAMPLE_BYTES))
    return digest.digest()


_Path = Path | FileElsewhere


class _Handle:
    """An open file, closed when nobody uses it any more."""

    def __init__(self, path: _Path) -> None:
        self.descriptor = -1
        self.descriptor = descriptor_of(path)

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

    def __init__(self, paths: Sequence[_Path], sizes: Sequence[int], name: str) -> None:
        self._paths = paths
        self._sizes = sizes
        self._name = name
        self._handles: dict[int, _Handle] = {}

    def __reduce__(self) -> tuple[type[FileReader], tuple[Sequence[_Path], Sequence[int], str]]:
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
                f"sources.{self._name}: {self._paths[file]}, byte {start}: it cannot be read: "
                f"{error.strerror}. It could when the source was opened: put it back, "
                "then go on from the last checkpoint."
            ) from error
        if len(data) != stop - start:
            raise self._changed(file, start + len(data))
        return data

    def _read(self, file: int, start: int, count: int) -> bytes:
        if not hasattr(os, "pread"):  # Windows: a file of our own has a place of its own
            with open_raw(self._paths[file]) as own:
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
            f"sources.{self._name}: {self._paths[file]} is {size} bytes long, and was {self._sizes[file]} "
            "when the source was opened; files must not change while they are read. Put it back, or open the "
            "source anew."
        )

    def close(self) -> None:
        """Close every file."""
        self._handles = {}
