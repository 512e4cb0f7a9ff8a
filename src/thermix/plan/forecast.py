"""The forecast: what a plan does to every source, from sizes alone.

The same numbers as `thermix plan --json`, under the same names. Nothing here decides anything; all of
it is read off the plan.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thermix.core.temperature import effective_sources, entropy
from thermix.plan.mixture import Unit
from thermix.plan.notebook import notebook_html
from thermix.plan.plan import Plan
from thermix.plan.segments import Segment

__all__ = ["Forecast", "SourceForecast", "forecast"]

Ints = NDArray[np.int64]

_CURVE_POINTS = 101
_FAN = 64  # narrower costs more calls, wider more steps of every source


@dataclass(frozen=True)
class SourceForecast:
    """What a plan does to one source.

    Attributes:
        name: the source.
        score: its log weight, as it is at last; None for weight 0.
        items: its size, in `unit`, at the plan's end.
        unit: what an item is.
        share_first, share_mean, share_last: its probability at the first step, on average over the
            plan's draws, and at the last step.
        expected_draws: the sum of its probabilities over all draws.
        draws: how often it is drawn, exactly.
        epochs: passes over it, the last one by its part.
        first_repeat_step: the step that draws an item of it for the second time; None if none does.
        end_step: the step from which on it is drawn no more, because its budget is used up or an edit
            ended it; None if it lasts.
        capped: whether its budget is used up, to within one draw.
    """

    name: str
    score: float | None
    items: int
    unit: Unit
    share_first: float
    share_mean: float
    share_last: float
    expected_draws: float
    draws: int
    epochs: float
    first_repeat_step: int | None
    end_step: int | None
    capped: bool

    @property
    def never_drawn(self) -> bool:
        """Whether no draw of the whole plan comes from it."""
        return self.draws == 0


@dataclass(frozen=True, eq=False)
class Forecast:
    """What a plan does to every source, and how its temperature goes.

    Attributes:
        plan: what is forecast.
        sources: one a source, in the plan's order.
        steps: (P,) evenly spaced steps, the first and the last among them.
        temperature, entropy, effective_sources: (P,) float64 at those steps; the entropy in nats, the
            effective number of sources its exponential.
        shares: (P, K) probabilities at those steps.
        counts: (P, K) draws before those steps.
    """

    plan: Plan
    sources: tuple[SourceForecast, ...]
    steps: Ints
    temperature: NDArray[np.float64]
    entropy: NDArray[np.float64]
    effective_sources: NDArray[np.float64]
    shares: NDArray[np.float64]
    counts: Ints

    def __getitem__(self, name: str) -> SourceForecast:
        for source in self.sources:
            if source.name == name:
                return source
        raise KeyError(name)

    def __iter__(self) -> Iterator[SourceForecast]:
        return iter(self.sources)

    def _repr_html_(self) -> str | None:
        return notebook_html(self)


def forecast(plan: Plan) -> Forecast:
    """Forecast a plan: expected and exact draws, epochs, repeats and ends of every source.

    Cost: one scan of the plan's temperature grid (at most 131,072 runs a segment), about 60 ns a source
    and run; then a few thousand runs for each source to find its steps. The length of the plan is free.
    """
    steps = np.unique(np.linspace(0, plan.end - 1, _CURVE_POINTS).astype(np.int64))
    known = _known_counts(plan, steps)
    expected = _expected(plan)
    shares = plan.probabilities(steps)
    return Forecast(
        plan=plan,
        sources=tuple(_forecast_source(plan, i, known, expected[i], shares) for i in range(len(plan.names))),
        steps=steps,
        temperature=plan.temperature(steps),
        entropy=np.asarray(entropy(shares)),
        effective_sources=np.asarray(effective_sources(shares)),
        shares=shares,
        counts=known[1][np.searchsorted(known[0], steps)],
    )


def _known_counts(plan: Plan, wanted: Ints) -> tuple[Ints, Ints]:
    """Steps all over the plan, its start, its end and those wanted among them; the counts (S, K) before each.

    One scan, for all that is read off counts.
    """
    steps = [segment.counter.coarse_steps() for segment in plan.segments]
    inside = [s[s <= segment.end] for s, segment in zip(steps, plan.segments, strict=True)]
    merged = np.unique(np.concatenate([*inside, wanted, [plan.end]]))
    return merged, plan.counts(merged)


def _expected(plan: Plan) -> list[float]:
    totals = np.zeros(len(plan.names))
    for segment in plan.segments:
        totals[: len(segment.names)] += segment.expected()
    return [float(total) for total in totals]


def _forecast_source(
    plan: Plan, i: int, known: tuple[Ints, Ints], expected: float, shares: NDArray[np.float64]
) -> SourceForecast:
    last = next(s for s in reversed(plan.segments) if _holds(s, i))
    stream = plan.segments[-1].streams[i]
    draws = int(known[1][-1, i])
    repeat = stream.first_repeat(draws)
    name = plan.names[i]
    score = last.mixture.sources[name].log_weight
    return SourceForecast(
        name=name,
        score=score if score > -np.inf else None,
        items=stream.eras[-1].items,
        unit=last.mixture.sources[name].unit,
        share_first=float(shares[0, i]),
        share_mean=expected / plan.draws,
        share_last=float(shares[-1, i]),
        expected_draws=expected,
        draws=draws,
        epochs=stream.epochs_at(draws),
        first_repeat_step=None if repeat is None else _step_of_draw(plan, i, repeat, known),
        end_step=_end_step(plan, i, draws, known, last),
        capped=_used_up(last, i, draws),
    )


def _holds(segment: Segment, i: int) -> bool:
    return i < len(segment.names) and segment.names[i] in segment.mixture.sources


def _end_step(plan: Plan, i: int, draws: int, known: tuple[Ints, Ints], last: Segment) -> int | None:
    """The step after the one that uses up its budget, or at which an edit ended it; None if it lasts."""
    used_up = _used_up(last, i, draws)
    step = _step_of_draw(plan, i, draws - 1, known) + 1 if used_up else last.end
    return step if step < plan.end else None


def _used_up(last: Segment, i: int, draws: int) -> bool:
    budget = last.budgets.get(i)
    return budget is not None and draws > 0 and budget - draws <= last.rules.draws_per_unit(last.batch_size)


def _step_of_draw(plan: Plan, i: int, draw: int, known: tuple[Ints, Ints]) -> int:
    """The step that holds a source's draw number `draw` (from 0), which the plan reaches."""
    steps, counts = known[0], known[1][:, i]
    while True:
        after = int(np.searchsorted(counts, draw, side="right"))
        low, high = int(steps[after - 1]), int(steps[after])
        if high - low == 1:
            return low
        steps = np.unique(np.linspace(low, high, min(high - low, _FAN) + 1).astype(np.int64))
        counts = plan.counts(steps)[:, i]
