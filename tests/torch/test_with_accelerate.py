"""Accelerate: what `prepare` does to a loader, and to the batch sampler of a DataLoader."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pytest

accelerate = pytest.importorskip("accelerate")

from accelerate.data_loader import BatchSamplerShard  # noqa: E402

from tests.torch.cases import a_plan, expected, seen, sequences  # noqa: E402
from thermix.torch import MixtureBatchSampler, MixtureLoader  # noqa: E402


def sharded(ranks: int, *, split: bool, aware: bool = False) -> list[list[list[int]]]:
    """The keys of each process's batches, as `prepare` cuts them."""
    plan = a_plan(steps=6)
    samplers = [
        MixtureBatchSampler(plan, rank, ranks) if aware else MixtureBatchSampler(plan)
        for rank in range(ranks)
    ]
    return [list(BatchSamplerShard(s, ranks, rank, split_batches=split)) for rank, s in enumerate(samplers)]


def test_prepare_leaves_a_loader_as_it_is() -> None:
    accelerator = accelerate.Accelerator(cpu=True)
    loader = MixtureLoader(a_plan(), sequences())
    assert accelerator.prepare(loader) is loader


def test_a_registered_loader_goes_on_where_the_state_was_saved(tmp_path: Path) -> None:
    plan = a_plan()
    for step in (0, 5, plan.end):
        accelerator = accelerate.Accelerator(cpu=True)
        loader = MixtureLoader(plan, sequences())
        accelerator.register_for_checkpointing(loader)
        assert seen(loader.until(step)) == expected(plan, range(step))
        accelerator.save_state(str(tmp_path / str(step)))
        loader.seek(1)
        accelerator.load_state(str(tmp_path / str(step)))
        assert seen(loader) == expected(plan, range(step, plan.end))


@pytest.mark.parametrize("ranks", [1, 2, 3, 4, 8])
def test_split_batches_gives_each_process_its_slice_of_every_step(ranks: int) -> None:
    plan = a_plan(steps=6)
    wanted = [list(MixtureBatchSampler(plan, rank, ranks)) for rank in range(ranks)]
    assert sharded(ranks, split=True) == wanted


def test_without_it_or_with_a_rank_given_as_well_the_batches_are_not_the_plans() -> None:
    """Why the page on frameworks says what is right."""
    steps = list(MixtureBatchSampler(a_plan(steps=6)))
    unsplit = sharded(2, split=False)
    assert unsplit == [steps[0::2], steps[1::2]]  # each process has other steps
    twice = sharded(2, split=True, aware=True)
    kept = [list(chain.from_iterable(parts)) for parts in zip(*twice, strict=True)]
    assert [len(keys) for keys in kept] == [len(step) // 2 for step in steps]  # half of each step is lost
