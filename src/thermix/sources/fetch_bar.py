"""A progress bar of fetched files: on a terminal, in the main process, once a fetch takes a second."""

from __future__ import annotations

import multiprocessing
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["fetch_bar"]

_QUIET_SECONDS = 1.0


@contextmanager
def fetch_bar(name: str, size: int) -> Iterator[Any]:
    """A bar of one file; yields the fsspec callback that moves it.

    Args:
        name: of the file.
        size: in bytes.
    """
    callbacks = import_module("fsspec.callbacks")
    if not sys.stderr.isatty() or multiprocessing.parent_process() is not None:
        yield callbacks.NoOpCallback()
        return
    bar = _Bar(name, size)
    try:
        yield callbacks.Callback(hooks={"bar": bar.show})
    finally:
        bar.end()


class _Bar:
    """A line of the bars, from the first move after a second on."""

    def __init__(self, name: str, size: int) -> None:
        self._name, self._size = name, size
        self._begun = time.monotonic()
        self._task: Any = None

    def show(self, size: int | None, value: int, **_: object) -> None:
        """Move it to a number of bytes."""
        if self._task is None and time.monotonic() - self._begun >= _QUIET_SECONDS:
            self._task = _bars.add(self._name, self._size)
        if self._task is not None:
            _bars.move(self._task, value)

    def end(self) -> None:
        """Take it away."""
        if self._task is not None:
            _bars.remove(self._task)


class _Bars:
    """All bars of this process: a terminal has one display, which threads share."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._display: Progress | None = None

    def add(self, name: str, size: int) -> Any:
        with self._lock:
            if self._display is None:
                self._display = _started()
            return self._display.add_task(name, total=size)

    def move(self, task: Any, value: int) -> None:
        with self._lock:
            if self._display is not None:
                self._display.update(task, completed=value)

    def remove(self, task: Any) -> None:
        with self._lock:
            if self._display is not None:
                self._display.remove_task(task)
                if not self._display.tasks:
                    self._display.stop()
                    self._display = None


_bars = _Bars()


def _started() -> Progress:
    from rich.console import Console
    from rich.errors import LiveError
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    display = Progress(
        TextColumn("fetching {task.description}", markup=False),
        BarColumn(bar_width=16),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=Console(file=sys.stderr),
        transient=True,
    )
    try:
        display.start()
    except LiveError:  # the program shows a display of its own: this one stays dark
        display.disable = True
    return display
