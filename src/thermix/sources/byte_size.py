"""A size in bytes as people write it: `64MiB`, `1GB`, `4096`."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from thermix.errors import InvalidInput

__all__ = ["byte_size"]

_UNITS: Final = (
    {"": 1}
    | {
        f"{letter}{ending}": base ** (power + 1)
        for power, letter in enumerate("kMGT")
        for ending, base in (("B", 1000), ("iB", 1024), ("", 1000))
    }
    | {"B": 1}
)
_SIZE: Final = re.compile(r"(?P<number>\d+(\.\d+)?)\s*(?P<unit>[kKMGT]?i?B?)", re.ASCII)


def byte_size(where: str, text: str) -> int:
    """The bytes that a size says.

    Args:
        where: what errors begin with, such as "--shard-size".
        text: a number, and a unit or none: kB, MB, GB, TB are 10^3 to 10^12, KiB to TiB 2^10 to 2^40.

    Raises:
        InvalidInput: no size, or not a whole number of bytes above 0.

    >>> byte_size("limit", "64MiB"), byte_size("limit", "1.5 GB"), byte_size("limit", "9")
    (67108864, 1500000000, 9)
    """
    match = _SIZE.fullmatch(text.strip())
    unit = None if match is None else _UNITS.get(match["unit"].replace("K", "k"))
    if match is None or unit is None:
        raise InvalidInput(f"{where}: got {text!r}; it must be a size, such as 64MiB, 1GB or 4096.")
    size = Fraction(match["number"]) * unit
    if size < 1 or size.denominator != 1:
        raise InvalidInput(f"{where}: got {text!r}; it must be a whole number of bytes, at least 1.")
    return int(size)
