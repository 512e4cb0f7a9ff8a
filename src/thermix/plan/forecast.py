"""The forecast: what a plan does to every source, from sizes alone.

The same numbers as `thermix plan --json`, under the same names. Nothing here decides anything; all of
it is read off the plan.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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
_CELLS = 1 << 22  # counts (step, source) asked for at a time


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
    and run; then a few thousand runs around the steps that are looked for. The length of the plan is free.
    """
    steps = np.unique(np.linspace(0, plan.end - 1, _CURVE_POINTS).astype(np.int64))
    known = _known_counts(plan, steps)
    expected = _expected(plan)
    shares = plan.probabilities(steps)
    ends = _ends(plan, known)
    return Forecast(
        plan=plan,
        sources=tuple(
            _forecast_source(plan, i, known[1][-1, i], expected[i], shares, ends)
            for i in range(len(plan.names))
        ),
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


class _Draw(NamedTuple):
    """A draw of a source, by its number among the source's draws, from 0."""

    source: int
    number: int


@dataclass(frozen=True)
class _Ends:
    """Steps of some sources, each None where there is no such step.

    Attributes:
        repeat: that draws an item for the second time.
        used_up: that uses up the budget.
    """

    repeat: list[int | None]
    used_up: list[int | None]


def _ends(plan: Plan, known: tuple[Ints, Ints]) -> _Ends:
    """The steps of all sources, found together."""
    sources = range(len(plan.names))
    draws: list[int] = known[1][-1].tolist()
    streams, last = plan.segments[-1].streams, [_last(plan, i) for i in sources]
    repeats = [streams[i].first_repeat(draws[i]) for i in sources]
    final = [draws[i] - 1 if _used_up(last[i], i, draws[i]) else None for i in sources]
    wanted = [_Draw(i, n) for numbers in (repeats, final) for i, n in enumerate(numbers) if n is not None]
    steps = dict(zip(wanted, _steps_of_draws(plan, wanted, known), strict=True))

    def step_of(i: int, number: int | None) -> int | None:
        return None if number is None else steps[_Draw(i, number)]

    return _Ends(list(map(step_of, sources, repeats)), list(map(step_of, sources, final)))


def _forecast_source(
    plan: Plan, i: int, draws: np.int64, expected: float, shares: NDArray[np.float64], ends: _Ends
) -> SourceForecast:
    last, stream, name = _last(plan, i), plan.segments[-1].streams[i], plan.names[i]
    score, used_up = last.mixture.sources[name].log_weight, ends.used_up[i]
    end = last.end if used_up is None else used_up + 1
    return SourceForecast(
        name=name,
        score=score if score > -np.inf else None,
        items=stream.eras[-1].items,
        unit=last.mixture.sources[name].unit,
        share_first=float(shares[0, i]),
        share_mean=expected / plan.draws,
        share_last=float(shares[-1, i]),
        expected_draws=expected,
        draws=int(draws),
        epochs=stream.epochs_at(int(draws)),
        first_repeat_step=ends.repeat[i],
        end_step=end if end < plan.end else None,
        capped=used_up is not None,
    )


def _last(plan: Plan, i: int) -> Segment:
    """The last segment that has a source."""
    return next(s for s in reversed(plan.segments) if i < len(s.names) and s.names[i] in s.mixture.sources)


def _used_up(last: Segment, i: int, draws: int) -> bool:
    budget = last.budgets.get(i)
    return budget is not None and draws > 0 and budget - draws <= last.rules.draws_per_unit(last.batch_size)


def _steps_of_draws(plan: Plan, wanted: Sequence[_Draw], known: tuple[Ints, Ints]) -> list[int]:
    """The steps that hold some draws, which the plan reaches.

    All are narrowed down in the same rounds, so that runs where several lie are scanned once.
    """
    found = [_between(draw, known) for draw in wanted]
    together = max(1, _CELLS // ((_FAN + 1) * len(plan.names)))
    while open_ := sorted((span, n) for n, span in enumerate(found) if span[1] - span[0] > 1):
        for first in range(0, len(open_), together):
            group = open_[first : first + together]
            fans = [np.linspace(low, high, min(high - low, _FAN) + 1) for (low, high), _ in group]
            steps = np.unique(np.concatenate(fans).astype(np.int64))
            narrowed = steps, plan.counts(steps)
            for _, n in group:
                found[n] = _between(wanted[n], narrowed)
    return [low for low, _ in found]


def _between(draw: _Draw, known: tuple[Ints, Ints]) -> tuple[int, int]:
    """Two neighbours of the known steps: the draw is made at or after the first and before the second."""
    steps, counts = known
    after = int(np.searchsorted(counts[:, draw.source], draw.number, side="right"))
    return int(steps[after - 1]), int(steps[after])
