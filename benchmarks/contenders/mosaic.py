"""MosaicML streaming: MDS shards, `StreamingDataset` with a proportion a `Stream`, `StreamingDataLoader`.

https://docs.mosaicml.com/projects/streaming/en/stable/dataset_configuration/mixing_data_sources.html and
.../dataset_configuration/shuffling.html: `proportion`, `shuffle=True` with the default `py1e`, `batch_size`
given to the data set, `num_canonical_nodes` of one machine, an array column of fixed shape and no
compression. Its proportions are constant.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import itertools
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import data
from benchmarks.settings import NAMES, Settings, Skip, names

CANNOT = {"draws": "draws an epoch at a time, when it starts to read"}


def _stand_in(name: str) -> None:
    """An empty module: streaming imports torchvision for its picture data sets, which are not used here.

    torchvision's published build needs CUDA's PyTorch and cannot be loaded beside that for CPUs.
    """
    module = types.ModuleType(name)
    module.__spec__ = importlib.machinery.ModuleSpec(name, None)
    module.__path__ = []
    for thing in ("VisionDataset", "CIFAR10", "ImageFolder", "to_tensor"):
        setattr(module, thing, type(thing, (), {}))
    sys.modules[name] = module


if importlib.util.find_spec("torchvision") is None:
    for module_name in ("torchvision", "torchvision.datasets", "torchvision.transforms"):
        _stand_in(module_name)
    _stand_in("torchvision.transforms.functional")

from streaming import MDSWriter, Stream, StreamingDataLoader, StreamingDataset  # noqa: E402
from streaming.base.util import clean_stale_shared_memory  # noqa: E402


def write(folder: Path, rows: Any, length: int) -> None:
    """A source's rows as MDS."""
    with MDSWriter(out=str(folder), columns={"ids": f"ndarray:{rows.dtype}:{length}"}) as writer:
        for row in rows:
            writer.write({"ids": row})


def prepare(settings: Settings) -> None:
    """Write each source for a length."""
    for name in NAMES:
        rows = np.asarray(data.rows(settings.folder, name, settings.length))
        write(settings.folder / "mds" / f"{name}-{settings.length}", rows, settings.length)


def dataset(settings: Settings, draws: int) -> Any:
    """The streams, mixed."""
    clean_stale_shared_memory()
    folder = settings.folder / "mds"
    streams = [
        Stream(local=str(folder / f"{name}-{settings.length}"), proportion=share)
        for name, share in zip(NAMES, settings.weights, strict=True)
    ]
    return StreamingDataset(
        streams=streams,
        epoch_size=draws,
        shuffle=True,
        batch_size=settings.batch,
        num_canonical_nodes=1,
    )


def loader(settings: Settings, draws: int) -> Any:
    """Batches."""
    return StreamingDataLoader(
        dataset(settings, draws), batch_size=settings.batch, num_workers=settings.workers, drop_last=True
    )


def delivery(settings: Settings) -> Iterator[Any]:
    """Epochs of 200,000 draws."""
    passes = itertools.chain.from_iterable(itertools.repeat(loader(settings, 200_000)))
    return (batch["ids"].long() for batch in passes)


def start(settings: Settings) -> Callable[[], object]:
    """One epoch of the run's length."""
    return lambda: next(iter(loader(settings, settings.draws)))["ids"].long()


def resume(settings: Settings) -> Callable[[], object]:
    """`StreamingDataLoader.load_state_dict`; the state of a later draw names it in `sample_in_epoch`."""
    if settings.world_size > 1:
        raise Skip("documented as able to; it needs a process group of four, which is not tried here")
    running = loader(settings, 6400)
    iterator = iter(running)
    next(iterator)
    saved = {**running.state_dict(), "sample_in_epoch": settings.at, "epoch": 0}
    del iterator

    def go_on() -> object:
        again = loader(settings, settings.draws)
        again.load_state_dict(saved)
        return next(iter(again))["ids"].long()

    return go_on


def accuracy(settings: Settings) -> tuple[NDArray[Any], NDArray[Any]]:
    """An epoch of the run's length over sources of single numbers."""
    if settings.draws > 10**6:
        raise Skip("so many draws take minutes")
    folder = Path(settings.work)
    streams = []
    for number, (name, share) in enumerate(zip(names(settings.weights), settings.weights, strict=True)):
        rows = np.arange(number * settings.items, (number + 1) * settings.items).reshape(-1, 1)
        write(folder / name, rows, 1)
        streams.append(Stream(local=str(folder / name), proportion=share))
    clean_stale_shared_memory()
    numbers = StreamingDataset(
        streams=streams,
        epoch_size=settings.draws,
        shuffle=True,
        batch_size=settings.batch,
        num_canonical_nodes=1,
    )
    found = np.fromiter((int(row["ids"][0]) for row in numbers), np.int64)[: settings.draws]
    return found // settings.items, found % settings.items


def text(settings: Settings) -> Callable[[], object]:
    """`tokenizers`' `encode_batch_fast`, packed and written as MDS, then one epoch."""
    from tokenizers import Tokenizer

    def packed() -> Iterator[NDArray[np.uint16]]:
        bpe = Tokenizer.from_file(str(settings.folder / data.TOKENIZER))
        end = bpe.token_to_id("<|endoftext|>")
        rest = np.empty(0, np.uint16)
        for texts in data.batched_texts(settings.folder):
            found = bpe.encode_batch_fast(texts, add_special_tokens=False)
            rest = np.concatenate([rest, *(np.array([*one.ids, end], np.uint16) for one in found)])
            rows = len(rest) // settings.length
            yield from rest[: rows * settings.length].reshape(rows, -1)
            rest = rest[rows * settings.length :]

    def run() -> int:
        out = Path(settings.work, "mds")
        columns = {"ids": f"ndarray:uint16:{settings.length}"}
        with MDSWriter(out=str(out), columns=columns) as writer:
            for row in packed():
                writer.write({"ids": row})
        clean_stale_shared_memory()
        epoch = StreamingDataset(local=str(out), shuffle=True, batch_size=64, num_canonical_nodes=1)
        batches = StreamingDataLoader(epoch, batch_size=64, num_workers=0, drop_last=True)
        return sum(batch["ids"].long().numel() for batch in batches)

    return run
