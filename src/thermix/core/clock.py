"""Moments of a run, written with their unit, and the clock that places them.

    "80%"  "8000 steps"  "1.5M draws"  "10B tokens"

Not a wall clock, and not a schedule. The invariant: a moment is exact (a fraction of whole numbers)
from its text to its place; it is rounded to float64 once, at the end, alike on every machine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermix.errors import InvalidInput

__all__ = ["Axis", "Clock", "Moment", "Unit"]

Unit = Literal["percent", "steps", "draws", "tokens"]
"""What a moment is counted in."""

Axis = Literal["percent", "steps", "draws"]
"""What a place on a clock is measured in; percent as a fraction, 1 for 100 %."""

_FACTORS: Final = {"": 1, "k": 10**3, "M": 10**6, "B": 10**9, "G": 10**9, "T": 10**12}
_MOMENT: Final = re.compile(
    r"(?P<number>\d+(?:_\d+)*(?:\.\d+(?:_\d+)*)?(?:[eE][+-]?\d{1,3})?)\s*(?P<factor>[kMBGT]?)\s*"
    r"(?P<unit>%|steps?|draws?|tokens?)",
    re.ASCII,
)
_NUMBER: Final = re.compile(r"[+-]?(\d[\d_]*\.?\d*|\.\d+)([eE][+-]?\d+)?\s*[kMBGT]?", re.ASCII)
_LIMIT: Final = 1 << 63
_EXAMPLES: Final = "80%, 8000 steps, 10B tokens"


@dataclass(frozen=True)
class Moment:
    """A point of a run, in the unit it was written in.

    Args:
        value: For percent in [0, 100], with an end to its decimals; else whole, in [0, 2^63).
        unit: "percent", "steps", "draws" or "tokens".

    Raises:
        InvalidInput: The value is out of its range, or the unit is not one of the four.

    >>> Moment.parse("80 %")
    Moment(value=Fraction(80, 1), unit='percent')
    >>> str(Moment.parse("1.5e6 draws")), str(Moment.parse("8_000 steps"))
    ('1.5M draws', '8000 steps')
    """

    value: Fraction
    unit: Unit

    def __post_init__(self) -> None:
        _check_moment(self.value, self.unit)
        object.__setattr__(self, "value", Fraction(self.value))

    @classmethod
    def parse(cls, text: str, where: str = "moment") -> Moment:
        """Read a moment: a number, maybe k, M, B (or G) or T (10^3, 10^6, 10^9, 10^12), and a unit.

        Args:
            text: Such as "80%", "1 step", "8_000 steps", "1.5e6 draws", "3.2T tokens".
            where: What the error message calls it.

        Returns:
            The moment, exactly: `Moment.parse(str(m)) == m` for every moment.

        Raises:
            InvalidInput: The text is not a moment, or its value is out of range.

        >>> Moment.parse("10B tokens").value
        Fraction(10000000000, 1)
        """
        if not isinstance(text, str):
            raise InvalidInput(f"{where}: got {text!r}; {_written_with_unit(text)}")
        match = _MOMENT.fullmatch(text.strip())
        if match is None:
            raise InvalidInput(f"{where}: got {text!r}; {_why_no_moment(text.strip())}")
        value = Fraction(Decimal(match["number"])) * _FACTORS[match["factor"]]
        unit: Unit = "percent" if match["unit"] == "%" else _UNITS[match["unit"].rstrip("s")]
        _check_moment(value, unit, f"{where}: got {text!r}")
        return cls(value, unit)

    def __str__(self) -> str:
        if self.unit == "percent":
            return f"{_decimal_text(self.value)}%"
        count = _count_text(int(self.value))
        return f"{count} {self.unit[:-1] if self.value == 1 else self.unit}"


_UNITS: Final[dict[str, Unit]] = {"step": "steps", "draw": "draws", "token": "tokens"}


def _written_with_unit(value: object) -> str:
    """The rule, and the way out for a bare number."""
    rule = f"a clock is always written with its unit ({_EXAMPLES})."
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return rule
    return f"{rule} Write '{value}%' or '{value} steps', whichever is meant."


def _why_no_moment(text: str) -> str:
    if _NUMBER.fullmatch(text):
        return _written_with_unit(text)
    if text.startswith("-"):
        return "a moment of a run is not negative."
    if "," in text:
        return f"a number has no commas. Write '{text.replace(',', '_')}'."
    return f"it must be a number and its unit ({_EXAMPLES}); k, M, B and T stand for 10^3 to 10^12."


def _check_moment(value: object, unit: object, given: str = "") -> None:
    given = given or f"moment: got {value} {unit}"
    if unit not in get_args(Unit):
        raise InvalidInput(f"{given}; the unit must be one of {', '.join(get_args(Unit))}.")
    if isinstance(value, bool) or not isinstance(value, int | Fraction):
        raise InvalidInput(f"{given}; the value must be a Fraction. Use Moment.parse for text.")
    if unit == "percent":
        if not 0 <= value <= 100:
            raise InvalidInput(f"{given}; a percentage of a run must be from 0% to 100%.")
        if not _ends(value.denominator):
            raise InvalidInput(f"{given}; a percentage must have an end to its decimals.")
    elif value.denominator != 1:
        raise InvalidInput(f"{given}; {unit} must be a whole number. Round it up or down.")
    elif not 0 <= value < _LIMIT:
        raise InvalidInput(f"{given}; {unit} must be in [0, 2^63).")


def _ends(denominator: int) -> bool:
    """Whether a fraction of this denominator has finitely many decimals."""
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    return denominator == 1


def _decimal_text(value: Fraction) -> str:
    digits = 0
    while (value * 10**digits).denominator != 1:
        digits += 1
    scaled = str(int(value * 10**digits)).rjust(digits + 1, "0")
    return f"{scaled[:-digits]}.{scaled[-digits:]}" if digits else scaled


def _count_text(count: int) -> str:
    """From a million on with a letter if three decimals are enough: 1.5M, 10B; else all digits."""
    for letter in ("T", "B", "M"):
        if count >= _FACTORS[letter] and count * 1000 % _FACTORS[letter] == 0:
            return _decimal_text(Fraction(count, _FACTORS[letter])) + letter
    return str(count)


@dataclass(frozen=True)
class Clock:
    """What one schedule sees of a run: steps and draws since the clock's origin.

    Args:
        steps: The step, from the origin, at 100 %; >= 1. The run may go on after it.
        breaks: (first step, draws before that step, batch size >= 1) of each span of one batch
            size, in order, the first (0, 0, batch size). Draws are then a piecewise linear function
            of steps: `draws(s) = draws_k + (s - step_k) * batch_k`.
        sequence_length: Tokens of a draw, >= 1; None where it is not known.

    Raises:
        InvalidInput: A value is out of range, or the breaks do not follow from each other.

    >>> clock = Clock(steps=100, breaks=((0, 0, 8), (50, 400, 16)), sequence_length=2)
    >>> clock.draws_at([0, 50, 100])
    array([   0.,  400., 1200.])
    >>> [clock.position(Moment.parse("800 tokens"), axis) for axis in ("percent", "steps", "draws")]
    [0.5, 50.0, 400.0]
    """

    steps: int
    breaks: tuple[tuple[int, int, int], ...]
    sequence_length: int | None = None

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise InvalidInput(f"clock.steps: got {self.steps}; a run has at least 1 step.")
        if self.sequence_length is not None and self.sequence_length < 1:
            raise InvalidInput(f"clock.sequence_length: got {self.sequence_length}; it must be >= 1.")
        if not self.breaks or self.breaks[0][:2] != (0, 0):
            raise InvalidInput(f"clock.breaks: got {self.breaks!r}; the first must be (0, 0, batch size).")
        for i, (step, draws, batch) in enumerate(self.breaks):
            before_step, before_draws, before_batch = self.breaks[max(i - 1, 0)]
            follows = draws == before_draws + (step - before_step) * before_batch
            if batch < 1 or step < before_step or not follows:
                raise InvalidInput(
                    f"clock.breaks[{i}]: got {(step, draws, batch)}; steps must not fall, the "
                    "batch size must be >= 1, and draws must be the sum of all earlier batches."
                )

    def draws_at(self, steps: ArrayLike) -> NDArray[np.float64]:
        """Return the draws since the origin before each step.

        Args:
            steps: Steps since the origin, >= 0, any shape; fractions are allowed.

        Returns:
            float64 of the shape of `steps`, exact below 2^53; increasing with the step.

        Raises:
            InvalidInput: A step is below 0 or NaN.
        """
        at = np.asarray(steps, dtype=np.float64)
        if not (at >= 0.0).all():
            raise InvalidInput(f"steps: got {at[~(at >= 0.0)].flat[0]}; a clock begins at step 0.")
        first, draws, batch = np.array(self.breaks, dtype=np.float64).T
        k = np.searchsorted(first, at, side="right") - 1
        result: NDArray[np.float64] = draws[k] + (at - first[k]) * batch[k]
        return result

    def position(self, moment: Moment, axis: Axis) -> float:
        """Return the place of a moment on one axis of this clock.

        Args:
            moment: In any unit; tokens are counted as draws of `sequence_length` tokens.
            axis: "percent" (1.0 at 100 %), "steps" or "draws".

        Returns:
            The exact place, rounded to the nearest float64 once.

        Raises:
            InvalidInput: Tokens on a clock without a sequence length.
        """
        if axis == "draws" and moment.unit in ("draws", "tokens"):
            return float(self._draws(moment))
        steps = self._steps(moment)
        if axis == "percent":
            return float(steps / self.steps)
        return float(steps if axis == "steps" else self._draws_at(steps))

    def _steps(self, moment: Moment) -> Fraction:
        if moment.unit == "percent":
            return moment.value * self.steps / 100
        if moment.unit == "steps":
            return moment.value
        draws = self._draws(moment)
        first, before, batch = [b for b in self.breaks if b[1] <= draws][-1]
        return first + (draws - before) / batch

    def _draws(self, moment: Moment) -> Fraction:
        if moment.unit == "draws":
            return moment.value
        if self.sequence_length is None:
            raise InvalidInput(
                f"{moment}: tokens have no place on a clock that does not know how many a draw "
                "has. Set sequence_length, or write the moment in %, steps or draws."
            )
        return moment.value / self.sequence_length

    def _draws_at(self, steps: Fraction) -> Fraction:
        first, before, batch = [b for b in self.breaks if b[0] <= steps][-1]
        return before + (steps - first) * batch
