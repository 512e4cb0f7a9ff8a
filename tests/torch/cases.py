"""Small plans whose rows say which draw they are, and what their batches must be, read off the plan alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

import thermix
from thermix import Mixture, Plan, Source
from thermix.sources import ItemSource, ObjectSource
from thermix.sources.shard_writer import TokenShardWriter
from thermix.sources.tokens import TokenShards

SIZES = {"web": 40, "书": 9, "code": 23}
LENGTH = 4

Seen = list[tuple[int, list[list[int]], list[int]]]
"""Step, rows, sources of each batch."""


def a_plan(steps: int = 12, batch_size: int = 24, seed: int = 3, **given: Any) -> Plan:
    scores = {"web": 1.0, "书": 0.5, "code": 0.2}
    sources = {name: Source(score=scores[name], items=items) for name, items in SIZES.items()}
    wanted = Mixture(sources, temperature=thermix.linear(5.0, 1.0))
    return Plan(wanted, steps=steps, batch_size=batch_size, seed=seed, **given)


def row(source: int, item: int, length: int = LENGTH) -> list[int]:
    """The tokens of an item: no two items share one."""
    first = 10_000 * source + 10 * item
    return list(range(first, first + length))


def sequences(sizes: Mapping[str, int] = SIZES, length: int = LENGTH) -> dict[str, ItemSource]:
    return {
        name: ObjectSource([row(i, item, length) for item in range(n)], name=name, sequence_length=length)
        for i, (name, n) in enumerate(sizes.items())
    }


def documents(sizes: Mapping[str, int] = SIZES) -> dict[str, ItemSource]:
    """Documents of 1 to 5 tokens."""
    return {
        name: ObjectSource([{"input_ids": row(i, item, 1 + item % 5)} for item in range(n)], name=name)
        for i, (name, n) in enumerate(sizes.items())
    }


def shards(folder: Path, plan: Plan, length: int = 8, **options: Any) -> dict[str, ItemSource]:
    """Token shards of documents of 1 to 7 tokens, with as many windows as the plan has items."""
    opened: dict[str, ItemSource] = {}
    for i, name in enumerate(plan.names):
        items, rng = SIZES[name], np.random.default_rng(i)
        with TokenShardWriter(folder / f"{i}", dtype="uint16") as writer:
            while writer.tokens < items * length + 1:
                left = items * length + 1 - writer.tokens
                writer.append(rng.integers(1, 60_000, min(left, int(rng.integers(1, 8)))))
        opened[name] = TokenShards([folder / f"{i}.bin"], name=name, sequence_length=length, **options)
    return opened


def expected(plan: Plan, steps: Iterable[int] | None = None, rank: int = 0, world_size: int = 1) -> Seen:
    """What a loop over `sequences()` must be given."""
    seen = []
    for step in range(plan.end) if steps is None else steps:
        batch = plan.batch(step, rank, world_size)
        sources, items = batch.source.tolist(), batch.item.tolist()
        seen.append((step, [row(s, i) for s, i in zip(sources, items, strict=True)], sources))
    return seen


def seen(batches: Iterable[Mapping[str, Any]]) -> Seen:
    return [told(batch) for batch in batches]


def told(batch: Mapping[str, Any]) -> tuple[int, list[list[int]], list[int]]:
    step, ids = batch["step"], batch["input_ids"]
    assert isinstance(ids, torch.Tensor)
    return step, ids.tolist(), batch["source"].tolist()
