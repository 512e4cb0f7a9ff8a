"""Compressed files as pieces of what they hold. A file that is cut short is an error, in every packing."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Iterator
from typing import IO

from thermix.errors import MissingExtra

__all__ = ["packed_blocks"]

_BLOCK = 1 << 20
_PACKED_BLOCK = 1 << 16  # what it unpacks to is in memory


def packed_blocks(file: IO[bytes], packing: str) -> Iterator[bytes]:
    """What a file holds, unpacked, in pieces of about a megabyte.

    Args:
        file: open for reading.
        packing: its ending, one of `PACKINGS`; empty for a file that is not packed.

    Raises:
        Exception: it is not of this packing, or is cut or damaged; each library has its own errors.
    """
    if packing == ".zst":
        yield from _zstandard_blocks(file)
        return
    unpacked = _unpacked(file, packing)
    while block := unpacked.read(_BLOCK):
        yield block


def _unpacked(file: IO[bytes], packing: str) -> IO[bytes]:
    if packing == ".gz":
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if packing == ".bz2":
        return bz2.BZ2File(file)
    return lzma.LZMAFile(file) if packing == ".xz" else file


def _zstandard_blocks(file: IO[bytes]) -> Iterator[bytes]:
    """Frame by frame: its file reader takes a file that is cut short for one that ends there."""
    try:
        import zstandard
    except ImportError as error:
        raise MissingExtra("zstandard", "data", "reading .zst files") from error
    frame = zstandard.ZstdDecompressor().decompressobj()
    begun = False
    while packed := file.read(_PACKED_BLOCK):
        while packed:
            if frame.eof:
                frame = zstandard.ZstdDecompressor().decompressobj()
            if block := frame.decompress(packed):
                yield block
            begun = True
            packed = frame.unused_data
    if begun and not frame.eof:
        raise EOFError("Compressed file ended before the end of its last frame")
