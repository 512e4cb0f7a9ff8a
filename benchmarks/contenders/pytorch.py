"""Plain PyTorch: `WeightedRandomSampler` over the rows of `np.memmap`s, one weight a row.

https://docs.pytorch.org/docs/stable/data.html: `replacement=True`, a generator for a seed, `num_workers`
with `persistent_workers`, `__getitems__` so that a batch is fetched at once. To go on from a checkpoint,
`torchdata`'s `StatefulDataLoader` stands in for `DataLoader`, as its page asks.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, WeightedRandomSampler

from benchmarks import data
from benchmarks.settings import NAMES, Settings, Skip


def draws(settings: Settings) -> Iterator[int]:
    """`torch.multinomial` over the sources, which is what the sampler calls; 16 steps at once for one T."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.tensor(settings.weights, dtype=torch.float64)
    scores, steps = weights.log(), settings.draws // settings.batch
    size = settings.batch if settings.changing else 16 * settings.batch
    for step in itertools.cycle(range(steps)):
        if settings.changing:
            weights = torch.softmax(scores / (5.0 - 4.0 * step / steps), 0)
        torch.multinomial(weights, size, replacement=True, generator=generator)
        if settings.with_items:
            torch.randint(settings.items, (size,), generator=generator)
        yield size


def accuracy(settings: Settings) -> tuple[NDArray[Any], NDArray[Any]]:
    """The sampler, one weight a row."""
    each = torch.tensor(settings.weights, dtype=torch.float64).repeat_interleave(settings.items)
    generator = torch.Generator().manual_seed(0)
    rows = np.fromiter(WeightedRandomSampler(each, settings.draws, generator=generator), np.int64)
    return rows // settings.items, rows % settings.items


class Rows(Dataset[Any]):
    """The rows of all sources as one map-style dataset; a batch is gathered source by source."""

    def __init__(self, settings: Settings) -> None:
        self._rows = [data.rows(settings.folder, name, settings.length) for name in NAMES]
        self.lengths = [len(rows) for rows in self._rows]
        self._firsts = np.cumsum([0, *self.lengths])

    def __len__(self) -> int:
        return int(self._firsts[-1])

    def __getitems__(self, keys: list[int]) -> Any:
        numbers = np.asarray(keys)
        sources = np.searchsorted(self._firsts, numbers, "right") - 1
        out = np.empty((len(keys), self._rows[0].shape[1]), np.int64)
        for number, rows in enumerate(self._rows):
            mask = sources == number
            out[mask] = rows[numbers[mask] - self._firsts[number]]
        return torch.from_numpy(out)


def as_it_is(batch: Any) -> Any:
    """No collating: the batch is one tensor."""
    return batch


def weighted(settings: Settings, rows: Rows, draws: int) -> Any:
    """The sampler over these rows."""
    each = torch.tensor(settings.weights, dtype=torch.float64) / torch.tensor(rows.lengths)
    weights = each.repeat_interleave(torch.tensor(rows.lengths))
    return WeightedRandomSampler(weights, draws, generator=torch.Generator().manual_seed(0))


def delivery(settings: Settings) -> Iterator[Any]:
    """A `DataLoader` over both."""
    rows = Rows(settings)
    loader = DataLoader(
        rows,
        settings.batch,
        sampler=weighted(settings, rows, 1_000_000),
        num_workers=settings.workers,
        collate_fn=as_it_is,
        drop_last=True,
        persistent_workers=settings.workers > 0,
    )
    return itertools.chain.from_iterable(itertools.repeat(loader))


def start(settings: Settings) -> Callable[[], object]:
    """The same, as far as its first batch."""

    def begin() -> object:
        rows = Rows(settings)
        sampler = weighted(settings, rows, settings.draws)
        return next(iter(DataLoader(rows, settings.batch, sampler=sampler, collate_fn=as_it_is)))

    return begin


def resume(settings: Settings) -> Callable[[], object]:
    """`StatefulDataLoader`, its state taken at the draw."""
    from torchdata.stateful_dataloader import StatefulDataLoader

    if settings.world_size > 1:
        raise Skip("the sampler knows no ranks")
    if settings.at > 10_000_000:
        raise Skip("a state there is had only by a run of that many draws")

    def loader() -> Any:
        rows = Rows(settings)
        sampler = weighted(settings, rows, settings.draws)
        return StatefulDataLoader(rows, settings.batch, sampler=sampler, collate_fn=as_it_is)

    running = loader()
    for _ in itertools.islice(running, settings.at // settings.batch):
        pass
    saved = running.state_dict()

    def go_on() -> object:
        again = loader()
        again.load_state_dict(saved)
        return next(iter(again))

    return go_on
