"""Draws of many sources, put in the order of source and item, so that each source is asked once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thermix.errors import InvalidInput
from thermix.sources.ahead import ProcessLock
from thermix.sources.base import Items, ItemSource, Rows

__all__ = ["Grouped", "SourceGroups"]


class Grouped(NamedTuple):
    """Draws (n,) in the order of source and item.

    Attributes:
        order: their places before.
        items: that they are.
        runs: (source number, start, end) of each source that is drawn; its draws are [start, end).
    """

    order: NDArray[np.intp]
    items: Items
    runs: list[tuple[int, int, int]]


class SourceGroups:
    """Sources by their number in a plan.

    Args:
        names: of the sources.
        sources: None where a source is not there; drawing from it is refused.
    """

    def __init__(self, names: Sequence[str], sources: Sequence[ItemSource | None]) -> None:
        lengths = [0 if source is None else len(source) for source in sources]
        if sum(lengths) >= 1 << 62:
            raise InvalidInput(f"sources: they have {sum(lengths)} items; a reader can tell 2^62 apart.")
        self.names = names
        self.given = [number for number, source in enumerate(sources) if source is not None]
        self._firsts = np.cumsum([0, *lengths[:-1]], dtype=np.int64)
        self._sources = sources
        self._locks = [ProcessLock() for _ in sources]

    def __getitem__(self, number: int) -> ItemSource:
        source = self._sources[number]
        if source is None:
            raise InvalidInput(
                f"sources.{self.names[number]}: it is drawn here, and the reader was not given it. "
                "Give it too."
            )
        return source

    def check_given(self, number: int) -> None:
        """Refuse a draw from a source that is not there."""
        if self._sources[number] is None:
            self[number]

    def group(self, source: NDArray[np.int32], item: Items) -> list[Grouped]:
        """Put the draws of each row of (m, n) in order, with as much work as for one where rows are short."""
        many, each = source.shape[0], max(1, source.shape[1])
        order = np.argsort(self._firsts.take(source) + item, axis=1)
        places = (order + np.arange(many)[:, np.newaxis] * each).ravel()
        items, sources = item.take(places), source.take(places)
        begins = np.ones(len(sources), np.bool_)
        np.not_equal(sources[1:], sources[:-1], out=begins[1:])
        begins[::each] = True
        starts = begins.nonzero()[0]
        ends = np.append(starts[1:], len(sources))
        rows = starts // each
        firsts = rows * each
        runs = zip(
            sources.take(starts).tolist(), (starts - firsts).tolist(), (ends - firsts).tolist(), strict=True
        )
        counts = np.bincount(rows, minlength=many).tolist()
        grouped_items = items.reshape(source.shape)
        return [
            Grouped(order[i], grouped_items[i], list(islice(runs, count))) for i, count in enumerate(counts)
        ]

    def read(self, number: int, items: Items) -> Rows:
        """Items of a source, by one thread at a time; an exception of the source's own carries its name."""
        source = self[number]
        with self._locks[number].held():
            try:
                return source.read(items)
            except Exception as error:
                _name_source(error, self.names[number])
                raise

    def documents(self, grouped: Grouped) -> list[Any]:
        """The row of each draw, in the order from before they were grouped."""
        rows: list[Any] = [None] * len(grouped.items)
        for number, start, end in grouped.runs:
            found = self.read(number, grouped.items[start:end])
            for place, row in zip(grouped.order[start:end].tolist(), found, strict=True):
                rows[place] = row
        return rows


def _name_source(error: Exception, name: str) -> None:
    note = f"while reading source {name!r}"
    if f"sources.{name}:" in str(error) or note in getattr(error, "__notes__", ()):
        return
    if sys.version_info >= (3, 11):
        error.add_note(note)
    elif len(error.args) == 1 and isinstance(error.args[0], str):
        error.args = (f"{error.args[0]} ({note})",)
