"""The physical limit: what the machine can do when nothing is decided and nothing is mixed.

Draws: a compiled loop (numba) that hashes a number and walks the cumulative shares of its step. Delivery:
rows in the order in which they lie, widened from uint16 to int64 by NumPy into one buffer that is reused.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import data
from benchmarks.settings import NAMES, Settings, Skip

CANNOT = dict.fromkeys(("start", "resume", "accuracy", "text"), "is no library")


def draws(settings: Settings) -> Iterator[int]:
    """Batches by the compiled loop; with T changing the shares are worked out for every step."""
    loop = _compiled()
    scores = np.log(np.asarray(settings.weights))
    steps = settings.draws // settings.batch
    source, item = np.empty(settings.batch, np.int32), np.empty(settings.batch, np.int64)
    for step in itertools.cycle(range(steps)):
        temperature = 5.0 - 4.0 * step / steps if settings.changing else 1.0
        loop(scores, temperature, step, settings.items, settings.with_items, source, item)
        yield settings.batch


def _compiled() -> Callable[..., None]:
    import numba

    @numba.njit
    def loop(  # type: ignore[no-untyped-def] # pragma: no cover # compiled
        scores, temperature, step, items, with_items, source, item
    ):
        shares = np.exp(scores / temperature)
        limits = np.cumsum(shares / shares.sum())
        for slot in range(len(source)):
            x = np.uint64(step * len(source) + slot) * np.uint64(0x9E3779B97F4A7C15)
            x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            x = x ^ (x >> np.uint64(31))
            where = (x >> np.uint64(11)) * (1.0 / 9007199254740992.0)
            low, high = 0, len(limits) - 1
            while low < high:
                middle = (low + high) // 2
                if limits[middle] <= where:
                    low = middle + 1
                else:
                    high = middle
            source[slot] = low
            if with_items:
                item[slot] = np.int64((x * np.uint64(0xD6E8FEB86659FD93)) >> np.uint64(33)) % items

    compiled: Callable[..., None] = loop
    return compiled


def delivery(settings: Settings) -> Iterator[Any]:
    """Every source from its first row to its last, over and over."""
    import torch

    if settings.workers:
        raise Skip("it copies in one process")
    flat = [data.rows(settings.folder, name, settings.length).view(np.ndarray) for name in NAMES]
    out = np.empty((settings.batch, settings.length), np.int64)
    tensor = torch.from_numpy(out)
    return _widened(flat, out, tensor)


def _widened(flat: list[NDArray[np.uint16]], out: NDArray[np.int64], tensor: Any) -> Iterator[Any]:
    for rows in itertools.cycle(flat):
        for start in range(0, len(rows) - len(out) + 1, len(out)):
            out[...] = rows[start : start + len(out)]
            yield tensor
