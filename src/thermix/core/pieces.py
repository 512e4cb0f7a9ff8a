"""Schedules of several pieces: steps, lines through points, warm-up and hold, and any joined.

All `Schedule`s; their public, lowercase names are in `schedule.py`. Pieces never overlap and leave
no gap; what can be told without a run is refused when the schedule is made, the rest when it is
placed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from thermix.core.clock import Moment
from thermix.core.schedule_base import (
    Schedule,
    check_moments,
    check_sequence,
    check_temperature,
    moment_text,
    pasteable,
)
from thermix.core.spans import Span
from thermix.errors import InvalidInput

__all__ = ["Join", "Piecewise", "Step", "WarmupHold"]


@dataclass(frozen=True, repr=False)
class Step(Schedule):
    """One temperature after another, changing at once.

    `T = values[k]`, with k = how many moments of `at` are reached; the last value is held.

    Args:
        values: Temperatures in [0, inf], one more than `at`.
        at: Where the next value begins, in order; the moment itself has the next value.
        until: Where it ends as a piece that others follow in a join; not needed elsewhere.

    Raises:
        InvalidInput: A temperature is out of range, moments are not in order, or numbers differ.

    >>> from thermix import step
    >>> down = step((5.0, 2.0, 1.0), at=("30%", "70%"))
    >>> down([0.0, 0.29, 0.3, 0.7, 1.0])
    array([5., 5., 2., 1., 1.])
    """

    name: ClassVar[str] = "step"
    values: tuple[float, ...]
    at: tuple[str, ...]
    until: str | None = None

    def __post_init__(self) -> None:
        values = check_sequence("step.values", self.values)
        at = check_sequence("step.at", self.at)
        if len(values) != len(at) + 1 or not at:
            raise InvalidInput(
                f"step: got {len(values)} values and {len(at)} moments; there must be one value "
                "more than moments, and a moment at least. Use constant for one value."
            )
        self._settle(
            values=tuple(check_temperature(f"step.values[{i}]", v) for i, v in enumerate(values)),
            at=tuple(moment_text(f"step.at[{i}]", text) for i, text in enumerate(at)),
            until=None if self.until is None else moment_text("step.until", self.until),
        )

    def spans_from(self, begin: Moment) -> tuple[Span, ...]:
        """One hold a value; the last one open where there is no `until`."""
        texts: list[tuple[str, object]] = [(f"step.at[{i}]", t) for i, t in enumerate(self.at)]
        texts += [] if self.until is None else [("step.until", self.until)]
        ends: list[Moment | None] = [*check_moments(begin, texts)]
        ends += [None] if self.until is None else []
        begins = [begin, *ends]
        return tuple(
            Span(first, end, "hold", value, value)
            for first, end, value in zip(begins, ends, self.values, strict=False)
            if first is not None
        )


@dataclass(frozen=True, repr=False)
class Piecewise(Schedule):
    """Straight lines through points.

    `T = T_k + (T_k+1 - T_k) * u` between points k and k + 1, u going from 0 to 1 between their
    moments. Before the first point its T is held, and after the last point its T.

    Args:
        points: Two or more (moment, T in [0, inf)), moments in order. For a jump, join two of them.

    Raises:
        InvalidInput: A temperature is out of range, or moments are not in order.

    >>> from thermix import piecewise
    >>> bent = piecewise(("0%", 5.0), ("50%", 2.0), ("80%", 1.0))
    >>> bent([0.0, 0.25, 0.5, 0.65, 0.8, 1.0])
    array([5. , 3.5, 2. , 1.5, 1. , 1. ])
    """

    name: ClassVar[str] = "piecewise"
    points: tuple[tuple[str, float], ...]

    def __post_init__(self) -> None:
        points = check_sequence("piecewise.points", self.points)
        if len(points) < 2:
            raise InvalidInput(
                f"piecewise.points: got {len(points)}; a line needs two points. "
                "Use constant for one temperature."
            )
        self._settle(points=tuple(_point(i, point) for i, point in enumerate(points)))

    def spans_from(self, begin: Moment) -> tuple[Span, ...]:
        """A hold up to the first point, if it is not at `begin`, and a line between each two."""
        texts = [(f"piecewise.points[{i}]", text) for i, (text, _) in enumerate(self.points)]
        first = Moment.parse(self.points[0][0])
        at_begin = first == begin or first.value == begin.value == 0
        moments = check_moments(begin, texts[1:] if at_begin else texts)
        values = [value for _, value in self.points]
        lead = () if at_begin else (Span(begin, moments[0], "hold", values[0], values[0]),)
        stops = [begin, *moments] if at_begin else moments
        lines = zip(pairwise(stops), pairwise(values), strict=True)
        return (*lead, *(Span(a, b, "linear", start, stop) for (a, b), (start, stop) in lines))

    def __repr__(self) -> str:
        return f"piecewise({', '.join(pasteable(point) for point in self.points)})"


@dataclass(frozen=True, repr=False)
class WarmupHold(Schedule):
    """Up to a peak, hold it, and down (or the other way round).

    T goes evenly from `start` to `peak` until `warmup`, stays until `hold`, goes evenly from `peak`
    to `end` until `until`, and stays.

    Args:
        start: T at the beginning, in [0, inf).
        peak: T from `warmup` to `hold`, in [0, inf).
        end: T from `until` on, in [0, inf).
        warmup: Where `peak` is reached.
        hold: Where it is left.
        until: Where `end` is reached.

    Raises:
        InvalidInput: A temperature is out of range, or moments are not in order.

    >>> from thermix import warmup_hold
    >>> schedule = warmup_hold(1.0, 5.0, 2.0, warmup="10%", hold="50%")
    >>> schedule([0.0, 0.05, 0.1, 0.5, 0.75, 1.0])
    array([1. , 3. , 5. , 5. , 3.5, 2. ])
    """

    name: ClassVar[str] = "warmup_hold"
    start: float
    peak: float
    end: float
    warmup: str = "5%"
    hold: str = "50%"
    until: str = "100%"

    def __post_init__(self) -> None:
        self._settle(
            start=check_temperature("warmup_hold.start", self.start, "finite"),
            peak=check_temperature("warmup_hold.peak", self.peak, "finite"),
            end=check_temperature("warmup_hold.end", self.end, "finite"),
            warmup=moment_text("warmup_hold.warmup", self.warmup),
            hold=moment_text("warmup_hold.hold", self.hold),
            until=moment_text("warmup_hold.until", self.until),
        )

    def spans_from(self, begin: Moment) -> tuple[Span, ...]:
        """A line, a hold, a line."""
        texts = [(f"warmup_hold.{key}", getattr(self, key)) for key in ("warmup", "hold", "until")]
        warm, held, until = check_moments(begin, texts)
        return (
            Span(begin, warm, "linear", self.start, self.peak),
            Span(warm, held, "hold", self.peak, self.peak),
            Span(held, until, "linear", self.peak, self.end),
        )


@dataclass(frozen=True, repr=False)
class Join(Schedule):
    """Schedules one after another, each from where the one before ends to its own `until`.

    `T = T of piece k` from where piece k - 1 ends to where it ends itself, its u going from 0 to 1
    between the two. Moments stay on the clock of the run; units may differ from piece to piece.

    Args:
        pieces: One or more schedules, each ending later than the one before.

    Raises:
        InvalidInput: A piece does not end after the one before, or has no end and is not the last.

    >>> from thermix import constant, join, linear
    >>> schedule = join(linear(5.0, 1.0, until="50%"), constant(1.0, until="75%"), linear(1.0, 3.0))
    >>> schedule([0.0, 0.25, 0.5, 0.75, 0.875, 1.0])
    array([5., 3., 1., 1., 2., 3.])
    """

    name: ClassVar[str] = "join"
    pieces: tuple[Schedule, ...]

    def __post_init__(self) -> None:
        pieces = check_sequence("join.pieces", self.pieces)
        for i, piece in enumerate(pieces):
            if not isinstance(piece, Schedule):
                raise InvalidInput(
                    f"join[{i}]: got {piece!r}; a piece must be a schedule, such as constant(1.0)."
                )
        if not pieces:
            raise InvalidInput("join: got no pieces; it must have one at least, such as constant(1.0).")
        self._settle(pieces=pieces)

    def spans_from(self, begin: Moment) -> tuple[Span, ...]:
        """The spans of all pieces."""
        spans: list[Span] = []
        for i, piece in enumerate(self.pieces):
            spans += _spans_of_piece(f"join[{i}]", piece, begin)
            end = spans[-1].end
            if end is not None:
                begin = end
            elif i < len(self.pieces) - 1:
                raise InvalidInput(
                    f"join[{i}]: {piece!r} has no end, but another piece follows. Give it until=."
                )
        return tuple(spans)

    def __repr__(self) -> str:
        return f"join({', '.join(repr(piece) for piece in self.pieces)})"


def _spans_of_piece(where: str, piece: Schedule, begin: Moment) -> tuple[Span, ...]:
    try:
        return piece.spans_from(begin)
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error}") from None


def _point(i: int, point: object) -> tuple[str, float]:
    where = f"piecewise.points[{i}]"
    pair = check_sequence(where, point)
    if len(pair) != 2:
        raise InvalidInput(f"{where}: got {point!r}; a point is (moment, T), such as ('50%', 2.0).")
    return moment_text(where, pair[0]), check_temperature(where, pair[1], "finite")
