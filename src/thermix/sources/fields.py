"""The text of a row's field, or why there is none: the same words whatever format the row came in."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Number
from typing import Any

__all__ = ["OTHER_FIELD", "NoTextError", "field_text", "no_field"]

OTHER_FIELD = "Name another field, or mend the row."


class NoTextError(Exception):
    """A row does not have the text it should have."""


def field_text(row: Any, field: str) -> str:
    """The text in a field of a row.

    Args:
        row: as it was read.
        field: its name.

    Raises:
        NoTextError: the row has no such field, or something else in it; the message says what.

    >>> field_text({"text": "a"}, "text")
    'a'
    """
    if not isinstance(row, dict):
        raise NoTextError(f"it is {_kind(row)}, and field {field!r} is asked for; rows must be objects")
    if field not in row:
        raise NoTextError(no_field(field, row))
    text = row[field]
    if not isinstance(text, str):
        raise NoTextError(f"field {field!r} is {_kind(text)}; it must be text")
    if not text.isascii():
        _refuse_surrogates(text, field)
    return text


def no_field(field: str, fields: Iterable[str]) -> str:
    """What is said where a field is missing.

    >>> no_field("text", ["body", "id"])
    "it has no field 'text'; its fields are 'body', 'id'"
    """
    return f"it has no field {field!r}; its fields are {', '.join(map(repr, list(fields)[:8])) or 'none'}"


def _refuse_surrogates(text: str, field: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        code = ord(text[error.start])
        raise NoTextError(
            f"field {field!r} holds half a surrogate pair, \\u{code:04x}, which is no character"
        ) from error


def _kind(value: Any) -> str:
    names = {
        dict: "an object",
        list: "a list",
        str: "text",
        bool: "true or false",
        bytes: "bytes",
        type(None): "null",
    }
    other = "a number" if isinstance(value, Number) else f"a {type(value).__name__}"
    return names.get(type(value), other)
