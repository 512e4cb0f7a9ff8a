"""Contenders run in turns, each in a process of its own; what one does stops no other."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from benchmarks.harness import Group, Row, Runner, run_all, run_group
from benchmarks.settings import Settings

FAKES = {
    "good": "def draws(settings):\n    while True:\n        yield 1000\n",
    "raises": "def draws(settings):\n    raise ValueError('no | luck')\n",
    "skips": (
        "from benchmarks.settings import Skip\ndef draws(settings):\n    raise Skip('cannot')\n    yield\n"
    ),
    "cannot": "CANNOT = {'draws': 'is no library'}\n",
    "lacks": "import a_module_that_is_not_there\n",
    "dies": (
        "import os, sys\n"
        "def draws(settings):\n"
        "    while True:\n"
        "        if settings.label == 'second':\n"
        "            print('my last words', file=sys.stderr, flush=True)\n"
        "            os.kill(os.getpid(), 9)\n"
        "        yield 1000\n"
    ),
    "sleeps": (
        "import os, pathlib, subprocess, time\n"
        "def draws(settings):\n"
        "    child = subprocess.Popen(['sleep', '600'])\n"
        "    pathlib.Path(settings.data, 'child').write_text(str(child.pid))\n"
        "    time.sleep(600)\n"
        "    yield 1000\n"
    ),
    "hungry": "def draws(settings):\n    bytearray(4 << 30)\n    yield 1000\n",
    "moody": (
        "import pathlib\n"
        "def draws(settings):\n"
        "    seen = pathlib.Path(settings.data, 'seen')\n"
        "    if seen.exists():\n"
        "        raise ValueError('not twice')\n"
        "    seen.touch()\n"
        "    while True:\n"
        "        yield 1000\n"
    ),
}


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    package = tmp_path / "package" / "fakes"
    package.mkdir(parents=True)
    for name, code in FAKES.items():
        (package / f"{name}.py").write_text(code, "utf-8")
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    return Runner(sys.executable, tmp_path, package="fakes", memory=2 << 30)


def group(tmp_path: Path, *contenders: str, turns: int = 1, limit: float = 60) -> Group:
    rows = tuple(Settings(label, data=str(tmp_path), seconds=0.01) for label in ("first", "second", "third"))
    return Group("draws", rows, contenders, turns, limit)


def rows_of(found: list[Row], contender: str) -> dict[str, Row]:
    return {row.label: row for row in found if row.contender == contender}


def ignore(_: str) -> None:
    """Progress is not looked at."""


def test_every_row_has_a_figure_and_a_peak_a_turn(tmp_path: Path, runner: Runner) -> None:
    found = run_group(group(tmp_path, "good", turns=3), runner, ignore)
    assert [row.label for row in found] == ["first", "second", "third"]
    for row in found:
        assert len(row.values) == len(row.peaks) == 3
        assert min(row.values) > 0
        assert 5 < min(row.peaks) < 500
        assert (row.reason, row.failed) == ("", False)


class Noted(Runner):
    """Runs nothing; notes who was asked for what."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[str]]] = []

    def run(self, job, case, contender, rows, limit):  # type: ignore[no-untyped-def]
        labels = [row.label for row in rows]
        self.asked.append((contender, labels))
        return {
            label: {"label": label, "skipped": "cannot"}
            if (contender, label) == ("b", "second")
            else {"label": label, "figures": {label: 1.0}, "peak": 1.0}
            for label in labels
        }


def test_contenders_alternate_and_each_turn_begins_with_another(tmp_path: Path) -> None:
    noted = Noted()
    run_group(group(tmp_path, "a", "b", "c", turns=4), noted, ignore)
    assert "".join(contender for contender, _ in noted.asked) == "abc" + "bca" + "cab" + "abc"


def test_a_row_that_was_skipped_is_not_asked_again(tmp_path: Path) -> None:
    noted = Noted()
    run_group(group(tmp_path, "a", "b", turns=2), noted, ignore)
    assert [labels for contender, labels in noted.asked if contender == "b"] == [
        ["first", "second", "third"],
        ["first", "third"],
    ]


