"""Where tasks run: the same results in any number of processes, and nobody left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from thermix.engines import Progress, Report
from thermix.engines.local import LocalEngine
from thermix.errors import DataError

TASKS = list(range(7))


def square(task: int, report: Report) -> int:
    report(1, task, 10)
    return task * task


def fails_at_3(task: int, report: Report) -> int:
    if task == 3:
        raise DataError("raw.jsonl, line 3: broken")
    return task


def is_killed_at_3(task: int, report: Report) -> int:
    if task == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def ignores_the_end(task: int, report: Report) -> int:
    Path(f"{task}.{os.getpid()}").touch()
    time.sleep(60)
    return task


def threads_of_the_encoder(task: int, report: Report) -> str | None:
    return os.environ.get("RAYON_NUM_THREADS")


def say_nothing(done: Progress) -> None:
    pass


@pytest.mark.parametrize("processes", [1, 3])
def test_every_task_comes_with_its_result(processes: int) -> None:
    shown: list[Progress] = []
    found = dict(LocalEngine(processes, 1).run(square, TASKS, shown.append))
    assert found == {task: task * task for task in TASKS}
    assert shown[-1] == Progress(7, sum(TASKS), 70)
    assert shown == sorted(shown)


@pytest.mark.parametrize("processes", [1, 2])
def test_the_error_of_a_task_reaches_the_caller(processes: int) -> None:
    with pytest.raises(DataError, match=r"^raw\.jsonl, line 3: broken$"):
        dict(LocalEngine(processes, 1).run(fails_at_3, TASKS, say_nothing))


def test_a_worker_that_is_killed_is_an_error_that_says_what_is_kept() -> None:
    with pytest.raises(DataError, match="What is finished is kept: run the same command again"):
        dict(LocalEngine(2, 1).run(is_killed_at_3, TASKS, say_nothing))


def test_no_tasks_need_no_process() -> None:
    assert list(LocalEngine(4, 1).run(square, [], say_nothing)) == []


def test_an_encoder_in_a_worker_has_its_share_of_the_threads() -> None:
    assert set(dict(LocalEngine(2, 3).run(threads_of_the_encoder, TASKS, say_nothing)).values()) == {"3"}


def test_closing_ends_the_workers_in_mid_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    running = LocalEngine(2, 1)._run_in_processes(ignores_the_end, [0, 1], lambda done: stop(tmp_path))

    def stop(folder: Path) -> None:
        if len(list(folder.iterdir())) == 2:
            raise KeyboardInterrupt

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(running)
    assert time.monotonic() - begun < 40, "the workers were waited for"
    assert not any(alive(int(file.suffix[1:])) for file in tmp_path.iterdir())


DRIVER = """
import sys
from tests.engines.test_local import ignores_the_end, say_nothing
from thermix.engines.local import LocalEngine
if __name__ == "__main__":
    list(LocalEngine(2, 1).run(ignores_the_end, [0, 1], say_nothing))
"""


def test_workers_end_when_their_driver_is_killed(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    driver = tmp_path / "driver.py"
    driver.write_text(DRIVER)
    work = tmp_path / "work"
    work.mkdir()
    process = subprocess.Popen(
        [sys.executable, str(driver)], cwd=work, env=os.environ | {"PYTHONPATH": str(root)}
    )
    wait_until(lambda: len(list(work.iterdir())) == 2)
    process.kill()
    process.wait()
    workers = [int(file.suffix[1:]) for file in work.iterdir()]
    wait_until(lambda: not any(map(alive, workers)))


def wait_until(true: object, seconds: float = 60) -> None:
    assert callable(true)
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


def alive(process: int) -> bool:
    """Whether a process runs; one that has ended and was not asked for yet does not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
