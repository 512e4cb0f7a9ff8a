"""The bytes of one raw file: local or remote, plain or unpacked on the way, a block at a time.

Invariant: whatever is wrong with the bytes is a DataError that names the file and where in it reading
stopped; a packed file that ends early never passes for one that is whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, Protocol, cast

from thermix.errors import DataError, MissingExtra
from thermix.sources.files import is_remote

__all__ = ["RawFile", "open_raw", "unreadable_raw"]

_BUFFER = 1 << 20
_PACKED_BLOCK = 1 << 14  # unpacks to 64 KiB of text or so, and in no case to more than 512 MiB


class _Reads(Protocol):
    def read(self, size: int, /) -> bytes: ...


def open_raw(path: str) -> IO[bytes]:
    """A raw file, open for reading as it lies there.

    Raises:
        DataError: it cannot be opened.
        MissingExtra: it is remote, and the library that reads it is not installed.
    """
    try:
        if is_remote(path):
            return _open_remote(path)
        return open(path, "rb", buffering=_BUFFER)
    except (OSError, ValueError) as error:
        raise unreadable_raw(path, error) from error


def _open_remote(path: str) -> IO[bytes]:
    try:
        import fsspec

        return cast("IO[bytes]", fsspec.open(path, "rb").open())
    except ImportError as error:
        raise MissingExtra(error.name or "fsspec", "data", f"reading {path}") from error


def unreadable_raw(path: str, error: Exception) -> DataError:
    """The error of a raw file that cannot be opened or read."""
    why = getattr(error, "strerror", None) or error
    way_out = (
        "Check the address and the connection"
        if is_remote(path)
        else "Put it back, or see to its permissions"
    )
    return DataError(f"{path}: it cannot be read: {why}. {way_out}, then run again: what is done is kept.")


class RawFile:
    """The unpacked bytes of a raw file.

    Args:
        path: of the file, local or remote.
        compression: "gz", "zst", "bz2", "xz", or "" for none.

    Attributes:
        unpacked: bytes given out by `read`, in all.
    """

    def __init__(self, path: str, compression: str = "") -> None:
        self._path = path
        self._compression = compression
        self._raw = open_raw(path)
        self.unpacked = 0
        try:
            self._reads = _unpacked(self._raw, compression)
        except BaseException:
            self._raw.close()
            raise

    def __enter__(self) -> RawFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        self._raw.close()

    def read(self, size: int) -> bytes:
        """About `size` bytes more, at least one; none at the end.

        Raises:
            DataError: the file cannot be read, or its compression is damaged.
        """
        with self._errors():
            data = self._reads.read(size)
            if self._compression and not data and not self.consumed():
                raise EOFError  # even no rows at all are packed as some bytes
        self.unpacked += len(data)
        return data

    def seek(self, offset: int) -> None:
        """Go on from a byte; only where there is no compression."""
        with self._errors():
            self._raw.seek(offset)

    def consumed(self) -> int:
        """Bytes of the file, as it lies there, that were read by now."""
        return self._raw.tell()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            if not self._compression:
                raise unreadable_raw(self._path, error) from error
            if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None):
                raise unreadable_raw(self._path, error) from error
            cut = isinstance(error, EOFError)
            what = (
                "it ends in the middle of its compressed data"
                if cut
                else f"its compressed data are damaged: {error}"
            )
            raise DataError(
                f"{self._path}, byte {self.consumed()} (after {self.unpacked} unpacked bytes): {what}. "
                "Fetch or make the file again."
            ) from error


def _unpacked(raw: IO[bytes], compression: str) -> _Reads:
    if compression == "gz":
        import gzip

        return gzip.GzipFile(fileobj=raw, mode="rb")
    if compression == "bz2":
        import bz2

        return bz2.BZ2File(raw)
    if compression == "xz":
        import lzma

        return lzma.LZMAFile(raw)
    return _Zstandard(raw) if compression else raw


class _Zstandard:
    """Every frame of a zstd file; unlike the library's own stream reader it refuses a frame cut short."""

    def __init__(self, raw: IO[bytes]) -> None:
        try:
            import zstandard
        except ImportError as error:
            raise MissingExtra("zstandard", "data", "reading .zst files") from error
        self._raw = raw
        self._context = zstandard.ZstdDecompressor(max_window_size=1 << 31)  # as zstd --long=31 needs
        self._frame: Any = None
        self._ahead = b""

    def read(self, size: int, /) -> bytes:
        pieces: list[bytes] = []
        while size > 0 and (piece := self._next()):
            pieces.append(piece)
            size -= len(piece)
        return b"".join(pieces)

    def _next(self) -> bytes:
        while data := self._ahead or self._raw.read(_PACKED_BLOCK):
            self._ahead = b""
            if self._frame is None:
                self._frame = self._context.decompressobj()
            piece = cast("bytes", self._frame.decompress(data))
            if self._frame.eof:
                self._ahead, self._frame = self._frame.unused_data, None
            if piece:
                return piece
        if self._frame is not None:
            raise EOFError
        return b""
