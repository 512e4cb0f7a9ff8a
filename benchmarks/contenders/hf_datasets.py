"""Hugging Face `datasets`: `interleave_datasets` with probabilities over memory-mapped Arrow tables.

https://huggingface.co/docs/datasets/process#interleave mixes,
https://huggingface.co/docs/datasets/use_with_pytorch formats with `with_format("torch")`. Delivery reads the
mixture from a copy that `flatten_indices` wrote in its order beforehand, as
https://huggingface.co/docs/datasets/about_mapstyle_vs_iterable advises where speed matters (here six times
the speed of the mixture with its indices, and more of iterable data sets); batches by `iter` without workers,
by a `DataLoader` with them. Columns are of fixed length, the layout with the fastest formatting.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import datasets
import numpy as np
from datasets import Dataset, Features, Value
from numpy.typing import NDArray

from benchmarks import data
from benchmarks.settings import NAMES, Settings, Skip

try:
    from datasets import List as FixedList
except ImportError:  # before version 4
    from datasets import Sequence as FixedList

datasets.disable_progress_bars()


def saved_at(settings: Settings, name: str) -> Path:
    """Where a source is, in Arrow."""
    return settings.folder / "hf" / f"{name}-{settings.length}"


def prepare(settings: Settings) -> None:
    """Save each source for a length, and the mixture."""
    import pyarrow as pa

    length = settings.length
    features = Features({"ids": FixedList(Value("uint16"), length=length)})
    for name in NAMES:
        rows = data.rows(settings.folder, name, length)
        ids = pa.FixedSizeListArray.from_arrays(pa.array(np.asarray(rows).ravel()), length)
        table = datasets.table.InMemoryTable(pa.table({"ids": ids}))
        Dataset(table).cast(features).save_to_disk(str(saved_at(settings, name)))
    shuffled = [source.shuffle(seed=1) for source in sources(settings)]
    mixture = interleaved(shuffled, settings).flatten_indices(keep_in_memory=True)
    mixture.save_to_disk(str(saved_at(settings, "mixture")))


def sources(settings: Settings) -> list[Any]:
    """The saved sources, memory-mapped."""
    return [datasets.load_from_disk(str(saved_at(settings, name))) for name in NAMES]


def numbers(settings: Settings) -> list[Any]:
    """A column of numbers a source, that say which item of which source they are."""
    firsts = (number * settings.items for number in range(len(settings.weights)))
    return [Dataset.from_dict({"n": np.arange(first, first + settings.items)}) for first in firsts]


def interleaved(tables: list[Any], settings: Settings) -> Any:
    """Sources mixed until each was seen once."""
    return datasets.interleave_datasets(
        tables, probabilities=list(settings.weights), seed=0, stopping_strategy="all_exhausted"
    )


def draws(settings: Settings) -> Iterator[int]:
    """Interleaving works out all indices at once; of smaller sources, as it ends when all are exhausted."""
    if settings.changing:
        raise Skip("its probabilities are constant")
    tables = numbers(settings.but(items=200))
    while True:
        yield len(interleaved(tables, settings))


def accuracy(settings: Settings) -> tuple[NDArray[Any], NDArray[Any]]:
    """The interleaved numbers, of sources shuffled before."""
    if settings.draws > 10**6:
        raise Skip("so many draws take minutes")
    tables = [table.shuffle(seed=1).to_iterable_dataset() for table in numbers(settings)]
    stream = interleaved(tables, settings).repeat(None)
    found = np.fromiter(
        (row["n"] for row in itertools.islice(stream, settings.draws)), np.int64, settings.draws
    )
    return found // settings.items, found % settings.items


def delivery(settings: Settings) -> Iterator[Any]:
    """Batches of the saved mixture, over and over."""
    from torch.utils.data import DataLoader

    saved = datasets.load_from_disk(str(saved_at(settings, "mixture")))
    dataset = saved.with_format("torch")
    if settings.workers:
        loader = DataLoader(dataset, settings.batch, num_workers=settings.workers, drop_last=True)
        return (batch["ids"] for batch in itertools.chain.from_iterable(itertools.repeat(loader)))
    passes = (dataset.iter(settings.batch, drop_last_batch=True) for _ in itertools.count())
    return (batch["ids"] for batch in itertools.chain.from_iterable(passes))


def start(settings: Settings) -> Callable[[], object]:
    """Sources large enough to be drawn from so often, of views of the same rows."""

    def begin() -> object:
        parts = []
        for source, share in zip(sources(settings), settings.weights, strict=True):
            wanted = int(settings.draws * share)
            parts.append(source.select(np.arange(wanted) % len(source)).shuffle(seed=1))
        dataset = datasets.interleave_datasets(parts, probabilities=list(settings.weights), seed=0)
        return next(iter(dataset.with_format("torch").iter(settings.batch)))["ids"]

    return begin


def resume(settings: Settings) -> Callable[[], object]:
    """`IterableDataset.load_state_dict`, its state taken at the draw."""
    if settings.world_size > 1:
        raise Skip("its state is a rank's own")
    if settings.at > 100_000:
        raise Skip("a state there is had only by a run of that many draws")

    def stream() -> Any:
        parts = [
            source.to_iterable_dataset().shuffle(seed=1, buffer_size=1000) for source in sources(settings)
        ]
        mix = datasets.interleave_datasets(parts, probabilities=list(settings.weights), seed=0)
        return mix.repeat(None).with_format("torch").batch(settings.batch)

    running = stream()
    for _ in itertools.islice(running, settings.at // settings.batch):
        pass
    saved = running.state_dict()

    def go_on() -> object:
        again = stream()
        again.load_state_dict(saved)
        return next(iter(again))["ids"]

    return go_on


def text(settings: Settings) -> Callable[[], object]:
    """`map` in batches with `tokenizers`, as the course of its makers packs text, then batches by `iter`."""
    from tokenizers import Tokenizer

    def run() -> int:
        tokenizer = Tokenizer.from_file(str(settings.folder / data.TOKENIZER))
        end, length = tokenizer.token_to_id("<|endoftext|>"), settings.length

        def packed(found: dict[str, Any]) -> dict[str, Any]:
            encoded = tokenizer.encode_batch_fast(found["text"], add_special_tokens=False)
            ids = np.array([i for each in encoded for i in (*each.ids, end)], np.uint16)
            rows = len(ids) // length
            return {"ids": list(ids[: rows * length].reshape(rows, length))}

        raw = str(data.text_file(settings.folder))
        cache = f"{settings.work}/cache"
        documents = datasets.load_dataset("json", data_files=raw, split="train", cache_dir=cache)
        features = Features({"ids": FixedList(Value("uint16"), length=length)})
        dataset = documents.map(
            packed, batched=True, remove_columns=documents.column_names, features=features
        )
        shuffled = dataset.shuffle(seed=0).with_format("torch")
        return sum(batch["ids"].numel() for batch in shuffled.iter(64, drop_last_batch=True))

    return run
