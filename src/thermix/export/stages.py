"""A plan cut into stages of constant weights, as near to it as so many stages come.

Invariant: with the weights of `cut_stages`, every source has at the end of each stage as many draws as the
plan gives it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import gcd

import numpy as np
from numpy.typing import NDArray

from thermix.plan.plan import Plan
from thermix.plan.segments import Segment

__all__ = ["Stage", "cut_stages", "draws_before", "starts"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_WORK = 2e8  # cells looked at for the cuts: a second or two
_MOST_PLACES = 513
_NEAR = 2.0  # draws: what the plan itself may be off its expectation


@dataclass(frozen=True, eq=False)
class Stage:
    """Steps in which the weights stay.

    Attributes:
        start, stop: steps [start, stop).
        draws: in them.
        counts: (K,) of these, what the plan draws from each source.
        weights: (K,) share of each source in the stage, as written for the trainer; they sum to 1.
    """

    start: int
    stop: int
    draws: int
    counts: Ints
    weights: Floats


def cut_stages(plan: Plan, most: int, *, unit: int = 1) -> list[Stage]:
    """Cut a plan where the largest deviation of any source at any step becomes least.

    In a stage a source is drawn at the rate of its draws in it, so that its count runs along a chord of the
    plan's count; the deviation is how far the chord is from the curve. The cuts are the best ones among
    several hundred places, by dynamic programming. Evenly spaced cuts would spend stages where the
    temperature stands still.

    Args:
        plan: to cut.
        most: stages, at least 1; fewer are made where more come no nearer than 2 draws.
        unit: stages begin where the draws before them are a multiple of so many.

    Returns:
        The stages in order, with the plan's own shares as weights.

    Cost: P^3 K / 6 cells for K sources and P places, P <= 513 and less for many sources.
    """
    places = _places(plan, unit)
    counts = plan.counts(places).astype(np.float64)
    cuts = _best_cuts(counts, draws_before(plan, places).astype(np.float64), most)
    edges = places[cuts]
    return [_stage(plan, start, stop) for start, stop in pairwise(edges.tolist())]


def draws_before(plan: Plan, steps: Ints) -> Ints:
    """(S,) draws of the run before each of some steps."""
    found = np.zeros(len(steps), np.int64)
    for segment in plan.segments:
        inside = steps >= segment.start
        last = np.minimum(steps[inside], segment.end)
        found[inside] = segment.first_draw + (last - segment.start) * segment.batch_size
    return found


def _stage(plan: Plan, start: int, stop: int) -> Stage:
    edges = np.array([start, stop])
    draws = int(np.diff(draws_before(plan, edges))[0])
    first, last = plan.counts(edges)
    return Stage(start, stop, draws, last - first, (last - first) / draws)


def starts(segment: Segment, unit: int) -> range:
    """The steps of a segment before which the run's draws are a multiple of `unit`."""
    common = gcd(segment.batch_size, unit)
    if segment.first_draw % common:
        return range(0)
    period = unit // common
    offset = -segment.first_draw // common * pow(segment.batch_size // common, -1, period) % period
    return range(segment.start + offset, segment.end, period)


def _places(plan: Plan, unit: int) -> Ints:
    """Steps at which a stage may begin: 0 and the end, edits, and others evenly spread."""
    many = min(_MOST_PLACES, max(3, round((6 * _WORK / len(plan.names)) ** (1 / 3))))
    found = [np.array([0, plan.end])]
    for segment in plan.segments:
        possible = starts(segment, unit)
        share = max(2, many * (segment.end - segment.start) // plan.end)
        chosen = np.linspace(0, len(possible) - 1, min(share, len(possible))).astype(np.int64)
        found.append(possible.start + chosen * possible.step)
    return np.unique(np.concatenate(found))


def _best_cuts(counts: Floats, draws: Floats, most: int) -> list[int]:
    """Indices of places, the first and the last among them, where the worst stage is best."""
    worst = _deviations(counts, draws)
    last = len(draws) - 1
    best = worst[0].copy()  # up to each place, with one stage
    before: list[Ints] = []
    reached = [float(best[last])]
    while len(reached) < min(most, last):
        through = np.maximum(best[:, np.newaxis], worst)
        before.append(through.argmin(axis=0))
        best = through.min(axis=0)
        reached.append(float(best[last]))
    stages = next(i for i, each in enumerate(reached) if each <= max(_NEAR, reached[-1]))
    cuts = [last]
    for choice in reversed(before[:stages]):
        cuts.append(int(choice[cuts[-1]]))
    return sorted({0, *cuts})


def _deviations(counts: Floats, draws: Floats) -> Floats:
    """(P, P): how far a stage from one place to another is from the plan, in draws; inf backwards."""
    places = len(draws)
    worst = np.full((places, places), np.inf)
    for start in range(places - 1):
        rise, run = counts[start + 1 :] - counts[start], draws[start + 1 :] - draws[start]
        for length in range(1, places - start):
            slope = rise[length - 1] / run[length - 1]
            off = rise[: length - 1] - run[: length - 1, np.newaxis] * slope
            worst[start, start + length] = np.abs(off).max(initial=0.0)
    return worst
