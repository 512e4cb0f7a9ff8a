"""Rows of tokens from draws: gathered source by source, cast once into the array they are wanted in.

Invariant: row i is the item of draw i, in whatever order the rows were gathered.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple, Protocol, TypeGuard

import numpy as np
from numpy.typing import NDArray

from thermix.errors import DataError, InvalidInput
from thermix.plan.checks import check_choice
from thermix.sources.base import ItemSource, Items
from thermix.sources.grouping import Group, SourceGroups

__all__ = ["Gatherable", "RowType", "SequenceRows"]

RowType = Literal["int64", "int32", "storage"]

import os

_STAGE_BYTES = int(os.environ.get("STAGE", 1 << 19))
"""Gathered before it is cast: enough that calls do not count, little enough to stay in a core's cache."""


class Gatherable(ItemSource, Protocol):
    """A source that copies its sequences into a given array, for several threads at once."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of a token, as stored."""
        ...

    @property
    def row_length(self) -> int:
        """Tokens in a row."""
        ...

    def gather(self, items: Items, out: NDArray[Any]) -> None:
        """Copy items (n,), increasing or equal, into rows (n, row_length) of the stored dtype."""
        ...


def _is_gatherable(source: ItemSource) -> TypeGuard[Gatherable]:
    return hasattr(source, "gather")  # isinstance would evaluate every property, the fingerprint too


class _Stored(NamedTuple):
    dtype: np.dtype[Any]
    row_length: int


class SequenceRows:
    """The way from draws to an array of rows.

    Args:
        sources: of sequences, all of one row length.
        dtype: of the rows: "int64", "int32", or "storage", the one type that all the sources store.

    Attributes:
        dtype: of the rows.
        row_length: tokens in a row.

    Raises:
        InvalidInput: row lengths, or with "storage" stored types, differ.
    """

    def __init__(self, sources: SourceGroups, dtype: RowType) -> None:
        check_choice("dtype", dtype, ("int64", "int32", "storage"))
        self._sources = sources
        self._stored = {number: _stored(sources, number) for number in sources.given}
        first = self._stored[sources.given[0]]
        self.row_length = first.row_length
        self._row_bytes = max(stored.row_length * stored.dtype.itemsize for stored in self._stored.values())
        self.dtype = first.dtype if dtype == "storage" else np.dtype(dtype)
        for number, stored in self._stored.items():
            self._check_like_first(number, stored, dtype)

    def fill(self, source: NDArray[np.int32], item: Items, out: NDArray[Any]) -> None:
        """Write the row of each draw.

        Args:
            source, item: the draws (n,).
            out: (n, row_length) of `dtype`.
        """
        stage = np.empty(max(_STAGE_BYTES, self._row_bytes), np.uint8)
        for group in self._sources.split(source, item):
            found = self._sources[group.number]
            if _is_gatherable(found):
                self._gather(found, group, stage, out)
            else:
                out[group.places] = self._fitting(group, self._read(group))

    def _gather(self, source: Gatherable, group: Group, stage: NDArray[np.uint8], out: NDArray[Any]) -> None:
        dtype, row_length = self._stored[group.number]
        many = len(stage) // (row_length * dtype.itemsize)
        for start in range(0, len(group.items), many):
            part = group if len(group.items) <= many else group.part(start, start + many)
            staged = np.ndarray((len(part.items), row_length), dtype, stage)
            source.gather(part.items, staged)
            out[part.places] = self._fitting(part, staged)

    def _read(self, group: Group) -> NDArray[Any]:
        rows, shape = np.asarray(self._sources.read(group)), (len(group.items), self.row_length)
        if rows.shape != shape or rows.dtype.kind not in "iu":
            raise DataError(
                f"sources.{self._sources.names[group.number]}: read {rows.dtype} of shape {rows.shape}; "
                f"{shape[0]} rows are whole numbers of shape {shape}. Correct the source."
            )
        return rows

    def _fitting(self, group: Group, rows: NDArray[Any]) -> NDArray[Any]:
        """The rows, if the type asked for holds their tokens."""
        if not np.can_cast(rows.dtype, self.dtype, "safe") and rows.size:
            bounds = np.iinfo(self.dtype)
            for token in (int(rows.min()), int(rows.max())):
                if not bounds.min <= token <= bounds.max:
                    raise DataError(
                        f"sources.{self._sources.names[group.number]}: items {group.items[0]} to {group.items[-1]} hold "
                        f"token {token}; {self.dtype} holds {bounds.min} to {bounds.max}. Ask for int64."
                    )
        return rows

    def _check_like_first(self, number: int, stored: _Stored, dtype: RowType) -> None:
        names, first = self._sources.names, self._sources.given[0]
        if stored.row_length != self.row_length:
            raise InvalidInput(
                f"sources.{names[number]}: its rows have {stored.row_length} tokens, those of {names[first]!r} "
                f"{self.row_length}; the rows of a batch are of one length. Open both with one sequence_length."
            )
        if dtype == "storage" and stored.dtype != self.dtype:
            raise InvalidInput(
                f"dtype: got 'storage', and {names[first]!r} stores {self.dtype} where {names[number]!r} stores "
                f"{stored.dtype}; a batch has one type. Ask for int32 or int64."
            )


def _stored(sources: SourceGroups, number: int) -> _Stored:
    source = sources[number]
    if _is_gatherable(source):
        return _Stored(source.dtype, source.row_length)
    row = np.asarray(sources.read(Group(number, np.zeros(1, np.intp), np.zeros(1, np.int64))))
    return _Stored(row.dtype, row.shape[1])
