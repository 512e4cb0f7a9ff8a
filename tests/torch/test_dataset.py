"""Dataset and batch sampler through a plain DataLoader: the same batches with any workers."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import BatchSampler, DataLoader, DistributedSampler, SequentialSampler

from tests.torch.cases import SIZES, a_plan, documents, expected, row, seen, sequences
from thermix import InvalidInput, OutOfRange
from thermix.sources import ObjectSource
from thermix.sources.numbered import NumberedDraws, first_draw
from thermix.torch import MixtureBatchSampler, MixtureDataset, PackCollator, PadCollator, collate

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning"),  # few processors
]

PLAN = a_plan()
EDITED = a_plan().edit(at_step=5, batch_size=16).edit(at_step=9, sources={"code": None})


class Counting(ObjectSource):
    """Notes how often it was asked."""

    asked = 0

    def read(self, items: Any) -> Any:
        self.asked += 1
        return super().read(items)


def loader_of(**options: Any) -> DataLoader[Any]:
    sampler = MixtureBatchSampler(PLAN)
    return DataLoader(MixtureDataset(PLAN, sequences()), batch_sampler=sampler, collate_fn=collate, **options)


@given(st.data())
@settings(max_examples=60)
def test_a_draw_by_its_number_is_that_draw_of_the_plan(data: st.DataObject) -> None:
    numbers = data.draw(st.lists(st.integers(0, EDITED.draws - 1), min_size=1, max_size=40))
    places = NumberedDraws(EDITED).places(numbers)
    whole = [EDITED.batch(step) for step in range(EDITED.end)]
    steps = np.repeat(np.arange(EDITED.end), [len(batch.source) for batch in whole])
    assert places.step.tolist() == steps[numbers].tolist()
    assert places.source.tolist() == np.concatenate([b.source for b in whole])[numbers].tolist()
    assert places.item.tolist() == np.concatenate([b.item for b in whole])[numbers].tolist()
    firsts = [first_draw(EDITED, step) for step in range(EDITED.end + 1)]
    assert firsts == np.cumsum([0, *(len(b.source) for b in whole)]).tolist()


@given(st.integers(0, EDITED.draws - 1), st.integers(1, 60))
def test_draws_in_a_run_are_found_as_one_by_one_also_over_the_end_of_a_step(first: int, n: int) -> None:
    numbered, run = NumberedDraws(EDITED), list(range(first, min(first + n, EDITED.draws)))
    single = [numbered.places([draw]) for draw in run]
    found = numbered.places(run)
    assert found.step.tolist() == [each.step[0] for each in single]
    assert found.source.tolist() == [each.source[0] for each in single]
    assert found.item.tolist() == [each.item[0] for each in single]


@pytest.mark.parametrize("draws", [[0.0, 1.0], [0, 1.0], ["0"]])
def test_numbers_that_are_no_whole_numbers_are_refused_in_a_run_too(draws: Any) -> None:
    with pytest.raises(InvalidInput, match=r"key: got .*; a key is the number of a draw"):
        NumberedDraws(PLAN).places(draws)


@pytest.mark.parametrize("world_size", [1, 2, 3, 4, 8])
def test_sampler_and_dataset_are_the_plan_on_every_rank(world_size: int) -> None:
    for rank in range(world_size):
        sampler = MixtureBatchSampler(PLAN, rank, world_size)
        loader = DataLoader(MixtureDataset(PLAN, sequences()), batch_sampler=sampler, collate_fn=collate)
        assert seen(loader) == expected(PLAN, None, rank, world_size)
        assert len(sampler) == len(list(sampler)) == 12


@pytest.mark.parametrize("keys", ["draws", "items"])
def test_k_steps_and_a_resumed_rest_are_the_whole_at_every_k_on_any_ranks(keys: Any) -> None:
    whole = list(MixtureBatchSampler(EDITED, keys=keys))
    for k in range(EDITED.end + 1):
        for world_size in (1, 2, 8):
            samplers = [MixtureBatchSampler(EDITED, r, world_size, keys=keys) for r in range(world_size)]
            for sampler in samplers:
                sampler.load_state_dict(EDITED.state(k))
            parts = zip(*samplers, strict=True)
            assert [[key for part in step for key in part] for step in parts] == whole[k:]


def test_default_collation_gives_the_same_rows() -> None:
    sampler = MixtureBatchSampler(PLAN)
    loader = DataLoader(MixtureDataset(PLAN, sequences()), batch_sampler=sampler)
    batches = [{**batch, "step": int(batch["step"][0])} for batch in loader]
    assert seen(batches) == expected(PLAN)


def test_any_loader_that_reads_in_order_reads_the_plan() -> None:
    """A DataLoader of its own batch size, DDP's sampler without shuffling: for frameworks that insist."""
    dataset = MixtureDataset(PLAN, sequences())
    assert len(dataset) == PLAN.draws
    assert seen(DataLoader(dataset, batch_size=24, collate_fn=collate)) == expected(PLAN)
    samplers: list[Any] = [DistributedSampler(dataset, 4, rank, shuffle=False) for rank in range(4)]
    loaders = [DataLoader(dataset, 6, sampler=sampler, collate_fn=collate) for sampler in samplers]
    for step, parts in enumerate(zip(*loaders, strict=True)):
        together = [r for part in parts for r in part["input_ids"].tolist()]
        assert sorted(together) == sorted(expected(PLAN, [step])[0][1])
    nested = BatchSampler(SequentialSampler(dataset), 48, drop_last=False)
    batch = next(iter(DataLoader(dataset, batch_sampler=nested, collate_fn=collate)))
    assert batch["step"].tolist() == [0] * 24 + [1] * 24


