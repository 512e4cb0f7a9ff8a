"""Rows of tokens from draws: copied from where they lie, or gathered source by source, and cast once.

Invariant: row i is the item of draw i, whichever way its row came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from threading import local
from typing import Any, Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from thermix.errors import DataError, InvalidInput
from thermix.plan.checks import check_choice
from thermix.sources.base import Items
from thermix.sources.compiled import LOOPS, Widen
from thermix.sources.grouping import Grouped, SourceGroups
from thermix.sources.located import STAGE_BYTES, Located, copy_rows, row_addresses

__all__ = ["Fill", "RowType", "SequenceRows"]

RowType = Literal["int64", "int32", "storage"]
Fill = Callable[[NDArray[Any]], None]
"""Writes rows into an array (n, row length)."""


class _Gatherable(Protocol):
    """What copies sequences of a source into a given array, for several threads at once."""

    @property
    def dtype(self) -> np.dtype[Any]: ...

    @property
    def row_length(self) -> int: ...

    def gather(self, items: Items, out: NDArray[Any]) -> None: ...


_Run = tuple[_Gatherable, int, int]
_Piece = tuple[int, int, np.dtype[Any], list[_Run]]


class SequenceRows:
    """The way from draws to an array of rows.

    Args:
        sources: of sequences, all of one row length.
        dtype: of the rows: "int64", "int32", or "storage", the one type that all the sources store.

    Attributes:
        dtype: of the rows.
        row_length: tokens in a row.

    Raises:
        InvalidInput: row lengths or, with "storage", stored types differ.
    """

    def __init__(self, sources: SourceGroups, dtype: RowType) -> None:
        check_choice("dtype", dtype, ("int64", "int32", "storage"))
        self._sources = sources
        self._gatherable = {number: _gatherable(sources, number) for number in sources.given}
        first = self._gatherable[sources.given[0]]
        self.row_length = first.row_length
        self.dtype = first.dtype if dtype == "storage" else np.dtype(dtype)
        self._stages = _Stages(self.row_length)
        for number, other in self._gatherable.items():
            self._check_like_first(number, other, dtype)
        types = {source.dtype for source in self._gatherable.values()}
        self._fits = {stored: np.can_cast(stored, self.dtype, "safe") for stored in types}
        self._stored = first.dtype
        given = [sources[number] if number in sources.given else None for number in range(len(sources.names))]
        self._addresses = row_addresses(given) if all(self._fits.values()) else None

    def fills(self, source: NDArray[np.int32], item: Items) -> list[Fill]:
        """What writes the rows of draws (m, n), for each of the m: row i of the array is that of draw i.

        All that is the same for many draws is done here, so that threads that fill wait for Python less.
        """
        located = self._located(source, item)
        if located is not None:
            return located
        return [partial(self._gathered, grouped) for grouped in self._sources.group(source, item)]

    def fill(self, source: NDArray[np.int32], item: Items, out: NDArray[Any]) -> None:
        """Write the rows of draws (n,) into an array (n, row length)."""
        (fill,) = self.fills(source[np.newaxis], item[np.newaxis])
        fill(out)

    def _located(self, source: NDArray[np.int32], item: Items) -> list[Fill] | None:
        """By the rows' addresses, if these can be had for all sources, and what they store fits."""
        addresses = self._addresses
        if addresses is None:
            return None
        try:
            located = addresses.locate(source, item)
        except Exception:  # the other way says so where the draw comes that it concerns
            self._addresses = None  # and needs no more than one open file
            return None
        if located is None:
            return None
        nbytes = item.size * self.row_length * self.dtype.itemsize
        copy: Widen | None = LOOPS.widen(self._stored, self.dtype, nbytes)
        copy = copy or partial(copy_rows, self._stored)
        return [partial(_copied, copy, each) for each in located]

    def _gathered(self, grouped: Grouped, out: NDArray[Any]) -> None:
        """Source by source: taken as they are stored, then cast."""
        for first, stop, dtype, runs in self._pieces(grouped.runs):
            rows = self._stages.rows(dtype)[: stop - first]
            for source, start, end in runs:
                source.gather(grouped.items[start:end], rows[start - first : end - first])
            if not self._fits[dtype]:
                self._refuse_misfits(rows, first, grouped)
            out[grouped.order[first:stop]] = rows

    def _pieces(self, runs: Iterable[tuple[int, int, int]]) -> Iterator[_Piece]:
        """The runs cut into what is gathered before it is cast: of one stored type, and of bounded size."""
        first = last = 0
        piece: list[_Run] = []
        dtype = self.dtype
        for number, start, end in runs:
            self._sources.check_given(number)
            source = self._gatherable[number]
            if piece and source.dtype != dtype:
                yield first, last, dtype, piece
                first, piece = start, []
            dtype = source.dtype
            most = self._stages.capacity(dtype)
            while end - first > most:
                if start < first + most:
                    piece.append((source, start, first + most))
                yield first, first + most, dtype, piece
                first = start = first + most
                piece = []
            piece.append((source, start, end))
            last = end
        if piece:
            yield first, last, dtype, piece

    def _check_like_first(self, number: int, other: _Gatherable, dtype: RowType) -> None:
        names, first = self._sources.names, self._sources.given[0]
        if other.row_length != self.row_length:
            raise InvalidInput(
                f"sources.{names[number]}: its rows have {other.row_length} tokens, those of "
                f"{names[first]!r} {self.row_length}; a batch has rows of one length. Open both with "
                "one sequence_length."
            )
        if dtype == "storage" and other.dtype != self.dtype:
            raise InvalidInput(
                f"dtype: got 'storage', and {names[first]!r} stores {self.dtype} where {names[number]!r} "
                f"stores {other.dtype}; a batch has one type. Ask for int32 or int64."
            )

    def _refuse_misfits(self, rows: NDArray[Any], first: int, grouped: Grouped) -> None:
        """Refuse tokens of rows, the draws from `first` on, that the wanted type does not hold."""
        bounds = np.iinfo(self.dtype)
        for place in (rows.argmin(), rows.argmax()):
            token, draw = int(rows.flat[place]), first + int(place) // rows.shape[1]
            if not bounds.min <= token <= bounds.max:
                number = next(number for number, _, end in grouped.runs if draw < end)
                raise DataError(
                    f"sources.{self._sources.names[number]}: item {grouped.items[draw]} holds token "
                    f"{token}; {self.dtype} holds {bounds.min} to {bounds.max}. Ask for int64."
                )


