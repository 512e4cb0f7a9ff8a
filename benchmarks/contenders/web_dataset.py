"""WebDataset: tar shards, resampled and shuffled, mixed by `RandomMix`; its probabilities are constant.

https://github.com/webdataset/webdataset and its page on mixing: `WebDataset(..., resampled=True)`,
`.shuffle(1000)`, `.decode()`, `.to_tuple("npy")`, batched in the workers, `WebLoader` around.
"""

from __future__ import annotations

import io
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import webdataset as wds
from numpy.typing import NDArray

from benchmarks import data
from benchmarks.settings import NAMES, Settings, Skip


def prepare(settings: Settings) -> None:
    """Write each source as tar shards of about 32 MB, for a length."""
    folder = settings.folder / "wds" / str(settings.length)
    folder.mkdir(parents=True)
    for name in NAMES:
        each = (1 << 25) // (2 * settings.length)
        with wds.ShardWriter(str(folder / f"{name}-%04d.tar"), maxcount=each, verbose=0) as writer:
            for number, row in enumerate(data.rows(settings.folder, name, settings.length)):
                file = io.BytesIO()
                np.save(file, row)
                writer.write({"__key__": f"{name}-{number:07}", "npy": file.getvalue()})


def loader(settings: Settings) -> Any:
    """Batches."""
    folder = settings.folder / "wds" / str(settings.length)
    parts = [
        wds.WebDataset(
            sorted(map(str, folder.glob(f"{name}-*.tar"))), resampled=True, shardshuffle=False, seed=0
        )
        .shuffle(1000)
        .decode()
        .to_tuple("npy")
        for name in NAMES
    ]
    mix = wds.DataPipeline(
        wds.RandomMix(parts, list(settings.weights)), wds.batched(settings.batch, collation_fn=_stacked)
    )
    return wds.WebLoader(mix, batch_size=None, num_workers=settings.workers)


def _stacked(samples: list[Any]) -> Any:
    return torch.from_numpy(np.stack([sample[0] for sample in samples]).astype(np.int64))


def delivery(settings: Settings) -> Iterator[Any]:
    """The loader, which has no end."""
    return iter(loader(settings))


def start(settings: Settings) -> Callable[[], object]:
    """Resampled shards have no end: the run's length plays no part."""
    if settings.draws > 10**5:
        raise Skip("a run has no length: as for 10^5 draws")
    return lambda: next(iter(loader(settings)))


def resume(settings: Settings) -> Callable[[], object]:
    """It has no state."""
    raise Skip("keeps no state to go on from")


def _numbers(settings: Settings, shuffled: bool) -> Iterator[int]:
    """Endless numbers of items, mixed; shuffled through its buffer of 1,000."""
    parts: list[Any] = []
    for number in range(len(settings.weights)):
        first = number * settings.items
        passes = itertools.chain.from_iterable(itertools.repeat(range(first, first + settings.items)))
        parts.append(wds.filters.shuffle(1000, seed=number)(passes) if shuffled else passes)
    return iter(wds.RandomMix(parts, list(settings.weights)))


def draws(settings: Settings) -> Iterator[int]:
    """`RandomMix` over plain iterators."""
    if settings.changing:
        raise Skip("its probabilities are constant")
    mixed = _numbers(settings, shuffled=settings.with_items)
    while True:
        for _ in itertools.islice(mixed, settings.batch):
            pass
        yield settings.batch


def accuracy(settings: Settings) -> tuple[NDArray[Any], NDArray[Any]]:
    """The numbers themselves."""
    if settings.draws > 10**6:
        raise Skip("so many draws take minutes")
    mixed = itertools.islice(_numbers(settings, shuffled=True), settings.draws)
    found = np.fromiter(mixed, np.int64, settings.draws)
    return found // settings.items, found % settings.items
