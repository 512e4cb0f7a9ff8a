"""Checks of plain values, shared by the plan's parts."""

from __future__ import annotations

import numpy as np

from thermix.errors import InvalidInput

__all__ = ["check_choice", "checked_whole"]


def checked_whole(name: str, value: object, least: int | None = None, below: int | None = None) -> int:
    """A whole number in [least, below) as an int.

    Raises:
        InvalidInput: it is no whole number, or out of range.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise InvalidInput(f"{name}: got {value!r}; it must be a whole number.")
    if least is not None and value < least:
        raise InvalidInput(f"{name}: got {value}; it must be at least {least}.")
    if below is not None and value >= below:
        raise InvalidInput(f"{name}: got {value}; it must be below 2^{below.bit_length() - 1} ({below:,}).")
    return int(value)


def check_choice(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuse what is not one of the choices."""
    if value not in choices:
        raise InvalidInput(f"{name}: got {value!r}; it is one of {', '.join(choices)}.")
