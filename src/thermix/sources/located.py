"""Where in memory the rows of many draws begin, found for all of them at once; and NumPy's way to copy them.

Both are a few calls for thousands of draws, whatever number of sources and shards these come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, cast
from weakref import WeakSet

import numpy as np
from numpy.typing import NDArray

from thermix.sources.base import Items
from thermix.sources.disk import map_limit
from thermix.sources.tokens import TokenShards

__all__ = ["STAGE_BYTES", "Located", "RowAddresses", "Shards", "copy_rows", "row_addresses"]

_FILES = 2  # as many shards as this part of the files that a process may open
STAGE_BYTES = 1 << 19
"""Taken before it is cast: many rows a call, and still in the core's cache."""
_MOST_BYTES = 1 << 62  # that NumPy thinks an array has


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

    def is_here(self, shard: int) -> bool:
        """Whether a shard is on this machine."""
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
    """The addresses of rows of several sources; `row_addresses` says whether they can have one.

    Args:
        sources: by their number in a plan; None where a source is not there.

    Attributes:
        shards: how many there are.
    """

    def __init__(self, sources: Sequence[Shards | None]) -> None:
        given = [(number, source) for number, source in enumerate(sources) if source is not None]
        counts = [len(source.first_items) - 1 for _, source in given]
        self._shards = [
            (source, shard) for _, source in given for shard in range(len(source.first_items) - 1)
        ]
        self.shards = len(self._shards)
        items = [0 if source is None else int(source.first_items[-1]) for source in sources]
        self._item_counts = np.array(items, np.int64)
        self._first_of_source = np.cumsum([0, *items[:-1]], dtype=np.int64)
        self._first_of_shard = np.concatenate(
            [source.first_items[:-1] + self._first_of_source[number] for number, source in given]
        )
        self._bytes_apart = np.repeat([source.bytes_apart for _, source in given], counts).astype(np.int64)

    def locate(self, source: NDArray[np.int32], item: Items) -> list[Located] | None:
        """The addresses of draws, for each row of (m, n).

        Args:
            source: (m, n), numbers of sources.
            item: (m, n).

        Returns:
            m of them; None if a source is not there, an item is not in its source, or a shard that is drawn
            is not on this machine yet.

        Raises:
            InvalidInput: a source is closed.
            DataError: a file is gone, cannot be read, or has another size than before.
        """
        if item.size and (item.min() < 0 or (item >= self._item_counts.take(source)).any()):
            return None
        rows = self._first_of_source.take(source) + item
        shards = np.searchsorted(self._first_of_shard, rows, side="right") - 1
        drawn = np.bincount(shards.ravel(), minlength=len(self._shards)).nonzero()[0].tolist()
        if not all(own.is_here(shard) for own, shard in map(self._shards.__getitem__, drawn)):
            return None
        begins, held = np.zeros(len(self._shards), np.int64), []
        for number in drawn:
            own, shard = self._shards[number]
            begins[number], memory = own.mapped(shard)
            held.append(memory)
        # Modulo 2^64, as the machine does it: only the sum need be an address.
        begins -= self._first_of_shard * self._bytes_apart
        addresses = rows * self._bytes_apart.take(shards) + begins.take(shards)
        return [Located(each, held) for each in addresses]


def row_addresses(sources: Sequence[object | None]) -> RowAddresses | None:
    """The addresses of sources, by their number in a plan; None where a source is not there.

    Returns:
        None unless all lie in memory, whole and in one type. All shards that thousands of draws come from are
        mapped at once: nor if these, and those of others that live, are too many.
    """
    given = [cast("Shards", source) for source in sources if source is not None]
    # A class made of it may read in its own way.
    if not all(type(each) is TokenShards and each.aligned and each.dtype.isnative for each in given):
        return None
    if len({each.dtype for each in given}) != 1:
        return None
    many = sum(len(each.first_items) - 1 for each in given)
    if many + sum(other.shards for other in list(_LIVING)) > map_limit(_FILES):
        return None
    made = RowAddresses(cast("Sequence[Shards | None]", sources))
    _LIVING.add(made)
    return made


_LIVING: WeakSet[RowAddresses] = WeakSet()


def copy_rows(dtype: np.dtype[Any], addresses: Items, out: NDArray[Any]) -> None:
    """Copy rows to an array, cast to its type.

    To NumPy all memory between the rows is one array, so that one index takes rows of any shards. What lies
    between them is never read.

    Args:
        dtype: of the tokens, native.
        addresses: of the first token of each row (n,), multiples of a token's size.
        out: (n, row length).
    """
    if not len(addresses):
        return
    first, row_length = int(addresses.min()), out.shape[1]
    places = (addresses - first) // dtype.itemsize
    count, row_bytes = int(places.max()) + 1, row_length * dtype.itemsize
    if row_bytes > STAGE_BYTES or count * row_bytes > _MOST_BYTES:
        tokens = _memory(first, dtype, (count + row_length - 1,))
        for row, place in zip(out, places.tolist(), strict=True):
            row[...] = tokens[place : place + row_length]
        return
    # Loads the first token of every row at once: the processor looks up their pages side by side, where the
    # copy below would wait for one after the other. It takes a fifth less time so.
    _memory(first, dtype, (count,)).take(places)
    rows, most = _memory(first, dtype, (count, row_length)), STAGE_BYTES // row_bytes
    for start in range(0, len(places), most):
        out[start : start + most] = rows[places[start : start + most]]


class _Memory:
    """What NumPy makes an array of without a copy."""

    def __init__(self, interface: dict[str, Any]) -> None:
        self.__array_interface__ = interface


def _memory(address: int, dtype: np.dtype[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Memory as an array (n,) or (n, row length), its elements or rows one token apart; to read only."""
    interface = {
        "version": 3,
        "data": (address, True),
        "typestr": dtype.str,
        "shape": shape,
        "strides": (dtype.itemsize,) * len(shape),
    }
    return np.asarray(_Memory(interface))
