"""Schedules of one piece: constant, or from one temperature to another.

All `Schedule`s; their public, lowercase names and the way they follow each other are in
`schedule.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from thermix.core.clock import Moment
from thermix.core.schedule_base import (
    Range,
    Schedule,
    check_moments,
    check_temperature,
    moment_text,
)
from thermix.core.spans import Shape, Span

__all__ = ["Constant", "Cosine", "Geometric", "InverseLinear", "Linear"]


@dataclass(frozen=True, repr=False)
class Constant(Schedule):
    """One temperature; as a piece of a join also called `hold`.

    `T = value`

    Args:
        value: T in [0, inf].
        until: Where it ends as a piece of a join; alone it makes no difference.

    Raises:
        InvalidInput: `value` is out of range, or `until` is not a moment after 0.

    >>> from thermix import constant
    >>> constant(2.0)(0.0), constant(2.0)(1.0)
    (2.0, 2.0)
    """

    name: ClassVar[str] = "constant"
    value: float
    until: str = "100%"

    def __post_init__(self) -> None:
        value = check_temperature("constant.value", self.value)
        self._settle(value=value, until=moment_text("constant.until", self.until))

    def spans_from(self, begin: Moment) -> tuple[Span, ...]:
        """One hold."""
        (end,) = check_moments(begin, [("constant.until", self.until)])
        return (Span(begin, end, "hold", self.value, self.value),)


@dataclass(frozen=True, repr=False)
class _Ramp(Schedule):
    """From one temperature to another; subclasses say in which way."""

    shape: ClassVar[Shape]
    allowed: ClassVar[Range] = "finite"
    start: float
    end: float
    until: str = "100%"

    def __post_init__(self) -> None:
        start = check_temperature(f"{self.name}.start", self.start, self.allowed)
        end = check_temperature(f"{self.name}.end", self.end, self.allowed)
        self._settle(start=start, end=end, until=moment_text(f"{self.name}.until", self.until))

    def spans_from(self, begin: Moment) -> tuple[Span, ...]:
        """One ramp."""
        (until,) = check_moments(begin, [(f"{self.name}.until", self.until)])
        return (Span(begin, until, self.shape, self.start, self.end),)


@dataclass(frozen=True, repr=False)
class Linear(_Ramp):
    """Evenly in T from `start` to `end`.

    `T = start + (end - start) * u`, with u = progress / until; `end` is held after `until`.

    Args:
        start: T at the beginning, in [0, inf).
        end: T at `until`, in [0, inf).
        until: Where `end` is reached: "80%", "8000 steps", "1.5M draws", "10B tokens".

    Raises:
        InvalidInput: A temperature is out of range, or `until` is not a moment after 0.

    >>> from thermix import linear
    >>> down = linear(5.0, 1.0, until="80%")
    >>> down(0.0), down(0.4), down(0.8), down(1.0)
    (5.0, 3.0, 1.0, 1.0)
    >>> linear(1.0, 5.0)(0.25)
    2.0
    """

    name: ClassVar[str] = "linear"
    shape: ClassVar[Shape] = "linear"


@dataclass(frozen=True, repr=False)
class InverseLinear(_Ramp):
    """Evenly in 1/T (the coldness, or alpha) from `start` to `end`, as in simulated annealing.

    `1/T = 1/start + (1/end - 1/start) * u`, with u = progress / until; `end` is held after `until`.

    Args:
        start: T at the beginning, in [1e-300, inf]; inf starts from the uniform mixture.
        end: T at `until`, in [1e-300, inf].
        until: Where `end` is reached, with its unit.

    Raises:
        InvalidInput: A temperature is out of range, or `until` is not a moment after 0.

    >>> from thermix import inverse_linear
    >>> cool = inverse_linear(float("inf"), 1.0, until="80%")
    >>> cool(0.0), cool(0.4), cool(0.8), cool(1.0)
    (inf, 2.0, 1.0, 1.0)
    >>> inverse_linear(1.0, 5.0)(0.5).__round__(4)
    1.6667
    """

    name: ClassVar[str] = "inverse_linear"
    shape: ClassVar[Shape] = "inverse"
    allowed: ClassVar[Range] = "inverse"


@dataclass(frozen=True, repr=False)
class Geometric(_Ramp):
    """By equal factors from `start` to `end`.

    `T = start * (end / start)^u`, with u = progress / until; `end` is held after `until`.

    Args:
        start: T at the beginning, in [1e-150, 1e150].
        end: T at `until`, in [1e-150, 1e150].
        until: Where `end` is reached, with its unit.

    Raises:
        InvalidInput: A temperature is out of range, or `until` is not a moment after 0.

    >>> from thermix import geometric
    >>> cool = geometric(4.0, 1.0, until="80%")
    >>> cool(0.0), cool(0.4).__round__(12), cool(0.8), cool(1.0)
    (4.0, 2.0, 1.0, 1.0)
    """

    name: ClassVar[str] = "geometric"
    shape: ClassVar[Shape] = "geometric"
    allowed: ClassVar[Range] = "geometric"


@dataclass(frozen=True, repr=False)
class Cosine(_Ramp):
    """Along half a cosine from `start` to `end`: slow at both ends.

    `T = end + (start - end) * (1 + cos(pi u)) / 2`, with u = progress / until; `end` is held after.

    Args:
        start: T at the beginning, in [0, inf).
        end: T at `until`, in [0, inf).
        until: Where `end` is reached, with its unit.

    Raises:
        InvalidInput: A temperature is out of range, or `until` is not a moment after 0.

    >>> from thermix import cosine
    >>> cool = cosine(5.0, 1.0, until="80%")
    >>> cool(0.0), cool(0.4), cool(0.8), cool(1.0)
    (5.0, 3.0, 1.0, 1.0)
    """

    name: ClassVar[str] = "cosine"
    shape: ClassVar[Shape] = "cosine"
