"""A training run in processes of its own: started, killed with SIGKILL, and gone on with."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
SECONDS = 240

Logged = list[dict[str, Any]]


class Run:
    """A run in a folder of its own, which gets a log of every step.

    Args:
        data: a folder that is copied to `folder`.
        folder: the run's.
        command: the script and its arguments.
        end: the number of its steps.

    Its methods take the number of ranks, which torchrun starts; 0 is a process without it; and what is added
    to the command.
    """

    def __init__(self, data: Path, folder: Path, command: Sequence[str], end: int) -> None:
        self.folder = shutil.copytree(data, folder)
        self._command, self._end = command, end

    def to_the_end(self, ranks: int, *more: object) -> None:
        """Go on to the last step."""
        process = self._started(ranks, *more)
        said, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, said

    def killed_at(self, step: int, ranks: int, *more: object) -> None:
        """SIGKILL to the process and all its children, as soon as the step is logged."""
        process = self._started(ranks, *more)
        ends = time.monotonic() + SECONDS
        while not any(told["step"] >= step for told in self.logged()):
            assert process.poll() is None, process.communicate()[0]
            assert time.monotonic() < ends, "the run hangs"
            time.sleep(0.01)
        pids = descendants(process.pid)
        assert len(pids) >= ranks
        for pid in (process.pid, *pids):
            kill(pid)
        process.communicate(timeout=SECONDS)
        assert process.returncode == -signal.SIGKILL
        assert self.logged()[-1]["step"] < self._end - 1, "it was done before it was killed"

    def logged(self) -> Logged:
        """What is logged in whole lines; a step that was done again is there again."""
        path = self.folder / "log.jsonl"
        text = path.read_text("utf-8") if path.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def _started(self, ranks: int, *more: object) -> subprocess.Popen[str]:
        torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
        return subprocess.Popen(
            [sys.executable, *(torchrun if ranks else []), *self._command, *map(str, more)],
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def descendants(pid: int) -> list[int]:
    """Process ids of the children of a process, and of theirs."""
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, path.read_text().split()):
            found += [child, *descendants(child)]
    return found


def kill(pid: int) -> None:
    """SIGKILL, unless it went with its parent."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
