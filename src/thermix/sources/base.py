"""What a source is: items read by index, many at a time.

`ItemSource` is what the rest of thermix asks for; `IndexedSource` is the part every source here shares:
checks, closing, the context manager. Invariant: an item's content depends on its index alone, in every
process that opens or is handed the source.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermix.errors import InvalidInput, OutOfRange
from thermix.plan.mixture import Unit

__all__ = ["IndexedSource", "ItemSource", "Items", "Rows", "checked_items"]

Items = NDArray[np.int64]
Rows = list[Any] | NDArray[Any]
"""Documents: a list of rows, each what the source holds. Sequences: an array (n, sequence_length)."""

Self = TypeVar("Self", bound="IndexedSource")


@runtime_checkable
class ItemSource(Protocol):
    """One named collection of items, read by index."""

    @property
    def name(self) -> str:
        """What errors call it."""
        ...

    @property
    def unit(self) -> Unit:
        """What an item is: a token "sequence" of fixed length, or a "document"."""
        ...

    @property
    def tokens(self) -> int | None:
        """Tokens in all its items; None where that is not known without reading them."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hex text, the same for the same content; each source says how much of it was looked at."""
        ...

    def __len__(self) -> int:
        """Number of items."""
        ...

    def read(self, items: ArrayLike) -> Rows:
        """The items with these indices (n,), in the order asked for, repeats included."""
        ...

    def close(self) -> None:
        """Give back files and memory; a second time does nothing."""
        ...

    def __enter__(self) -> ItemSource: ...

    def __exit__(self, kind: object, error: object, traceback: object, /) -> None: ...


class IndexedSource(ABC):
    """The shared half of a source: `read` checks, `_read` reads.

    Args:
        name: what errors call it.
        length: number of items.

    A subclass adds `unit`, `fingerprint`, `_read` and, where it has them, `tokens` and `_release`. It
    must pickle, and after a fork it must not share a place in a file with its parent.
    """

    def __init__(self, name: str, length: int) -> None:
        self.name = name
        self._length = length
        self._closed = False

    @property
    @abstractmethod
    def unit(self) -> Unit:
        """What an item is."""

    @property
    @abstractmethod
    def fingerprint(self) -> str:
        """Hex text that is the same for the same content."""

    @property
    def tokens(self) -> int | None:
        """Tokens in all items; None where that is not known without reading them."""
        return None

    @abstractmethod
    def _read(self, items: Items) -> Rows:
        """The items with these indices, which exist."""

    def _release(self) -> None:  # noqa: B027 (a source may hold nothing)
        """Give back what is held; called once."""

    def __len__(self) -> int:
        return self._length

    def __repr__(self) -> str:
        closed = ", closed" if self._closed else ""
        return f"<{type(self).__name__} {self.name!r}: {self._length:,} {self.unit}s{closed}>"

    def read(self, items: ArrayLike) -> Rows:
        """The items with these indices.

        Args:
            items: whole numbers (n,) in [0, len), in any order, repeats allowed.

        Returns:
            A list of n documents, or an array (n, sequence_length), in the order asked for.

        Raises:
            OutOfRange: no such item; negative indices are refused too.
            InvalidInput: not whole numbers, or the source is closed.
            DataError: an item is damaged.
        """
        self._check_open()
        return self._read(checked_items(items, self._length, self.name))

    def _check_open(self) -> None:
        if self._closed:
            raise InvalidInput(
                f"sources.{self.name}: it is closed; a closed source reads nothing. Open it again."
            )

    def close(self) -> None:
        """Give back files and memory; a second time does nothing."""
        if not self._closed:
            self._closed = True
            self._release()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, traceback: object, /) -> None:
        self.close()


def checked_items(items: ArrayLike, length: int, name: str) -> Items:
    """Item indices as int64 (n,), all of them in [0, length).

    Raises:
        InvalidInput: not one-dimensional, or not whole numbers.
        OutOfRange: an index below 0, or past the end.
    """
    array = np.asarray(items)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InvalidInput(
            f"sources.{name}: items: got {array.dtype} of shape {array.shape}; they are whole numbers (n,). "
            "Give a list or an array of indices."
        )
    if array.size:
        least, most = int(array.min()), int(array.max())
        if least < 0 or most >= length:
            raise _out_of_range(name, least if least < 0 else most, length)
    return array.astype(np.int64, copy=False)


def _out_of_range(name: str, item: int, length: int) -> OutOfRange:
    if length == 0:
        return OutOfRange(
            f"sources.{name}: got item {item}; the source is empty. Take it out of the mixture."
        )
    return OutOfRange(
        f"sources.{name}: got item {item}; it has items 0 to {length - 1}. "
        "If the plan says there are more, the data has changed since: plan again from what is there."
    )
