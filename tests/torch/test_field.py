"""What users of other loaders ran into, one test each (the list is in the notes of the design: the field)."""

from __future__ import annotations

import json
import random
import time
from collections import defaultdict
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from tests.torch.cases import SIZES, a_plan, expected, row, seen, sequences, told
from thermix import Batch, Plan
from thermix.sources import ObjectSource
from thermix.torch import (
    MixtureBatchSampler,
    MixtureDataset,
    MixtureIterableDataset,
    MixtureLoader,
    collate,
    split_batch,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),  # few processors
]


def test_a_checkpoint_is_not_ahead_by_the_batches_read_ahead() -> None:
    """accelerate #3034 #4244, llm-foundry PR #1277."""
    plan = a_plan()
    loader = MixtureLoader(plan, sequences(), threads=4)
    for batch in loader:
        if batch["step"] == 3:
            time.sleep(0.2)  # the threads read on, to the end of so small a plan
        state = loader.state_dict()
        assert state["step"] == batch["step"] + 1
        resumed = MixtureLoader(plan, sequences())
        resumed.load_state_dict(state)
        assert seen(resumed) == expected(plan, range(batch["step"] + 1, plan.end))


def test_a_state_taken_after_loading_is_the_state_loaded() -> None:
    """llm-foundry PR #1277: the state saved after a load is old."""
    plan = a_plan()
    loader = MixtureLoader(plan, sequences())
    loader.load_state_dict(plan.state(7))
    assert loader.state_dict() == plan.state(7)


def test_a_second_resume_does_not_drift_and_nothing_is_applied_twice() -> None:
    """Megatron-Bridge PR #4601, KempnerForge PR #58."""
    plan = a_plan()
    state, batches = plan.state(0), []
    for _ in range(plan.end):
        loader = MixtureLoader(plan, sequences())
        loader.load_state_dict(state)
        loader.load_state_dict(json.loads(json.dumps(state)))
        batches.append(told(next(iter(loader))))
        state = loader.state_dict()
    assert batches == expected(plan)


@pytest.mark.parametrize("world_size", [2, 3, 4, 8])
def test_another_world_size_goes_on_where_the_run_stood(world_size: int) -> None:
    """torchtitan PR #816, bionemo #1250, torchft #309: refused, or silently begun at zero."""
    plan = a_plan()
    before = MixtureLoader(plan, sequences(), 0, 1)
    batches = seen(before.until(5))
    after = [MixtureLoader(plan, sequences(), rank, world_size) for rank in range(world_size)]
    for loader in after:
        loader.load_state_dict(before.state_dict())
    for parts in zip(*after, strict=True):
        rows = [tokens for part in parts for tokens in told(part)[1]]
        batches.append((parts[0]["step"], rows, [s for part in parts for s in told(part)[2]]))
    assert batches == expected(plan)


def draws_seen(loader: DataLoader[Any]) -> list[int]:
    return [tokens[0] for batch in loader for tokens in batch["input_ids"].tolist()]


@pytest.mark.slow
@pytest.mark.parametrize("face", ["map", "iterable"])
def test_no_worker_and_no_rank_draws_what_another_does(face: str) -> None:
    """datasets #7567 #7868, dreamzero #91: every worker or rank has the same sequence, with no error."""
    plan = a_plan(steps=2, batch_size=8)  # so short that no item comes twice
    whole: list[int] = []
    for rank in range(2):
        if face == "map":
            sampler = MixtureBatchSampler(plan, rank, 2)
            dataset = MixtureDataset(plan, sequences())
            loader = DataLoader(dataset, batch_sampler=sampler, num_workers=2, collate_fn=collate)
        else:
            batches = MixtureIterableDataset(plan, sequences(), rank, 2)
            loader = DataLoader(batches, batch_size=None, num_workers=2)
        whole += draws_seen(loader)
    assert sorted(whole) == sorted(first for step in range(2) for first in firsts(plan.batch(step)))
    assert len(set(whole)) == len(whole) == plan.draws


def firsts(batch: Batch) -> list[int]:
    return [10_000 * s + 10 * i for s, i in zip(batch.source.tolist(), batch.item.tolist(), strict=True)]


