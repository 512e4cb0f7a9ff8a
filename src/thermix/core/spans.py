"""What all schedules are made of: spans of one shape each, evaluated by one function.

    linear(5, 1, until="80%")  ->  Span(0%, 80%, "linear", 5, 1), and 1 held after it

Not the schedules themselves (`schedule.py`). The invariants: spans follow each other without gap; a
span owns its first moment and not its last; both its end values are exact; only `exact` functions
are used, so every bit of a temperature is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from thermix.core import exact
from thermix.core.clock import Axis, Clock, Moment, Unit
from thermix.errors import InvalidInput

__all__ = ["BEGIN", "Shape", "Span", "at_progress", "at_steps", "extremes", "last_change"]

Float64 = NDArray[np.float64]
Shape = Literal["hold", "linear", "inverse", "geometric", "cosine"]

BEGIN: Final = Moment(Fraction(0), "percent")
"""Where every clock begins."""

_AXES: Final[dict[Unit, Axis]] = {
    "percent": "percent",
    "steps": "steps",
    "draws": "draws",
    "tokens": "draws",
}


@dataclass(frozen=True)
class Span:
    """The temperature between two moments, `u` going from 0 to 1 evenly in the unit of `end`.

    Args:
        begin: Its first moment.
        end: The first moment after it; None for a last "hold" that nothing follows.
        shape: How T goes from `start` to `stop`: "hold" (they are equal), or evenly in T
            ("linear"), in 1/T ("inverse"), in log T ("geometric"), or along half a cosine.
        start: T at `begin`.
        stop: T at `end`.
    """

    begin: Moment
    end: Moment | None
    shape: Shape
    start: float
    stop: float


@dataclass(frozen=True)
class _Placed:
    """Where a span begins and ends on the axis that its end is written in."""

    axis: Axis
    begin: float
    end: float


def at_progress(spans: tuple[Span, ...], progress: Float64) -> Float64:
    """Temperatures at progress in [0, 1], shape (S,), for spans that are all written in percent."""
    for span in spans:
        if span.end is not None and span.end.unit != "percent":
            raise InvalidInput(
                f"progress: '{span.end}' of this schedule has no place between 0 and 1 without "
                "a run. Use plan.temperature(step), or write every moment in %."
            )
    placed = _place(spans, lambda moment, _: float(moment.value / 100))
    return _evaluate(spans, placed, {"percent": progress})


def at_steps(spans: tuple[Span, ...], steps: Float64, clock: Clock) -> Float64:
    """Temperatures at steps >= 0 since the clock's origin, shape (S,)."""
    placed = _place(spans, clock.position)
    axes: dict[Axis, Float64] = {}
    for place in placed:
        if place.axis not in axes:
            axes[place.axis] = _coordinate(steps, clock, place.axis)
    return _evaluate(spans, placed, axes or {"steps": steps})


def _coordinate(steps: Float64, clock: Clock, axis: Axis) -> Float64:
    if axis == "percent":
        return steps / clock.steps
    return steps if axis == "steps" else clock.draws_at(steps)


def _place(spans: tuple[Span, ...], position: Callable[[Moment, Axis], float]) -> tuple[_Placed, ...]:
    placed = []
    for span in spans:
        if span.end is not None:
            axis = _AXES[span.end.unit]
            place = _Placed(axis, position(span.begin, axis), position(span.end, axis))
            if not place.begin < place.end:
                raise _overlap(span.begin, span.end, position)
            placed.append(place)
    return tuple(placed)


def _overlap(begin: Moment, end: Moment, position: Callable[[Moment, Axis], float]) -> InvalidInput:
    return InvalidInput(
        f"temperature: pieces overlap: one goes from {begin} to {end}, which is from step "
        f"{position(begin, 'steps'):g} to step {position(end, 'steps'):g} of this run; a piece "
        "must end after it begins. Move one of the two."
    )


def _evaluate(spans: tuple[Span, ...], placed: tuple[_Placed, ...], axes: dict[Axis, Float64]) -> Float64:
    shape = next(iter(axes.values())).shape
    passed = np.zeros(shape, dtype=np.int64)
    for place in placed:
        passed += axes[place.axis] >= place.end
    temperature = np.full(shape, spans[-1].stop)
    for i, (span, place) in enumerate(zip(spans, placed, strict=False)):
        inside = passed == i
        if inside.any():
            x = axes[place.axis][inside]
            u = (x - place.begin) / (place.end - place.begin)
            temperature[inside] = _shaped(span, np.clip(u, 0.0, 1.0))
    return temperature


def _shaped(span: Span, u: Float64) -> Float64:
    """T at `u` of the way, exactly `start` at 0 and `stop` at 1."""
    if span.start == span.stop:
        return np.full_like(u, span.start)
    with np.errstate(all="ignore"):  # 1 / 0 is inf, the right temperature; tiny u may underflow
        temperature = _SHAPES[span.shape](span.start, span.stop, u)
    temperature[u == 0.0] = span.start
    temperature[u == 1.0] = span.stop
    return temperature


def _linear(start: float, stop: float, u: Float64) -> Float64:
    return start + (stop - start) * u


def _inverse(start: float, stop: float, u: Float64) -> Float64:
    return 1.0 / _linear(1.0 / start, 1.0 / stop, u)


def _geometric(start: float, stop: float, u: Float64) -> Float64:
    return start * exact.exp(exact.log(Fraction(stop) / Fraction(start)) * u)


def _cosine(start: float, stop: float, u: Float64) -> Float64:
    return stop + (start - stop) * ((1.0 + exact.cos_pi(u)) / 2.0)


_SHAPES: Final[dict[Shape, Callable[[float, float, Float64], Float64]]] = {
    "linear": _linear,
    "inverse": _inverse,
    "geometric": _geometric,
    "cosine": _cosine,
}


def last_change(spans: tuple[Span, ...]) -> Moment:
    """The moment from which the temperature stays the same; the beginning if it never changes."""
    final = spans[-1].stop
    for span in reversed(spans):
        if span.end is not None and not span.start == span.stop == final:
            return span.end
    return BEGIN


def extremes(spans: tuple[Span, ...]) -> tuple[float, float]:
    """The lowest and the highest temperature; every shape is monotone, so they are end values."""
    values = [value for span in spans for value in (span.start, span.stop)]
    return min(values), max(values)
