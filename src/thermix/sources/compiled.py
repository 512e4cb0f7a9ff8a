"""The one compiled loop: rows copied and widened in one pass, where numba (the extra `fast`) is installed.

NumPy takes two passes, a take and a cast. That is the way without numba, until the loop is compiled, and for
types it is not compiled for. Both give the same rows. No read waits: numba is loaded and the loop compiled in
a thread of its own, once a process has read enough rows of these types for it to be worth it. A process that
ends in that second or two does wait for the thread.
"""

from __future__ import annotations

import os
from contextlib import suppress
from importlib.util import find_spec
from threading import Lock, Thread, main_thread
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from thermix.sources.base import Items

__all__ = ["LOOPS", "Loops", "Widen"]

_WORTH_BYTES = 1 << 26  # written by NumPy first: short runs never load numba, which takes a second
_TYPES: Final = ("uint8", "uint16", "uint32", "int32", "int64")
_WIDER: Final = ("int32", "int64", "uint16", "uint32")

Types = tuple[np.dtype[Any], np.dtype[Any]]


class Widen(Protocol):
    """Copies tokens to rows: `out[i]` becomes the tokens at the memory address `addresses[i]`.

    One call for all sources of a block: a thread that copies then waits for Python once, not once a source.
    """

    def __call__(self, addresses: Items, out: NDArray[Any], /) -> object:
        """Copy; what is returned says nothing."""
        ...


class Loops:
    """Compiled loops by the types of tokens and rows.

    Args:
        worth_bytes: how much is to be written of two types before their loop is compiled.
    """

    def __init__(self, worth_bytes: int = _WORTH_BYTES) -> None:
        self._worth_bytes = worth_bytes
        self._written: dict[Types, int] = {}
        self._ready: dict[Types, Widen] = {}
        self._asked: set[Types] = set()
        self._lock = Lock()
        self._process = os.getpid()

    def widen(self, tokens: np.dtype[Any], rows: np.dtype[Any], nbytes: int) -> Widen | None:
        """The loop for two types; None where there is none, or none yet.

        Args:
            tokens: their type.
            rows: the type they are wanted in.
            nbytes: of the rows that are wanted now.
        """
        types = tokens, rows
        found = self._ready.get(types)
        if found is None:
            written = self._written[types] = self._written.get(types, 0) + nbytes
            if written > self._worth_bytes and types not in self._asked:
                self._ask(types)
        return found

    def _ask(self, types: Types) -> None:
        if self._process != os.getpid() or not main_thread().is_alive():
            return  # a lock may be held by a thread that stayed in the other process; or Python is ending
        with self._lock:
            if types in self._asked:
                return
            self._asked.add(types)
        if _can_compile(*types):
            with suppress(RuntimeError):  # there may be no room for one more thread
                # No daemon, though one asks for it: Python must not end while it compiles.
                Thread(target=self.compile, args=types, name="thermix-compile", daemon=False).start()

    def compile(self, tokens: np.dtype[Any], rows: np.dtype[Any]) -> None:
        """Compile the loop for two types; without numba, or with one that does not work here, do nothing."""
        try:
            loop = _compiled(tokens, rows)
        except Exception:
            return  # NumPy's way is always there
        self._ready[tokens, rows] = loop


LOOPS: Final = Loops()
"""The loops of this process."""


def _can_compile(tokens: np.dtype[Any], rows: np.dtype[Any]) -> bool:
    return (
        tokens.isnative
        and tokens.name in _TYPES
        and rows.name in _WIDER
        and np.can_cast(tokens, rows, "safe")
        and find_spec("numba") is not None
    )


def _compiled(tokens: np.dtype[Any], rows: np.dtype[Any]) -> Widen:
    import numba

    if numba.config.DISABLE_JIT:
        raise ImportError("numba is told not to compile")
    from numba.core import cgutils, types
    from numba.extending import intrinsic

    @intrinsic  # type: ignore[untyped-decorator]
    def pointer(typing: Any, address: Any) -> Any:
        return types.voidptr(types.int64), lambda _, builder, __, args: builder.inttoptr(
            args[0], cgutils.voidptr_t
        )

    token = numba.from_dtype(tokens)

    def widen(addresses: Items, out: NDArray[Any]) -> int:
        # The first token of every window is asked for at once: their pages are looked up side by side.
        touched, row_length = 0, out.shape[1]
        for i in range(len(addresses)):
            touched += int(numba.carray(pointer(addresses[i]), 1, token)[0])
        for i in range(len(addresses)):
            window, row = numba.carray(pointer(addresses[i]), row_length, token), out[i]
            for j in range(row_length):
                row[j] = window[j]
        return touched

    whole, rows_type = types.int64, types.Array(numba.from_dtype(rows), 2, "C")
    loop: Widen = numba.njit(whole(whole[::1], rows_type), nogil=True)(widen)
    return loop
