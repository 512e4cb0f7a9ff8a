"""Segments: the spans of a run under one mixture, as values that can count.

`opening` makes them; an edit cuts the last one and opens the next.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from thermix.core.clock import Clock
from thermix.core.draws import Stream
from thermix.core.schedule import Schedule
from thermix.core.shares import ONE, Shares, grid_edges, grid_middles
from thermix.plan.mixture import Mixture

__all__ = ["Counts", "Order", "Pick", "Rules", "Segment", "Timeline"]

Ints = NDArray[np.int64]
Order = Literal["balanced", "multinomial"]
Pick = Literal["draw", "batch"]


@dataclass(frozen=True)
class Rules:
    """What holds for the whole of a plan, whatever is edited."""

    seed: int
    order: Order
    pick: Pick
    sequence_length: int | None

    def units_per_step(self, batch_size: int) -> int:
        """Decisions in a step: one a draw, or one for the whole batch."""
        return 1 if self.pick == "batch" else batch_size

    def draws_per_unit(self, batch_size: int) -> int:
        """Draws that one decision takes."""
        return batch_size if self.pick == "batch" else 1


class Counts(Protocol):
    """What counts the decisions of a segment: `BalancedCounts` or `MultinomialCounts`."""

    def at(self, steps: Ints) -> Ints:
        """(S, K) decisions for each source before increasing steps."""
        ...

    def deficits(self, step: int) -> Ints:
        """(K,) decisions owed minus made before a step, in units of 2^-32."""
        ...

    def owed(self, step: int) -> list[int]:
        """K decisions owed from the start to a step after it, in units of 2^-32."""
        ...

    def coarse_steps(self) -> Ints:
        """Steps, start and end among them, whose counts are cheap."""
        ...


@dataclass(frozen=True)
class Timeline:
    """A schedule on its clock, in steps of the run.

    Attributes:
        schedule: the temperature.
        origin: the step at which its clock stands at 0.
        span: steps from there to 100 %.
        batches: (first step, draws since the origin, batch size), from the origin on.
        sequence_length: tokens a draw, None where not known.
    """

    schedule: Schedule
    origin: int
    span: int
    batches: tuple[tuple[int, int, int], ...]
    sequence_length: int | None

    @property
    def clock(self) -> Clock:
        """The clock the schedule sees: steps and draws since the origin."""
        breaks = tuple((step - self.origin, draws, batch) for step, draws, batch in self.batches)
        return Clock(self.span, breaks, self.sequence_length)

    def still(self) -> int:
        """The first step from which the temperature is constant."""
        return self.origin + math.ceil(self.clock.position(self.schedule.last_moment(), "steps"))

    def temperatures(self, steps: Ints) -> NDArray[np.float64]:
        """The temperature at each step: that of its cell of the temperature grid."""
        middles = grid_middles(steps, self.origin, self.span)
        return self.schedule.temperatures(middles, self.clock)

    def edges(self, start: int, stop: int) -> Ints:
        """Steps [start, stop) cut into runs of one temperature."""
        return grid_edges(start, stop, self.origin, self.span, self.still())

    def with_batch(self, step: int, batch_size: int) -> Timeline:
        """The same clock where the batch size changes at a step."""
        last_step, last_draws, last_batch = self.batches[-1]
        if batch_size == last_batch:
            return self
        draws = last_draws + (step - last_step) * last_batch
        return replace(self, batches=(*self.batches, (step, draws, batch_size)))


@dataclass(frozen=True)
class Segment:
    """A span of steps under one mixture, able to count; sources are numbered as in the whole plan.

    Attributes:
        start, end: steps [start, end); `end` is where the next edit or the plan's end cuts it.
        planned_end: where it was to end when it was opened.
        mixture: what is wanted in it.
        batch_size: draws in each of its steps.
        timeline: its schedule on its clock.
        rules: of the plan.
        names: of all the plan's sources so far.
        first_draw: the run's draws before it.
        drawn: (K,) draws of each source before it.
        streams: K items streams.
        budgets: source -> draws its cap allows in all, from the plan's start.
        shares: what every source is owed.
        counter: what counts.
        stopped_by: the source whose budget ends the plan at `end`, if one does.
    """

    start: int
    end: int
    planned_end: int
    mixture: Mixture
    batch_size: int
    timeline: Timeline
    rules: Rules
    names: tuple[str, ...]
    first_draw: int
    drawn: Ints
    streams: tuple[Stream, ...]
    budgets: Mapping[int, int]
    shares: Shares
    counter: Counts
    stopped_by: str | None = None

    def counts(self, steps: Ints) -> Ints:
        """(S, K) draws of each source from the plan's start to each of some increasing steps."""
        return self.drawn + self.counter.at(steps) * self.rules.draws_per_unit(self.batch_size)

    def draws_before(self, step: int) -> int:
        """The run's draws before a step of the segment."""
        return self.first_draw + (step - self.start) * self.batch_size

    def cut(self, end: int) -> Segment:
        """The same segment, ended sooner."""
        return replace(self, end=end)

    def expected(self) -> list[float]:
        """Draws owed to each source in [start, end), K of them."""
        if self.end == self.start:
            return [0.0] * len(self.names)
        scale = self.rules.draws_per_unit(self.batch_size)
        return [due * scale / ONE for due in self.counter.owed(self.end)]
