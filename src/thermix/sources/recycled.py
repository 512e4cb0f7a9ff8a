"""Arrays whose memory is used again once nobody holds them.

A fresh array of megabytes costs a page fault for every 4 KiB of it, which is as much time as filling it
takes. Here the memory comes back when the array and every view of it are gone, and not before. It comes
back to the thread it was given to, as that thread's core still has it in its cache.
"""

from __future__ import annotations

from collections import deque
from threading import local
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["RecycledArrays"]


class RecycledArrays:
    """Gives out arrays of one type, keeping the memory of some that came back.

    Args:
        dtype: of the arrays.
        keep: most of them to keep for each thread.

    >>> arrays = RecycledArrays(np.dtype("int64"), keep=1)
    >>> first = arrays.empty((2, 3))
    >>> first[:] = 7
    >>> row = first[0]
    >>> del first  # its memory is not free: a row of it is left
    >>> _ = arrays.empty((2, 3)); row.tolist()
    [7, 7, 7]
    """

    def __init__(self, dtype: np.dtype[Any], keep: int) -> None:
        self._dtype = dtype
        self._own = _Free(keep)

    def empty(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """An array of a shape, with any content."""
        free = self._own.memories
        try:
            memory = free.pop()
        except IndexError:
            memory = _Memory(np.empty(shape, self._dtype))
        if memory.shape != shape:
            memory = _Memory(np.empty(shape, self._dtype))
        return np.asarray(_Lease(memory, free))


class _Memory:
    """An array, and what others need to know to share its memory, which takes a while to find out."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array
        self.shape = array.shape
        self.interface = array.__array_interface__


class _Free(local):
    """What came back, of each thread its own."""

    def __init__(self, keep: int) -> None:
        self.memories: deque[_Memory] = deque(maxlen=keep)


class _Lease:
    """What an array that was given out is based on; it lives as long as any view of the array."""

    def __init__(self, memory: _Memory, free: deque[_Memory]) -> None:
        self.__array_interface__ = memory.interface
        self._memory = memory
        self._free = free

    def __del__(self) -> None:
        self._free.append(self._memory)
