"""Where the tasks of a preparation run: one task shape, one file an engine.

`Engine` is all that a run asks of one. A task is done by a picklable function of the task alone, so that
any engine gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar

__all__ = ["Engine", "Progress", "Report"]

T = TypeVar("T")
R = TypeVar("R")


class Progress(NamedTuple):
    """Work done: documents, tokens, and raw bytes of input read."""

    documents: int = 0
    tokens: int = 0
    raw_bytes: int = 0


Report = Callable[[int, int, int], None]
"""Called by a task with the documents, tokens and raw bytes it did since it last called."""


class Engine(Protocol):
    """Runs tasks without shared state, each any number of times and anywhere."""

    def run(
        self, work: Callable[[T, Report], R], tasks: Sequence[T], show: Callable[[Progress], None]
    ) -> Iterator[tuple[T, R]]:
        """Each task with its result, as they finish.

        Args:
            work: does a task; a module's function, picklable with its task and its result.
            tasks: of any number.
            show: is called a few times a second with what all of them have done so far.

        Raises:
            Exception: what `work` raised first. Tasks not begun are given up, those begun are waited for or
                ended; closing the iterator does the same.
        """
        ...
