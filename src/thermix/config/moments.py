"""Moments of a run as whole steps: where an edit stands, and how long a run is.

Exact, in whole numbers and fractions. Two rules: an edit at a moment between two steps begins with the
later one, as a piece of a schedule does; a run's length in draws or tokens is the whole steps in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

from thermix.core.clock import Moment

__all__ = ["RunClock"]


@dataclass(frozen=True)
class RunClock:
    """Draws of a run from its first step on.

    Args:
        breaks: (first step, draws before it, batch size) of each span of one batch size.
        steps: the steps that the top of the file gives: what percent are of, whatever edits change.
        sequence_length: tokens of a draw.

    >>> clock = RunClock(((0, 0, 8),), steps=100, sequence_length=2).with_batch(50, 16)
    >>> clock.first_step_at(Moment.parse("12.5%")), clock.first_step_at(Moment.parse("401 draws"))
    (13, 51)
    >>> clock.whole_steps(Moment.parse("831 tokens"))
    (50, Fraction(31, 1))
    """

    breaks: tuple[tuple[int, int, int], ...]
    steps: int = 0
    sequence_length: int | None = None

    def first_step_at(self, moment: Moment | int) -> int:
        """The first step that begins at the moment or after it."""
        return moment if isinstance(moment, int) else math.ceil(self._position(moment))

    def whole_steps(self, moment: Moment | int) -> tuple[int, Fraction]:
        """The whole steps of a run that ends at the moment, and what is left over, in the moment's unit."""
        if isinstance(moment, int):
            return moment, Fraction(0)
        steps = math.floor(self._position(moment))
        first, before, batch = [span for span in self.breaks if span[0] <= steps][-1]
        draws = before + (steps - first) * batch
        return steps, moment.value - draws * self._per_draw(moment)

    def with_batch(self, step: int, batch_size: int) -> RunClock:
        """The clock where the batch size is another from a step on."""
        first, before, batch = self.breaks[-1]
        return replace(self, breaks=(*self.breaks, (step, before + (step - first) * batch, batch_size)))

    def _per_draw(self, moment: Moment) -> int:
        return (self.sequence_length or 1) if moment.unit == "tokens" else 1

    def _position(self, moment: Moment) -> Fraction:
        if moment.unit == "steps":
            return moment.value
        if moment.unit == "percent":
            return moment.value * self.steps / 100
        draws = moment.value / self._per_draw(moment)
        first, before, batch = [span for span in self.breaks if span[1] <= draws][-1]
        return first + (draws - before) / batch
