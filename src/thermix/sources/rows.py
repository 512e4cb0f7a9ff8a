"""Rows of tokens from draws: gathered source by source, cast once into the array they are wanted in.

Invariant: row i is the item of draw i, in whatever order the rows were gathered.
"""

from __future__ import annotations

from threading import local
from typing import Any, Literal, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from thermix.errors import DataError, InvalidInput
from thermix.plan.checks import check_choice
from thermix.sources.base import Items
from thermix.sources.grouping import Grouped, SourceGroups

__all__ = ["RowType", "SequenceRows"]

RowType = Literal["int64", "int32", "storage"]

_STAGE_BYTES = 1 << 19  # gathered before it is cast: many rows a call, and still in the core's cache


class _Gatherable(Protocol):
    """What copies sequences of a source into a given array, for several threads at once."""

    @property
    def dtype(self) -> np.dtype[Any]: ...

    @property
    def row_length(self) -> int: ...

    def gather(self, items: Items, out: NDArray[Any]) -> None: ...


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

    def fill(self, source: NDArray[np.int32], item: Items, out: NDArray[Any]) -> None:
        """Write the row of each draw.

        Args:
            source: of the draws (n,).
            item: of the draws (n,).
            out: (n, row_length) of `dtype`.
        """
        grouped = self._sources.group(source, item)
        stage = _Stage(grouped, out, self._stages, self._sources)
        for number, _, end in grouped.runs:
            self._sources.check_given(number)
            stage.gather(self._gatherable[number], end)
        stage.flush()

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


class _Stages(local):
    """Memory for `_Stage`, of each thread its own, and kept: a page fault costs as much as a page filled."""

    def __init__(self, row_length: int) -> None:
        self._row_length = row_length
        self._rows: dict[np.dtype[Any], NDArray[Any]] = {}

    def rows(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        """Rows of a type, with any content."""
        found = self._rows.get(dtype)
        if found is None:
            many = max(1, _STAGE_BYTES // (self._row_length * dtype.itemsize))
            found = self._rows[dtype] = np.empty((many, self._row_length), dtype)
        return found


class _Stage:
    """Rows in the type they are stored in, on their way from the sources to `out`, in the grouped order."""

    def __init__(self, grouped: Grouped, out: NDArray[Any], stages: _Stages, sources: SourceGroups) -> None:
        self._grouped = grouped
        self._out = out
        self._stages = stages
        self._sources = sources
        self._dtype: np.dtype[Any] | None = None
        self._rows = out[:0]
        self._first = self._next = 0  # draws [first, next) wait in the rows
        self._fits = True

    def gather(self, source: _Gatherable, end: int) -> None:
        """Fetch a source's draws, from the next one up to `end`."""
        if source.dtype != self._dtype:
            self.flush()
            self._dtype = source.dtype
            self._rows = self._stages.rows(source.dtype)
            self._fits = np.can_cast(source.dtype, self._out.dtype, "safe")
        while self._next < end:
            place = self._next - self._first
            stop = min(end, self._first + len(self._rows))
            source.gather(self._grouped.items[self._next : stop], self._rows[place : stop - self._first])
            self._next = stop
            if stop - self._first == len(self._rows):
                self.flush()

    def flush(self) -> None:
        """Cast the rows that wait into their places."""
        if self._next == self._first:
            return
        rows = self._rows[: self._next - self._first]
        if not self._fits:
            self._refuse_misfits(rows)
        self._out[self._grouped.order[self._first : self._next]] = rows
        self._first = self._next

    def _refuse_misfits(self, rows: NDArray[Any]) -> None:
        bounds = np.iinfo(self._out.dtype)
        for place in (rows.argmin(), rows.argmax()):
            token, draw = int(rows.flat[place]), self._first + int(place) // rows.shape[1]
            if not bounds.min <= token <= bounds.max:
                number = next(number for number, _, end in self._grouped.runs if draw < end)
                raise DataError(
                    f"sources.{self._sources.names[number]}: item {self._grouped.items[draw]} holds token "
                    f"{token}; {self._out.dtype} holds {bounds.min} to {bounds.max}. Ask for int64."
                )


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
