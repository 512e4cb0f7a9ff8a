"""thermix at its defaults: `MixtureLoader`, which reads ahead with two threads; T runs from 5 to 1.

The settings are those of README.md and docs: nothing is tuned. Numba, which is there for the limit, is used
by `thermix_fast.py` alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

import thermix
from benchmarks import data
from benchmarks.settings import NAMES, Settings, names
from thermix.sources import open_source

_CHUNK = 1 << 16


def plan_of(settings: Settings, items: list[int], changing: bool) -> thermix.Plan:
    """A plan whose weights at T = 1 are the settings'."""
    sources = {
        name: thermix.Source(weight=weight, items=each)
        for name, weight, each in zip(names(settings.weights), settings.weights, items, strict=True)
    }
    temperature = thermix.linear(5.0, 1.0) if changing else 1.0
    mixture = thermix.Mixture(sources, temperature=temperature)
    return thermix.Plan(mixture, steps=-(-settings.draws // settings.batch), batch_size=settings.batch)


def draws(settings: Settings) -> Iterator[int]:
    """`plan.batches` for 65,536 draws a call, as `MixtureLoader` asks for them."""
    plan = plan_of(settings, [settings.items] * len(settings.weights), settings.changing)
    steps = max(1, min(plan.steps // 2, _CHUNK // settings.batch))
    for start in itertools.cycle(range(0, plan.steps - steps, steps)):
        yield plan.batches(start, start + steps).source.size


def accuracy(settings: Settings) -> tuple[NDArray[Any], NDArray[Any]]:
    """Every draw of the plan."""
    plan = plan_of(settings, [settings.items] * len(settings.weights), changing=False)
    batch = plan.batches(0, plan.steps)
    return batch.source.ravel()[: settings.draws], batch.item.ravel()[: settings.draws]


def opened(settings: Settings) -> tuple[thermix.Plan, dict[str, Any]]:
    """The shards and a plan over them."""
    sources = {
        name: open_source(str(settings.folder / f"{name}.bin"), name=name, sequence_length=settings.length)
        for name in NAMES
    }
    return plan_of(settings, [len(source) for source in sources.values()], changing=True), sources


def without_numba() -> None:
    """Deliver as where numba is not installed."""
    from thermix.sources import compiled, rows

    rows.LOOPS = compiled.Loops(worth_bytes=1 << 62)  # type: ignore[misc]


def start(settings: Settings) -> Callable[[], object]:
    """Open the shards, plan, and take the first batch."""
    from thermix.torch import MixtureLoader

    return lambda: next(iter(MixtureLoader(*opened(settings))))


def resume(settings: Settings) -> Callable[[], object]:
    """The same with a state; for ranks, the batch of one in the middle."""
    from thermix.torch import MixtureLoader

    saved = opened(settings)[0].state(settings.at // settings.batch)
    world_size = settings.world_size

    def go_on() -> object:
        loader = MixtureLoader(*opened(settings), rank=world_size // 2, world_size=world_size)
        loader.load_state_dict(saved)
        return next(iter(loader))

    return go_on


def delivery(settings: Settings) -> Iterator[Any]:
    """`MixtureLoader`; with workers, PyTorch's `DataLoader` over `MixtureIterableDataset`."""
    from torch.utils.data import DataLoader

    from thermix.torch import MixtureIterableDataset, MixtureLoader

    without_numba()
    plan, sources = opened(settings.but(draws=10**9))
    if not settings.workers:
        return (batch["input_ids"] for batch in MixtureLoader(plan, sources))
    dataset = MixtureIterableDataset(plan, sources)
    loader = DataLoader(dataset, batch_size=None, num_workers=settings.workers)
    return (batch["input_ids"] for batch in loader)


def text(settings: Settings) -> Callable[[], object]:
    """`thermix prepare`, then every sequence once from `MixtureLoader`."""
    from thermix.prepare.run import prepare
    from thermix.torch import MixtureLoader

    def run() -> int:
        out = f"{settings.work}/shards"
        tokenizer = str(settings.folder / data.TOKENIZER)
        prepare([str(data.text_file(settings.folder))], out, tokenizer=tokenizer)
        source = open_source(out, name="text", sequence_length=settings.length)
        mixture = thermix.Mixture({"text": thermix.Source(weight=1.0, items=len(source))})
        plan = thermix.Plan(mixture, steps=len(source) // 64, batch_size=64)
        return sum(int(np.prod(batch["input_ids"].shape)) for batch in MixtureLoader(plan, {"text": source}))

    return run