def test_each_source_is_asked_once_a_batch() -> None:
    counting = {
        name: Counting([row(i, item) for item in range(n)], name=name, sequence_length=4)
        for i, (name, n) in enumerate(SIZES.items())
    }
    dataset = MixtureDataset(PLAN, counting)
    for source in counting.values():
        source.asked = 0
    dataset.__getitems__(list(range(24)))
    assert [source.asked for source in counting.values()] == [1, 1, 1]


def test_whole_batches_are_read_where_that_is_asked_for() -> None:
    dataset = MixtureDataset(PLAN, sequences(), stacked=True)
    loader = DataLoader(dataset, batch_sampler=MixtureBatchSampler(PLAN, 1, 2), collate_fn=collate)
    assert seen(loader) == expected(PLAN, None, 1, 2)
    kept = [batch["input_ids"] for batch in loader]  # nobody writes into what the loop keeps
    assert [rows.tolist() for rows in kept] == [rows for _, rows, _ in expected(PLAN, None, 1, 2)]
    assert set(dataset[0]) == {"input_ids", "source", "step"}
    assert pickle.loads(pickle.dumps(dataset)).__getitems__([3])["input_ids"].shape == (1, 4)
    with pytest.raises(InvalidInput, match=r"stacked=True.*collate_fn=thermix.torch.collate"):
        next(iter(DataLoader(dataset, batch_sampler=MixtureBatchSampler(PLAN))))
    with pytest.raises(InvalidInput, match="stacked: the sources hold documents"):
        MixtureDataset(PLAN, documents(), stacked=True)


def test_one_sample_is_a_dict_with_its_source_and_step() -> None:
    dataset = MixtureDataset(PLAN, sequences())
    sample = dataset[25]
    (_, rows, sources) = expected(PLAN, [1])[0]
    assert sample["input_ids"].tolist() == rows[1]
    assert (sample["source"], sample["step"]) == (sources[1], 1)
    assert dataset[np.int64(25)]["source"] == sources[1]  # type: ignore[index]
    assert dataset.__getitems__([]) == []


def test_documents_have_their_own_keys_and_collate_padded_or_packed() -> None:
    dataset, sampler = MixtureDataset(PLAN, documents()), MixtureBatchSampler(PLAN)
    for make in (PadCollator(pad_id=0), PackCollator()):
        for step, batch in enumerate(DataLoader(dataset, batch_sampler=sampler, collate_fn=make)):
            assert batch["step"] == step
            assert batch["source"].tolist() == PLAN.batch(step).source.tolist()
    with pytest.raises(InvalidInput, match=r"lengths from \d to \d.*PadCollator or PackCollator"):
        next(iter(DataLoader(dataset, batch_sampler=sampler, collate_fn=collate)))


def test_a_transform_makes_the_sample_and_is_not_for_sequences() -> None:
    dataset = MixtureDataset(PLAN, documents(), transform=lambda row: {"n": len(row["input_ids"])})
    assert set(dataset[0]) == {"n", "source", "step"}
    with pytest.raises(InvalidInput, match="transform: the sources hold token sequences"):
        MixtureDataset(PLAN, sequences(), transform=len)


@pytest.mark.parametrize("key", ["source", "step"])
def test_a_row_with_a_key_that_the_batch_needs_is_refused(key: str) -> None:
    dataset = MixtureDataset(PLAN, documents(), transform=lambda row: {key: "wikipedia"})
    with pytest.raises(InvalidInput, match=rf"a row has a key '{key}' of its own.*drops it or renames it"):
        dataset[0]


@pytest.mark.parametrize(
    ("row", "keys"),
    [
        ("text", {"text"}),
        (b"text", {"text"}),
        ([1, 2], {"input_ids"}),
        (np.arange(3), {"input_ids"}),
        (torch.arange(3), {"input_ids"}),
        (torch.zeros(3, 4), {"item"}),
        ((torch.zeros(2), 1), {"item"}),
        (["a"], {"item"}),
        (5, {"item"}),
    ],
)
def test_a_row_of_any_kind_becomes_a_sample(row: object, keys: set[str]) -> None:
    dataset = MixtureDataset(PLAN, documents(), transform=lambda _: row)
    assert set(dataset[0]) == keys | {"source", "step"}


def test_a_batch_sampler_given_as_sampler_is_refused() -> None:
    loader = DataLoader(MixtureDataset(PLAN, sequences()), sampler=MixtureBatchSampler(PLAN), batch_size=2)
    with pytest.raises(InvalidInput, match=r"given to a DataLoader as batch_sampler=, not as sampler="):
        next(iter(loader))
    with pytest.raises(InvalidInput, match="a key is the number of a draw"):
        MixtureDataset(PLAN, sequences())[[1, 2]]  # type: ignore[index]


