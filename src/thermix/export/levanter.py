"""Levanter: `train_weights`, a list of (step, weights), and blocks with whole numbers of every source.

Levanter gives each block of `mixture_block_size` sequences floor(weight * size) of every source, and what is
left over to the largest. So whole numbers of a block are written, rounded so that each stage makes up for
the rounding of those before it. Stages begin where a block does: small blocks leave more places to begin at,
large ones finer weights, and the size is taken that comes nearest to the plan.

https://levanter.readthedocs.io/en/latest/reference/Configuration/, and `MixtureDataset` of
src/levanter/data/mixture.py: a stage begins at a multiple of the block, blocks are below 2^16, sources that
end begin again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermix.export.stages import Stage
from thermix.export.trainer import Asked, Trainer, drawn, shuffled_noise, yaml_text
from thermix.plan.plan import Plan

__all__ = ["LEVANTER"]

_SIZES = (1 << 15, 1 << 11, 1 << 7)
"""Blocks tried: powers of two, in which whole numbers of a block stay whole numbers."""


def _size_of(plan: Plan, stages: Sequence[Stage]) -> int:
    """The largest block that every stage begins with one of."""
    size, before = max(_SIZES), 0
    for stage in stages:
        size = gcd(size, before)
        before += stage.draws
    return size


def _written(plan: Plan, stages: Sequence[Stage]) -> list[Stage]:
    size = _size_of(plan, stages)
    due, given = np.zeros(len(plan.names)), np.zeros(len(plan.names))
    found = []
    for stage in stages:
        due = due + stage.counts
        weights = _whole((due - given) / stage.draws, size) / size
        given = given + weights * stage.draws
        found.append(replace(stage, weights=weights))
    return found


def _whole(shares: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Whole numbers that sum to `size`, nearest to shares of it; none below 0."""
    least = np.clip(shares, 0, None)
    exact: NDArray[np.float64] = least / least.sum() * size
    whole: NDArray[np.float64] = np.floor(exact)
    rest = int(size - whole.sum())
    whole[np.argsort(whole - exact, kind="stable")[:rest]] += 1
    return whole


def _files(asked: Asked) -> dict[str, str]:
    size = _size_of(asked.plan, asked.stages)
    weights = [
        [stage.start, {place.name: round(weight * size) for _, place, weight in drawn(stage, asked.places)}]
        for stage in asked.stages
    ]
    components = {place.name: _component(place.field, place.paths, place.shards) for place in asked.places}
    data = {
        "components": components,
        "train_weights": weights,
        "mixture_block_size": size,
        "stop_strategy": "restart",
    }
    return {"levanter.yaml": yaml_text({"data": data}, "The data section of a Levanter configuration.")}


def _component(field: str | None, paths: tuple[str, ...], shards: str | None) -> dict[str, Any]:
    if field is None:
        return {"cache_dir": paths[0]} if paths else {}
    return {
        "source": {"type": "url", "train_urls": list(paths)},
        "format": {"type": "text", "text_key": field},
    }


def _noise(asked: Asked) -> NDArray[np.float64]:
    return shuffled_noise(asked, _size_of(asked.plan, asked.stages))


LEVANTER = Trainer(
    name="levanter",
    reference="https://levanter.readthedocs.io/en/latest/reference/Configuration/",
    files=_files,
    noise=_noise,
    cannot=(
        "shares below one sequence in a block: they are whole numbers of mixture_block_size, in some stages "
        "perhaps 0.",
        "order: a source that ends begins again in the same order.",
        "data: it reads caches of its own, made from raw text; a source of token shards has its path as "
        "cache_dir. Build a cache there.",
    ),
    units=_SIZES,
    written=_written,
)
