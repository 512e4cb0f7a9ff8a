"""Plain DDP under torchrun: killed, and resumed on another number of ranks, with the same batches and losses.

The training script is `train_ddp.py`; gloo on CPU. With one thread a rank, sums are added in the same order
on 2 ranks and on 1.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import thermix
from tests.torch.killed import Logged, Run
from tests.torch.train_ddp import make_data

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="finds the processes of a run in /proc"),
]

SCRIPT = Path(__file__).parent / "train_ddp.py"
END = 40


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with prepared shards of two of Python's own texts."""
    folder = tmp_path_factory.mktemp("ddp")
    make_data(folder)
    return folder


def run_in(data: Path, folder: Path) -> Run:
    """A run whose methods take the number of ranks and the size of a micro-batch."""
    return Run(data, folder, [str(SCRIPT), str(folder), "--until", str(END), "--micro-batch-size"], END)


@pytest.fixture
def run(data: Path, tmp_path: Path) -> Callable[[str], Run]:
    return lambda name: run_in(data, tmp_path / name)


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Two ranks, a micro-batch of 8 each, from the first step to the last."""
    one = run_in(data, tmp_path_factory.mktemp("whole") / "run")
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
