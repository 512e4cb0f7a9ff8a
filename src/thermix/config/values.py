"""Single values of a configuration: counts, numbers, moments, texts and paths, from plain data.

Every function takes what YAML gave and returns the value, or raises `InvalidInput` with what follows
the key path: ": got ...; rule. way out". Invariant: a count is exact, whatever way it is written.
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from fractions import Fraction
from typing import Final

from thermix.config.place import shown
from thermix.config.scalars import WrittenFloat
from thermix.core.clock import Moment
from thermix.errors import InvalidInput

__all__ = [
    "at_moment",
    "count",
    "epochs",
    "number",
    "path_list",
    "run_length",
    "text",
    "token_count",
    "weight",
    "whole",
]

_FACTORS: Final = {"": 1, "k": 10**3, "M": 10**6, "B": 10**9, "G": 10**9, "T": 10**12}
_COUNT: Final = re.compile(
    r"(?P<number>[-+]?\d+(?:_\d+)*(?:\.\d+(?:_\d+)*)?(?:[eE][-+]?\d{1,3})?)\s*(?P<factor>[kMBGT]?)", re.ASCII
)
_COUNTS: Final = "512, 1_000, 3.2e9 or 10B"
_AS_MOMENT: Final = re.compile(r"[\d_.eE+\-\s]*[kMBGT]?\s*(%|steps?|draws?|tokens?)\s*", re.ASCII)


def whole(value: object) -> int:
    """A whole number, written in any way; a seed may be negative."""
    result = _exact(value)
    if result.denominator != 1:
        raise InvalidInput(f": got {shown(value)}; it must be a whole number. Round it up or down.")
    return int(result)


def count(value: object) -> int:
    """A whole number, at least 1: `512`, `1_000`, `3.2e9`, `10B`; k, M, B, T are 10^3 to 10^12."""
    result = whole(value)
    if result < 1:
        raise InvalidInput(f": got {shown(value)}; it must be at least 1.")
    return result


def token_count(value: object) -> int:
    """A count that may say its unit: `3.2B tokens`."""
    if isinstance(value, str):
        return count(re.sub(r"\s*tokens?\s*$", "", value))
    return count(value)


def run_length(value: object) -> int | Moment:
    """A count of steps, or the length of a run in another unit: `10B tokens`, `5M draws`."""
    if not isinstance(value, str) or not _AS_MOMENT.fullmatch(value):
        return count(value)
    moment = _moment(value)
    if moment.unit == "percent" or moment.value < 1:
        raise InvalidInput(
            f": got {shown(value)}; it must be a length of at least 1 in steps, draws or tokens. "
            "Write 8000, or 10B tokens."
        )
    return int(moment.value) if moment.unit == "steps" else moment


def at_moment(value: object) -> int | Moment:
    """A step, or a moment of the run: `6000`, `60%`, `10B tokens`."""
    if isinstance(value, str) and _AS_MOMENT.fullmatch(value):
        moment = _moment(value)
        step: int | Moment = int(moment.value) if moment.unit == "steps" else moment
    else:
        step = whole(value)
    if isinstance(step, int) and step < 1:
        raise InvalidInput(
            f": got {shown(value)}; it must be at least 1. What holds from the first step on, "
            "stands above edits."
        )
    return step


def number(value: object) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f": got {shown(value)}; it must be a number.{_number_hint(value)}")
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        raise InvalidInput(
            f": got {shown(value)}; it must be finite. To never draw a source, give it weight 0."
        )
    return result


def weight(value: object) -> float:
    """A finite number >= 0."""
    result = number(value)
    if result < 0:
        raise InvalidInput(f": got {shown(value)}; it must be >= 0. Use 0 to never draw the source.")
    return result


def epochs(value: object) -> float:
    """A finite number > 0."""
    if isinstance(value, float) and math.isinf(value):
        raise InvalidInput(f": got {shown(value)}; it must be finite. For no limit, leave it out.")
    result = number(value)
    if result <= 0:
        raise InvalidInput(
            f": got {shown(value)}; it must be > 0. To leave the source out, remove it or give it weight 0."
        )
    return int(value) if isinstance(value, int) else result


def text(value: object) -> str:
    """A text that is not empty."""
    if not isinstance(value, str):
        raise InvalidInput(f": got {shown(value)}; it must be text.{_text_hint(value)}")
    if not value.strip():
        raise InvalidInput(f": got {shown(value)}; it must not be empty. Leave the key out instead.")
    return value


def path_list(value: object) -> tuple[str, ...]:
    """A path or a glob, or a list of them."""
    if not isinstance(value, list):
        return (text(value),)
    if not value:
        raise InvalidInput(
            ": got an empty list; it must be a path or a list of paths. Leave the key out instead."
        )
    paths = []
    for i, path in enumerate(value):
        try:
            paths.append(text(path))
        except InvalidInput as error:
            raise InvalidInput(f"[{i}]{error}") from None
    return tuple(paths)


def _exact(value: object) -> Fraction:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise InvalidInput(f": got {shown(value)}; it must be a whole number, such as {_COUNTS}.")
    if isinstance(value, int):
        return Fraction(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise InvalidInput(f": got {shown(value)}; it must be a whole number, such as {_COUNTS}.")
        if value == 0.0:  # 0e999999999 is no task for fractions
            return Fraction(0)
        return Fraction(Decimal(value.text if isinstance(value, WrittenFloat) else repr(value)))
    match = _COUNT.fullmatch(value.strip())
    if match is None:
        raise InvalidInput(
            f": got {shown(value)}; it must be a whole number, such as {_COUNTS}.{_comma_hint(value)}"
        )
    return Fraction(Decimal(match["number"])) * _FACTORS[match["factor"]]


def _moment(value: str) -> Moment:
    try:
        return Moment.parse(value, "")
    except InvalidInput as error:
        raise InvalidInput(str(error)) from None


def _comma_hint(value: str) -> str:
    plain = value.replace(",", "_")
    return f" Write {plain}." if "," in value and _COUNT.fullmatch(plain.strip()) else ""


def _number_hint(value: object) -> str:
    plain = value.replace("_", "").strip() if isinstance(value, str) else ""
    return (
        f" Write {plain} without quotes." if re.fullmatch(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?", plain) else ""
    )


def _text_hint(value: object) -> str:
    scalar = isinstance(value, bool | int | float)
    return f' Put it in quotes: "{shown(value)}".' if scalar else " Leave the key out, or write a text."
