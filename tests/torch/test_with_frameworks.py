"""Hugging Face's Trainer, Lightning and Accelerate: killed, and resumed from their own checkpoints.

The training script is `train_with.py`; one thread a process, so that sums are added in one order.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import thermix
from tests.torch.killed import Logged, Run
from tests.torch.train_ddp import make_data

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="finds the processes of a run in /proc"),
]

SCRIPT = Path(__file__).parent / "train_with.py"
END, ROWS = 40, 4

PACKAGES = {"trainer": "transformers", "lightning": "lightning", "accelerate": "accelerate"}
FRAMEWORKS = [
    pytest.param(
        name, marks=pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"needs {package}")
    )
    for name, package in PACKAGES.items()
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with prepared shards of two of Python's own texts."""
    folder = tmp_path_factory.mktemp("frameworks")
    make_data(folder)
    return folder


@pytest.fixture
def run(data: Path, tmp_path: Path) -> Callable[[str, str], Run]:
    def made(framework: str, name: str) -> Run:
        folder = tmp_path / name
        return Run(data, folder, [str(SCRIPT), framework, str(folder)], END)

    return made


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_killed_and_resumed_from_its_own_checkpoint_tokens_and_losses_are_those_of_the_whole_run(
    framework: str, run: Callable[[str, str], Run]
) -> None:
    whole, other = run(framework, "whole"), run(framework, "other")
    whole.to_the_end(0)
    check_tokens(whole.logged(), whole.folder)
    other.killed_at(13, 0)
    other.killed_at(27, 0)
    other.to_the_end(0)
    of_step = {told["step"]: told for told in whole.logged()}
    assert {told["step"] for told in other.logged()} == set(range(END))
    assert len(other.logged()) < 2 * END - 13, "it began anew"
    assert all(told == of_step[told["step"]] for told in other.logged())


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_two_processes_train_on_the_plans_global_batches_with_nothing_twice(
    framework: str, run: Callable[[str, str], Run]
) -> None:
    two = run(framework, "two")
    two.to_the_end(2)
    check_tokens(two.logged(), two.folder)


def check_tokens(logged: Logged, folder: Path) -> None:
    """The micro-batches of each step, rank by rank, against the plan's global batch."""
    plan, sources = thermix.load(folder / "mix.yaml")
    assert [told["step"] for told in logged] == list(range(END))
    shift = 0 if (folder / "trainer").exists() else -1  # its models shift by themselves
    for told in logged:
        batch = plan.batch(told["step"])
        draws = zip(batch.source.tolist(), batch.item.tolist(), strict=True)
        rows = [sources[plan.names[s]].read([item])[0].astype("int64") for s, item in draws]
        parts = [rows[first : first + ROWS] for first in range(0, len(rows), ROWS)]
        wanted = [b"".join(row[: len(row) + shift].tobytes() for row in part) for part in parts]
        assert told["tokens"] == [hashlib.sha256(part).hexdigest()[:16] for part in wanted]
    for source in sources.values():
        source.close()
