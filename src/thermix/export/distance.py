"""How far a trainer with constant weights in stages is from the plan: counted, source by source."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thermix.export.stages import Stage, draws_before
from thermix.plan.plan import Plan

__all__ = ["Distance", "SourceDistance", "distance_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_CELLS = 1 << 20  # steps times sources that are compared
_CHUNK = 1 << 18


@dataclass(frozen=True)
class SourceDistance:
    """One source.

    Attributes:
        name: of the source.
        draws: of the whole plan.
        largest: draws the trainer is ahead (over 0) or behind where it is farthest off.
        at_step: the step before which that is.
        final: draws it is ahead or behind at the end.
        noise: standard deviation, in draws, of what the trainer's own order adds at its worst moment.
    """

    name: str
    draws: int
    largest: float
    at_step: int
    final: float
    noise: float


@dataclass(frozen=True)
class Distance:
    """All sources, and how they were compared.

    Attributes:
        sources: in the order of the plan.
        steps: how many were compared, evenly spread with the ends of stages among them.
    """

    sources: tuple[SourceDistance, ...]
    steps: int

    @property
    def farthest(self) -> SourceDistance:
        """The source whose largest deviation is largest."""
        return max(self.sources, key=lambda source: abs(source.largest))


def distance_of(plan: Plan, stages: Sequence[Stage], noise: Floats) -> Distance:
    """Compare the draws of stages with those of the plan.

    Args:
        plan: what is wanted.
        stages: with the weights as the trainer reads them.
        noise: (K,) standard deviations that its own order adds.

    Returns:
        Exact at every step that was compared: all of them, up to a million cells of steps and sources.
    """
    steps = _compared(plan, stages)
    largest, at = np.zeros(len(plan.names)), np.zeros(len(plan.names), np.int64)
    off = np.zeros((1, len(plan.names)))
    for part in _chunks(steps, len(plan.names)):
        off = expected(plan, stages, part) - plan.counts(part)
        worst = np.abs(off).argmax(axis=0)
        here = np.take_along_axis(off, worst[np.newaxis], 0)[0]
        more = np.abs(here) > np.abs(largest)
        largest, at = np.where(more, here, largest), np.where(more, part[worst], at)
    drawn = plan.counts(plan.end)
    sources = tuple(
        SourceDistance(name, int(drawn[i]), float(largest[i]), int(at[i]), float(off[-1, i]), float(noise[i]))
        for i, name in enumerate(plan.names)
    )
    return Distance(sources, len(steps))


def expected(plan: Plan, stages: Sequence[Stage], steps: Ints) -> Floats:
    """(S, K) draws of each source that the weights give before each of some steps."""
    before = draws_before(plan, steps).astype(np.float64)
    found = np.zeros((len(steps), len(plan.names)))
    done = 0.0
    for stage in stages:
        found += np.clip(before - done, 0, stage.draws)[:, np.newaxis] * stage.weights
        done += stage.draws
    return found


def _compared(plan: Plan, stages: Sequence[Stage]) -> Ints:
    most = max(2, _CELLS // len(plan.names))
    spread = np.linspace(0, plan.end, min(plan.end + 1, most)).astype(np.int64)
    return np.unique(np.concatenate([spread, [stage.stop for stage in stages]]))


def _chunks(steps: Ints, sources: int) -> Iterator[Ints]:
    size = max(1, _CHUNK // sources)
    for first in range(0, len(steps), size):
        yield steps[first : first + size]
