"""Opening a segment: from what is wanted from a step on to a `Segment` that can count.

Checks what is wanted, places the schedule on its clock, bends the shares to the caps, and carries every
source's draws, deficit and epochs over from the segment before. Invariant: nothing of what comes after
the segment is used.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from thermix.core.bits import derive_key
from thermix.core.caps import drop, over_budget, spread
from thermix.core.draws import Era, Stream, grown
from thermix.core.multinomial import MultinomialCounts
from thermix.core.order import UNLIMITED, BalancedCounts
from thermix.core.shares import (
    MAX_DRAWS,
    MOST_OWED,
    ONE,
    SHARE_BITS,
    Shares,
    softmax_shares,
    split_runs,
)
from thermix.errors import PlanError
from thermix.plan.mixture import Mixture
from thermix.plan.segments import Counts, Rules, Segment, Timeline

__all__ = ["open_segment"]

Ints = NDArray[np.int64]

_MOST_RESCALED = 1 << 16


def open_segment(
    rules: Rules,
    mixture: Mixture,
    steps: tuple[int, int],
    batch_size: int,
    before: Segment | None,
    timeline: Timeline | None,
) -> Segment:
    """Open the segment of `steps` [start, planned end), after `before` (cut at the start) or as the first.

    Args:
        rules: of the plan.
        mixture: wanted from here on.
        steps: start and planned end.
        batch_size: draws in each step.
        before: the segment before, None for the first.
        timeline: the clock to keep, None for a new one from `start` to the planned end.

    Raises:
        PlanError: a cap below what is already drawn, budgets that do not cover the segment, a source
            that shrank, `multinomial` with caps.
    """
    start, planned_end = steps
    names = _all_names(before, mixture)
    drawn = np.zeros(len(names), np.int64)
    first_draw = 0
    if before is not None:
        drawn[: len(before.names)] = before.counts(np.array([start], np.int64))[0]
        first_draw = before.draws_before(start)
    if first_draw + (planned_end - start) * batch_size >= MAX_DRAWS:
        raise PlanError(
            f"steps, batch_size: {planned_end - start} steps of {batch_size} draws; a plan has fewer "
            "than 2^50 draws."
        )
    if timeline is None:
        batches = ((start, 0, batch_size),)
        timeline = Timeline(mixture.temperature, start, planned_end - start, batches, rules.sequence_length)
    streams = _streams(rules, names, mixture, before, drawn)
    budgets = _budgets(names, mixture, streams, drawn)
    opening = _Opening(rules, mixture, batch_size, names, drawn, budgets, timeline, steps)
    shares, counter, end, stopped_by = opening.solve(first_draw, before)
    return Segment(
        start=start,
        end=end,
        planned_end=planned_end,
        mixture=mixture,
        batch_size=batch_size,
        timeline=timeline,
        rules=rules,
        names=names,
        first_draw=first_draw,
        drawn=drawn,
        streams=streams,
        budgets=budgets,
        shares=shares,
        counter=counter,
        stopped_by=stopped_by,
    )


def _all_names(before: Segment | None, mixture: Mixture) -> tuple[str, ...]:
    old = before.names if before is not None else ()
    return (*old, *(name for name in mixture.names if name not in old))


def _streams(
    rules: Rules, names: tuple[str, ...], mixture: Mixture, before: Segment | None, drawn: Ints
) -> tuple[Stream, ...]:
    streams = list(before.streams) if before is not None else []
    for i, stream in enumerate(streams):
        source = mixture.sources.get(names[i])
        last = stream.eras[-1].items
        if source is None or source.items == last:
            continue
        if source.items < last:
            raise PlanError(
                f"sources.{names[i]}.items: got {source.items} after {last}; a source may grow, not shrink. "
                "End it and add what is left under another name."
            )
        streams[i] = Stream(stream.key, grown(stream.eras, int(drawn[i]), source.items))
    for name in names[len(streams) :]:
        key = derive_key(rules.seed, "items", name)
        streams.append(Stream(key, (Era(0, 0, mixture.sources[name].items),)))
    return tuple(streams)


def _budgets(
    names: tuple[str, ...], mixture: Mixture, streams: tuple[Stream, ...], drawn: Ints
) -> dict[int, int]:
    """Source -> draws its cap allows from the plan's start on."""
    budgets = {}
    for i, name in enumerate(names):
        source = mixture.sources.get(name)
        limit = None if source is None else source.epoch_limit(mixture.max_epochs)
        if source is None or limit is None:
            continue
        era = next(e for e in reversed(streams[i].eras) if e.first_epoch <= limit)
        budgets[i] = era.first_draw + math.floor((limit - era.first_epoch) * era.items)
        if budgets[i] < drawn[i]:
            raise PlanError(
                f"sources.{name}.max_epochs: it allows {budgets[i]} draws, {int(drawn[i])} are "
                "already drawn; "
                "a cap counts from the plan's start. Raise it, or end the source."
            )
        if budgets[i] < 1:
            raise PlanError(
                f"sources.{name}.max_epochs: {float(limit):g} epochs of {source.items} items is less "
                "than one draw. "
                "Raise it, or remove the source."
            )
    return budgets


