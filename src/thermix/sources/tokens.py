"""Token shards as a source of sequences: windows of fixed length over the token stream of each shard.

A window never crosses from one shard into the next; what is left at a shard's end is counted. What the
files are is the business of `shards.py`, where documents lie in a window that of `boundaries.py`.
"""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermix.errors import DataError, InvalidInput
from thermix.plan.checks import checked_whole
from thermix.sources.base import IndexedSource, Items, checked_items
from thermix.sources.boundaries import Documents, IndexArrays, documents_at, starts_after, starts_from_index
from thermix.sources.cache import default_cache, hold
from thermix.sources.contents import content_digest
from thermix.sources.disk import Maps, map_file
from thermix.sources.remote import RemoteFile
from thermix.sources.shards import Shard, open_shards, token_dtype
from thermix.sources.stores import side_by_side

__all__ = ["TokenShards"]

Tokens = NDArray[Any]

_MOST_TOKENS = 1 << 31
_TOUCH_FROM = 8


@dataclass(frozen=True, eq=False)
class _View:
    """A mapped shard: its tokens (n,), the same memory as windows (w, row), and its address."""

    tokens: Tokens
    windows: Tokens
    address: int


class TokenShards(IndexedSource):
    """Fixed-length sequences from files of tokens, memory-mapped.

    A shard of n tokens gives 1 + (n - row) // stride windows, none where n < row; row is
    `sequence_length`, and one more with `with_target`. Items count through the shards in their order.

    Args:
        paths: `.bin` (and its `.idx`, named or not) and `.npy` files; none of them make an empty source.
        name: what errors call the source.
        sequence_length: tokens in an item.
        stride: tokens from one window's start to the next one's; left out, the sequence length.
        with_target: a row has one token more, so that row[:-1] is the input and row[1:] what it is to
            predict.
        dtype: of a token; needed for `.bin` files without an index, checked against all others.
        end_of_document: the token that ends a document, for `documents` of flat files.

    Raises:
        InvalidInput: a value out of range, or windows longer than every shard.
        DataError: a file is damaged, holds no tokens, or cannot be read.

    Cost: opening reads headers and sizes, about 50 us a shard. A shard is mapped when it is first read;
    at most 1,024 stay so, fewer where the process may open few files, and what a reader holds besides.
    """

    def __init__(
        self,
        paths: Sequence[str | os.PathLike[str] | RemoteFile],
        *,
        name: str,
        sequence_length: int,
        stride: int | None = None,
        with_target: bool = False,
        dtype: str | None = None,
        end_of_document: int | None = None,
    ) -> None:
        where = f"sources.{name}"
        length = checked_whole(f"{where}.sequence_length", sequence_length, 1, _MOST_TOKENS)
        self._length_in = length
        self._stride = length if stride is None else checked_whole(f"{where}.stride", stride, 1, _MOST_TOKENS)
        self._row = length + bool(with_target)
        self._end_of_document = end_of_document
        self._shards = open_shards(paths, name, dtype)
        self._dtype = self._shards[0].dtype if self._shards else token_dtype(dtype or "int64", name)
        self._first_items = np.cumsum([0, *map(self._windows_in, self._shards)], dtype=np.int64)
        self._starts: list[int] = self._first_items.tolist()
        self._fingerprint: str | None = None
        super().__init__(name, int(self._first_items[-1]))
        self._refuse_too_long()
        self._make_maps()

    @property
    def unit(self) -> Literal["sequence"]:
        """A sequence."""
        return "sequence"

    @property
    def tokens(self) -> int:
        """Tokens in all items: `row_length` times the items; where windows overlap, some count twice."""
        return self._length * self._row

    @property
    def folders(self) -> list[str]:
        """Where its shards lie, each folder once."""
        return list(dict.fromkeys(os.path.dirname(shard.path) or "." for shard in self._shards))

    @property
    def row_length(self) -> int:
        """Tokens in a row: the sequence length, and one more with the target."""
        return self._row

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of a token, as stored."""
        return self._dtype

    @property
    def tokens_left_out(self) -> int:
        """Tokens at the ends of shards, behind the last window of each."""
        counts = np.diff(self._first_items)
        ends = np.where(counts > 0, (counts - 1) * self._stride + self._row, 0)
        return int(np.maximum([shard.tokens for shard in self._shards] - ends, 0).sum())

    @property
    def fingerprint(self) -> str:
        """Hash of the shape of the windows, and of each shard's size, type and 64 KiB spread over it.

        A change that keeps a shard's size and misses the blocks of `content_digest` is not seen; nor is
        one in an index that keeps its numbers of sequences and documents. Names, folders and times do not
        count, the order of the shards does. Cost: the first use reads those 64 KiB a shard; of a remote
        shard that is not in the cache 16 small reads, about 300 of them a second on one core.
        """
        if self._fingerprint is None:
            windows = (self._length_in, self._stride, self._row, self._end_of_document)
            digest = hashlib.sha256(f"tokens {windows} {self._dtype.str}\n".encode())
            contents = side_by_side(content_digest, [each.remote or Path(each.path) for each in self._shards])
            for shard, content in zip(self._shards, contents, strict=True):
                counts = (shard.header.sequences, shard.header.documents) if shard.header else None
                digest.update(f"{counts}\n".encode() + content)
            self._fingerprint = digest.hexdigest()
        return self._fingerprint

    def gather(self, items: Items, out: Tokens) -> None:
        """Copy items into rows; the way of `read` without its checks and its last copy.

        Args:
            items: int64 (n,), increasing or equal, all of them in [0, len).
            out: (n, row_length) of the stored dtype, contiguous.

        Raises:
            InvalidInput: the source is closed.
            OutOfRange: the first item is below 0, or the last past the end.
            DataError: a file is gone, cannot be read, or has another size than before.

        Cost: about 2 us a shard, and the copy.
        """
        for shard, rows, windows in self._located(items):
            self._copy(shard, windows, out[rows])

    def is_here(self, shard: int) -> bool:
        """Whether a shard is on this machine; a remote one that is not is fetched when it is read."""
        remote = self._shards[shard].remote
        return remote is None or self._views.has(shard) or default_cache().holds(remote)

    def mapped(self, shard: int) -> tuple[int, object]:
        """The memory address of a shard's first row, and what keeps it there for as long as it is held.

        Raises:
            InvalidInput: the source is closed.
            DataError: the file is gone, cannot be read, or has another size than before.
        """
        self._check_open()
        view = self._views.get(shard)
        return view.address, view

    @property
    def first_items(self) -> Items:
        """The first item of each shard, and the number of items (shards + 1,)."""
        return self._first_items

    @property
    def bytes_apart(self) -> int:
        """Bytes from the begin of a row to that of the next one in its shard."""
        return self._stride * self._dtype.itemsize

    @property
    def aligned(self) -> bool:
        """Whether tokens lie where the processor reads them in one piece."""
        return all(shard.offset % self._dtype.itemsize == 0 for shard in self._shards)

    def documents(self, items: ArrayLike) -> Documents:
        """Where documents begin in the rows of items, the target left out.

        Args:
            items: whole numbers (n,) in [0, len), in any order, repeats allowed.

        Raises:
            InvalidInput: flat files, and no `end_of_document` was given; or as for `read`.
            DataError: an index contradicts itself, or a file cannot be read.
        """
        self._check_open()
        checked = checked_items(items, self._length, self.name)
        if self._end_of_document is not None:
            rows = self._read(checked)[:, : self._length_in]
            starts = starts_after(rows, self._end_of_document)
        else:
            starts = self._starts_by_index(checked)
        return documents_at(starts, len(checked), self._length_in)

    def let_go(self) -> None:
        """Let go of remote shards that the cache has evicted; they are fetched again when they are read."""
        cache = default_cache()

        def evicted(file: RemoteFile | None) -> bool:
            return file is not None and not cache.holds(file)

        remote = [shard.remote for shard in self._shards]
        self._views.drop(lambda number: evicted(remote[number]))
        self._indices.drop(lambda number: evicted(getattr(remote[number], "index", None)))

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in ("_views", "_indices")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._make_maps()

    def _windows_in(self, shard: Shard) -> int:
        return max(0, (shard.tokens - self._row) // self._stride + 1)

    def _refuse_too_long(self) -> None:
        if self._shards and not self._length:
            longest = max(self._shards, key=lambda shard: shard.tokens)
            raise InvalidInput(
                f"sources.{self.name}.sequence_length: got {self._length_in}, rows of {self._row} tokens; "
                f"the longest shard, {longest.path}, has {longest.tokens}. "
                "Take a shorter length, or join shards."
            )

    def _make_maps(self) -> None:
        self._views = Maps(self._mapped_tokens, lambda shard: self._shards[shard].path, self.name)
        self._indices = Maps(self._mapped_index, lambda shard: self._shards[shard].index_path, self.name)
        if any(shard.remote for shard in self._shards):
            hold(self)

    def _mapped_tokens(self, number: int) -> _View:
        shard, size = self._shards[number], self._dtype.itemsize
        memory = map_file(shard.file, shard.size, self.name)
        shape = (self._windows_in(shard), self._row)
        strides = (self._stride * size, size)
        tokens = np.ndarray((shard.tokens,), self._dtype, memory, shard.offset)
        windows = np.ndarray(shape, self._dtype, memory, shard.offset, strides)
        return _View(tokens, windows, tokens.__array_interface__["data"][0])

    def _mapped_index(self, number: int) -> IndexArrays:
        shard = self._shards[number]
        header = shard.header
        if header is None:
            raise InvalidInput(
                f"sources.{self.name}: {shard.path} has no index that says where documents begin. "
                "Give end_of_document, the token that ends each."
            )
        memory = map_file(shard.index_file, header.size, self.name)
        return IndexArrays(
            np.ndarray((header.sequences,), "<i8", memory, header.pointers_at),
            np.ndarray((header.documents,), "<i8", memory, header.documents_at),
        )

    def _located(self, items: Items) -> Iterable[tuple[int, slice, Items]]:
        """The shards of increasing items, checked, as `_by_shard` has them."""
        self._check_open()
        if not len(items):
            return ()
        first, last = int(items[0]), int(items[-1])
        if first < 0 or last >= self._length:
            checked_items(items, self._length, self.name)
        shard = bisect_right(self._starts, first) - 1
        if last < self._starts[shard + 1]:
            return ((shard, slice(0, len(items)), items - self._starts[shard]),)
        return self._by_shard(items)

    def _by_shard(self, items: Items) -> Iterator[tuple[int, slice, Items]]:
        """The shards of increasing items: number, the places of its items, and the windows they are."""
        shards = np.searchsorted(self._first_items, items, side="right") - 1
        windows = items - self._first_items.take(shards)
        begins = (shards[1:] != shards[:-1]).nonzero()[0] + 1
        cuts = [0, *begins.tolist(), len(items)]
        numbers = shards.take(cuts[:-1]).tolist() if len(items) else []
        for number, start, stop in zip(numbers, cuts, cuts[1:], strict=False):
            yield number, slice(start, stop), windows[start:stop]

    def _copy(self, shard: int, windows: Items, out: Tokens) -> None:
        """Copy windows of one shard."""
        view = self._views.get(shard)
        if len(windows) >= _TOUCH_FROM:
            # Loads the first token of every window at once: the processor looks up their pages side by side,
            # where the copy below would wait for one after the other. A gather takes 15 to 40 % less time so.
            view.tokens.take(windows * self._stride, None, None, "clip")
        if self._stride == self._row:
            view.windows.take(windows, 0, out, "clip")
        else:
            out[...] = view.windows[windows]

    def _read(self, items: Items) -> Tokens:
        order = np.argsort(items)
        gathered = np.empty((len(items), self._row), self._dtype)
        self.gather(items[order], gathered)
        rows = np.empty_like(gathered)
        rows[order] = gathered
        return rows

    def _starts_by_index(self, items: Items) -> Items:
        """Where documents begin in the rows of items laid end to end, as the indices say."""
        order = np.argsort(items)
        found = [np.empty(0, np.int64)]
        grouped = items[order]
        for number, rows, windows in self._by_shard(grouped):
            shard, index = self._shards[number], self._indices.get(number)
            firsts = windows * self._stride
            try:
                row, place = starts_from_index(
                    index, firsts, self._length_in, self._dtype.itemsize, shard.tokens
                )
            except ValueError as error:
                raise DataError(
                    f"sources.{self.name}: {shard.index_path}: {error}. "
                    "Write the shard again, or take it out."
                ) from error
            found.append(order[rows][row] * self._length_in + place)
        return np.concatenate(found)

    def _release(self) -> None:
        self._views.clear()
        self._indices.clear()
