"""Tasks as bytes for another machine: what many of them hold in common goes there once.

A tokenizer, or the list of a hundred thousand shards, is megabytes, and the same in every task. Invariant: a
task that was packed and unpacked is equal to what it was.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

__all__ = ["Packer", "Parcel", "unpacked"]

_LARGE = 1 << 16  # bytes; Ray takes what is smaller along with a task


class Parcel(NamedTuple):
    """A task without its large parts.

    Attributes:
        task: pickled; large parts are numbers.
        parts: for each number, what `Packer` was told to send in place of a part.
    """

    task: bytes
    parts: list[Any]


class Packer:
    """Packs tasks; `bytes` of 64 KiB and more are sent once, however many tasks hold them.

    Args:
        send: takes a large part, and gives what stands for it.
    """

    def __init__(self, send: Callable[[bytes], Any]) -> None:
        self._send = send
        self._sent: dict[int, tuple[bytes, Any]] = {}  # the part too: its id is its own while it lives

    def pack(self, task: Any) -> Parcel:
        """Pack one task."""
        parts: list[Any] = []
        file = io.BytesIO()
        _Pickler(file, self._stand_in, parts).dump(task)
        return Parcel(file.getvalue(), parts)

    def _stand_in(self, part: bytes) -> Any:
        if id(part) not in self._sent:
            self._sent[id(part)] = part, self._send(part)
        return self._sent[id(part)][1]


def unpacked(parcel: Parcel, fetch: Callable[[Sequence[Any]], Sequence[bytes]]) -> Any:
    """The task in a parcel.

    Args:
        parcel: as it was packed.
        fetch: gives the parts that stand-ins stand for.
    """
    return _Unpickler(io.BytesIO(parcel.task), fetch(parcel.parts)).load()


class _Pickler(pickle.Pickler):
    def __init__(self, file: io.BytesIO, stand_in: Callable[[bytes], Any], parts: list[Any]) -> None:
        super().__init__(file, protocol=5)
        self._stand_in, self._parts = stand_in, parts

    def persistent_id(self, value: Any) -> int | None:
        if type(value) is not bytes or len(value) < _LARGE:
            return None
        self._parts.append(self._stand_in(value))
        return len(self._parts) - 1


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, parts: Sequence[bytes]) -> None:
        super().__init__(file)
        self._parts = parts

    def persistent_load(self, number: Any) -> bytes:
        part: bytes = self._parts[number]
        return part
