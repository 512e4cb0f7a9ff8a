"""Progress of long work, on standard error and only where that is a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from thermix.engines import Progress, Watcher

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

__all__ = ["ItemsBar", "PrepareBar", "bytes_bar"]


@contextmanager
def bytes_bar(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar over bytes; yields what is told bytes done and bytes in all."""
    with _bar() as bar:
        task = bar.add_task(what, total=None, counts="")

        def show(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield show


class PrepareBar(Watcher):
    """Documents, tokens, bytes a second and time left of a preparation; use it in `with`.

    Args:
        what: is prepared.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._bar = _bar()
        self._task: Any = None

    def __enter__(self) -> PrepareBar:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def begin(self, total: int, done: Progress) -> None:
        """Start the bar where an earlier run ended."""
        self._task = self._bar.add_task(
            self._what, total=total, completed=done.raw_bytes, counts=_counts(done)
        )

    def show(self, done: Progress) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=done.raw_bytes, counts=_counts(done))

    def notice(self, message: str) -> None:
        """Print a line, the bar staying below it."""
        if self._bar.disable:
            print(f"thermix: {message}", file=sys.stderr)
        else:
            self._bar.console.print(f"thermix: {message}", markup=False, highlight=False)


class ItemsBar(PrepareBar):
    """Items, tokens and time left of a run that is written out; use it in `with`.

    Args:
        what: is written.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self._bar = _bar(items=True)

    def begin(self, total: int, done: Progress) -> None:
        """Start the bar where an earlier run ended."""
        self._task = self._bar.add_task(
            self._what, total=total, completed=done.documents, counts=f"{done.tokens:,} tokens"
        )

    def show(self, done: Progress) -> None:
        """Move the bar."""
        self._bar.update(self._task, completed=done.documents, counts=f"{done.tokens:,} tokens")


def _counts(done: Progress) -> str:
    return f"{done.documents:,} documents  {done.tokens:,} tokens"


def _bar(*, items: bool = False) -> Bar:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    amounts = (MofNCompleteColumn(),) if items else (DownloadColumn(), TransferSpeedColumn())
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=16),
        *amounts,
        TimeRemainingColumn(),
        TextColumn("{task.fields[counts]}", markup=False),
        console=Console(file=sys.stderr, highlight=False, markup=False),
        disable=not sys.stderr.isatty(),
    )
