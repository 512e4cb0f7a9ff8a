"""Which rank a process is."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest
import torch.distributed

from tests.torch.cases import a_plan, expected, seen, sequences
from thermix import InvalidInput
from thermix.torch import MixtureBatchSampler, MixtureIterableDataset, MixtureLoader
from thermix.torch.ranks import rank_and_world_size


def test_alone_it_is_rank_0_of_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert rank_and_world_size(None, None) == (0, 1)
    monkeypatch.setenv("WORLD_SIZE", "1")
    assert rank_and_world_size(None, None) == (0, 1)


def test_given_ones_are_taken_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "8")
    assert rank_and_world_size(2, 3) == (2, 3)


def test_one_of_several_processes_without_a_process_group_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every process would read the whole batch, with no error."""
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    problem = r"WORLD_SIZE=2, and torch.distributed is not initialised.*init_process_group"
    with pytest.raises(InvalidInput, match=problem):
        MixtureLoader(a_plan(), sequences())
    with pytest.raises(InvalidInput, match=problem):
        MixtureIterableDataset(a_plan(), sequences())
    assert len(next(iter(MixtureBatchSampler(a_plan())))) == 24  # global: a framework slices it


def in_a_group(rank: int, folder: str) -> None:
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2
    )
    loader = MixtureLoader(a_plan(), sequences())
    assert (loader.rank, loader.world_size) == (rank, 2)
    assert seen(loader) == expected(a_plan(), None, rank, 2)
    assert seen(MixtureIterableDataset(a_plan(), sequences())) == expected(a_plan(), None, rank, 2)
    assert seen(MixtureLoader(a_plan(), sequences(), 3, 4)) == expected(a_plan(), None, 3, 4)
    assert len(next(iter(MixtureBatchSampler(a_plan())))) == 24
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_in_a_process_group_they_are_those_of_the_group(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=in_a_group, args=(rank, str(tmp_path))) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    assert [process.exitcode for process in processes] == [0, 0]