def test_a_dataloader_given_batch_size_and_batch_sampler_is_refused_by_pytorch() -> None:
    with pytest.raises(ValueError, match="batch_sampler option is mutually exclusive with batch_size"):
        loader_of(batch_size=4)


def test_a_draw_outside_the_plan_is_refused() -> None:
    dataset = MixtureDataset(PLAN, sequences())
    for key in (-1, PLAN.draws):
        with pytest.raises(OutOfRange, match=rf"key: got {key}; the plan has draws 0 to {PLAN.draws - 1}"):
            dataset[key]


@pytest.mark.parametrize("keys", ["draws", "items"])
def test_batch_size_is_that_of_the_next_batch(keys: Any) -> None:
    sampler = MixtureBatchSampler(EDITED, 1, 4, keys=keys)
    assert (sampler.batch_size, sampler.drop_last) == (6, True)
    sampler.seek(5)
    assert (sampler.batch_size, len(sampler)) == (4, 7)
    sampler.seek(12)
    assert (sampler.batch_size, len(sampler), list(sampler)) == (4, 0, [])


def test_a_world_size_that_does_not_divide_is_refused_unless_asked_for() -> None:
    with pytest.raises(InvalidInput, match="world_size: got 5 for batches of 24"):
        MixtureBatchSampler(PLAN, 0, 5)
    parts = [list(MixtureBatchSampler(PLAN, rank, 5, uneven=True)) for rank in range(5)]
    assert [len(part[0]) for part in parts] == [5, 5, 5, 5, 4]


def test_counting_counts_what_the_loop_was_given() -> None:
    sampler = MixtureBatchSampler(PLAN)
    loader = DataLoader(MixtureDataset(PLAN, sequences()), batch_sampler=sampler, collate_fn=collate)
    batches = []
    for batch in sampler.counted(loader):
        batches.append(batch)
        assert sampler.state_dict() == PLAN.state(len(batches))
        if len(batches) == 5:
            break
    assert sampler.state_dict() == PLAN.state(5)
    batches += list(sampler.counted(loader))
    assert seen(batches) == expected(PLAN)
    assert sampler.state_dict() == PLAN.state(12)


def test_a_state_that_nobody_counted_is_refused() -> None:
    sampler = MixtureBatchSampler(PLAN)
    assert sampler.state_dict()["step"] == 0
    next(iter(sampler))
    with pytest.raises(InvalidInput, match=r"runs ahead of the loop.*sampler.counted\(loader\)"):
        sampler.state_dict()
    sampler.seek(3)
    assert sampler.state_dict()["step"] == 3


def test_moving_a_sampler_while_a_loop_counts_is_refused() -> None:
    sampler = MixtureBatchSampler(PLAN)
    for _ in sampler.counted(sampler):
        with pytest.raises(InvalidInput, match=r"seek: counted\(\) is reading on from step 1"):
            sampler.seek(0)
        with pytest.raises(InvalidInput, match="counted: counted"):
            next(sampler.counted(sampler))
        break


def test_dataset_and_sampler_pickle() -> None:
    dataset = pickle.loads(pickle.dumps(MixtureDataset(PLAN, sequences(), dtype="int32")))
    assert dataset[3]["input_ids"].dtype is torch.int32
    assert dataset.plan == PLAN
    sampler = MixtureBatchSampler(PLAN, 1, 2)
    sampler.seek(4)
    copy = pickle.loads(pickle.dumps(sampler))
    assert copy.step == 4
    assert list(copy) == list(sampler)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing_and_the_state_counts_what_was_delivered(method: str, workers: int) -> None:
    loader = loader_of(
        num_workers=workers, multiprocessing_context=method, persistent_workers=True, prefetch_factor=3
    )
    sampler = loader.batch_sampler
    assert isinstance(sampler, MixtureBatchSampler)
    batches: list[Any] = []
    for stop in (4, 5, 99):
        for batch in sampler.counted(loader):
            batches.append(batch)
            assert sampler.state_dict()["step"] == len(batches) == batch["step"] + 1
            if len(batches) == stop:
                break
    assert seen(batches) == expected(PLAN)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_documents_come_through_workers(method: str) -> None:
    dataset, sampler = MixtureDataset(PLAN, documents()), MixtureBatchSampler(PLAN, 1, 2)
    loader = DataLoader(
        dataset,
        batch_sampler=sampler,
        num_workers=2,
        multiprocessing_context=method,
        collate_fn=PackCollator(),
    )
    alone = DataLoader(dataset, batch_sampler=sampler, collate_fn=PackCollator())
    assert seen(loader) == seen(alone)


def test_iterating_the_sampler_again_begins_at_its_step() -> None:
    sampler = MixtureBatchSampler(PLAN)
    iterators: list[Iterator[list[int]]] = [iter(sampler), iter(sampler)]
    assert [next(i) for i in iterators] == [list(range(24))] * 2
