"""Grain: `MapDataset.mix` of shuffled, repeated sources; its weights are constant.

https://google-grain.readthedocs.io/en/latest/tutorials/dataset_advanced_tutorial.html: shuffle each source,
repeat, `mix` with weights, `batch`, then `to_iter_dataset`, with `mp_prefetch` for worker processes. Read
threads are left out where rows are in memory already, as the page on performance advises for fast sources;
with its default of 16 threads it was slower here.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import grain
import numpy as np
from numpy.typing import NDArray

from benchmarks import data
from benchmarks.settings import NAMES, Settings, Skip


def draws(settings: Settings) -> Iterator[int]:
    """Elements of a mix of ranges: an element is what item it is; a range each, so it says the source too."""
    if settings.changing:
        raise Skip("its weights are constant")
    mixed = _mixed_ranges(settings, shuffled=settings.with_items)
    for start in itertools.count(0, settings.batch):
        for number in range(start, start + settings.batch):
            mixed[number]
        yield settings.batch


def _mixed_ranges(settings: Settings, shuffled: bool) -> Any:
    ranges = []
    for number in range(len(settings.weights)):
        first = number * settings.items
        numbers = grain.MapDataset.range(first, first + settings.items)
        ranges.append((numbers.shuffle(seed=number) if shuffled else numbers).repeat())
    return grain.MapDataset.mix(ranges, weights=list(settings.weights))


def accuracy(settings: Settings) -> tuple[NDArray[Any], NDArray[Any]]:
    """The same elements, kept."""
    mixed = _mixed_ranges(settings, shuffled=True)
    found = np.fromiter((mixed[number] for number in range(settings.draws)), np.int64, settings.draws)
    return found // settings.items, found % settings.items


class Rows(grain.sources.RandomAccessDataSource):  # type: ignore[misc]
    """A source's rows."""

    def __init__(self, folder: Any, name: str, length: int) -> None:
        self._made_from = (folder, name, length)
        self._rows = data.rows(folder, name, length)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, number: int) -> Any:
        return self._rows[number]

    def __reduce__(self) -> tuple[Any, ...]:
        return Rows, self._made_from


def batches(settings: Settings) -> Any:
    """The data set of batches."""
    sources = [
        grain.MapDataset.source(Rows(settings.folder, name, settings.length)).shuffle(seed=number).repeat()
        for number, name in enumerate(NAMES)
    ]
    mixed = grain.MapDataset.mix(sources, weights=list(settings.weights))
    one_thread = grain.ReadOptions(num_threads=0, prefetch_buffer_size=0)
    return mixed.batch(settings.batch).map(_widened).to_iter_dataset(one_thread)


def _widened(rows: Any) -> Any:
    return rows.astype(np.int64)


def tensor(batch: Any) -> Any:
    """A batch for PyTorch, without a copy."""
    import torch

    return torch.from_numpy(np.asarray(batch))


def delivery(settings: Settings) -> Iterator[Any]:
    """Batches, with worker processes where they are asked for."""
    dataset = batches(settings)
    if settings.workers:
        dataset = dataset.mp_prefetch(grain.MultiprocessingOptions(num_workers=settings.workers))
    return map(tensor, dataset)


def start(settings: Settings) -> Callable[[], object]:
    """The data set has no end: the run's length plays no part."""
    if settings.draws > 10**5:
        raise Skip("a run has no length: as for 10^5 draws")
    return lambda: tensor(next(iter(batches(settings))))


def resume(settings: Settings) -> Callable[[], object]:
    """`set_state`, which holds the next index."""
    if settings.world_size > 1:
        raise Skip("its state is a rank's own")
    iterator = iter(batches(settings))
    next(iterator)
    saved = {**iterator.get_state(), "next_index": settings.at // settings.batch}

    def go_on() -> object:
        again = iter(batches(settings))
        again.set_state(saved)
        return tensor(next(again))

    return go_on
