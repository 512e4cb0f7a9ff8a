"""Where in memory the rows of many draws begin, found for all of them at once.

The work is a few calls of NumPy for thousands of draws, whatever number of sources and shards they come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from thermix.sources.base import Items
from thermix.sources.disk import map_limit

__all__ = ["Located", "RowAddresses", "Shards"]

_HELD = 4  # th part of the files that may be open


class Shards(Protocol):
    """A source whose rows lie in memory-mapped shards, at equal distances in each."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of a token, as stored."""
        ...

    @property
    def aligned(self) -> bool:
        """Whether tokens lie where the processor reads them in one piece."""
        ...

    @property
    def first_items(self) -> Items:
        """The first item of each shard, and the number of items (shards + 1,)."""
        ...

    @property
    def bytes_apart(self) -> int:
        """Bytes from the begin of a row to that of the next one in its shard."""
        ...

    def mapped(self, shard: int) -> tuple[int, object]:
        """The memory address of a shard's first row, and what keeps it there for as long as it is held."""
        ...


class Located(NamedTuple):
    """Draws (n,) whose rows were found.

    Attributes:
        addresses: of the first token of each row (n,).
        held: what keeps the rows where they are.
    """

    addresses: Items
    held: Sequence[object]


class RowAddresses:
    """The addresses of rows of several sources.

    Args:
        sources: by their number in a plan; None where a source is not there. Those that are store one type.
    """

    def __init__(self, sources: Sequence[Shards | None]) -> None:
        given = [(number, source) for number, source in enumerate(sources) if source is not None]
        counts = [len(source.first_items) - 1 for _, source in given]
        self._shards = [
            (source, shard) for _, source in given for shard in range(len(source.first_items) - 1)
        ]
        items = [0 if source is None else int(source.first_items[-1]) for source in sources]
        self._item_counts = np.array(items, np.int64)
        self._first_of_source = np.cumsum([0, *items[:-1]], dtype=np.int64)
        self._first_of_shard = np.concatenate(
            [source.first_items[:-1] + self._first_of_source[number] for number, source in given]
        )
        self._bytes_apart = np.repeat([source.bytes_apart for _, source in given], counts).astype(np.int64)
        self._most_held = map_limit(_HELD)

    def locate(self, source: NDArray[np.int32], item: Items) -> list[Located] | None:
        """The addresses of draws, for each row of (m, n).

        Args:
            source: (m, n), numbers of sources.
            item: (m, n).

        Returns:
            m of them; None if a source is not there, an item is not in its source, or one row of draws is
            of too many shards to hold all of them.

        Raises:
            InvalidInput: a source is closed.
            DataError: a file is gone, cannot be read, or has another size than before.
        """
        if ((item < 0) | (item >= self._item_counts.take(source))).any():
            return None
        return self._halved(self._first_of_source.take(source) + item)

    def _halved(self, rows: Items) -> list[Located] | None:
        """The same for rows (m, n) counted over all sources; in halves where their shards are too many."""
        shards = np.searchsorted(self._first_of_shard, rows, side="right") - 1
        drawn = np.bincount(shards.ravel(), minlength=len(self._shards)).nonzero()[0]
        if len(drawn) > self._most_held:
            middle = len(rows) // 2
            if not middle:
                return None
            first = self._halved(rows[:middle])
            last = None if first is None else self._halved(rows[middle:])
            return None if first is None or last is None else first + last
        begins, held = np.zeros(len(self._shards), np.int64), []
        for number in drawn.tolist():
            source, shard = self._shards[number]
            begins[number], memory = source.mapped(shard)
            held.append(memory)
        addresses = (rows - self._first_of_shard.take(shards)) * self._bytes_apart.take(shards)
        addresses += begins.take(shards)
        return [Located(own, held) for own in addresses]
