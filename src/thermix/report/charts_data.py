"""The numbers that the charts show: all of them asked of the plan, none computed a second way.

Arrays in the plan's order of sources; grouping and labels are `charts_cast.py`, drawing is in the
charts' own files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thermix.core.shares import grid_width
from thermix.plan.plan import Plan
from thermix.plan.segments import Segment

__all__ = [
    "chosen_temperatures",
    "curve_temperatures",
    "epochs_at",
    "expected_draws",
    "sampled_steps",
]

Float64 = NDArray[np.float64]
Ints = NDArray[np.int64]

_BLOCK = 1 << 18
_BETWEEN = 160
_MOST_CORNERS = 64
_LOWEST, _HIGHEST = 1e-4, 1e6


def sampled_steps(plan: Plan, points: int) -> Ints:
    """Return about `points` of the plan's steps, evenly, the first and the last among them.

    Both sides of an edit and of a corner of a schedule are there too, so that a jump is seen as one.
    """
    turns = [np.array([segment.start], np.int64) for segment in plan.segments[1:]]
    turns += [_corners(segment) for segment in plan.segments]
    turn = np.concatenate(turns)
    even = np.linspace(0, plan.end - 1, points).astype(np.int64)
    steps = np.unique(np.concatenate([even, turn - 1, turn]))
    return steps[(steps >= 0) & (steps < plan.end)]


def _corners(segment: Segment) -> Ints:
    """The segment's steps at which a piece of its schedule begins; none where there are very many."""
    timeline = segment.timeline
    clock, spans, width = timeline.clock, timeline.schedule.spans[1:], grid_width(timeline.span)
    if len(spans) > _MOST_CORNERS:
        return np.empty(0, np.int64)
    begins = np.array([float(clock.position(span.begin, "steps")) for span in spans])
    cells = np.ceil((begins - (width - 1) / 2) / width)  # the first whose middle, where T is taken, is there
    steps = timeline.origin + cells.astype(np.int64) * width
    return steps[(steps > segment.start) & (steps < segment.end)]


def expected_draws(plan: Plan, steps: Ints) -> Float64:
    """Return the draws that each source is owed before each step: its probabilities, added up.

    Args:
        plan: the plan.
        steps: (S,) increasing, in [0, end].

    Returns:
        (S, K) float64.

    Cost: one pass over the runs of the temperature grid, about 20 ns a source and run.
    """
    result = np.zeros((len(steps), len(plan.names)))
    before = np.zeros(len(plan.names))
    for segment in plan.segments:
        if segment.end <= segment.start:
            continue
        inside = (steps > segment.start) & (steps <= segment.end)
        owed = _owed(segment, np.append(steps[inside], segment.end), len(plan.names))
        result[inside] = before + owed[:-1]
        before = before + owed[-1]
    return result


def _owed(segment: Segment, steps: Ints, sources: int) -> Float64:
    """(S, K) draws owed from a segment's start to each of its steps."""
    edges = segment.shares.edges
    cuts = np.unique(np.concatenate([edges[edges < segment.end], steps]))
    runs = np.searchsorted(edges, cuts[:-1], side="right") - 1
    lengths = np.diff(cuts) * segment.batch_size
    wanted = np.searchsorted(cuts, steps) - 1  # the piece whose end the step is
    result = np.zeros((len(steps), sources))
    before = np.zeros(len(segment.names))
    block = max(1, _BLOCK // len(segment.names))
    for first in range(0, len(runs), block):
        part = slice(first, first + block)
        shares = segment.shares.compute(runs[part]) * 2.0**-32
        owed = before + np.cumsum(shares * lengths[part], axis=1).T
        here = (wanted >= first) & (wanted < first + block)
        result[here, : len(segment.names)] = owed[wanted[here] - first]
        before = owed[-1]
    return result


def epochs_at(plan: Plan, counts: Ints) -> Float64:
    """Return the passes over each source that (S, K) counts of draws are, the last one by its part."""
    streams = plan.segments[-1].streams
    columns = [
        [stream.epochs_at(count) for count in column]
        for stream, column in zip(streams, counts.T.tolist(), strict=True)
    ]
    return np.array(columns, np.float64).T


@dataclass(frozen=True)
class _Range:
    """The finite temperatures above 0 that a plan goes through."""

    low: float
    high: float

    @property
    def middle(self) -> float:
        return float(f"{np.sqrt(self.low) * np.sqrt(self.high):.2g}")


def _range_of(plan: Plan) -> _Range:
    temperatures = plan.temperature(sampled_steps(plan, 400))
    usual = temperatures[(temperatures > 0) & (temperatures < np.inf)]
    if not len(usual):
        return _Range(1.0, 1.0)
    low, high = (float(np.clip(t, _LOWEST, _HIGHEST)) for t in (usual.min(), usual.max()))
    return _Range(low, high)


def chosen_temperatures(plan: Plan) -> list[float]:
    """Return a few temperatures to compare: both limits (0 and inf), 1, and what the plan goes through.

    >>> from thermix import Mixture, Source, linear
    >>> mixture = Mixture({"a": Source(1.0, items=9), "b": Source(2.0, items=9)}, linear(5.0, 1.0))
    >>> chosen_temperatures(Plan(mixture, steps=1000, batch_size=4))
    [0.0, 1.0, 2.2, 5.0, inf]
    """
    span = _range_of(plan)
    inner = [span.low, span.middle, span.high, 1.0]
    if span.low == span.high:
        inner += [span.low / 2, span.low * 2]
    rounded = {float(f"{t:.3g}") for t in inner}
    return [0.0, *sorted(rounded), float("inf")]


def curve_temperatures(plan: Plan) -> Float64:
    """Return temperatures for a curve over log T, from well below to well above those of the plan."""
    span = _range_of(plan)
    return np.geomspace(min(0.05, span.low / 2), max(50.0, span.high * 2), _BETWEEN)
