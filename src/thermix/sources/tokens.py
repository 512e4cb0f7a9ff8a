"""Token shards as a source of sequences: windows of fixed length over the token stream of each shard.

A window never crosses from one shard into the next; what is left at a shard's end is counted. What the
files are is `shards.py`'s business, where documents lie in a window `boundaries.py`'s.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermix.errors import InvalidInput
from thermix.plan.checks import checked_whole
from thermix.sources.base import IndexedSource, Items, checked_items
from thermix.sources.boundaries import Documents, IndexMap, documents_after, joined
from thermix.sources.contents import content_digest
from thermix.sources.disk import Maps, map_file
from thermix.sources.shards import Shard, open_shards, token_dtype

__all__ = ["TokenShards"]

Tokens = NDArray[Any]

_MOST_TOKENS = 1 << 31
_TOUCH_FROM = 8


class _View(NamedTuple):
    """A mapped shard: its tokens (n,), and the same memory as windows (w, row)."""

    tokens: Tokens
    windows: Tokens


class TokenShards(IndexedSource):
    """Fixed-length sequences from files of tokens, memory-mapped.

    A shard of n tokens gives 1 + (n - row) // stride windows, none where n < row, with row =
    `sequence_length`, or one more with `with_target`. Items count through the shards in their order.

    Args:
        paths: `.bin` (and its `.idx`, named or not) and `.npy` files. None of them is an empty source.
        name: what errors call the source.
        sequence_length: tokens in an item, at least 1.
        stride: tokens from one window's start to the next one's; `sequence_length` where left out.
        with_target: one token more at the end of each row, so that row[:-1] is the input and row[1:] what
            is to be predicted; neighbouring windows then share that token.
        dtype: of a token: needed for `.bin` files without an index.
        end_of_document: token that ends a document, for `documents` of flat files; Megatron-LM's index
            says it itself.

    Raises:
        InvalidInput: a value out of range, or windows longer than every shard.
        DataError: a file is damaged, empty, or cannot be read.

    Cost: opening reads headers and sizes, about 50 us a shard. Maps are made when first read, and kept for
    at most 1,024 shards (fewer where the process may open few files).
    """

    def __init__(
        self,
        paths: Sequence[str | os.PathLike[str]],
        *,
        name: str,
        sequence_length: int,
        stride: int | None = None,
        with_target: bool = False,
        dtype: str | None = None,
        end_of_document: int | None = None,
    ) -> None:
        where = f"sources.{name}"
        self._sequence_length = checked_whole(f"{where}.sequence_length", sequence_length, 1, _MOST_TOKENS)
        self._stride = checked_whole(
            f"{where}.stride", self._sequence_length if stride is None else stride, 1, _MOST_TOKENS
        )
        self._row = self._sequence_length + bool(with_target)
        self._end_of_document = end_of_document
        self._shards = open_shards(paths, name, dtype)
        self._dtype = self._shards[0].dtype if self._shards else token_dtype(dtype or "int64", name)
        counts = [max(0, (shard.tokens - self._row) // self._stride + 1) for shard in self._shards]
        self._first_items = np.cumsum([0, *counts], dtype=np.int64)
        super().__init__(name, int(self._first_items[-1]))
        if self._shards and not self._length:
            raise self._too_long()
        self._map()

    @property
    def unit(self) -> Literal["sequence"]:
        """A sequence."""
        return "sequence"

    @property
    def tokens(self) -> int:
        """Tokens in all items: items times `row_length`; with a stride below that, some count twice."""
        return self._length * self._row

    @property
    def row_length(self) -> int:
        """Tokens in a row as read: the sequence length, and one more with the target."""
        return self._row

    @property
    def dtype(self) -> np.dtype[np.integer]:
        """Of a token, as stored."""
        return self._dtype

    @property
    def tokens_left_out(self) -> int:
        """Tokens at the ends of shards that no window reaches."""
        counts = np.diff(self._first_items)
        reached = np.where(counts > 0, (counts - 1) * self._stride + self._row, 0)
        return sum(shard.tokens for shard in self._shards) - int(reached.sum())

    @property
    def fingerprint(self) -> str:
        """Hash of the windows' shape, and of each shard's size, type and 64 KiB spread over it.

        A change that keeps a shard's size and misses the blocks of `content_digest` is not seen, nor is
        one in an index that keeps its numbers of sequences and documents. Names, folders, times and byte
        order of names do not count, the order of the shards does. Cost: about 50 us a shard in the page
        cache, at the first use.
        """
        if self._fingerprint is None:
            shape = (self._sequence_length, self._stride, self._row, self._end_of_document, self._dtype.str)
            digest = hashlib.sha256(f"tokens {shape}\n".encode())
            for shard in self._shards:
                counts = (shard.index.sequences, shard.index.documents) if shard.index else ()
                digest.update(f"{shard.offset} {counts}\n".encode() + content_digest(Path(shard.path)))
            self._fingerprint = digest.hexdigest()
        return self._fingerprint
