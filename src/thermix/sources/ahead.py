"""Work done ahead of its use: draws in chunks, and blocks of batches by threads, in order.

Nothing here changes a result, only when it is computed.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from itertools import islice
from threading import Lock
from typing import NamedTuple, TypeVar

from thermix.errors import InvalidInput
from thermix.plan.plan import Batch, Plan
from thermix.sources.worker_threads import Job, WorkerThreads

__all__ = ["DrawsAhead", "ProcessLock", "in_order", "next_ahead"]

T = TypeVar("T")
R = TypeVar("R")

_FIRST_CHUNK = 1 << 11  # draws; so few cost as much as one
_CHUNK = 1 << 16
_KEPT = 3


class ProcessLock:
    """A lock between the threads of a process; a process forked while it was held has a free one."""

    def __init__(self) -> None:
        self._lock, self._process = Lock(), os.getpid()

    def held(self) -> AbstractContextManager[bool]:
        """The lock, to use in `with`."""
        if self._process != os.getpid():
            self._lock, self._process = Lock(), os.getpid()
        return self._lock


class _Chunk(NamedTuple):
    start: int
    stop: int
    draws: Batch


class DrawsAhead:
    """The draws of a rank, computed for many steps at once where steps are asked for one after the other.

    Args:
        plan, rank, world_size: as for `Plan.batches`.
    """

    def __init__(self, plan: Plan, rank: int, world_size: int) -> None:
        self._plan = plan
        self._rank, self._world_size = rank, world_size
        self._chunks: deque[_Chunk] = deque(maxlen=_KEPT)
        self._lock = ProcessLock()

    def steps(self, start: int, stop: int) -> Batch:
        """The draws (stop - start, b) in steps [start, stop), all of one batch size."""
        with self._lock.held():
            chunk = self._holding(start, stop) or self._computed(start, stop)
        rows = slice(start - chunk.start, stop - chunk.start)
        draws = chunk.draws
        return Batch(draws.source[rows], draws.item[rows], draws.epoch[rows])

    def _holding(self, start: int, stop: int) -> _Chunk | None:
        return next((c for c in self._chunks if c.start <= start and stop <= c.stop), None)

    def _computed(self, start: int, stop: int) -> _Chunk:
        """The steps asked for and some more; many more where they go on from steps asked for before."""
        goes_on = any(c.start <= start <= c.stop for c in self._chunks)
        segment = next(s for s in self._plan.segments if start < s.end or s is self._plan.segments[-1])
        more = (_CHUNK if goes_on else _FIRST_CHUNK) // segment.batch_size
        last = max(stop, min(start + more, segment.end))
        chunk = _Chunk(start, last, self._plan.batches(start, last, self._rank, self._world_size))
        self._chunks.append(chunk)
        return chunk


def in_order(make: Callable[[T], R], tasks: Iterable[T], threads: int) -> Generator[R]:
    """The results of tasks in their order, made by threads a few tasks ahead.

    Args:
        make: makes a result; from several threads at once.
        tasks: of any number; at most threads + 1 are begun or wait at a time.
        threads: 0 makes each result when it is asked for.

    Yields:
        The results. An exception of `make`, or of `tasks`, comes in place of its result, and is the last.
        Closing the iterator, or dropping it, waits for the tasks that have begun and starts no more.

    Raises:
        InvalidInput: the iterator is used in a process forked from the one that made it.
    """
    if threads == 0:
        yield from map(make, tasks)
        return
    todo, process = iter(tasks), os.getpid()
    waiting: deque[Job[R]] = deque()
    with closing(WorkerThreads(make, threads, "thermix-reader")) as workers:
        failed = _begin(workers, todo, threads + 1, waiting)
        while waiting:
            _refuse_forked(process)
            result = waiting.popleft().result()
            if failed is None:
                failed = _begin(workers, todo, 1, waiting)
            yield result
    if failed is not None:
        raise failed


def _begin(
    workers: WorkerThreads[T, R], todo: Iterator[T], many: int, waiting: deque[Job[R]]
) -> Exception | None:
    """Begin some more tasks; what keeps them from coming is for later, when those before have been had."""
    try:
        waiting.extend(map(workers.begin, islice(todo, many)))
    except Exception as error:
        return error
    return None


def next_ahead(groups: Iterator[Sequence[T]]) -> Generator[T]:
    """The members of groups, each group made by a thread while those of the one before are used.

    Args:
        groups: none of them empty; advanced by that thread alone.

    Yields:
        The members. An exception of `groups` comes in place of the first member of the group concerned.
    """

    def made(_: None) -> Sequence[T]:
        return next(groups, ())

    with closing(WorkerThreads(made, 1, "thermix-draws")) as workers:
        coming = workers.begin(None)
        while group := coming.result():
            coming = workers.begin(None)
            yield from group


def _refuse_forked(process: int) -> None:
    if process != os.getpid():
        raise InvalidInput(
            "batches: the iterator was made before this process was forked, and its threads stayed behind. "
            "Make it in the process that reads."
        )
