"""Any Python object with a length and items by index as a source: a user's own `Dataset`, a list."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from thermix.errors import DataError, InvalidInput
from thermix.plan.mixture import Unit
from thermix.sources.base import IndexedSource, Items, Rows

__all__ = ["Indexable", "ObjectSource", "rows_fingerprint"]

_SAMPLES = 16


@runtime_checkable
class Indexable(Protocol):
    """What an object needs to be a source."""

    def __len__(self) -> int: ...

    def __getitem__(self, item: int, /) -> Any: ...


class ObjectSource(IndexedSource):
    """Items of a Python object, `data[i]` for i in [0, len(data)).

    `data.__getitems__(list of int)` is used where the object has it (PyTorch's and HF datasets' name for
    a batched read). The length is taken once, here. An exception of the object's own reaches the caller
    as it is, with the source's name noted in it (Python 3.11 and newer).

    Args:
        data: the object. It is not closed with the source. Other processes get it pickled, or forked.
        name: what errors call it.
        sequence_length: tokens in every item; None where items are documents.
        fingerprint: of its content, if you know better than the default: a hash of the length and of 16
            items spread evenly over it, which sees nothing of a change between those.

    Raises:
        InvalidInput: the object has no length or no items by index.

    >>> source = ObjectSource(["a", "b", "c"], name="letters")
    >>> source.read([2, 0, 2])
    ['c', 'a', 'c']
    >>> ObjectSource([[1, 2], [3, 4]], name="pairs", sequence_length=2).read([1])
    array([[3, 4]])
    """

    def __init__(
        self,
        data: Indexable,
        *,
        name: str,
        sequence_length: int | None = None,
        fingerprint: str | None = None,
    ) -> None:
        _check_indexable(data, name)
        super().__init__(name, len(data))
        self._data: Indexable | None = data
        self._sequence_length = sequence_length
        self._fingerprint = fingerprint

    @property
    def unit(self) -> Unit:
        """A sequence where `sequence_length` is given, else a document."""
        return "document" if self._sequence_length is None else "sequence"

    @property
    def tokens(self) -> int | None:
        """Tokens in all items; None for documents."""
        return None if self._sequence_length is None else self._length * self._sequence_length

    @property
    def fingerprint(self) -> str:
        """As given, or the hash of the length and of 16 items; the first use reads them."""
        if self._fingerprint is None:
            spread = np.unique(np.linspace(0, self._length - 1, _SAMPLES).astype(np.int64))
            rows = self.read(spread if self._length else [])
            self._fingerprint = rows_fingerprint(self._length, rows)
        return self._fingerprint

    def _read(self, items: Items) -> Rows:
        rows = self._rows(items.tolist())
        return rows if self._sequence_length is None else self._stacked(rows, items, self._sequence_length)

    def _release(self) -> None:
        self._data = None

    def _rows(self, items: list[int]) -> list[Any]:
        assert self._data is not None, "read() refuses a closed source"
        many: Callable[[list[int]], Any] | None = getattr(self._data, "__getitems__", None)
        try:
            rows = list(many(items)) if many is not None and items else [self._data[item] for item in items]
        except Exception as error:
            if sys.version_info >= (3, 11):
                error.add_note(f"while reading source {self.name!r}")
            raise
        if len(rows) != len(items):
            raise DataError(
                f"sources.{self.name}: {type(self._data).__name__}.__getitems__ returned {len(rows)} items "
                f"for {len(items)}; it must return one for each index. Correct it, or remove the method."
            )
        return rows

    def _stacked(self, rows: list[Any], items: Items, sequence_length: int) -> NDArray[Any]:
        if not rows:
            return np.empty((0, sequence_length), np.int64)
        arrays = [np.asarray(row) for row in rows]
        for array, item in zip(arrays, items.tolist(), strict=True):
            if array.shape != (sequence_length,) or array.dtype.kind not in "iu":
                raise DataError(
                    f"sources.{self.name}: item {item} is {array.dtype} of shape {array.shape}; a sequence "
                    f"is whole numbers of shape ({sequence_length},). Cut or pad it there, or leave out "
                    "sequence_length."
                )
        return np.stack(arrays)


def _check_indexable(data: object, name: str) -> None:
    if not isinstance(data, Indexable) or isinstance(data, Mapping | str | bytes | type):
        raise InvalidInput(
            f"sources.{name}: got a {type(data).__name__}; an object that is a source has __len__ and a "
            "__getitem__ that takes 0 to len - 1. Put a stream into a list; give a path to open_source."
        )


def rows_fingerprint(length: int, rows: Rows) -> str:
    """Hash of a number of rows and of some of them, by their content."""
    digest = hashlib.sha256(f"objects {length}\n".encode())
    for row in rows:
        _hash_value(digest, row)
    return digest.hexdigest()


def _hash_value(digest: hashlib._Hash, value: Any) -> None:
    """Plain values by their content, in any nesting; of others only the type, as their repr may change."""
    if isinstance(value, dict):
        digest.update(b"{%d" % len(value))
        for key, inner in value.items():
            _hash_value(digest, key)
            _hash_value(digest, inner)
    elif isinstance(value, list | tuple):
        digest.update(b"[%d" % len(value))
        for inner in value:
            _hash_value(digest, inner)
    elif isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        digest.update(f"{value.dtype.str}{value.shape}".encode() + value.tobytes())
    elif isinstance(value, str | bytes | int | float | None):
        text = repr(value).encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(text) + text)
    else:
        digest.update(type(value).__qualname__.encode())
