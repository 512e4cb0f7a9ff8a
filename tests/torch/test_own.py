"""A user's own datasets: one line changes in their code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.utils.data import ConcatDataset, DataLoader, Dataset, IterableDataset, TensorDataset

import thermix
from thermix import InvalidInput, PlanError
from thermix.torch import mixture_sampler

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),  # few processors
]


class Numbers(Dataset[tuple[str, int]]):
    def __init__(self, name: str, length: int) -> None:
        self.name = name
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, item: int) -> tuple[str, int]:
        if not 0 <= item < self.length:
            raise IndexError(item)
        return self.name, item


SETS: dict[str, Dataset[Any]] = {
    "big": Numbers("big", 500),
    "小": Numbers("小", 7),
    "mid": Numbers("mid", 60),
}


def test_the_samples_are_those_of_the_plan() -> None:
    data, sampler = mixture_sampler(
        SETS,
        scores={"big": 1.0, "小": 0.0, "mid": 0.5},
        temperature=thermix.linear(5.0, 1.0),
        steps=30,
        batch_size=16,
        seed=2,
    )
    assert isinstance(data, ConcatDataset)
    plan = sampler.plan
    for step, (names, items) in enumerate(DataLoader(data, batch_sampler=sampler)):
        draws = plan.batch(step)
        assert list(names) == [plan.names[s] for s in draws.source.tolist()]
        assert items.tolist() == draws.item.tolist()
    assert step == 29
    assert plan == thermix.Plan(plan.mixture, steps=30, batch_size=16, seed=2)


def test_without_scores_the_lengths_are_the_weights() -> None:
    data, sampler = mixture_sampler(SETS, steps=567, batch_size=1)
    drawn = Counter(data[key][0] for (key,) in sampler)
    assert all(abs(drawn[name] - len(dataset)) <= 1 for name, dataset in SETS.items())  # type: ignore[arg-type]


def test_weights_caps_and_ranks_are_passed_on() -> None:
    data, sampler = mixture_sampler(
        SETS,
        weights={"big": 1, "小": 8, "mid": 1},
        max_epochs=1,
        steps=20,
        batch_size=4,
        rank=1,
        world_size=2,
    )
    drawn = Counter(data[key] for batch in sampler for key in batch)
    assert max(drawn.values()) == 1
    assert drawn.total() == 40


def test_a_state_goes_on_and_a_dataset_that_changed_is_refused() -> None:
    arguments: dict[str, Any] = {"steps": 30, "batch_size": 8}
    data, sampler = mixture_sampler(SETS, **arguments)
    loader = DataLoader(data, batch_sampler=sampler)
    whole = [batch[1].tolist() for batch in loader]
    _, again = mixture_sampler(SETS, **arguments)
    for k in range(31):
        again.load_state_dict(sampler.plan.state(k))
        resumed = DataLoader(data, batch_sampler=again)
        assert [batch[1].tolist() for batch in again.counted(resumed)] == whole[k:]
        assert again.state_dict() == sampler.plan.state(30)
    _, other = mixture_sampler({**SETS, "mid": Numbers("mid", 61)}, **arguments)
    with pytest.raises(PlanError, match=r"what differs before it: .*the sizes of sources"):
        other.load_state_dict(sampler.plan.state(3))


def test_tensors_are_datasets_too() -> None:
    tensors = TensorDataset(torch.arange(20), torch.arange(20) + 100)
    data, sampler = mixture_sampler({"a": tensors, "b": tensors}, steps=4, batch_size=5)
    for x, y in DataLoader(data, batch_sampler=sampler):
        assert (y - x).tolist() == [100] * 5


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_change_nothing(method: str) -> None:
    data, sampler = mixture_sampler(SETS, steps=12, batch_size=8)
    alone = [batch[1].tolist() for batch in DataLoader(data, batch_sampler=sampler)]
    loader = DataLoader(data, batch_sampler=sampler, num_workers=2, multiprocessing_context=method)
    assert [batch[1].tolist() for batch in loader] == alone


class Endless(IterableDataset[int]):
    """Has no length."""

    def __iter__(self) -> Iterator[int]:
        return iter((1, 2))


@pytest.mark.parametrize(
    ("datasets", "arguments", "problem"),
    [
        ({}, {}, "sources: got none"),
        ({"a": Endless()}, {}, "datasets.a: got a Endless; items are drawn by their number"),
        ({"a": iter([1])}, {}, "datasets.a: got a list_iterator"),
        ({"a": {1, 2}}, {}, "datasets.a: got a set"),
        ({"a": [], "b": [1]}, {}, "datasets.a: it is empty"),
        ({"web": [1]}, {"scores": {"wab": 1.0}}, r"scores.wab: there is no such dataset. Did you mean 'web'"),
        ({"web": [1], "b": [2]}, {"weights": {"web": 1.0}}, r"weights: none for 'b'"),
        ({"a": [1]}, {"scores": {"a": 1.0}, "weights": {"a": 1.0}}, "scores, weights: got both"),
        ({"a": [1]}, {"batch_size": 0}, "batch_size: got 0"),
        ({"a": [1]}, {"rank": 0, "world_size": 3}, "world_size: got 3 for batches of 8"),
    ],
)
def test_what_cannot_be_mixed_is_refused(datasets: Any, arguments: Any, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        mixture_sampler(datasets, **{"steps": 3, "batch_size": 8, **arguments})
