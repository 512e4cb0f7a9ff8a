"""Megatron-LM's data sets: `BlendedMegatronDatasetBuilder` over `GPTDataset`s, with its compiled helpers.

https://docs.nvidia.com/megatron-core/developer-guide/latest/api-guide/datasets.html: a blend of prefixes and
weights, `mmap_bin_files`, an index cache, no masks that the model can make itself. The wheel has the helpers
compiled. Its weights are constant.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from megatron.core.datasets import helpers
from megatron.core.datasets.blended_megatron_dataset_builder import BlendedMegatronDatasetBuilder
from megatron.core.datasets.gpt_dataset import GPTDataset, GPTDatasetConfig
from megatron.core.datasets.indexed_dataset import IndexedDatasetBuilder
from numpy.typing import NDArray

from benchmarks import data
from benchmarks.settings import NAMES, Settings, Skip


def draws(settings: Settings) -> Iterator[int]:
    """The table of a million draws; it holds source and place in the source."""
    if settings.changing:
        raise Skip("its weights are constant")
    size = 1_000_000
    while True:
        _blended(settings, size)
        yield size


def _blended(settings: Settings, size: int) -> tuple[NDArray[Any], NDArray[Any]]:
    weights = np.asarray(settings.weights, np.float64)
    source, place = np.zeros(size, np.int16), np.zeros(size, np.int64)
    helpers.build_blending_indices(source, place, weights, len(weights), size, False)
    return source, place


def accuracy(settings: Settings) -> tuple[NDArray[Any], NDArray[Any]]:
    """The same table; an item is a place in all epochs' items, shuffled together as `GPTDataset` does."""
    source, place = _blended(settings, settings.draws)
    rng = np.random.RandomState(0)
    item = np.empty(settings.draws, np.int64)
    for number in range(len(settings.weights)):
        mine = source == number
        epochs = -(-int(mine.sum()) // settings.items)
        if epochs:
            shuffled = rng.permutation(epochs * settings.items) % settings.items
            item[mine] = shuffled[place[mine]]
    return source.astype(np.int64), item


class Tokenizer:
    """What `GPTDatasetConfig` asks of one: ids that no token here has."""

    unique_identifiers: dict[str, str] = {"class": "Tokenizer"}  # noqa: RUF012 # an attribute of theirs
    eod = 65_535
    pad = 65_534
    vocab_size = 65_536


def built(settings: Settings, draws: int, cache: Path | None = None) -> Any:
    """The blended data set of so many draws."""
    blend = ([str(settings.folder / name) for name in NAMES], list(settings.weights))
    config = GPTDatasetConfig(
        random_seed=1,
        sequence_length=settings.length,
        blend=blend,
        split="1,0,0",
        tokenizer=Tokenizer(),
        path_to_cache=str(cache or Path(settings.work, "cache")),
        mmap_bin_files=True,
        reset_position_ids=False,
        reset_attention_mask=False,
        eod_mask_loss=False,
        create_attention_mask=False,
    )
    return BlendedMegatronDatasetBuilder(GPTDataset, [draws, 0, 0], lambda: True, config).build()[0]


def tokens_only(samples: list[dict[str, Any]]) -> Any:
    """The tokens of a batch; labels and masks are left where they are."""
    import torch

    return torch.stack([sample["tokens"] for sample in samples])


def process_group(settings: Settings) -> None:
    """One process, as its training has set up before it builds data sets, so that is no part of the time."""
    import torch

    if torch.distributed.is_initialized():
        return
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # no name of this host need be looked up
    store = torch.distributed.FileStore(f"{settings.work}/store", 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)


def loader(settings: Settings, draws: int, first: int = 0) -> Any:
    """Batches in order, from a draw on."""
    from torch.utils.data import BatchSampler, DataLoader

    dataset = built(settings, draws)
    batches = BatchSampler(range(first, len(dataset)), settings.batch, drop_last=True)
    return DataLoader(dataset, batch_sampler=batches, num_workers=settings.workers, collate_fn=tokens_only)


def delivery(settings: Settings) -> Iterator[Any]:
    """A run of 400,000 draws, over and over."""
    process_group(settings)
    return itertools.chain.from_iterable(itertools.repeat(loader(settings, 400_000)))


def start(settings: Settings) -> Callable[[], object]:
    """The index is built."""
    if settings.draws > 10**9:
        raise Skip("its tables would be of terabytes")
    process_group(settings)
    return lambda: next(iter(loader(settings, settings.draws)))


def resume(settings: Settings) -> Callable[[], object]:
    """The index is there, in the cache; the run goes on at the number of samples it consumed."""
    if settings.world_size > 1:
        raise Skip("its loader belongs to Megatron-LM's training, not to the package")
    process_group(settings)
    built(settings, settings.draws)
    return lambda: next(iter(loader(settings, settings.draws, settings.at)))


def text(settings: Settings) -> Callable[[], object]:
    """`tokenizers`' `encode_batch_fast` into an `IndexedDatasetBuilder`, then one pass of `GPTDataset`."""
    from tokenizers import Tokenizer as Bpe

    process_group(settings)

    def run() -> int:
        import torch

        bpe = Bpe.from_file(str(settings.folder / data.TOKENIZER))
        end = bpe.token_to_id("<|endoftext|>")
        prefix = f"{settings.work}/text"
        builder, tokens = IndexedDatasetBuilder(f"{prefix}.bin", dtype=np.uint16), 0
        for texts in data.batched_texts(settings.folder):
            for found in bpe.encode_batch_fast(texts, add_special_tokens=False):
                ids = [*found.ids, end]
                builder.add_document(torch.tensor(ids, dtype=torch.int32), [len(ids)])
                tokens += len(ids)
        builder.finalize(f"{prefix}.idx")
        return _one_pass(settings, prefix, tokens // settings.length - 1)

    return run


def _one_pass(settings: Settings, prefix: str, rows: int) -> int:
    from torch.utils.data import DataLoader

    config = GPTDatasetConfig(
        random_seed=1,
        sequence_length=settings.length,
        blend=([prefix], None),
        split="1,0,0",
        tokenizer=Tokenizer(),
        path_to_cache=str(Path(settings.work, "cache")),
        reset_position_ids=False,
        reset_attention_mask=False,
        eod_mask_loss=False,
        create_attention_mask=False,
    )
    dataset = BlendedMegatronDatasetBuilder(GPTDataset, [rows, 0, 0], lambda: True, config).build()[0]
    batches = DataLoader(dataset, 64, collate_fn=tokens_only, drop_last=True)
    return sum(int(batch.numel()) for batch in batches)
