r"""The header of a Megatron-LM index: what an `.idx` says of the `.bin` beside it.

    bytes   0  magic "MMIDIDX\0\0"         s sequences, d document indices
            9  version, uint64 = 1
           17  dtype code, uint8
           18  s, uint64;  26  d, uint64
           34  lengths     int32 (s,)       tokens in each sequence
               pointers    int64 (s,)       byte in the .bin at which it begins
               documents   int64 (d,)       first sequence of each document, and s at the end
               modes       int8  (s,)       only in multimodal data; nothing here reads them

Little-endian throughout. Reads the header, the file's size and the last sequence, never the arrays: the
cost does not depend on the shard. Layout as in megatron-core 0.16, `core/datasets/indexed_dataset.py`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import cast

import numpy as np

from thermix.errors import DataError
from thermix.sources.disk import Disk, FileElsewhere, opened

__all__ = ["DTYPE_CODES", "HEADER", "MAGIC", "VERSION", "IndexHeader", "little_endian", "read_header"]

MAGIC = b"MMIDIDX\x00\x00"
VERSION = 1
HEADER = struct.Struct("<9sQBQQ")
DTYPE_CODES = {
    1: "uint8",
    2: "int8",
    3: "int16",
    4: "int32",
    5: "int64",
    6: "float64",
    7: "float32",
    8: "uint16",
}
_AGAIN = "Write the shard again, or take it out."


@dataclass(frozen=True)
class IndexHeader:
    """What the fixed part of an index says.

    Attributes:
        dtype: of a token in the `.bin`.
        sequences: number of sequences.
        documents: number of document indices, one more than there are documents.
        data_bytes: where the last sequence ends, which is how long the `.bin` must be.
        size: of the index, in bytes.
    """

    dtype: np.dtype[np.integer]
    sequences: int
    documents: int
    data_bytes: int
    size: int

    @property
    def pointers_at(self) -> int:
        """Byte of the index at which the sequence pointers begin."""
        return HEADER.size + 4 * self.sequences

    @property
    def documents_at(self) -> int:
        """Byte of the index at which the document indices begin."""
        return self.pointers_at + 8 * self.sequences


def little_endian(dtype: str) -> np.dtype[np.integer]:
    """A type of whole numbers by its name, as it is stored."""
    return cast("np.dtype[np.integer]", np.dtype(dtype).newbyteorder("<"))


def read_header(path: str | FileElsewhere, name: str) -> IndexHeader:
    """The header of an index file.

    Args:
        path: of the `.idx`.
        name: of the source, for errors.

    Raises:
        DataError: it cannot be read, is cut short, or is no index of tokens; the message says at which byte.
    """
    with opened(path, name) as disk:
        code, sequences, documents = _fixed_part(disk)
        dtype = _token_dtype(disk, code)
        _check_size(disk, sequences, documents)
        data_bytes = _data_bytes(disk, sequences, dtype.itemsize)
        return IndexHeader(dtype, sequences, documents, data_bytes, disk.size)


def _fixed_part(disk: Disk) -> tuple[int, int, int]:
    head = disk.read(0, HEADER.size)
    if not head.startswith(MAGIC[: len(head)]) or not head:
        raise _foreign(disk, 0, f"got {head[: len(MAGIC)]!r}; a Megatron-LM index begins with {MAGIC!r}")
    if len(head) < HEADER.size:
        raise DataError(
            f"{disk}: the file ends at byte {len(head)}, and an index has a header of {HEADER.size} bytes; "
            f"it is cut short. {_AGAIN}"
        )
    _, version, code, sequences, documents = HEADER.unpack(head)
    if version != VERSION:
        raise _foreign(disk, 9, f"got version {version}; this reads version {VERSION}")
    return code, sequences, documents


def _token_dtype(disk: Disk, code: int) -> np.dtype[np.integer]:
    dtype = DTYPE_CODES.get(code)
    if dtype is None:
        raise _foreign(disk, 17, f"got dtype code {code}; codes are 1 to {max(DTYPE_CODES)}")
    if dtype.startswith("float"):
        raise _foreign(disk, 17, f"got dtype code {code}, {dtype}; tokens are whole numbers")
    return little_endian(dtype)


def _check_size(disk: Disk, sequences: int, documents: int) -> None:
    due = HEADER.size + 12 * sequences + 8 * documents
    if disk.size in (due, due + sequences):  # with modes, a byte a sequence
        return
    says = f"its header says {sequences} sequences and {documents} document indices, which is {due} bytes"
    if disk.size < due:
        raise DataError(f"{disk}: the file ends at byte {disk.size}; {says}. It is cut short. {_AGAIN}")
    raise DataError(f"{disk}: the file is {disk.size} bytes long; {says}. It is no index. {_AGAIN}")


def _data_bytes(disk: Disk, sequences: int, itemsize: int) -> int:
    if sequences == 0:
        return 0
    length_at = HEADER.size + 4 * (sequences - 1)
    pointer_at = HEADER.size + 12 * sequences - 8
    (length,) = struct.unpack("<i", disk.read(length_at, 4))
    (pointer,) = struct.unpack("<q", disk.read(pointer_at, 8))
    if length < 0 or pointer < 0:
        raise DataError(
            f"{disk}, byte {length_at if length < 0 else pointer_at}: got {min(length, pointer)} for the "
            f"last sequence; lengths and pointers are not below 0. {_AGAIN}"
        )
    return int(pointer + length * itemsize)


def _foreign(disk: Disk, byte: int, what: str) -> DataError:
    return DataError(f"{disk}, byte {byte}: {what}. {_AGAIN}")
