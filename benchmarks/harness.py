"""Runs every contender of every group in a process of its own, in turns, and gathers what came of it.

The processes of a turn follow each other, one contender after the other, and the turns are repeated, each
beginning with another contender: a slow minute of the machine falls on all. A row that a contender skips,
fails or does not reach in time is not asked of it again, and stops nobody else.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.environment import ROOT, python_path
from benchmarks.settings import Settings

__all__ = ["Group", "Row", "Runner", "run_all", "run_group"]

QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "true",
    "PYTHONWARNINGS": "ignore",
}
Result = dict[str, Any]
Say = Callable[[str], None]


@dataclass(frozen=True)
class Group:
    """Rows that one process of a contender measures, one after the other.

    Attributes:
        case: name of a file in `cases/`.
        rows: what is asked of each contender, a row of the table each.
        contenders: names of files in `contenders/`.
        turns: how often each is asked.
        limit: seconds for a process.
    """

    case: str
    rows: tuple[Settings, ...]
    contenders: tuple[str, ...]
    turns: int
    limit: float


@dataclass
class Row:
    """What one contender did in one row of the table.

    Attributes:
        label: the row.
        contender: who.
        values: a figure a turn.
        peaks: a turn's most memory in MB, of the process up to the end of the row.
        reason: why a figure is missing.
        failed: the reason is a failure, not a thing that does not apply.
    """

    label: str
    contender: str
    values: list[float] = field(default_factory=list)
    peaks: list[float] = field(default_factory=list)
    reason: str = ""
    failed: bool = False


class Runner:
    """Starts the processes.

    Args:
        python: the interpreter that has the contenders.
        logs: a folder for what the processes print.
        package: where contenders are imported from.
        memory: bytes a process may allocate; 0 for no limit. Mapped files do not count.
    """

    def __init__(
        self, python: str, logs: Path, package: str = "benchmarks.contenders", memory: int = 0
    ) -> None:
        self._python, self._logs, self._package, self._memory = python, logs, package, memory

    def run(
        self, job: str, case: str, contender: str, rows: Sequence[Settings], limit: float
    ) -> dict[str, Result]:
        """By label, what came of each row: `figures` and `peak`, `skipped`, or `failed`."""
        with tempfile.TemporaryDirectory(
            dir=rows[0].data or None, prefix="work-", ignore_cleanup_errors=True
        ) as work:
            given, results = Path(work, "task.json"), Path(work, "results.jsonl")
            task = {
                "job": job,
                "case": case,
                "contender": contender,
                "package": self._package,
                "memory": self._memory,
                "rows": [self._in_its_own_folder(row, work, n) for n, row in enumerate(rows)],
            }
            given.write_text(json.dumps(task), "utf-8")
            log = self._logs / f"{case}-{contender}.log"
            ended = self._call(
                [self._python, "-m", "benchmarks.worker", str(given), str(results)], log, limit
            )
            return _filled(_read(results), rows, ended)

    @staticmethod
    def _in_its_own_folder(row: Settings, work: str, number: int) -> dict[str, Any]:
        folder = Path(work, str(number))
        folder.mkdir()
        return row.but(work=str(folder)).plain()

    def _call(self, command: list[str], log: Path, limit: float) -> str:
        """How a process ended, in words; its children are in a group of their own that ends with it."""
        with log.open("ab") as file:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=python_path() | QUIET,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
            try:
                return _ended(process.wait(limit), log)
            except subprocess.TimeoutExpired:
                return f"took more than {limit:,.0f} s"
            finally:
                with contextlib.suppress(ProcessLookupError):  # none of the group is left
                    os.killpg(process.pid, 9)
                process.wait()


def _ended(code: int, log: Path) -> str:
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    words = log.read_text("utf-8", "replace").split()
    return f"the process {how}; its last words: {' '.join(words)[-120:] or 'none'}"


def _read(results: Path) -> list[Result]:
    if not results.exists():
        return []
    return [json.loads(line) for line in results.read_text("utf-8").splitlines() if line.endswith("}")]


def _filled(found: Sequence[Result], rows: Sequence[Settings], ended: str) -> dict[str, Result]:
    """A result for every row: the first that is missing has the reason, the others were not reached."""
    by_label = {result["label"]: result for result in found}
    reason = ended
    for row in rows:
        if row.label not in by_label:
            by_label[row.label] = {"label": row.label, "failed": reason}
            reason = f"not reached: {row.label}: {ended}"
    return by_label


def run_group(group: Group, runner: Runner, say: Say) -> list[Row]:
    """All turns of a group: a row for every figure, and one for whatever gave none."""
    rows: dict[tuple[str, str], Row] = {}
    out: set[tuple[str, str]] = set()
    for turn in range(group.turns):
        first = turn % len(group.contenders)
        for contender in (*group.contenders[first:], *group.contenders[:first]):
            asked = [row for row in group.rows if (row.label, contender) not in out]
            if not asked:
                continue
            start = time.perf_counter()
            results = runner.run("measure", group.case, contender, asked, group.limit)
            for label, result in results.items():
                _keep(rows, contender, result)
                if "figures" not in result:
                    out.add((label, contender))
            took = time.perf_counter() - start
            say(f"  {group.case} {turn + 1}/{group.turns} {contender}: {_told(results)}, {took:.1f} s")
    return list(rows.values())


def _keep(rows: dict[tuple[str, str], Row], contender: str, result: Result) -> None:
    for label, figure in result.get("figures", {}).items():
        row = rows.setdefault((label, contender), Row(label, contender))
        row.values.append(figure)
        row.peaks.append(result["peak"])
    if "figures" not in result:
        row = rows.setdefault((result["label"], contender), Row(result["label"], contender))
        row.reason, row.failed = result.get("failed") or result["skipped"], "failed" in result


def _told(results: dict[str, Result]) -> str:
    """What is said of a process: how many rows, and the reasons of those without figures."""
    done = sum("figures" in result for result in results.values())
    words = [f"{done} of {len(results)}"] if len(results) > 1 or done else []
    skipped = (f"skipped: {result['skipped']}" for result in results.values() if "skipped" in result)
    failed = (f"FAILED: {result['failed']}" for result in results.values() if "failed" in result)
    return "; ".join([*words, *dict.fromkeys((*skipped, *failed))])


def run_all(groups: Iterable[Group], runner: Runner, say: Say) -> dict[str, tuple[list[Row], float]]:
    """Rows, and the minutes they took, by case."""
    found: dict[str, tuple[list[Row], float]] = {}
    for group in groups:
        start = time.perf_counter()
        rows, minutes = found.get(group.case, ([], 0.0))
        rows += run_group(group, runner, say)
        found[group.case] = (rows, minutes + (time.perf_counter() - start) / 60)
    return found
