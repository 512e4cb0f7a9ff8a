"""What every schedule can do, and the checks on what it is given.

Not the schedules (`schedule.py`), nor their evaluation (`spans.py`). A schedule is a frozen value:
its temperatures and moments are checked, and written in one way, when it is made.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import fields
from functools import cached_property
from typing import Any, ClassVar, Final, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermix.core import spans as _spans
from thermix.core.clock import Clock, Moment
from thermix.core.spans import BEGIN, Span
from thermix.errors import InvalidInput

__all__ = [
    "Range",
    "Schedule",
    "check_moments",
    "check_sequence",
    "check_temperature",
    "moment_text",
    "number_hint",
    "pasteable",
]

Float64 = NDArray[np.float64]

Range = Literal["any", "finite", "inverse", "geometric"]
"""Which temperatures a schedule can pass through."""

_LARGEST: Final = 1.7976931348623157e308
_RANGES: Final[dict[Range, tuple[float, float, str]]] = {
    "any": (0.0, math.inf, "a temperature must be >= 0"),
    "finite": (
        0.0,
        _LARGEST,
        "a temperature must be >= 0, and finite in this schedule. "
        "Only constant, step and inverse_linear take inf",
    ),
    "inverse": (
        1e-300,
        math.inf,
        "it must be at least 1e-300, as 1/T changes evenly. Use linear to end at 0",
    ),
    "geometric": (
        1e-150,
        1e150,
        "it must be from 1e-150 to 1e150, as log T changes evenly. "
        "Use linear to end at 0, inverse_linear to start at inf",
    ),
}


class Schedule(ABC):
    """A temperature for every moment of a run; the base of all schedules."""

    name: ClassVar[str]

    @abstractmethod
    def spans_from(self, begin: Moment) -> tuple[Span, ...]:
        """Return the spans of this schedule if it takes over at `begin`.

        Raises:
            InvalidInput: Its moments are not in order after `begin`, as far as units can be
                compared.
        """

    def _settle(self, **values: object) -> None:
        """Store the fields as they were checked, and check the order of moments."""
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self.spans_from(BEGIN)

    @classmethod
    def keys(cls) -> dict[str, Any]:
        """The names of its arguments, with their defaults (`MISSING` where required)."""
        return {field.name: field.default for field in fields(cls)}  # type: ignore[arg-type]

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """The spans of this schedule on its own, from the beginning of the clock."""
        return self.spans_from(BEGIN)

    @overload
    def __call__(self, progress: float) -> float: ...
    @overload
    def __call__(self, progress: NDArray[Any] | Sequence[float]) -> Float64: ...
    def __call__(self, progress: ArrayLike) -> float | Float64:
        """Return the temperature at a progress, for a schedule written in percent.

        Args:
            progress: Step / steps, in [0, 1]; a scalar or any shape.

        Returns:
            A float for a scalar, float64 of the same shape otherwise; the same bits as
            `temperatures`.

        Raises:
            InvalidInput: A progress is outside [0, 1], or a moment is in steps, draws or tokens.
        """
        p = np.asarray(progress)
        if p.size and (p.dtype.kind not in "iuf" or not ((p >= 0) & (p <= 1)).all()):
            raise InvalidInput(
                f"progress: got {progress!r}; it must be in [0, 1]: the step divided by the steps of the run."
            )
        flat = p.astype(np.float64).reshape(-1)
        temperature = _spans.at_progress(self.spans, flat).reshape(p.shape)
        return float(temperature) if p.ndim == 0 else temperature

    def temperatures(self, steps: ArrayLike, clock: Clock) -> Float64:
        """Return the temperature at steps of a run.

        Args:
            steps: Steps since the clock's origin, >= 0, any shape; fractions are allowed.
            clock: Places percent, draws and tokens.

        Returns:
            float64 of the shape of `steps`.

        Raises:
            InvalidInput: A step is negative, pieces overlap on this clock, or it cannot place
                tokens.
        """
        s = np.asarray(steps, dtype=np.float64)
        if not (s >= 0.0).all():
            raise InvalidInput(f"steps: got {s[~(s >= 0.0)].flat[0]}; a clock begins at step 0.")
        return _spans.at_steps(self.spans, s.reshape(-1), clock).reshape(s.shape)

    def last_moment(self) -> Moment:
        """Return the moment from which the temperature stays the same: 0% if it never changes."""
        return _spans.last_change(self.spans)

    @property
    def extremes(self) -> tuple[float, float]:
        """The lowest and the highest temperature."""
        return _spans.extremes(self.spans)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, as JSON has it, that `schedule_from_dict` reads back equal.

        >>> from thermix.core.schedule import linear
        >>> linear(5.0, 1.0, until="80%").to_dict()
        {'schedule': 'linear', 'start': 5.0, 'end': 1.0, 'until': '80%'}
        """
        values = {name: getattr(self, name) for name in self.keys()}
        return {"schedule": self.name} | {k: _plain(v) for k, v in values.items() if v is not None}

    def __repr__(self) -> str:
        parts = []
        for name, default in self.keys().items():
            value = getattr(self, name)
            if value != default:
                keyword = f"{name}=" if name in _KEYWORDS else ""
                parts.append(keyword + pasteable(value))
        return f"{self.name}({', '.join(parts)})"