@dataclass(frozen=True)
class _Opening:
    """The shares and counts of a segment about to be opened."""

    rules: Rules
    mixture: Mixture
    batch_size: int
    names: tuple[str, ...]
    drawn: Ints
    budgets: Mapping[int, int]
    timeline: Timeline
    steps: tuple[int, int]

    def solve(self, first_draw: int, before: Segment | None) -> tuple[Shares, Counts, int, str | None]:
        units = self.rules.units_per_step(self.batch_size)
        left = self._units_left()
        scores = self._scores(left)
        edges = split_runs(self.timeline.edges(*self.steps), max(1, MOST_OWED // units))
        plain = softmax_shares(edges, scores, lambda runs: self._temperatures(edges, runs))
        if self.rules.order == "multinomial":
            self._refuse_caps_with_multinomial()
            key = derive_key(self.rules.seed, "multinomial")
            first_unit = first_draw if self.rules.pick == "draw" else self.steps[0]
            return plain, MultinomialCounts(plain, key, first_unit, units), self.steps[1], None
        living = [i for i in range(len(scores)) if scores[i] > -np.inf]
        owed_before = self._deficits(before)
        deficits = _handed_over(owed_before, living, plain.weights())
        due_left = {i: (left[i] << SHARE_BITS) - int(deficits[i]) for i in left if i in set(living)}
        shares = self._shares(plain, scores, edges, units, due_left, left)
        limits = [left.get(i, UNLIMITED) for i in range(len(self.names))]
        if self.mixture.when_capped == "stop":
            free = BalancedCounts(shares, living, units, deficits, [UNLIMITED] * len(limits))
            end, by = self._stop(free, limits)
            return shares, free, end, by
        return shares, BalancedCounts(shares, living, units, deficits, limits), self.steps[1], None

    def _temperatures(self, edges: Ints, runs: Ints) -> NDArray[np.float64]:
        return self.timeline.temperatures(edges[runs])

    def _units_left(self) -> dict[int, int]:
        scale = self.rules.draws_per_unit(self.batch_size)
        return {i: (budget - int(self.drawn[i])) // scale for i, budget in self.budgets.items()}

    def _scores(self, left: Mapping[int, int]) -> NDArray[np.float64]:
        """-inf for sources that are not wanted, or may not be drawn any more."""
        scores = np.full(len(self.names), -np.inf)
        wanted = dict(zip(self.mixture.names, self.mixture.scores.tolist(), strict=True))
        for i, name in enumerate(self.names):
            if name in wanted and (left.get(i, 1) > 0 or self.mixture.when_capped in ("stop", "error")):
                scores[i] = wanted[name]
        if not (scores > -np.inf).any():
            raise PlanError(
                f"step {self.steps[0]}: every source has used up its budget, none is left to draw from. "
                "Raise max_epochs, or end the run here."
            )
        return scores

    def _deficits(self, before: Segment | None) -> Ints:
        deficits = np.zeros(len(self.names), np.int64)
        if before is not None:
            owed_before = before.counter.deficits(self.steps[0])
            old, new = (self.rules.draws_per_unit(size) for size in (before.batch_size, self.batch_size))
            deficits[: len(before.names)] = owed_before if old == new else _rescaled(owed_before, old, new)
        return deficits

    def _shares(
        self,
        plain: Shares,
        scores: NDArray[np.float64],
        edges: Ints,
        units: int,
        due_left: Mapping[int, int],
        left: Mapping[int, int],
    ) -> Shares:
        if not due_left or self.mixture.when_capped == "stop":
            return plain
        if self.mixture.when_capped == "error":
            self._refuse_if_over(plain, units, due_left)
            return plain
        self._refuse_if_uncovered(scores, units, left)
        temperatures = lambda runs: self._temperatures(edges, runs)  # noqa: E731
        bend = spread if self.mixture.when_capped == "spread" else drop
        return bend(scores, edges, temperatures, units, due_left)

    def _refuse_caps_with_multinomial(self) -> None:
        if self.budgets:
            name = self.names[min(self.budgets)]
            raise PlanError(
                f"sources.{name}.max_epochs: a cap with order: multinomial; independent draws cannot "
                "keep one exactly. "
                "Use order: balanced, or remove the cap."
            )

    def _refuse_if_over(self, plain: Shares, units: int, due_left: Mapping[int, int]) -> None:
        over = over_budget(plain, units, due_left)
        if over:
            i = min(over, key=lambda i: (due_left[i] - over[i], i))
            scale = self.rules.draws_per_unit(self.batch_size)
            asked = int(self.drawn[i]) + math.ceil(over[i] * scale / ONE)
            raise PlanError(
                f"sources.{self.names[i]}.max_epochs: it allows {self.budgets[i]:,} draws, the plan "
                f"asks for {asked:,}; "
                "with when_capped: error such a plan is refused. Raise the cap, or use when_capped: spread."
            )

    def _refuse_if_uncovered(self, scores: NDArray[np.float64], units: int, left: Mapping[int, int]) -> None:
        living = [i for i in range(len(scores)) if scores[i] > -np.inf]
        if any(i not in left for i in living):
            return
        start, end = self.steps
        needed, have = (end - start) * units, sum(left[i] for i in living)
        if have < needed:
            scale = self.rules.draws_per_unit(self.batch_size)
            factor = self._enough(living, needed)
            raise PlanError(
                f"max_epochs: the budgets of all sources add up to {have * scale:,} draws, steps {start} to "
                f"{end} need {needed * scale:,}. Raise max_epochs by a factor of at least {factor:g}, or end "
                f"the run at step {start + have // units}."
            )

    def _enough(self, living: list[int], needed: int) -> float:
        """The least factor, in four digits, for all caps by which the budgets cover `needed` decisions."""
        scale = self.rules.draws_per_unit(self.batch_size)
        allowed = sum(self.budgets[i] for i in living)
        drawn = sum(int(self.drawn[i]) for i in living)
        least = Fraction(needed * scale + drawn, allowed)
        digit = Fraction(10) ** (math.floor(math.log10(least)) - 3)

        def covers(digits: int) -> bool:
            budgets = {i: math.floor(digits * digit * self.budgets[i]) for i in living}
            return sum((budgets[i] - int(self.drawn[i])) // scale for i in living) >= needed

        first, last = (
            math.ceil(least / digit),
            math.ceil((least + Fraction(scale * len(living), allowed)) / digit),
        )
        digits = bisect_left(range(first, last + 1), True, key=covers) + first
        return float(digits * digit)

    def _stop(self, counter: BalancedCounts, limits: list[int]) -> tuple[int, str | None]:
        """Where the first budget would be passed: the last step by which none is, and whose it is."""
        start, end = self.steps
        most = np.array(limits)

        def passed(step: int) -> NDArray[np.bool_]:
            return np.asarray(counter.at(np.array([step]))[0] > most)

        if not passed(end).any():
            return end, None
        low, high = start, end
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if passed(middle).any() else (middle, high)
        by = self.names[int(np.argmax(passed(high)))]
        if low == 0:
            raise PlanError(
                f"sources.{by}.max_epochs: the very first step passes its budget; with when_capped: "
                "stop the plan "
                "would have no step. Raise the cap, or use a smaller batch."
            )
        return low, by


def _rescaled(deficits: Ints, old: int, new: int) -> Ints:
    """Deficits in picks of `old` draws as picks of `new`, still summing to 0; no deficit over 2^17 picks.

    The limit keeps `order` exact; a plan passes it where a batch becomes over 65,536 times smaller.
    """
    ratio = min(Fraction(old, new), Fraction(_MOST_RESCALED))
    scaled = np.array([int(d * ratio) for d in deficits.tolist()], np.int64)
    scaled[int(np.argmax(np.abs(scaled)))] -= int(scaled.sum())
    return scaled


def _handed_over(deficits: Ints, living: list[int], weights: Ints) -> Ints:
    """Deficits where sources that are not living hand theirs to the living, in proportion to weight."""
    result = np.zeros_like(deficits)
    result[living] = deficits[living]
    rest = int(deficits.sum()) - int(result.sum())
    total = int(weights.sum())
    for i in living:
        result[i] += rest * int(weights[i]) // total
    result[max(living, key=lambda i: (int(weights[i]), -i))] -= int(result.sum())
    return result
