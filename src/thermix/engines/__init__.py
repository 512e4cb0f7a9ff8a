"""Tasks without shared state, and where they run: one task shape, one file an engine.

`Engine` is all that a run asks of one (`local.py`, `ray.py`). A task is done by a picklable function of the
task alone, so that any engine gives the same bytes. `folder.py` keeps what tasks have done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

__all__ = ["Engine", "Progress", "Report", "Titled", "Watcher"]

T = TypeVar("T")
R = TypeVar("R")


class Progress(NamedTuple):
    """Work done: documents (or items), tokens, and raw bytes (read, of a preparation; else written)."""

    documents: int = 0
    tokens: int = 0
    raw_bytes: int = 0


Report = Callable[[int, int, int], None]
"""Called by a task with the documents, tokens and raw bytes it did since it last called."""


@runtime_checkable
class Titled(Protocol):
    """A task that says what it is about, and what it reads and writes."""

    @property
    def title(self) -> str:
        """What errors call it: its number and its input."""
        ...

    @property
    def paths(self) -> Sequence[str]:
        """Local files and folders it needs, wherever it runs."""
        ...


class Watcher:
    """Is told how a run of tasks goes; this one says nothing to anybody."""

    def begin(self, total: int, done: Progress) -> None:
        """The work in all (raw bytes of a preparation, else items), and what an earlier run did of it."""

    def show(self, done: Progress) -> None:
        """What is done by now, earlier runs included."""

    def notice(self, message: str) -> None:
        """Something a person should know."""


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