_KEYWORDS: Final = ("until", "at", "warmup", "hold")


def _plain(value: object) -> object:
    if isinstance(value, Schedule):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return "inf" if value == math.inf else value


def pasteable(value: object) -> str:
    """`repr`, but of a kind that needs no import: inf is float('inf')."""
    if isinstance(value, tuple):
        inner = ", ".join(pasteable(item) for item in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return "float('inf')" if value == math.inf else repr(value)


def check_temperature(where: str, value: object, allowed: Range = "any") -> float:
    """Return a temperature as a float, or refuse it with the rule of `allowed`."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise InvalidInput(f"{where}: got {value!r}; a temperature must be a number.{number_hint(value)}")
    value = value if isinstance(value, int) else float(value)  # a float32 compares in float32
    low, high, rule = _RANGES[allowed]
    if not low <= value <= high:
        raise InvalidInput(f"{where}: got {value}; {rule}.")
    if _LARGEST < value < math.inf:  # an integer that no float can hold
        raise InvalidInput(f"{where}: got an integer above 1.8e308; use inf.")
    return float(value) + 0.0  # -0.0 becomes 0.0


def number_hint(value: object) -> str:
    """Return the way out for a number that arrived as text; nothing for anything else."""
    try:
        number = float(value) if isinstance(value, str) else None
    except ValueError:
        number = None
    if number is None:
        return ""
    return f" Write it as {number!r}: YAML reads some numbers, such as 1e3, as text."


def moment_text(where: str, text: object) -> str:
    """Return the canonical text of a moment, or refuse what is none."""
    return str(Moment.parse(text, where))  # type: ignore[arg-type]


def check_moments(begin: Moment, texts: Sequence[tuple[str, object]]) -> list[Moment]:
    """Read (where, text) pairs as moments, each after the one before, the first after `begin`.

    Moments of different units can only be compared on a clock, so they pass here.
    """
    moments = [begin]
    for where, text in texts:
        moment = Moment.parse(text, where)  # type: ignore[arg-type]
        if not _may_follow(moments[-1], moment):
            rule = (
                "it must be after the beginning"
                if moment.value == 0
                else f"it must come after {moments[-1]}, where what is before it ends"
            )
            raise InvalidInput(
                f"{where}: got {moment}; {rule}. All moments are on the clock of the run: write a later one."
            )
        moments.append(moment)
    return moments[1:]


def _may_follow(before: Moment, after: Moment) -> bool:
    return after.value > (before.value if before.unit == after.unit else 0)


def check_sequence(where: str, values: object) -> tuple[Any, ...]:
    """Return a sequence as a tuple, or refuse what is none (or one text)."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise InvalidInput(f"{where}: got {values!r}; it must be a sequence, even of one.")
    return tuple(values)
