"""Threads that make results which one other thread takes in their order.

`concurrent.futures` does this too; here a result costs a few microseconds, there five times that, which is a
fifth of the time that a block of rows takes.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, Generic, TypeVar

__all__ = ["Job", "WorkerThreads"]

T = TypeVar("T")
R = TypeVar("R")


class Job(Generic[R]):
    """Something begun: its result once a thread has made it."""

    __slots__ = ("_done", "_error", "_made", "_task")

    def __init__(self, task: Any) -> None:
        self._task = task
        self._made: R
        self._error: BaseException | None = None
        self._done = Lock()
        self._done.acquire()

    def run(self, make: Callable[[Any], R]) -> None:
        """Make the result, or keep the exception."""
        try:
            self._made = make(self._task)
        except BaseException as error:
            self._error = error
        self._done.release()

    def result(self) -> R:
        """Wait for the result, once; the exception of what made it is raised here."""
        self._done.acquire()
        error, self._error = self._error, None
        if error is None:
            return self._made
        try:
            raise error
        finally:
            del error  # it holds this frame, which must not hold it


class WorkerThreads(Generic[T, R]):
    """Threads that make results.

    They end with `close`, at the latest when Python does. A process forked meanwhile has none of them:
    `close` does nothing there, and a result is waited for in vain.

    Args:
        make: makes a result; from several threads at once.
        threads: at least 1.
        name: what their names begin with.
    """

    def __init__(self, make: Callable[[T], R], threads: int, name: str) -> None:
        self._todo: SimpleQueue[Job[R] | None] = SimpleQueue()
        self._process = os.getpid()
        self._threads: list[Thread] = []
        # Of threads that are no daemons Python waits for the end before anything can tell them to.
        atexit.register(self.close)
        try:
            for number in range(threads):
                thread = Thread(target=_work, args=(self._todo, make), name=f"{name}_{number}", daemon=True)
                thread.start()
                self._threads.append(thread)
        except BaseException:
            self.close()
            raise

    def begin(self, task: T) -> Job[R]:
        """Put a task in the queue."""
        job = Job[R](task)
        self._todo.put(job)
        return job

    def close(self) -> None:
        """Wait for the tasks that were begun, drop those that were not, and end the threads."""
        atexit.unregister(self.close)
        threads, self._threads = self._threads, []
        if self._process != os.getpid():
            return
        with suppress(Empty):
            while True:
                self._todo.get_nowait()
        for _ in threads:
            self._todo.put(None)
        for thread in threads:
            thread.join()


def _work(todo: SimpleQueue[Job[R] | None], make: Callable[[Any], R]) -> None:
    while (job := todo.get()) is not None:
        job.run(make)
        del job  # with its result, whose memory is used again once nobody holds it
