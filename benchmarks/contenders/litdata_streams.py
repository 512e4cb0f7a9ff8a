"""litdata: `optimize` with a `TokensLoader`, `CombinedStreamingDataset` with weights, `StreamingDataLoader`.

https://lightning.ai/docs/litdata/features/llm-pre-training and
https://lightning.ai/docs/litdata/features/combine-datasets: tokens as one long tensor, chunks of about 64 MB,
`shuffle=True`, `drop_last=True`. Its weights are constant.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from litdata import CombinedStreamingDataset, StreamingDataLoader, StreamingDataset, TokensLoader, optimize
from numpy.typing import NDArray

from benchmarks import data
from benchmarks.settings import NAMES, Settings, Skip, names

CANNOT = {"draws": "draws only while it reads"}
CHUNK = 8192 * 2000  # tokens: a multiple of every length


def tokens_of(part: tuple[int, int], path: str) -> Iterator[Any]:
    """A part of a shard as a tensor, which `optimize` writes."""
    start, stop = part
    yield torch.from_numpy(np.fromfile(path, np.uint16, stop - start, offset=2 * start))


def prepare(settings: Settings) -> None:
    """Write each source; the length is chosen when it is read."""
    for name in NAMES:
        if (settings.folder / "litdata" / name).exists():
            continue  # as for another length
        path = data.shard_of(settings.folder, name)
        tokens = path.stat().st_size // 2
        step = 8192 * 256
        optimize(
            fn=partial(tokens_of, path=str(path)),
            inputs=[(start, min(start + step, tokens)) for start in range(0, tokens, step)],
            output_dir=str(settings.folder / "litdata" / name),
            chunk_size=CHUNK,
            item_loader=TokensLoader(),
            num_workers=1,
            verbose=False,
        )


def stream(settings: Settings, folder: Path, item_loader: Any, named: list[str]) -> Any:
    """The sources combined."""
    parts = [
        StreamingDataset(str(folder / name), item_loader=item_loader(), shuffle=True, drop_last=True)
        for name in named
    ]
    return CombinedStreamingDataset(parts, seed=42, weights=list(settings.weights), iterate_over_all=False)


def loader(settings: Settings) -> Any:
    """Batches of tokens."""
    reading = partial(TokensLoader, block_size=settings.length)
    dataset = stream(settings, settings.folder / "litdata", reading, list(NAMES))
    return StreamingDataLoader(
        dataset, batch_size=settings.batch, num_workers=settings.workers, drop_last=True
    )


def delivery(settings: Settings) -> Iterator[Any]:
    """The loader's passes, one after the other."""
    passes = itertools.chain.from_iterable(itertools.repeat(loader(settings)))
    return (batch if batch.dtype == torch.int64 else batch.long() for batch in passes)


def start(settings: Settings) -> Callable[[], object]:
    """A pass has no given length: the run's plays no part."""
    if settings.draws > 10**5:
        raise Skip("a run has no length: as for 10^5 draws")
    return lambda: next(iter(loader(settings))).long()


def resume(settings: Settings) -> Callable[[], object]:
    """`StreamingDataLoader.load_state_dict`, its state taken at the draw."""
    if settings.world_size > 1:
        raise Skip("refuses a state of another number of ranks")
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
        return next(iter(again)).long()

    return go_on


def write_numbers(folder: Path, number: int, items: int) -> None:
    """Rows of a source that say where they come from; by the writer, as `optimize` takes seconds for each."""
    from litdata.streaming.writer import BinaryWriter

    folder.mkdir(parents=True)
    writer = BinaryWriter(cache_dir=str(folder), chunk_bytes="64MB")
    for item in range(items):
        writer[item] = number * items + item
    writer.done()
    writer.merge()


def accuracy(settings: Settings) -> tuple[NDArray[Any], NDArray[Any]]:
    """Passes over sources of single numbers."""
    if settings.draws > 10**6:
        raise Skip("so many draws take minutes")
    folder = settings.folder / "litdata-numbers"
    for number, name in enumerate(names(settings.weights)):
        if not (folder / name).exists():  # as for other weights
            write_numbers(folder / name, number, settings.items)
    dataset = stream(settings, folder, lambda: None, names(settings.weights))
    passes = itertools.chain.from_iterable(itertools.repeat(dataset))
    found = np.fromiter(map(int, itertools.islice(passes, settings.draws)), np.int64, settings.draws)
    return found // settings.items, found % settings.items


def encoded(texts: list[str], tokenizer: str) -> Iterator[Any]:
    """Ids of some documents, one after the other."""
    from tokenizers import Tokenizer

    bpe = Tokenizer.from_file(tokenizer)
    end = bpe.token_to_id("<|endoftext|>")
    for found in bpe.encode_batch_fast(texts, add_special_tokens=False):
        yield torch.tensor([*found.ids, end], dtype=torch.int32)


def text(settings: Settings) -> Callable[[], object]:
    """`optimize` with two workers and a `TokensLoader`, then one pass."""

    def run() -> int:
        out = f"{settings.work}/tokens"
        optimize(
            fn=partial(encoded, tokenizer=str(settings.folder / data.TOKENIZER)),
            inputs=list(data.batched_texts(settings.folder, 500)),
            output_dir=out,
            chunk_size=settings.length * 4000,
            item_loader=TokensLoader(),
            num_workers=2,
            verbose=False,
        )
        dataset = StreamingDataset(
            out, item_loader=TokensLoader(block_size=settings.length), shuffle=True, drop_last=True
        )
        batches = StreamingDataLoader(dataset, batch_size=64, num_workers=0, drop_last=True)
        return sum(batch.long().numel() for batch in batches)

    return run
