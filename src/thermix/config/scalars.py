"""What a plain YAML scalar is: YAML 1.2's core schema, where YAML 1.1 surprises.

`no` and `on` are text, `3.2e9` is a number, `1:30` is text, `010` is ten. Not structure (`read.py`).
Invariant: a number keeps the text it was written in, so that a count can be read from it exactly.
"""

from __future__ import annotations

import math
import re
from typing import Final

from yaml.resolver import BaseResolver

__all__ = [
    "BOOL",
    "FLOAT",
    "INT",
    "MERGE",
    "NULL",
    "STR",
    "CoreResolver",
    "WrittenFloat",
    "scalar_value",
    "short_tag",
]

_PREFIX: Final = "tag:yaml.org,2002:"
NULL: Final = f"{_PREFIX}null"
BOOL: Final = f"{_PREFIX}bool"
INT: Final = f"{_PREFIX}int"
FLOAT: Final = f"{_PREFIX}float"
STR: Final = f"{_PREFIX}str"
MERGE: Final = f"{_PREFIX}merge"

_MOST_DIGITS: Final = 4000  # Python itself stops at 4,300
_FORMS: Final[dict[str, tuple[str, str]]] = {
    NULL: (r"~|null|Null|NULL|", "~nN"),
    BOOL: (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    INT: (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", "-+0123456789"),
    FLOAT: (
        r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
    MERGE: (r"<<", "<"),
}


class CoreResolver(BaseResolver):
    """Resolves plain scalars as YAML 1.2's core schema does, and YAML 1.1's merge key `<<`."""


for _tag, (_form, _first) in _FORMS.items():
    _begins = [*_first, ""] if _tag == NULL else list(_first)
    CoreResolver.add_implicit_resolver(_tag, re.compile(rf"(?:{_form})\Z"), _begins)


class WrittenFloat(float):
    """A float that knows the text it was written in."""

    text: str

    def __new__(cls, value: float, text: str) -> WrittenFloat:
        """The float of a text."""
        number = super().__new__(cls, value)
        number.text = text
        return number


def scalar_value(tag: str, text: str) -> object:
    """The value of a scalar: None, a bool, an int, a `WrittenFloat` or a str.

    Raises:
        ValueError: the text is none of that tag, or of a tag that is not YAML's own; the message says why.
    """
    if tag == STR:
        return _joined_surrogates(text)
    if tag not in _FORMS or tag == MERGE:
        raise ValueError(f"got the tag {short_tag(tag)}; only plain values are read. Remove it.")
    if not re.fullmatch(_FORMS[tag][0], text):
        raise ValueError(f"got {text!r} with the tag {short_tag(tag)}, which it is not. Remove it.")
    if tag == INT:
        return _int(text)
    if tag == FLOAT:
        return _float(text)
    return None if tag == NULL else text.lower() == "true"


def short_tag(tag: str) -> str:
    """A tag as it is written: `!!map`."""
    return tag.replace(_PREFIX, "!!")


def _int(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError(f"got a number of {len(text)} digits; no number here needs as many. Shorten it.")
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    return int(text[2:] if base != 10 else text, base)


def _float(text: str) -> WrittenFloat:
    if text.lstrip("-+")[:2].lower() in (".i", ".n"):
        return WrittenFloat(float(text.replace(".", "", 1)), text)
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"got {text}; a number is below 1.8e308. For infinity, write .inf.")
    if value == 0.0 and re.search("[1-9]", re.split("[eE]", text)[0]):
        raise ValueError(f"got {text}; that is nearer to 0 than a number can be. Write 0.")
    return WrittenFloat(value, text)


def _joined_surrogates(text: str) -> str:
    """JSON writes 🙂 as two escapes; they are one character."""
    if not any("\ud800" <= c <= "\udfff" for c in text):
        return text
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise ValueError(
            f"got {text!a}; an escape in it is half a character. Write the character itself."
        ) from None
