"""Tasks on a Ray cluster.

Ray places tasks, notices nodes that die and runs their tasks again; here tasks are handed to it, so many at a
time, and what it says of them is put into words. Files and folders must lie under the same paths on every
node. Ray is imported here only.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from thermix.engines import Progress, Report, Titled
from thermix.engines.parcels import Packer, Parcel, unpacked
from thermix.engines.threads import limit_threads
from thermix.errors import DataError, InvalidInput, MissingExtra, ThermixError
from thermix.plan.checks import checked_whole

__all__ = ["RayEngine"]

T = TypeVar("T")
R = TypeVar("R")

_REFRESH = 0.3  # seconds
_QUEUED = 4  # tasks for each processor; a node that finds no task waiting is given up and asked for again
_REPORT = 0.5
_ANSWER = 5
_LISTED = 5
_CLIENT_PORT = 10001


class RayEngine:
    """Runs tasks on a Ray cluster.

    Args:
        address: "HOST:PORT", "ray://HOST:PORT", or "auto"; left out, the cluster Ray finds (RAY_ADDRESS, or
            one on this machine), else one of this machine alone is started. A process that is connected
            already stays so.
        wait: seconds for an address to answer.
        in_flight: tasks given to the cluster at a time; left out, four for each of its
            processors, so that none of them waits for the next.
        retries: times a task is run again, after its node died or a file could not be read or written.
        threads: of the encoder in each task, which takes one processor.

    Raises:
        MissingExtra: Ray is not installed.
        InvalidInput: a wrong value.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        wait: float = 30.0,
        in_flight: int | None = None,
        retries: int = 3,
        threads: int = 1,
    ) -> None:
        try:
            import ray
        except ImportError as error:
            raise MissingExtra("ray", "ray", "--engine ray") from error
        self._ray: Any = ray
        self._address = address
        self._wait = wait
        self._in_flight = None if in_flight is None else checked_whole("in_flight", in_flight, 1)
        self._retries = checked_whole("retries", retries, 0)
        self._threads = threads

    def run(
        self, work: Callable[[T, Report], R], tasks: Sequence[T], show: Callable[[Progress], None]
    ) -> Iterator[tuple[T, R]]:
        """As `Engine.run` says."""
        if not tasks:
            return
        ours = not self._ray.is_initialized()
        if ours:
            self._connect()
        try:
            yield from _Run(self._ray, self._in_flight, self._retries, self._threads).all(work, tasks, show)
        finally:
            if ours:
                self._ray.shutdown()

    def _connect(self) -> None:
        if self._address not in (None, "auto"):
            _refuse_silent(str(self._address), self._wait)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # of a cluster that is started here
        try:
            self._ray.init(address=self._address, log_to_driver=False, logging_level="ERROR")
        except Exception as error:  # Ray raises several kinds, and its own for what is no Ray
            raise InvalidInput(
                f"--address: got {self._address or 'none'}; Ray cannot be reached there: "
                f"{_first_line(error)}. Start it (ray start --head), or correct the address."
            ) from error


def _refuse_silent(address: str, wait: float) -> None:
    """Refuse an address where nothing answers, sooner than Ray would."""
    scheme, _, rest = address.rpartition("://")
    host, _, port = rest.partition("/")[0].rpartition(":")
    if not host and scheme:
        host, port = port, str(_CLIENT_PORT)
    if not host or not port.isdigit():
        raise InvalidInput(
            f"--address: got {address!r}; it is HOST:PORT, as ray start --head prints it, or "
            "ray://HOST:PORT. Correct it."
        )
    end = time.monotonic() + wait
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=max(0.1, wait)).close()
        except (OSError, OverflowError) as error:
            if time.monotonic() < end:
                time.sleep(min(0.2, wait))
                continue
            raise InvalidInput(
                f"--address: got {address}; nothing answers there after {wait:g} s ({error}). Start the "
                "cluster (ray start --head), or correct the address."
            ) from error
        return


class _Transient(Exception):
    """A task failed over a file that could not be read or written: another try may do."""


@dataclass(frozen=True)
class _Failed:
    """A task failed for good, on a node."""

    error: Exception
    node: str


