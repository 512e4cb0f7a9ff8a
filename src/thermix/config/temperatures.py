"""`temperature:` and `alpha:` of a configuration, as schedules.

alpha is 1/T. A schedule of alpha is the schedule of T that passes through 1/alpha at every step, where
there is one: even in alpha is even in 1/T (`linear` is `inverse_linear`, and the other way round), equal
factors stay equal factors, a constant stays constant. For the other schedules there is none, and they
are refused. Errors are in the file's terms, whichever of the two it uses.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

from thermix.config.place import nearest, shown
from thermix.core.schedule import Schedule, schedule_from_dict
from thermix.errors import InvalidInput

__all__ = ["ALPHA_KINDS", "alpha", "temperature"]

ALPHA_KINDS: Final = {
    "constant": "constant",
    "hold": "hold",
    "linear": "inverse_linear",
    "inverse_linear": "linear",
    "geometric": "geometric",
    "step": "step",
}
"""Schedules of alpha, and the schedules of T that they are."""

_VALUES: Final = ("value", "start", "end", "values")
_RANGES: Final[dict[str, tuple[float, float, tuple[float, ...]]]] = {
    "constant": (1e-300, 1e300, (0, math.inf)),
    "hold": (1e-300, 1e300, (0, math.inf)),
    "step": (1e-300, 1e300, (0, math.inf)),
    "linear": (1e-300, 1e300, (0,)),
    "inverse_linear": (1e-300, 1e300, ()),
    "geometric": (1e-150, 1e150, ()),
}
_NAMES: Final = "constant|linear|inverse_linear|geometric|cosine|step|piecewise|warmup_hold|join"
_KEYS: Final = r"(?:\.\w+|\[\d+\])*"
_OWN_NAME: Final = re.compile(rf"(?P<place>{_KEYS}): (?:{_NAMES})(?P<rest>{_KEYS}: )")


def temperature(data: object) -> Schedule:
    """The schedule that `temperature:` says: a number, a schedule, or a list of pieces.

    Raises:
        InvalidInput: it says none; the message is what follows the key path.

    >>> temperature({"schedule": "linear", "start": 5, "end": 1, "until": "80%"})
    linear(5.0, 1.0, until='80%')
    """
    _check_form(data, "5.0, end: 1.0")
    if isinstance(data, dict) and set(data) == {"schedule", "pieces"} and data["schedule"] == "join":
        return _read(data["pieces"], ".pieces")
    return _read(data, "")


def _read(data: object, where: str) -> Schedule:
    try:
        return schedule_from_dict(data, where)
    except InvalidInput as error:
        raise InvalidInput(_tidy(str(error))) from None


def alpha(data: object) -> Schedule:
    """The schedule of T whose 1/T is what `alpha:` says.

    Raises:
        InvalidInput: it says none, or one that no schedule of T follows.

    >>> alpha(0.25)
    constant(4.0)
    >>> alpha({"schedule": "linear", "start": 0.0, "end": 1.0, "until": "80%"})
    inverse_linear(float('inf'), 1.0, until='80%')
    """
    _check_form(data, "0.2, end: 1.0")
    _read(_same_shape(data), "")  # what is wrong besides the values, in the terms of the file
    return _read(_turned(data), "")


def _check_form(data: object, ends: str) -> None:
    text = isinstance(data, str) and data not in ("inf", ".inf")
    if text or data is None or data == [] or isinstance(data, bool):
        raise InvalidInput(
            f": got {shown(data)}; it must be a number, a schedule such as "
            f"{{schedule: linear, start: {ends}, until: 80%}}, or a list of those.{_number_hint(data)}"
        )


def _number_hint(data: object) -> str:
    plain = isinstance(data, str) and re.fullmatch(r"[-+]?\d+(\.\d*)?([eE][-+]?\d+)?", data)
    return f" Write {data} without quotes." if plain else ""


def _tidy(message: str) -> str:
    """Without the names that schedules have for themselves: `: linear.until: got` is `.until: got`."""
    while match := _OWN_NAME.match(message):
        message = match["place"] + match["rest"] + message[match.end() :]
    return message


def _same_shape(data: Any, where: str = "") -> Any:
    """The schedule with every value 1, so that only its shape can be wrong; values are checked besides."""
    if isinstance(data, list):
        return [_same_shape(piece, f"{where}[{i}]") for i, piece in enumerate(data)]
    if not isinstance(data, dict):
        return _checked_one(data, where, "constant")
    kind = data.get("schedule")
    _check_kind(kind, where)
    ones = {key: _checked_one(data[key], f"{where}.{key}", kind) for key in _VALUES if key in data}
    return data | ones


def _checked_one(value: object, where: str, kind: object) -> object:
    if isinstance(value, list):
        return [_checked_one(below, f"{where}[{i}]", kind) for i, below in enumerate(value)]
    value = _plain(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInput(f"{where}: got {shown(value)}; alpha must be a number >= 0.{_number_hint(value)}")
    least, most, ends = _RANGES.get(str(kind), _RANGES["constant"])
    if not (least <= value <= most or value in ends):
        rule = (
            f"in this schedule it must be {_range_text(least, most, ends)}"
            if value >= 0
            else "it must be >= 0"
        )
        raise InvalidInput(
            f"{where}: got {shown(value)}; {rule}. alpha is 1/T: 0 is uniform, 1 the scores as given."
        )
    return 1.0


def _range_text(least: float, most: float, ends: tuple[float, ...]) -> str:
    single = "".join(f"{end}, " for end in ends)
    return f"{single}{'or ' if single else ''}from {least:g} to {most:g}"


def _plain(value: object) -> object:
    return math.inf if isinstance(value, str) and value in ("inf", ".inf") else value


def _check_kind(kind: object, where: str) -> None:
    if kind in ("cosine", "piecewise", "warmup_hold", "join"):
        raise InvalidInput(
            f"{where}.schedule: got {shown(kind)}; 1/T follows none of these, alpha has "
            f"{', '.join(ALPHA_KINDS)}. Use one of them, a list of pieces, or temperature."
        )
    if isinstance(kind, str) and kind not in ALPHA_KINDS:
        near = nearest(kind, ALPHA_KINDS)
        raise InvalidInput(
            f"{where}.schedule: got {shown(kind)}; it must be one of {', '.join(ALPHA_KINDS)}."
            f"{f' Did you mean {near}?' if near else ''}"
        )


def _turned(data: Any) -> Any:
    """The same schedule of T: its other name, and values 1/alpha."""
    if isinstance(data, list):
        return [_turned(piece) for piece in data]
    if not isinstance(data, dict):
        return _inverse(data)
    turned = {key: _inverse(value) if key in _VALUES else value for key, value in data.items()}
    return turned | {"schedule": ALPHA_KINDS[data["schedule"]]}


def _inverse(value: Any) -> Any:
    if isinstance(value, list):
        return [_inverse(below) for below in value]
    number = _plain(value)
    return math.inf if number == 0 else 1.0 / float(number)  # type: ignore[arg-type]