def test_changing_weights_in_a_run_repeats_nothing_and_skips_nothing() -> None:
    """Megatron-LM #457, Energon #17 #168, litData #436, NeMo #14247."""
    plan = a_plan(steps=30)
    loader = MixtureLoader(plan, sequences())
    batches = seen(loader.until(13))
    edited = plan.edit(at_step=13, scores={"web": -1.0, "code": 2.0})
    after = MixtureLoader(edited, sequences())
    with pytest.warns(UserWarning, match="from step 13: edited"):
        after.load_state_dict(loader.state_dict())
    batches += seen(after)
    epochs: dict[tuple[int, int], list[int]] = defaultdict(list)
    for step, rows, sources in batches:
        for tokens, source, epoch in zip(rows, sources, edited.batch(step).epoch.tolist(), strict=True):
            epochs[source, epoch].append(tokens[0] % 10_000 // 10)
    for (source, epoch), items in epochs.items():
        assert len(set(items)) == len(items)
        if (source, epoch + 1) in epochs:
            assert sorted(items) == list(range((40, 9, 23)[source]))


def test_the_source_is_not_dropped_before_the_loss() -> None:
    """datasets #3353, transformers #43598."""
    plan = a_plan()
    sampler, dataset = MixtureBatchSampler(plan), MixtureDataset(plan, sequences())
    loaders = (
        MixtureLoader(plan, sequences()),
        DataLoader(dataset, batch_sampler=sampler, collate_fn=collate),
    )
    for loader in loaders:
        for step, batch in enumerate(loader):
            inputs, about = split_batch(batch)
            assert about["source"].tolist() == plan.batch(step).source.tolist()
            assert set(inputs) == {"input_ids"}


def test_no_global_generator_is_reseeded_or_advanced() -> None:
    """OLMo-core #447."""
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 (the very state that must stay)
    torch.manual_seed(1)
    before = states()
    list(MixtureLoader(a_plan(), sequences()))
    dataset = MixtureDataset(a_plan(), sequences())
    for batch in MixtureBatchSampler(a_plan()):
        collate(dataset.__getitems__(batch))
    list(MixtureIterableDataset(a_plan(), sequences()))
    assert states() == before


def states() -> tuple[Any, ...]:
    numpy: Any = np.random.get_state()  # noqa: NPY002
    return random.getstate(), numpy[1].tolist(), torch.get_rng_state().tolist()


def test_what_users_seed_changes_no_batch() -> None:
    """The order is the plan's, whatever generator a framework seeds, per rank or per worker."""
    torch.manual_seed(99)
    dataset, sampler = MixtureDataset(a_plan(), sequences()), MixtureBatchSampler(a_plan())
    loader = DataLoader(dataset, batch_sampler=sampler, collate_fn=collate, generator=torch.Generator())
    assert seen(loader) == expected(a_plan())


class Counting(ObjectSource):
    """Counts the rows that are read of all sources."""

    rows_read = 0

    def read(self, items: Any) -> Any:
        Counting.rows_read += len(items)
        return super().read(items)


def all_rows() -> dict[str, list[list[int]]]:
    return {name: [row(i, item) for item in range(n)] for i, (name, n) in enumerate(SIZES.items())}


def test_resume_at_a_late_step_replays_nothing() -> None:
    """streaming #792, datasets #5454, litData #694, bigscience Megatron PR #298: minutes to hours."""
    plan: Plan = a_plan(steps=10_000_000)
    sources = {name: Counting(rows, name=name, sequence_length=4) for name, rows in all_rows().items()}
    loader = MixtureLoader(plan, sources, threads=0)
    Counting.rows_read = 0
    loader.load_state_dict(plan.state(9_999_990))
    assert told(next(iter(loader))) == expected(plan, [9_999_990])[0]
    assert 0 < Counting.rows_read < 10_000


def test_no_epoch_need_be_set_and_a_second_pass_of_the_loader_is_not_the_first_again() -> None:
    """Neither Accelerate nor Lightning calls set_epoch of a batch sampler of one's own."""
    loader = MixtureLoader(a_plan(), sequences())
    assert not hasattr(MixtureBatchSampler(a_plan()), "set_epoch")
    assert len(seen(loader)) == 12
    assert seen(loader) == []
