"""Writing a token shard: the `.bin` and `.idx` that Megatron-LM reads and would itself have written.

Invariant: a shard is there whole or not at all. Both files are written under temporary names, flushed to
disk and renamed, the index last: where there is an index, there is a shard.
"""

from __future__ import annotations

import contextlib
import os
from array import array
from collections.abc import Callable, Iterable
from io import BufferedWriter
from types import TracebackType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermix.errors import DataError, InvalidInput
from thermix.sources.megatron import DTYPE_CODES, HEADER, MAGIC, VERSION

__all__ = ["TokenShardWriter"]

_CODES = {name: code for code, name in DTYPE_CODES.items() if not name.startswith("float")}
_BUFFER = 1 << 20
_LONGEST = (1 << 31) - 1
_BLOCK = 1 << 16


class TokenShardWriter:
    """One shard, written document by document; a document is one sequence of the index.

    In `with`, leaving the block finishes the shard, and an exception in the block discards it.

    Args:
        path: of the shard, "folder/name"; ".bin" and ".idx" are put behind it (a ".bin" there is taken off).
        dtype: of a token in the file: uint8, int8, int16, int32, int64 or uint16, as Megatron knows no others.

    Raises:
        InvalidInput: another type, or a shard of that name is there.
        DataError: the files cannot be written.

    >>> import tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> with TokenShardWriter(folder / "part-0", dtype="uint16") as shard:
    ...     shard.append([5, 6, 7])
    ...     shard.append([8])
    >>> sorted((file.name, file.stat().st_size) for file in folder.iterdir())
    [('part-0.bin', 8), ('part-0.idx', 82)]
    """

    def __init__(self, path: str | os.PathLike[str], *, dtype: str) -> None:
        if dtype not in _CODES:
            raise InvalidInput(
                f"dtype: got {dtype!r}; a Megatron-LM shard holds {', '.join(_CODES)}. Take the next larger one."
            )
        self._dtype = np.dtype(dtype).newbyteorder("<")
        stem = os.fspath(path).removesuffix(".bin")
        self._bin, self._idx = f"{stem}.bin", f"{stem}.idx"
        for file in (self._bin, self._idx):
            if os.path.lexists(file):
                raise InvalidInput(
                    f"{file}: a file of that name is there, and is not written over. Remove it, or take another name."
                )
        self._lengths = array("i")
        self._tokens = 0
        self._data: BufferedWriter | None = self._begun(self._bin)

    @property
    def documents(self) -> int:
        """Documents appended so far."""
        return len(self._lengths)

    @property
    def tokens(self) -> int:
        """Tokens appended so far."""
        return self._tokens

    def append(self, tokens: ArrayLike) -> None:
        """Add a document.

        Args:
            tokens: whole numbers (n,) that the shard's type can hold; n may be 0.

        Raises:
            InvalidInput: not such numbers, or the writer is closed.
            DataError: the file cannot be written.
        """
        array_ = np.asarray(tokens)
        self.extend(array_, [array_.size])

    def extend(self, tokens: ArrayLike, lengths: Iterable[int] | NDArray[np.integer]) -> None:
        """Add many documents that lie one after the other.

        Args:
            tokens: of all of them, whole numbers (n,).
            lengths: of each, tokens; they sum to n.

        Raises:
            InvalidInput, DataError: as for `append`.
        """
        data = self._data
        if data is None:
            raise InvalidInput(f"{self._bin}: the writer is closed; open another for another shard.")
        stored = self._stored(np.asarray(tokens))
        sizes = self._checked_lengths(np.asarray(list(lengths) if not isinstance(lengths, np.ndarray) else lengths), len(stored))
        with self._writing(self._bin, self._tokens * self._dtype.itemsize):
            data.write(memoryview(np.ascontiguousarray(stored)).cast("B"))
        self._lengths.frombytes(sizes.astype(np.intc).tobytes())
        self._tokens += len(stored)

    def close(self) -> None:
        """Finish the shard; a second time does nothing."""
