"""What is known of a trainer that mixes by itself; one value of `Trainer` a file beside this one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from thermix.export.places import SourcePlace
from thermix.export.stages import Stage
from thermix.plan.plan import Plan

__all__ = [
    "Asked",
    "Trainer",
    "as_written",
    "drawn",
    "random_noise",
    "shuffled_noise",
    "steps_text",
    "weight_text",
    "yaml_text",
]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """What is to be written.

    Attributes:
        plan: all of it.
        stages: its stages, the weights being those that the trainer will make of what is written.
        places: where each source's data lies.
    """

    plan: Plan
    stages: tuple[Stage, ...]
    places: tuple[SourcePlace, ...]


@dataclass(frozen=True)
class Trainer:
    """A trainer's way to say a mixture.

    Attributes:
        name: as in `--to`.
        reference: where its makers describe what is written here.
        files: from what is asked for to files, name -> text.
        noise: (K,) standard deviation, in draws, that the trainer's own order adds at its worst.
        cannot: what its configuration cannot say, and what it does instead.
        units: stages begin where the draws before are a multiple of one of these; the best is taken.
        written: the stages with the weights that the trainer makes of what is written.
    """

    name: str
    reference: str
    files: Callable[[Asked], dict[str, str]]
    noise: Callable[[Asked], Floats]
    cannot: tuple[str, ...]
    units: tuple[int, ...]
    written: Callable[[Plan, Sequence[Stage]], list[Stage]]


def weight_text(weight: float) -> str:
    """A weight in as many digits as are written: nine."""
    return f"{weight:.9g}"


def as_written(plan: Plan, stages: Sequence[Stage]) -> list[Stage]:
    """Stages whose weights are the shares in nine digits, as a trainer normalises them."""
    found = []
    for stage in stages:
        weights = np.array([float(weight_text(weight)) for weight in stage.weights])
        found.append(replace(stage, weights=weights / weights.sum()))
    return found


def random_noise(asked: Asked) -> Floats:
    """Where each draw is made independently: sqrt(sum n p (1 - p)) at the end."""
    variance = sum(stage.draws * stage.weights * (1 - stage.weights) for stage in asked.stages)
    return np.asarray(np.sqrt(variance))


def shuffled_noise(asked: Asked, block: int | None = None) -> Floats:
    """Where exact counts are shuffled in blocks: sqrt(n p (1 - p)) / 2 in the middle of a block of n draws.

    Args:
        asked: the stages.
        block: draws; left out, a stage is one block.
    """
    each = [
        np.sqrt(min(block or stage.draws, stage.draws) * stage.weights * (1 - stage.weights)) / 2
        for stage in asked.stages
    ]
    return np.asarray(np.max(each, axis=0))


def drawn(stage: Stage, places: Sequence[SourcePlace]) -> list[tuple[int, SourcePlace, float]]:
    """The sources that a stage draws from, with their number and weight."""
    return [
        (i, place, weight)
        for i, (place, weight) in enumerate(zip(places, stage.weights.tolist(), strict=True))
        if weight > 0
    ]


def yaml_text(value: Any, *comments: str) -> str:
    """YAML in the order given, below lines of comment."""
    head = "".join(f"# {line}\n" for line in comments)
    return head + yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=10_000)


def steps_text(stage: Stage) -> str:
    """As in "steps 0 to 400"."""
    return f"steps {stage.start} to {stage.stop}"
