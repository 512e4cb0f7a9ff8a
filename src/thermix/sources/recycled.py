"""Arrays whose memory is used again once nobody holds them.

A fresh array of megabytes costs a page fault for every 4 KiB of it, which is as much time as filling it
takes. Here the memory comes back when the array and every view of it are gone, and not before. What came back
last is given out first, to any thread: the fewer arrays go round, the more of them are still in the cache.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["RecycledArrays"]


class RecycledArrays:
    """Gives out arrays of one type, keeping the memory of some that came back.

    Args:
        dtype: of the arrays.
        keep: most of them to keep.

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
        self._free: deque[_Memory] = deque(maxlen=keep)

    def empty(self, shape: tuple[int, ...]) -> NDArray[Any]:
        """An array of a shape, with any content."""
        try:
            memory = self._free.pop()
        except IndexError:
            memory = _Memory(np.empty(shape, self._dtype))
        if memory.shape != shape:
            memory = _Memory(np.empty(shape, self._dtype))
        return np.asarray(_Lease(memory, self._free))


class _Memory:
    """An array, and what others need to know to share its memory, which takes a while to find out."""

    def __init__(self, array: NDArray[Any]) -> None:
        self.array = array
        self.shape = array.shape
        self.interface = array.__array_interface__


class _Lease:
    """What an array that was given out is based on; it lives as long as any view of the array."""

    def __init__(self, memory: _Memory, free: deque[_Memory]) -> None:
        self.__array_interface__ = memory.interface
        self._memory = memory
        self._free = free

    def __del__(self) -> None:
        self._free.append(self._memory)
