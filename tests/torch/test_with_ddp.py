"""Plain DDP under torchrun: killed, and resumed on another number of ranks, with the same batches and losses.

The training script is `train_ddp.py`; gloo on CPU. With one thread a rank, sums are added in the same order
on 2 ranks and on 1.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import thermix
from tests.torch.train_ddp import make_data

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="finds the processes of a run in /proc"),
]

SCRIPT = Path(__file__).parent / "train_ddp.py"
END = 40
SECONDS = 240

Logged = list[dict[str, Any]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with prepared shards of two of Python's own texts."""
    folder = tmp_path_factory.mktemp("ddp")
    make_data(folder)
    return folder


class Run:
    """A run in a folder of its own: started, killed and gone on with."""

    def __init__(self, data: Path, folder: Path) -> None:
        self.folder = shutil.copytree(data, folder)

    def to_the_end(self, ranks: int, micro_batch_size: int) -> None:
        process = self._started(ranks, micro_batch_size)
        said, _ = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, said

    def killed_at(self, step: int, ranks: int, micro_batch_size: int) -> None:
        """SIGKILL to torchrun and every rank, as soon as the step is logged."""
        process = self._started(ranks, micro_batch_size)
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
        assert self.logged()[-1]["step"] < END - 1, "it was done before it was killed"

    def logged(self) -> Logged:
        """What is logged in whole lines; a step that was done again is there again."""
        path = self.folder / "log.jsonl"
        text = path.read_text("utf-8") if path.exists() else ""
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def _started(self, ranks: int, micro_batch_size: int) -> subprocess.Popen[str]:
        torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(ranks)]
        given = ["--until", str(END), "--micro-batch-size", str(micro_batch_size)]
        return subprocess.Popen(
            [sys.executable, *torchrun, str(SCRIPT), str(self.folder), *given],
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def descendants(pid: int) -> list[int]:
    found = []
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, path.read_text().split()):
            found += [child, *descendants(child)]
    return found


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):  # it went with its parent
        os.kill(pid, signal.SIGKILL)


@pytest.fixture
def run(data: Path, tmp_path: Path) -> Callable[[str], Run]:
    return lambda name: Run(data, tmp_path / name)


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two ranks, a micro-batch of 8 each, from the first step to the last."""
    one = Run(data, tmp_path_factory.mktemp("whole") / "run")
    one.to_the_end(2, 8)
    return one


def test_the_tokens_of_every_step_are_the_plans(whole: Run) -> None:
    plan, sources = thermix.load(whole.folder / "mix.yaml")
    assert [told["step"] for told in whole.logged()] == list(range(END))
    for told in whole.logged():
        batch = plan.batch(told["step"])
        draws = zip(batch.source.tolist(), batch.item.tolist(), strict=True)
        rows = np.array([sources[plan.names[s]].read([item])[0] for s, item in draws], np.int64)
        inputs = [part[:, :-1].tobytes() for part in (rows[:8], rows[8:])]
        assert told["tokens"] == [hashlib.sha256(part).hexdigest()[:16] for part in inputs]
    for source in sources.values():
        source.close()


@pytest.mark.parametrize("seed", [0, 1])
def test_killed_on_two_ranks_and_resumed_on_one_every_loss_is_bitwise_that_of_the_whole(
    seed: int, whole: Run, run: Callable[[str], Run]
) -> None:
    """Killed a second time on the way, and gone on with on two ranks again."""
    first, second = np.random.default_rng(seed).integers([3, 12], [12, 26]).tolist()
    other = run("other")
    other.killed_at(first, 2, 8)
    other.killed_at(second, 1, 8)
    other.to_the_end(2, 8)
    check_same(whole.logged(), other.logged(), exact=True)


def test_killed_on_four_ranks_and_resumed_on_two_the_tokens_are_the_same_and_the_losses_within_rounding(
    run: Callable[[str], Run],
) -> None:
    """Four gradients are added in another order, which is all that may differ."""
    whole, other = run("whole"), run("other")
    whole.to_the_end(2, 4)
    other.killed_at(8, 4, 4)
    other.killed_at(15, 2, 4)
    other.to_the_end(1, 4)
    check_same(whole.logged(), other.logged(), exact=False)


def check_same(whole: Logged, other: Logged, *, exact: bool) -> None:
    """Every line of the other run, those of steps done twice included, against the whole run's."""
    of_step = {told["step"]: told for told in whole}
    assert len(of_step) == len(whole) == END
    assert {told["step"] for told in other} == set(range(END))
    for told in other:
        wanted = of_step[told["step"]]
        assert told["tokens"] == wanted["tokens"]
        if exact:
            assert told["loss"] == wanted["loss"]
        else:
            assert told["loss"] == pytest.approx(wanted["loss"], rel=1e-4)
