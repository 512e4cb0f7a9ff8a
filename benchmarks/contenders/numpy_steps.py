"""Plain NumPy, as one would write it: every draw on its own; 16 steps at a time while T is constant.

Items are drawn on their own too, so that they repeat. Delivery is a mask and a gather a source over
`np.memmap`. https://numpy.org/doc/stable/reference/random/index.html: one `default_rng`, vectorised calls.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import data
from benchmarks.settings import NAMES, Settings, Skip

CANNOT = {"start": "has no state or table to make", "resume": "has no state to go on from"}


def draws(settings: Settings) -> Iterator[int]:
    """`searchsorted` in the cumulative shares of the step."""
    rng = np.random.default_rng(0)
    scores = np.log(np.asarray(settings.weights))
    steps = settings.draws // settings.batch
    limits = np.cumsum(np.asarray(settings.weights))
    size = settings.batch if settings.changing else 16 * settings.batch
    for step in itertools.cycle(range(steps)):
        if settings.changing:
            shares = np.exp(scores / (5.0 - 4.0 * step / steps))
            limits = np.cumsum(shares / shares.sum())
        source = np.searchsorted(limits, rng.random(size)).clip(max=len(limits) - 1)
        if settings.with_items:
            rng.integers(0, settings.items, len(source))
        yield size


def accuracy(settings: Settings) -> tuple[NDArray[Any], NDArray[Any]]:
    """`choice` with the shares as probabilities."""
    rng = np.random.default_rng(0)
    source = rng.choice(len(settings.weights), settings.draws, p=settings.weights)
    return source, rng.integers(0, settings.items, settings.draws)


def delivery(settings: Settings) -> Iterator[Any]:
    """A mask and a gather a source."""
    if settings.workers:
        raise Skip("it has no workers")
    memory = [data.rows(settings.folder, name, settings.length) for name in NAMES]
    return _gathered(memory, settings)


def _gathered(memory: list[NDArray[np.uint16]], settings: Settings) -> Iterator[Any]:
    import torch

    rng = np.random.default_rng(0)
    while True:
        source = rng.choice(len(memory), settings.batch, p=settings.weights)
        out = np.empty((settings.batch, settings.length), np.int64)
        for number, rows in enumerate(memory):
            mask = source == number
            out[mask] = rows[rng.integers(0, len(rows), int(mask.sum()))]
        yield torch.from_numpy(out)


def text(settings: Settings) -> Callable[[], object]:
    """`encode_batch_fast` of `tokenizers` and one long array."""
    from tokenizers import Tokenizer

    def run() -> int:
        import torch

        tokenizer = Tokenizer.from_file(str(settings.folder / data.TOKENIZER))
        end = tokenizer.token_to_id("<|endoftext|>")
        encoded = (
            found
            for texts in data.batched_texts(settings.folder)
            for found in tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        )
        flat = np.concatenate([np.array([*found.ids, end], np.uint16) for found in encoded])
        rows = flat[: len(flat) // settings.length * settings.length].reshape(-1, settings.length)
        order = np.random.default_rng(0).permutation(len(rows))
        delivered = 0
        for first in range(0, len(order) - 63, 64):
            delivered += torch.from_numpy(rows[order[first : first + 64]].astype(np.int64)).numel()
        return delivered

    return run
