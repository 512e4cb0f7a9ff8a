"""torchdata's `StatefulDataLoader`: first k and what its state resumes are the whole, with any workers."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

import pytest

from tests.torch.cases import a_plan, expected, seen, sequences
from thermix import InvalidInput, Plan, PlanError
from thermix.torch import (
    MixtureBatchSampler,
    MixtureDataset,
    MixtureIterableDataset,
    PlanChangedWarning,
    StatefulBatchSampler,
    collate,
)

torchdata = pytest.importorskip("torchdata.stateful_dataloader")

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),  # few processors
    pytest.mark.filterwarnings("ignore:'set_vital' is deprecated:UserWarning"),  # torchdata 0.11 calls it
]

PLAN = a_plan(steps=7)
EDITED = PLAN.edit(at_step=4, batch_size=12)


def a_loader(plan: Plan, rank: int = 0, world_size: int = 1, **options: Any) -> Any:
    sampler = StatefulBatchSampler(plan, rank, world_size)
    dataset = MixtureDataset(plan, sequences(), stacked=True)
    return torchdata.StatefulDataLoader(dataset, batch_sampler=sampler, collate_fn=collate, **options)


@pytest.mark.parametrize("plan", [PLAN, EDITED], ids=["one segment", "edited"])
@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_first_k_and_the_rest_are_the_whole_at_every_k(plan: Plan, world_size: int) -> None:
    for k in range(plan.end + 1):
        loader = a_loader(plan, world_size - 1, world_size)
        first = seen(islice(loader, k))
        other = a_loader(plan, world_size - 1, world_size)
        other.load_state_dict(loader.state_dict())
        assert first + seen(other) == expected(plan, None, world_size - 1, world_size)


def test_through_json_and_resumed_twice() -> None:
    batches, state = [], None
    for k in (2, 3, 9):
        loader = a_loader(PLAN)
        if state is not None:
            loader.load_state_dict(json.loads(state))
        batches += seen(islice(loader, k))
        state = json.dumps(loader.state_dict())
    assert batches == expected(PLAN)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"num_workers": 1, "prefetch_factor": 4},
        {"num_workers": 2},
        {"num_workers": 2, "persistent_workers": True},
        {"num_workers": 2, "snapshot_every_n_steps": 3},
    ],
    ids=str,
)
def test_what_workers_have_read_ahead_is_not_counted(options: dict[str, Any]) -> None:
    for k in (0, 1, 5, 7):
        check_goes_on(k, multiprocessing_context="fork", **options)


@pytest.mark.slow
def test_workers_that_are_spawned_do_the_same() -> None:
    check_goes_on(4, multiprocessing_context="spawn", num_workers=1)


def check_goes_on(k: int, **options: Any) -> None:
    """First k and the rest are the whole."""
    loader = a_loader(PLAN, **options)
    first = seen(islice(loader, k))
    state = loader.state_dict()
    del loader
    other = a_loader(PLAN, **options)
    other.load_state_dict(state)
    assert first + seen(other) == expected(PLAN)


@pytest.mark.slow
def test_the_plans_state_goes_on_with_another_number_of_workers_and_ranks() -> None:
    steps = [batch["step"] for batch in islice(a_loader(PLAN, num_workers=2), 3)]
    sampler = StatefulBatchSampler(PLAN, 1, 2)
    sampler.load_state_dict(PLAN.state(steps[-1] + 1))
    dataset = MixtureDataset(PLAN, sequences())
    loader = torchdata.StatefulDataLoader(dataset, batch_sampler=sampler, collate_fn=collate, num_workers=1)
    assert seen(loader) == expected(PLAN, range(3, 7), 1, 2)


@pytest.mark.parametrize("k", [0, 3, 7])
def test_a_plan_with_another_future_goes_on_and_says_what_is_other(k: int) -> None:
    loader = a_loader(PLAN)
    first = seen(islice(loader, k))
    longer = PLAN.edit(at_step=7, steps=9)
    other = a_loader(longer)
    other.load_state_dict(loader.state_dict())
    with pytest.warns(PlanChangedWarning, match=f"goes on at step {k} under a changed plan"):
        rest = seen(other)
    assert first + rest == expected(longer)


def test_the_state_of_another_past_is_refused() -> None:
    loader = a_loader(PLAN)
    next(iter(loader))
    other = a_loader(a_plan(steps=7, seed=4))
    other.load_state_dict(loader.state_dict())
    with pytest.raises(PlanError, match="seed"):
        next(iter(other))


def test_a_loop_that_was_left_does_not_begin_again_by_itself() -> None:
    loader = a_loader(PLAN)
    for batch in loader:
        if batch["step"] == 2:
            break
    with pytest.raises(InvalidInput, match=r"iter: batches up to step 3 .*loader.load_state_dict"):
        next(iter(loader))
    loader.load_state_dict(loader.state_dict())
    assert seen(loader) == expected(PLAN, range(3, 7))


def test_after_the_end_there_is_nothing_until_a_seek() -> None:
    loader = a_loader(PLAN)
    assert len(loader) == 7
    assert seen(loader) == expected(PLAN)
    loader.load_state_dict(loader.state_dict())
    assert seen(loader) == []
    loader.batch_sampler.seek(5)
    assert seen(loader) == expected(PLAN, range(5, 7))


def test_the_plain_sampler_refuses_to_say_what_was_delivered() -> None:
    sampler = MixtureBatchSampler(PLAN)
    loader = torchdata.StatefulDataLoader(MixtureDataset(PLAN, sequences()), batch_sampler=sampler)
    next(iter(loader))
    with pytest.raises(InvalidInput, match="StatefulDataLoader, which counts itself, make a Stateful"):
        sampler.state_dict()
    with pytest.raises(InvalidInput, match="counted: a StatefulDataLoader counts what it delivers"):
        StatefulBatchSampler(PLAN).counted([])


@pytest.mark.parametrize(
    "workers", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)]
)
def test_the_iterable_dataset_goes_on_too(workers: int) -> None:
    def loader() -> Any:
        dataset = MixtureIterableDataset(PLAN, sequences(), 1, 2)
        return torchdata.StatefulDataLoader(dataset, batch_size=None, num_workers=workers)

    for k in range(PLAN.end + 1):
        one, other = loader(), loader()
        first = seen(islice(one, k))
        other.load_state_dict(one.state_dict())
        assert first + seen(other) == expected(PLAN, None, 1, 2)
