from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time
import weakref
from contextlib import closing, suppress

import pytest

from thermix.sources import worker_threads
from thermix.sources.worker_threads import WorkerThreads


def running(name: str = "thermix-test") -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(name)]


@pytest.mark.parametrize("threads", [1, 3])
def test_each_job_has_its_own_result(threads: int) -> None:
    def square(number: int) -> int:
        time.sleep(0.001 * (number % 3))
        return number**2

    with closing(WorkerThreads(square, threads, "thermix-test")) as workers:
        assert len(running()) == threads
        jobs = [workers.begin(number) for number in range(50)]
        assert [job.result() for job in jobs] == [number**2 for number in range(50)]
    assert not running()


def test_an_exception_is_raised_where_its_result_is_asked_for() -> None:
    with closing(WorkerThreads[int, int](lambda number: 1 // number, 2, "thermix-test")) as workers:
        bad, good = workers.begin(0), workers.begin(1)
        assert good.result() == 1
        with pytest.raises(ZeroDivisionError) as caught:
            bad.result()
        assert any(entry.name == "run" for entry in caught.traceback)
    assert not running()


def test_closing_waits_for_what_has_begun_and_drops_the_rest() -> None:
    begun, go_on, made = threading.Event(), threading.Event(), []

    def make(number: int) -> None:
        begun.set()
        assert go_on.wait(30)
        made.append(number)

    workers = WorkerThreads(make, 1, "thermix-test")
    for number in range(5):
        workers.begin(number)
    assert begun.wait(30)
    closer = threading.Thread(target=workers.close)
    closer.start()
    while workers._todo.qsize() != 1:  # the end alone
        time.sleep(0.001)
    assert closer.is_alive()
    go_on.set()
    closer.join(30)
    assert made == [0]
    assert not running()
    workers.close()  # as often as one likes


def test_closing_once_more_needs_no_module_when_python_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = WorkerThreads[int, int](abs, 1, "thermix-test")
    workers.close()
    for name in ("os", "_OPEN", "suppress"):
        monkeypatch.setattr(worker_threads, name, None)
    workers.close()


def test_what_was_given_up_or_comes_too_late_is_an_error() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def make(number: int) -> int:
        begun.set()
        assert go_on.wait(30)
        return number

    workers = WorkerThreads(make, 1, "thermix-test")
    first, second = workers.begin(1), workers.begin(2)
    assert begun.wait(30)
    threading.Timer(0.05, go_on.set).start()
    workers.close()
    assert first.result() == 1
    for job in (second, workers.begin(3)):
        with pytest.raises(RuntimeError, match="have ended"):
            job.result()


def test_a_close_that_was_interrupted_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted(threading.Thread):
        times = 0

        def join(self, timeout: float | None = None) -> None:
            Interrupted.times += 1
            if Interrupted.times == 1:
                raise KeyboardInterrupt
            super().join(timeout)

    monkeypatch.setattr(worker_threads, "Thread", Interrupted)
    workers = WorkerThreads[int, int](abs, 2, "thermix-test")
    with pytest.raises(KeyboardInterrupt):
        workers.close()
    assert workers in worker_threads._OPEN
    workers.close()
    assert not running()
    assert workers not in worker_threads._OPEN


class Result:
    """Something that can be watched going away."""


def test_nothing_keeps_a_result_that_was_taken() -> None:
    with closing(WorkerThreads[None, Result](lambda _: Result(), 1, "thermix-test")) as workers:
        result = workers.begin(None).result()
        watched = weakref.ref(result)
        del result
        for _ in range(1000):  # by its thread, which has just handed it over
            if watched() is None:
                break
            time.sleep(0.001)
        assert watched() is None


def test_nor_an_exception_that_was_caught() -> None:
    watched: list[weakref.ref[Result]] = []

    def fail(_: None) -> None:
        result = Result()
        watched.append(weakref.ref(result))
        raise ValueError("no")

    gc.disable()  # what holds itself would wait for it
    try:
        with closing(WorkerThreads(fail, 1, "thermix-test")) as workers, suppress(ValueError):
            workers.begin(None).result()
        assert watched[0]() is None
    finally:
        gc.enable()


def test_where_a_thread_cannot_be_had_the_others_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class Scarce(threading.Thread):
        def start(self) -> None:
            if self.name.endswith("_2"):
                raise RuntimeError("can't start new thread")
            super().start()

    monkeypatch.setattr(worker_threads, "Thread", Scarce)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        WorkerThreads(abs, 4, "thermix-test")
    assert not running()


HALF_WAY = """
import sys, threading, time
from thermix.sources.worker_threads import WorkerThreads
ended = []
def make(seconds):
    time.sleep(seconds)
    ended.append(seconds)
    return seconds
class AtTheEnd:
    def __del__(self):
        print("made", len(ended), flush=True)
last = AtTheEnd()
workers = WorkerThreads(make, 2, "thermix-test")
jobs = [workers.begin(0.2) for _ in range(100)]
print(jobs[0].result(), flush=True)
"""


def test_a_process_that_ends_half_way_waits_for_what_has_begun_alone() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HALF_WAY], capture_output=True, text=True, timeout=60, check=True
    )
    first, last = done.stdout.split("\n")[:2]
    assert (first, done.stderr) == ("0.2", "")
    assert 2 <= int(last.removeprefix("made ")) <= 6


TOO_LATE = """
import atexit
def late():
    for job in jobs:
        try:
            print(job.result(), flush=True)
        except RuntimeError as error:
            print("ended" in str(error), flush=True)
atexit.register(late)  # runs after those that were registered later
import time
from thermix.sources.worker_threads import WorkerThreads
def make(number):
    time.sleep(0.2)
    return number
workers = WorkerThreads(make, 1, "thermix-test")
jobs = [workers.begin(number) for number in range(3)]
jobs.pop(0).result()
"""


def test_who_asks_when_all_has_ended_is_told_so() -> None:
    done = subprocess.run(
        [sys.executable, "-c", TOO_LATE], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split("\n")[-2] == "True"
    assert done.stderr == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_closes_nothing() -> None:
    with closing(WorkerThreads[int, int](abs, 2, "thermix-test")) as workers:
        child = os.fork()
        if child == 0:
            try:
                workers.close()
                os._exit(0)
            except BaseException:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert workers.begin(-3).result() == 3
    assert not running()
