"""Draws of many sources, grouped so that each source is asked once, for items that lie near each other."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thermix.errors import InvalidInput
from thermix.sources.ahead import ProcessLock
from thermix.sources.base import ItemSource, Items, Rows

__all__ = ["Group", "SourceGroups"]


class Group(NamedTuple):
    """Some draws of one source.

    Attributes:
        number: of the source.
        places: of the draws among all (n,).
        items: that they are (n,), increasing or equal.
    """

    number: int
    places: NDArray[np.intp]
    items: Items

    def part(self, start: int, stop: int) -> Group:
        """Some of its draws, by their place in it."""
        return Group(self.number, self.places[start:stop], self.items[start:stop])


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
                f"sources.{self.names[number]}: it is drawn here, and was not given to the reader. Give it too."
            )
        return source

    def split(self, source: NDArray[np.int32], item: Items) -> Iterator[Group]:
        """The draws (n,), source by source; those that do not occur are left out."""
        order = np.argsort(self._firsts[source] + item)
        sources, items = source[order], item[order]
        ends = [*((sources[1:] != sources[:-1]).nonzero()[0] + 1).tolist(), len(order)]
        start = 0
        for end in ends if len(order) else ():
            yield Group(int(sources[start]), order[start:end], items[start:end])
            start = end

    def read(self, group: Group) -> Rows:
        """The items of a group, by one thread at a time; an exception of the source's carries its name."""
        source = self[group.number]
        with self._locks[group.number].held():
            try:
                return source.read(group.items)
            except Exception as error:
                _name_source(error, self.names[group.number])
                raise

    def documents(self, source: NDArray[np.int32], item: Items) -> list[Any]:
        """The row of each draw (n,), in order."""
        rows: list[Any] = [None] * len(item)
        for group in self.split(source, item):
            for place, row in zip(group.places.tolist(), self.read(group), strict=True):
                rows[place] = row
        return rows


def _name_source(error: Exception, name: str) -> None:
    if f"sources.{name}" in str(error):
        return
    note = f"while reading source {name!r}"
    if sys.version_info >= (3, 11):
        if note not in getattr(error, "__notes__", ()):
            error.add_note(note)
    elif len(error.args) == 1 and isinstance(error.args[0], str):
        error.args = (f"{error.args[0]} ({note})",)
