"""Where documents begin inside windows of tokens, for attention that does not cross them.

Two ways to know it: a Megatron-LM index says it, or a token ends each document. Nothing here opens files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Documents", "IndexArrays", "documents_at", "starts_after", "starts_from_index"]

Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Documents:
    """The documents, or parts of documents, in n rows of L tokens.

    Attributes:
        positions: int64 (n, L), of each token in its document's part: 0 at the row's start and wherever a
            document begins.
        cu_seqlens: int32 (parts + 1,), where each part begins in the rows laid end to end, and n * L at
            the end; what variable-length attention kernels take.
    """

    positions: Ints
    cu_seqlens: NDArray[np.int32]


def documents_at(starts: Ints, rows: int, length: int) -> Documents:
    """Documents of rows of `length` tokens, laid end to end, that begin at `starts` and at each row.

    >>> documents_at(np.array([2]), rows=2, length=3).positions.tolist()
    [[0, 1, 0], [0, 1, 2]]
    """
    bounds = np.union1d(starts, np.arange(rows + 1) * length)
    within = np.arange(rows * length) - np.repeat(bounds[:-1], np.diff(bounds))
    return Documents(within.reshape(rows, length), bounds.astype(np.int32))


def starts_after(tokens: NDArray[Any], end_of_document: int) -> Ints:
    """Where documents begin in rows (n, L) laid end to end, each behind an end-of-document token."""
    return np.flatnonzero(tokens == end_of_document) + 1


@dataclass(frozen=True, eq=False)
class IndexArrays:
    """The arrays of a Megatron-LM index, as they lie in the file.

    Attributes:
        pointers: int64 (s,), byte at which each sequence begins.
        documents: int64 (d,), first sequence of each document, and s at the end.
    """

    pointers: Ints
    documents: Ints

    def starts(self, documents: Ints, itemsize: int, tokens: int) -> Ints:
        """The token at which documents begin; `tokens` for one behind the last sequence.

        Raises:
            ValueError: the index contradicts itself.
        """
        sequences = self.documents[documents]
        count = len(self.pointers)
        if sequences.size and (sequences.min() < 0 or sequences.max() > count):
            bad = documents[(sequences < 0) | (sequences > count)][0]
            raise ValueError(
                f"document {bad} begins at sequence {self.documents[bad]}, and there are {count} sequences"
            )
        begin = self.pointers[np.minimum(sequences, count - 1)] // itemsize
        return np.where(sequences < count, begin, tokens)


def starts_from_index(
    index: IndexArrays, firsts: Ints, length: int, itemsize: int, tokens: int
) -> tuple[Ints, Ints]:
    """Where documents begin inside windows of a shard.

    Args:
        index: of the shard.
        firsts: first token of each window (n,).
        length: tokens in a window.
        itemsize: bytes of a token.
        tokens: in the shard.

    Returns:
        Window, in [0, n), and place in it, in [1, length), of every document that begins inside a window.

    Raises:
        ValueError: the index contradicts itself.

    Cost: log2(d) looks into the index for all windows together, and the documents found.
    """

    def start_of(documents: Ints) -> Ints:
        return index.starts(documents, itemsize, tokens)

    low = _count_below(start_of, firsts + 1, len(index.documents))
    high = _count_below(start_of, firsts + length, len(index.documents))
    each = np.maximum(high - low, 0)
    window = np.repeat(np.arange(len(firsts)), each)
    document = np.arange(len(window)) + np.repeat(low - (np.cumsum(each) - each), each)
    place = start_of(document) - firsts[window]
    if place.size and (place.min() < 1 or place.max() >= length):
        raise ValueError("its documents are not in the order of their tokens")
    return window, place


def _count_below(start_of: Callable[[Ints], Ints], tokens: Ints, documents: int) -> Ints:
    """How many documents begin before each of these tokens: bisection, all at once."""
    low, high = np.zeros_like(tokens), np.full_like(tokens, documents)
    for _ in range(documents.bit_length()):
        middle = (low + high) // 2
        below = (low < high) & (start_of(np.minimum(middle, documents - 1)) < tokens)
        low, high = np.where(below, middle + 1, low), np.where(below, high, middle)
    return low
