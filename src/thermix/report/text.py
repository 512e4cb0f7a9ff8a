"""Numbers and names as text that fits a column: what a person reads, not what a program parses.

Not the exact values (those are in the JSON), and no layout (`tables.py`). The invariant: no text made
here holds a character that its encoding lacks, or a control character.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from rich.cells import cell_len

__all__ = [
    "ASCII",
    "UNICODE",
    "Glyphs",
    "clipped",
    "count_text",
    "epochs_text",
    "glyphs_for",
    "legible",
    "probability_text",
    "share_text",
    "temperature_text",
]


@dataclass(frozen=True)
class Glyphs:
    """The signs that differ between a console that can show Unicode and one that cannot.

    Attributes:
        encoding: what every text must be encodable in.
        arrow, none, ellipsis, rule: from-to, no value, a clipped name, the line below a heading.
        times: between steps and draws.
        levels: of a curve, from the lowest to the highest.
    """

    encoding: str
    arrow: str
    none: str
    ellipsis: str
    rule: str
    times: str
    levels: str


UNICODE: Final = Glyphs("utf-8", "→", "–", "…", "─", "×", "▁▂▃▄▅▆▇█")
ASCII: Final = Glyphs("ascii", "->", "-", "...", "-", "x", "_.-:=+*#")


def glyphs_for(encoding: str) -> Glyphs:
    """Return the Unicode glyphs if the encoding has all of them, else the ASCII ones."""
    signs = "".join(
        (UNICODE.arrow, UNICODE.none, UNICODE.ellipsis, UNICODE.rule, UNICODE.times, UNICODE.levels)
    )
    try:
        signs.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        known = ASCII
    else:
        known = UNICODE
    return Glyphs(encoding, *(getattr(known, name) for name in Glyphs.__match_args__[1:]))


_UNSAFE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def legible(text: str, encoding: str) -> str:
    r"""Return a name with escapes for what would break a line, turn it around, or has no encoding.

    >>> legible("网页", "utf-8"), legible("网", "cp1252"), legible("a\tb", "utf-8")
    ('网页', '\\u7f51', 'a\\tb')
    """
    escaped = _UNSAFE.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
    try:
        return escaped.encode(encoding, "backslashreplace").decode(encoding)
    except LookupError:
        return escaped.encode("ascii", "backslashreplace").decode()


def clipped(text: str, width: int, ellipsis: str) -> str:
    """Return a text of at most `width` cells, shortened in its middle: the ends tell names apart.

    >>> clipped("a-very-long-name-v1", 12, "…"), clipped("short", 12, "…")
    ('a-very-…e-v1', 'short')
    """
    if cell_len(text) <= width:
        return text
    room = max(width - cell_len(ellipsis), 1)
    tail = _fitting(text[::-1], room * 4 // 10)[::-1]
    return _fitting(text, room - cell_len(tail)) + ellipsis + tail


def _fitting(text: str, width: int) -> str:
    """The longest beginning of at most `width` cells."""
    end = min(len(text), width)
    while end and cell_len(text[:end]) > width:
        end -= 1
    return text[:end]


_SCALES: Final = ((10**12, "T"), (10**9, "B"), (10**6, "M"))


def count_text(count: int) -> str:
    """Return a count in at most 7 characters: all its digits below a million, four from there on.

    >>> count_text(999_999), count_text(5_120_000), count_text(1_234_567_890_123), count_text(1 << 62)
    ('999,999', '5.120M', '1.235T', '4.6e18')
    """
    if count < 10**6:
        return f"{count:,}"
    if count >= 10**15:
        mantissa, exponent = f"{count:.1e}".split("e+")
        return f"{mantissa}e{exponent}"
    scale, letter = next(pair for pair in _SCALES if count >= pair[0])
    scaled = count / scale
    digits = 3 if scaled < 10 else 2 if scaled < 100 else 1
    return f"{scaled:.{digits}f}{letter}"


def share_text(share: float) -> str:
    """Return a share in percent; 0% and 100% are said only where they are exact.

    >>> share_text(0.2447), share_text(0.0), share_text(1e-9), share_text(0.99999), share_text(1.0)
    ('24.5%', '0%', '<0.1%', '>99.9%', '100%')
    """
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    if share < 0.0005:
        return "<0.1%"
    return f"{share:.1%}" if share < 0.9995 else ">99.9%"


def probability_text(probability: float) -> str:
    """Return a probability to four decimals, or two digits of a smaller one; 0 and 1 are exact.

    >>> probability_text(0.11731), probability_text(0.0), probability_text(2.5e-9)
    ('0.1173', '0', '2.5e-09')
    """
    if probability in (0.0, 1.0):
        return f"{probability:.0f}"
    return f"{probability:.4f}" if probability >= 0.00005 else f"{probability:.1e}"


def epochs_text(epochs: float) -> str:
    """Return epochs to three digits.

    >>> epochs_text(0.0), epochs_text(0.001), epochs_text(0.512), epochs_text(12.34), epochs_text(1234.5)
    ('0', '<0.01', '0.51', '12.3', '1,234')
    """
    if epochs == 0.0:
        return "0"
    if epochs < 0.01:
        return "<0.01"
    if epochs >= 1e6:
        return count_text(int(epochs))
    return f"{epochs:,.{2 if epochs < 10 else 1 if epochs < 100 else 0}f}"


def temperature_text(temperature: float) -> str:
    """Return a temperature to four digits, infinity as "inf"."""
    return f"{temperature:.4g}"
