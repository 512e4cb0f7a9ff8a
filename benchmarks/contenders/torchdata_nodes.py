"""torchdata's nodes: `MultiNodeWeightedSampler` over a node a source; its weights are constant.

https://docs.pytorch.org/data/main/migrate_to_nodes_from_utils.html and
https://docs.pytorch.org/data/main/getting_started_with_torchdata_nodes.html: samplers give indices, they are
mixed and batched, and a `ParallelMapper` fetches a batch at once with workers; `Loader` holds the state.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import RandomSampler
from torchdata.nodes import (
    Batcher,
    Loader,
    Mapper,
    MultiNodeWeightedSampler,
    ParallelMapper,
    SamplerWrapper,
)

from benchmarks.contenders.pytorch import Rows
from benchmarks.settings import Settings, Skip, names


class Offset(RandomSampler):
    """A source's rows in a random order, by their number among all rows."""

    def __init__(self, first: int, length: int) -> None:
        super().__init__(range(length), generator=torch.Generator().manual_seed(first))
        self._first = first

    def __iter__(self) -> Iterator[int]:
        return (self._first + number for number in super().__iter__())


def mixed(settings: Settings, lengths: list[int]) -> Any:
    """Row numbers of all sources, mixed."""
    firsts = np.cumsum([0, *lengths]).tolist()
    named = names(settings.weights)
    nodes = {
        name: SamplerWrapper(Offset(first, length))
        for name, first, length in zip(named, firsts, lengths, strict=False)
    }
    weights = dict(zip(named, settings.weights, strict=True))
    return MultiNodeWeightedSampler(nodes, weights, rank=0, world_size=1)


def endless(settings: Settings, lengths: list[int]) -> Iterator[int]:
    """Numbers, going on after the end of a pass."""
    node = mixed(settings, lengths)
    while True:
        node.reset()
        yield from node


def draws(settings: Settings) -> Iterator[int]:
    """Numbers of rows; the sources are read off them."""
    if settings.changing:
        raise Skip("its weights are constant")
    numbers = endless(settings, [settings.items] * len(settings.weights))
    while True:
        for _ in itertools.islice(numbers, settings.batch):
            pass
        yield settings.batch


def accuracy(settings: Settings) -> tuple[NDArray[Any], NDArray[Any]]:
    """The same numbers, kept."""
    if settings.draws > 10**6:
        raise Skip("so many draws take minutes")
    numbers = endless(settings, [settings.items] * len(settings.weights))
    found = np.fromiter(itertools.islice(numbers, settings.draws), np.int64, settings.draws)
    return found // settings.items, found % settings.items


def loader(settings: Settings) -> Any:
    """Batches."""
    rows = Rows(settings)
    batched = Batcher(mixed(settings, rows.lengths), settings.batch)
    if not settings.workers:
        return Loader(Mapper(batched, rows.__getitems__))
    return Loader(
        ParallelMapper(
            batched,
            rows.__getitems__,
            num_workers=settings.workers,
            method="process",
            multiprocessing_context="fork",
        )
    )


def delivery(settings: Settings) -> Iterator[Any]:
    """The loader's passes, one after the other."""
    return itertools.chain.from_iterable(itertools.repeat(loader(settings)))


def start(settings: Settings) -> Callable[[], object]:
    """A pass has no given length: the run's plays no part."""
    if settings.draws > 10**5:
        raise Skip("a run has no length: as for 10^5 draws")
    return lambda: next(iter(loader(settings)))


def resume(settings: Settings) -> Callable[[], object]:
    """`Loader.load_state_dict`, its state taken at the draw."""
    if settings.world_size > 1:
        raise Skip("its state is a rank's own")
    if settings.at > 10_000_000:
        raise Skip("a state there is had only by a run of that many draws")
    running, saved, left = loader(settings), None, settings.at // settings.batch
    while saved is None:
        for _ in running:
            left -= 1
            if left == 0:
                saved = running.state_dict()
                break

    def go_on() -> object:
        again = loader(settings)
        again.load_state_dict(saved)
        return next(iter(again))

    return go_on