def _copied(copy: Widen, located: Located, out: NDArray[Any]) -> None:
    copy(located.addresses, out)


class _Stages(local):
    """Memory to gather into, of each thread its own, and kept: a page fault costs what filling it does."""

    def __init__(self, row_length: int) -> None:
        self._row_length = row_length
        self._rows: dict[np.dtype[Any], NDArray[Any]] = {}

    def capacity(self, dtype: np.dtype[Any]) -> int:
        """How many rows of a type there is memory for."""
        return len(self.rows(dtype))

    def rows(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Rows of a type, with any content."""
        found = self._rows.get(dtype)
        if found is None:
            many = max(1, STAGE_BYTES // (self._row_length * dtype.itemsize))
            found = self._rows[dtype] = np.empty((many, self._row_length), dtype)
        return found


class _Copied:
    """A source that knows `read` only, made gatherable; its type is that of its first item."""

    def __init__(self, sources: SourceGroups, number: int) -> None:
        self._sources = sources
        self._number = number
        first = np.asarray(sources.read(number, np.zeros(1, np.int64)))
        self.dtype, self.row_length = first.dtype, first.shape[1]

    def gather(self, items: Items, out: NDArray[Any]) -> None:
        rows = np.asarray(self._sources.read(self._number, items))
        if rows.shape != out.shape or not np.can_cast(rows.dtype, out.dtype, "safe"):
            raise DataError(
                f"sources.{self._sources.names[self._number]}: read {rows.dtype} of shape {rows.shape}; from "
                f"item 0, {len(items)} items are {out.dtype} of shape {out.shape}. Correct the source."
            )
        out[...] = rows


def _gatherable(sources: SourceGroups, number: int) -> _Gatherable:
    source = sources[number]
    if hasattr(source, "gather"):
        return cast("_Gatherable", source)
    return _Copied(sources, number)
