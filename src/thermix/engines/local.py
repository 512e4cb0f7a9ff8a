"""Tasks in processes of this machine, or, with one process, in this one.

A worker ends when its driver is gone, however that ended. Workers are spawned, not forked: the libraries
that encode have threads of their own, which a fork would leave behind.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait as wait_for_end
from typing import Any, TypeVar

from thermix.engines import Progress, Report
from thermix.engines.threads import limit_threads
from thermix.errors import DataError

__all__ = ["LocalEngine"]

T = TypeVar("T")
R = TypeVar("R")

_REFRESH = 0.2  # seconds


class LocalEngine:
    """Runs tasks in processes of this machine.

    Args:
        processes: at least 1; with 1 the tasks run in the calling process, one after the other.
        threads: of the encoder in each process.
    """

    def __init__(self, processes: int, threads: int) -> None:
        self._processes = processes
        self._threads = threads

    def run(
        self, work: Callable[[T, Report], R], tasks: Sequence[T], show: Callable[[Progress], None]
    ) -> Iterator[tuple[T, R]]:
        """As `Engine.run` says."""
        if min(self._processes, len(tasks)) <= 1:
            return _run_here(work, tasks, show)
        return self._run_in_processes(work, tasks, show)

    def _run_in_processes(
        self, work: Callable[[T, Report], R], tasks: Sequence[T], show: Callable[[Progress], None]
    ) -> Iterator[tuple[T, R]]:
        context = multiprocessing.get_context("spawn")
        done = context.Array("q", 3)
        count = min(self._processes, len(tasks))
        pool = ProcessPoolExecutor(count, context, _begin_worker, (done, self._threads))
        try:
            waiting: dict[Future[R], T] = {pool.submit(_in_worker, work, task): task for task in tasks}
            while waiting:
                finished = wait(waiting, _REFRESH, FIRST_COMPLETED).done
                show(Progress(*done[:]))
                for future in finished:
                    yield waiting.pop(future), _result(future)
        except BaseException:
            _end_now(pool)
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _run_here(
    work: Callable[[T, Report], R], tasks: Sequence[T], show: Callable[[Progress], None]
) -> Iterator[tuple[T, R]]:
    done = Progress()

    def report(documents: int, tokens: int, raw_bytes: int) -> None:
        nonlocal done
        done = Progress(done.documents + documents, done.tokens + tokens, done.raw_bytes + raw_bytes)
        show(done)

    for task in tasks:
        yield task, work(task, report)


def _result(future: Future[R]) -> R:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise DataError(
            "a worker process was ended from outside, as the system does when memory runs out. What is "
            "finished is kept: run the same command again, with fewer --processes."
        ) from error


def _end_now(pool: ProcessPoolExecutor) -> None:
    """End the workers in mid-task: what they were writing has temporary names."""
    for process in list((pool._processes or {}).values()):
        process.terminate()


_done: Any = None


def _begin_worker(done: Any, threads: int) -> None:
    """What a worker does first: whose it is, where it counts, how many threads its encoder has."""
    global _done
    _done = done
    limit_threads(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the driver, which ends its workers
    threading.Thread(target=_end_with_driver, daemon=True).start()


def _end_with_driver() -> None:
    driver = multiprocessing.parent_process()
    assert driver is not None, "only workers run this"
    wait_for_end([driver.sentinel])
    os._exit(1)


def _in_worker(work: Callable[[T, Report], R], task: T) -> R:
    return work(task, _count)


def _count(documents: int, tokens: int, raw_bytes: int) -> None:
    with _done.get_lock():
        _done[0] += documents
        _done[1] += tokens
        _done[2] += raw_bytes