class _Run:
    """One call of `RayEngine.run`."""

    def __init__(self, ray: Any, in_flight: int | None, retries: int, threads: int) -> None:
        self._ray = ray
        self._in_flight = in_flight
        self._threads = threads
        self._remote = ray.remote(num_cpus=1, max_retries=retries, retry_exceptions=[_Transient])(_on_node)
        self._retries = retries
        self._failures: list[Exception] = []
        self._waiting: dict[Any, Any] = {}
        self._packer = Packer(ray.put)

    def all(
        self, work: Callable[[T, Report], R], tasks: Sequence[T], show: Callable[[Progress], None]
    ) -> Iterator[tuple[T, R]]:
        counts = _Counts(self._ray, show)
        left = iter(enumerate(tasks))
        try:
            while True:
                if not self._failures:  # a failure lets what is begun come to its end
                    for number, task in islice(left, max(0, self._most() - len(self._waiting))):
                        given = (work, self._packer.pack(task), number, counts.actor, self._threads)
                        self._waiting[self._remote.remote(*given)] = task
                if not self._waiting:
                    break
                finished, _ = self._ray.wait(list(self._waiting), timeout=_REFRESH)
                counts.poll()
                for reference in finished:
                    yield from self._result(reference)
            counts.end()
        except BaseException:
            self._cancel()
            raise
        if self._failures:
            raise self._said()

    def _most(self) -> int:
        return self._in_flight or max(_QUEUED, _QUEUED * int(self._ray.cluster_resources().get("CPU", 1)))

    def _result(self, reference: Any) -> Iterator[tuple[Any, Any]]:
        task = self._waiting.pop(reference)
        try:
            result = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            self._failures.append(self._lost(task, error))
            return
        if isinstance(result, _Failed):
            self._failures.append(_named(task, result))
            return
        yield task, result

    def _lost(self, task: Any, error: Exception) -> DataError:
        """What is said of a task that Ray gave up."""
        cause = getattr(error, "cause", None)
        what = (
            str(cause) if isinstance(cause, _Transient) else f"{type(error).__name__}: {_first_line(error)}"
        )
        return DataError(
            f"{_title(task)}: it failed {self._retries + 1} times, at last with: {what} What is finished is "
            "kept: mend that and run the same command again."
        )

    def _said(self) -> Exception:
        """One error for all that failed; alone it keeps its class."""
        if len(self._failures) == 1:
            return self._failures[0]
        more = len(self._failures) - _LISTED
        lines = [str(failure) for failure in self._failures[:_LISTED]]
        return DataError("\n".join([*lines, *([f"and {more} more"] if more > 0 else [])]))

    def _cancel(self) -> None:
        """End what is begun; what it was writing has temporary names."""
        for reference in self._waiting:
            self._ray.cancel(reference, force=True)
        if self._waiting:
            waiting = list(self._waiting)
            self._ray.wait(waiting, num_returns=len(waiting), timeout=30)


class _Counts:
    """What the tasks have done so far: kept by an actor, by task, so that a second try counts once."""

    def __init__(self, ray: Any, show: Callable[[Progress], None]) -> None:
        self._ray = ray
        self._show = show
        self._asked: Any = None
        self.actor = ray.remote(num_cpus=0, max_restarts=-1)(_Counter).remote()

    def poll(self) -> None:
        """Show what the actor has said, if it has answered; then ask again."""
        if self._asked is None:
            self._asked = self.actor.total.remote()
        if self._ray.wait([self._asked], timeout=0)[0]:
            asked, self._asked = self._asked, None
            self._answer(asked)

    def end(self) -> None:
        """Show what all the tasks have done."""
        self._answer(self.actor.total.remote())

    def _answer(self, asked: Any) -> None:
        """An actor that was lost with its node costs the bar its counts, and nothing else."""
        try:
            self._show(Progress(*self._ray.get(asked, timeout=_ANSWER)))
        except self._ray.exceptions.RayError:
            return


class _Counter:
    """An actor: the latest counts of every task."""

    def __init__(self) -> None:
        self._done: dict[int, tuple[int, int, int]] = {}

    def put(self, number: int, counts: tuple[int, int, int]) -> None:
        """What a task has done since it began."""
        self._done[number] = counts

    def total(self) -> tuple[int, int, int]:
        """Over all tasks."""
        documents, tokens, size = (
            sum(column) for column in zip((0, 0, 0), *self._done.values(), strict=False)
        )
        return documents, tokens, size


def _on_node(
    work: Callable[[T, Report], R], parcel: Parcel, number: int, counter: Any, threads: int
) -> R | _Failed:
    """One task, in a worker of Ray."""
    import ray

    node = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
    limit_threads(threads)
    reporter = _Reporter(counter, number)
    try:
        task = unpacked(parcel, ray.get)
        if isinstance(task, Titled):
            _check_paths(task.paths)
        result = work(task, reporter)
    except Exception as error:
        if isinstance(error, OSError) or isinstance(error.__cause__, OSError):
            raise _Transient(f"node {node}: {error}") from None
        return _Failed(_plain(error), node)
    ray.wait([reporter.flush()], timeout=_ANSWER)
    return result


class _Reporter:
    """Adds up what a task reports, and passes it on now and then."""

    def __init__(self, counter: Any, number: int) -> None:
        self._counter = counter
        self._number = number
        self._done = (0, 0, 0)
        self._told = 0.0

    def __call__(self, documents: int, tokens: int, raw_bytes: int) -> None:
        first, second, third = self._done
        self._done = first + documents, second + tokens, third + raw_bytes
        if time.monotonic() - self._told > _REPORT:
            self.flush()

    def flush(self) -> Any:
        self._told = time.monotonic()
        return self._counter.put.remote(self._number, self._done)


def _check_paths(paths: Sequence[str]) -> None:
    for path in paths:
        if not os.path.exists(path):
            raise InvalidInput(
                f"{path}: nothing lies there on this node; every node reads and writes the same paths. Mount "
                "the folder there, or name one that all nodes see."
            )


def _plain(error: Exception) -> Exception:
    """An error that any process can read: ours as it is, others by their text."""
    return error if isinstance(error, ThermixError) else RuntimeError(f"{type(error).__name__}: {error}")


def _named(task: Any, failed: _Failed) -> Exception:
    """The error of a task with the node and the task in front of it."""
    text = f"node {failed.node}, {_title(task)}: {failed.error}"
    if isinstance(failed.error, MissingExtra):
        return InvalidInput(f"{text} Install it on every node.")
    if isinstance(failed.error, ThermixError):
        return type(failed.error)(text)
    return DataError(f"{text}. What is finished is kept: mend that and run the same command again.")


def _title(task: Any) -> str:
    return task.title if isinstance(task, Titled) else f"task {task!r}"


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
