"""Schedules from plain data: numbers, dicts and lists as YAML and JSON give them.

Not the schedules, which are given as a table of names, and not files. Every key that is not an
argument of its schedule is refused: nothing is ignored, nothing filled in but defaults.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import MISSING
from typing import Any

import numpy as np

from thermix.core.clock import Moment
from thermix.core.schedule_base import Schedule, check_temperature, number_hint
from thermix.core.spans import BEGIN
from thermix.errors import InvalidInput

__all__ = ["read"]

Kinds = Mapping[str, type[Schedule]]


def read(data: object, where: str, kinds: Kinds) -> Schedule:
    """Return the schedule that a number, a dict or a list says; `where` leads every error."""
    if isinstance(data, Mapping):
        return _from_mapping(data, where, kinds)
    if isinstance(data, list | tuple):
        return _make(kinds["join"], {"pieces": _pieces(data, where, kinds)}, where)
    value = _plain(data)
    if isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool):
        return _make(kinds["constant"], {"value": check_temperature(where, value)}, where)
    raise InvalidInput(
        f"{where}: got {data!r}; it must be a number, a list of pieces, or a schedule such as "
        f"{{schedule: linear, start: 5.0, end: 1.0, until: 80%}}.{number_hint(data)}"
    )


def _from_mapping(data: Mapping[Any, Any], where: str, kinds: Kinds) -> Schedule:
    kind = _kind(data, where, kinds)
    _check_keys(data, where, kind)
    values = {key: _plain(value) for key, value in data.items() if key != "schedule"}
    if isinstance(values.get("pieces"), tuple):
        values["pieces"] = _pieces(data["pieces"], where, kinds)
    return _make(kind, values, where)


def _kind(data: Mapping[Any, Any], where: str, kinds: Kinds) -> type[Schedule]:
    if "schedule" not in data:
        raise InvalidInput(
            f"{where}: got the keys {', '.join(map(repr, data)) or '(none)'}; the key 'schedule' "
            f"must say which it is. Add schedule: linear, or another of {', '.join(kinds)}."
        )
    name = data["schedule"]
    if not isinstance(name, str) or name not in kinds:
        raise InvalidInput(
            f"{where}.schedule: got {name!r}; it must be one of {', '.join(kinds)}{_nearest(name, kinds)}."
        )
    return kinds[name]


def _check_keys(data: Mapping[Any, Any], where: str, kind: type[Schedule]) -> None:
    keys = kind.keys()
    for key in data:
        if key == "from":
            raise InvalidInput(
                f"{where}.from: got {data[key]!r}; only a piece of a list may have it, as any "
                "other schedule begins at 0%. Remove it, or put a piece before this one."
            )
        if key not in keys and key != "schedule":
            raise InvalidInput(
                f"{where}: got the unknown key {key!r}; {kind.name} has {', '.join(keys)}"
                f"{_nearest(key, keys)}."
            )
    for key, default in keys.items():
        if default is MISSING and key not in data:
            raise InvalidInput(f"{where}: got no key {key!r}; {kind.name} needs it. Add {key}: ...")


def _nearest(name: object, known: Iterable[Any]) -> str:
    from difflib import get_close_matches  # only on the way to an error

    close = get_close_matches(str(name), [str(item) for item in known], 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _plain(value: object) -> object:
    """Tuples for lists, and inf for the text that stands for it."""
    if isinstance(value, list | tuple):
        return tuple(_plain(item) for item in value)
    return math.inf if isinstance(value, str) and value in ("inf", ".inf") else value


def _make(kind: type[Schedule], values: Mapping[str, Any], where: str) -> Schedule:
    try:
        return kind(**values)
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error}") from None


def _pieces(items: Iterable[Any], where: str, kinds: Kinds) -> tuple[Schedule, ...]:
    pieces = []
    begin: Moment | None = BEGIN
    for i, item in enumerate(items):
        here = f"{where}[{i}]"
        if isinstance(item, Mapping) and "from" in item:
            _check_from(item["from"], begin, f"{here}.from")
            item = {key: value for key, value in item.items() if key != "from"}
        piece = read(item, here, kinds)
        begin = _end(piece, begin, here)
        pieces.append(piece)
    return tuple(pieces)


def _end(piece: Schedule, begin: Moment | None, where: str) -> Moment | None:
    if begin is None:
        raise InvalidInput(
            f"{where}: got a piece after one that has no end. Give the one before it an until."
        )
    try:
        return piece.spans_from(begin)[-1].end
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error}") from None


def _check_from(text: object, begin: Moment | None, where: str) -> None:
    moment = Moment.parse(text, where)  # type: ignore[arg-type]
    if begin is None or moment == begin or moment.value == begin.value == 0:
        return
    if moment.unit != begin.unit:
        trouble = "the two can only be compared on a run's clock"
    elif moment.value < begin.value:
        trouble = f"the pieces overlap from {moment} to {begin}"
    else:
        trouble = f"there is a gap from {begin} to {moment}"
    raise InvalidInput(
        f"{where}: got {moment}, but what is before it ends at {begin}: {trouble}. A piece must "
        f"begin where the one before ends. Write from: {begin}, or leave it out."
    )