def test_an_exception_is_a_row_with_its_reason_and_stops_nobody(tmp_path: Path, runner: Runner) -> None:
    found = run_group(group(tmp_path, "raises", "good"), runner, ignore)
    for row in rows_of(found, "raises").values():
        assert (row.reason, row.failed, row.values) == ("ValueError: no | luck", True, [])
    assert all(row.values for row in rows_of(found, "good").values())


@pytest.mark.parametrize(
    ("contender", "reason"),
    [
        ("skips", "cannot"),
        ("cannot", "is no library"),
        ("lacks", "not installed: No module named 'a_module_that_is_not_there'"),
        ("absent", "not installed: No module named 'fakes.absent'"),
    ],
)
def test_what_does_not_apply_is_left_out_with_its_reason(
    tmp_path: Path, runner: Runner, contender: str, reason: str
) -> None:
    for row in run_group(group(tmp_path, contender), runner, ignore):
        assert (row.reason, row.failed, row.values) == (reason, False, [])


def test_a_killed_process_keeps_what_it_measured_and_says_where_it_died(
    tmp_path: Path, runner: Runner
) -> None:
    rows = rows_of(run_group(group(tmp_path, "dies", turns=2), runner, ignore), "dies")
    assert len(rows["first"].values) == 2
    assert rows["second"].reason == "the process was killed by signal 9; its last words: my last words"
    assert rows["third"].reason.startswith("not reached: second: the process was killed by signal 9")
    assert rows["second"].failed
    assert rows["third"].failed


def test_a_process_that_takes_too_long_is_ended_with_its_children(tmp_path: Path, runner: Runner) -> None:
    start = time.perf_counter()
    rows = rows_of(run_group(group(tmp_path, "sleeps", limit=3, turns=2), runner, ignore), "sleeps")
    assert time.perf_counter() - start < 30
    assert rows["first"].reason == "took more than 3 s"
    assert rows["second"].reason == "not reached: first: took more than 3 s"
    child = int((tmp_path / "child").read_text("ascii"))
    assert _ended(child)


def _ended(process: int) -> bool:
    """It is gone, or a zombie that its new parent has still to collect."""
    for _ in range(50):
        try:
            os.kill(process, 0)
            state = Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()[0]
        except (ProcessLookupError, FileNotFoundError):
            return True
        if state == "Z":
            return True
        time.sleep(0.1)
    return False


def test_memory_beyond_the_limit_is_a_failure_of_the_row(tmp_path: Path, runner: Runner) -> None:
    for row in run_group(group(tmp_path, "hungry"), runner, ignore):
        assert (row.reason, row.failed) == ("MemoryError: ", True)


def test_figures_of_an_earlier_turn_stay_beside_a_later_failure(tmp_path: Path, runner: Runner) -> None:
    one = Group("draws", (Settings("first", data=str(tmp_path), seconds=0.01),), ("moody",), 3, 60)
    (row,) = run_group(one, runner, ignore)
    assert len(row.values) == 1
    assert (row.reason, row.failed) == ("ValueError: not twice", True)


def test_what_is_said_names_turn_contender_and_reasons_once(tmp_path: Path, runner: Runner) -> None:
    said: list[str] = []
    run_group(group(tmp_path, "good", "raises"), runner, said.append)
    assert said[0].startswith("  draws 1/1 good: 3 of 3, ")
    assert said[1].startswith("  draws 1/1 raises: 0 of 3; FAILED: ValueError: no | luck, ")


def test_groups_of_one_case_are_gathered(tmp_path: Path) -> None:
    groups = [group(tmp_path, "a"), group(tmp_path, "c")]
    found = run_all(groups, Noted(), ignore)
    assert list(found) == ["draws"]
    rows, minutes = found["draws"]
    assert {row.contender for row in rows} == {"a", "c"}
    assert minutes >= 0


def test_no_folder_is_left_behind(tmp_path: Path, runner: Runner) -> None:
    run_group(group(tmp_path, "good", "dies"), runner, ignore)
    assert not list(tmp_path.glob("work-*"))
