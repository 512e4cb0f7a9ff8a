"""The iterable dataset: whole batches, in order with any number of workers."""

from __future__ import annotations

from typing import Any

import pytest
from torch.utils.data import DataLoader

from tests.torch.cases import a_plan, documents, expected, seen, sequences
from thermix import InvalidInput
from thermix.torch import MixtureIterableDataset, MixtureLoader, PadCollator

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),  # few processors
]


@pytest.mark.parametrize("world_size", [1, 2, 3, 4, 8])
def test_every_rank_gets_its_share_from_every_step_on(world_size: int) -> None:
    plan = a_plan()
    for k in range(0, plan.end + 1):
        dataset = MixtureIterableDataset(plan, sequences(), world_size - 1, world_size)
        dataset.load_state_dict(plan.state(k))
        assert len(dataset) == plan.end - k
        assert seen(DataLoader(dataset, batch_size=None)) == expected(
            plan, range(k, plan.end), world_size - 1, world_size
        )


def test_its_batches_are_those_of_the_loader() -> None:
    plan = a_plan().edit(at_step=4, batch_size=12)
    options: dict[str, Any] = {"collate": PadCollator(pad_id=0)}
    dataset = MixtureIterableDataset(plan, documents(), **options)
    assert [str(batch) for batch in dataset] == [str(b) for b in MixtureLoader(plan, documents(), **options)]
    shifted = MixtureIterableDataset(plan, sequences(), labels="shifted")
    assert [str(b) for b in shifted] == [str(b) for b in MixtureLoader(plan, sequences(), labels="shifted")]


def test_a_world_size_that_does_not_divide_is_refused() -> None:
    with pytest.raises(InvalidInput, match="world_size: got 5 for batches of 24"):
        MixtureIterableDataset(a_plan(), sequences(), 0, 5)
    dataset = MixtureIterableDataset(a_plan(), sequences(), 4, 5, uneven=True)
    assert seen(dataset) == expected(a_plan(), None, 4, 5)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_share_the_steps_and_the_order_stays(method: str, workers: int) -> None:
    plan = a_plan(steps=11)
    dataset = MixtureIterableDataset(plan, sequences(), 1, 2)
    loader = DataLoader(
        dataset,
        batch_size=None,
        num_workers=workers,
        multiprocessing_context=method,
        persistent_workers=True,
    )
    assert seen(loader) == expected(plan, None, 1, 2)
    assert seen(loader) == expected(plan, None, 1, 2)
    later = MixtureIterableDataset(plan, sequences(), 1, 2)
    later.seek(4)
    assert seen(DataLoader(later, batch_size=None, num_workers=workers)) == expected(plan, range(4, 11), 1, 2)
