"""What can be turned in a configuration: each knob is one value of it, by its path.

Plain data in, plain data out; nothing here knows a page. The invariant: turning a knob changes the value
at its path and no other, and a knob that is not turned changes nothing, however the value is written.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from thermix.core.clock import Moment
from thermix.errors import InvalidInput

__all__ = [
    "ABSENT",
    "Kind",
    "Knob",
    "Length",
    "Path",
    "cap_knobs",
    "in_unit",
    "is_number",
    "length_of",
    "size_knobs",
    "source_names",
    "value_at",
    "want_knobs",
    "with_source",
    "with_value",
    "without_source",
]

Path = tuple[str | int, ...]
Kind = Literal["score", "weight", "temperature", "percent", "cap", "text"]
Data = Mapping[str, Any]
LengthUnit = Literal["steps", "draws", "tokens"]

ABSENT: Final = object()
"""Stands for a key that is not there."""


@dataclass(frozen=True)
class Knob:
    """One value that can be turned.

    Attributes:
        path: where it stands in the configuration.
        kind: what it is; "text" for what is written in another way than a knob can show.
        label: what it is called.
        value: as it is; None where there is none.
    """

    path: Path
    kind: Kind
    label: str
    value: Any


@dataclass(frozen=True)
class Length:
    """How long a run is, in a unit."""

    value: int
    unit: LengthUnit

    @property
    def written(self) -> int | str:
        """As a configuration has it: steps are a number, anything else says its unit.

        >>> Length(10_000, "steps").written, Length(10**10, "tokens").written
        (10000, '10B tokens')
        """
        return self.value if self.unit == "steps" else str(Moment.parse(f"{self.value} {self.unit}"))


def value_at(data: object, path: Path) -> Any:
    """The value at a path; `ABSENT` where there is none."""
    for key in path:
        try:
            data = data[key]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return ABSENT
    return data


def with_value(data: Any, path: Path, value: object) -> Any:
    """The data with another value at a path; `ABSENT` takes the key away.

    >>> with_value({"a": {"b": 1}, "c": 2}, ("a", "b"), 5), with_value({"a": 1}, ("a",), ABSENT)
    ({'a': {'b': 5}, 'c': 2}, {})
    """
    if not path:
        return value
    key, *below = path
    if isinstance(data, list):
        assert isinstance(key, int)
        return [*data[:key], with_value(data[key], tuple(below), value), *data[key + 1 :]]
    old = data.get(key) if isinstance(data, Mapping) else None
    result = (
        {**data, key: with_value({} if old is None else old, tuple(below), value)}
        if data
        else {key: with_value({}, tuple(below), value)}
    )
    if not below and value is ABSENT:
        del result[key]
    return result


def source_names(data: object) -> list[str]:
    """The names of the sources that can be turned."""
    sources = value_at(data, ("sources",))
    return (
        [name for name, source in sources.items() if isinstance(source, Mapping)] if _is_map(sources) else []
    )


def want_knobs(data: object) -> list[Knob]:
    """How much each source is wanted: its score, or its weight; none where the sizes say it."""
    knobs = []
    for name in source_names(data):
        for kind in ("score", "weight"):
            path: Path = ("sources", name, kind)
            value = value_at(data, path)
            if value is not ABSENT:
                known = is_number(value) and (kind == "score" or value >= 0)
                knobs.append(Knob(path, kind if known else "text", name, value))
    return knobs


def cap_knobs(data: object) -> list[Knob]:
    """The most passes over each source."""
    knobs = []
    for name in source_names(data):
        path: Path = ("sources", name, "max_epochs")
        value = value_at(data, path)
        known = value is ABSENT or (is_number(value) and value >= 0)
        knobs.append(Knob(path, "cap" if known else "text", name, None if value is ABSENT else value))
    return knobs


def size_knobs(data: object) -> list[Knob]:
    """The size of each source whose size the configuration says; data on disk has its own."""
    return [
        Knob(("sources", name, key), "text", f"{name}: {key}", value_at(data, ("sources", name, key)))
        for name in source_names(data)
        for key in ("items", "tokens")
        if value_at(data, ("sources", name, key)) is not ABSENT
    ]


def length_of(data: object) -> Length | None:
    """The length of the run; None where it is written in a way that a knob cannot show."""
    value = value_at(data, ("steps",))
    if is_number(value):
        return Length(int(value), "steps") if value >= 1 and value == int(value) else None
    try:
        moment = Moment.parse(value, "steps")
    except InvalidInput:
        return None
    return None if moment.unit == "percent" or moment.value < 1 else Length(int(moment.value), moment.unit)


def in_unit(length: Length, unit: LengthUnit, batch_size: int, sequence_length: int | None) -> Length:
    """The same length in another unit: whole steps of it, one at least.

    >>> in_unit(Length(10**6, "tokens"), "steps", 8, 512), in_unit(Length(244, "steps"), "tokens", 8, 512)
    (Length(value=244, unit='steps'), Length(value=999424, unit='tokens'))
    """
    each = {"steps": 1, "draws": batch_size, "tokens": batch_size * (sequence_length or 1)}
    if length.unit == unit:
        return length
    steps = max(length.value // each[length.unit], 1)
    return Length(steps * each[unit], unit)


def with_source(data: Data, name: str) -> Data:
    """The data with one more source, wanted as the others are said to be.

    Raises:
        InvalidInput: the name is empty, or taken.
    """
    if not name.strip():
        raise InvalidInput("sources: got an empty name; a name is text that is not empty.")
    if name in source_names(data):
        raise InvalidInput(f"sources: there is {name!r} already. Give the new one another name.")
    kinds = {knob.path[-1] for knob in want_knobs(data)}
    wanted = (
        {"weight": 1.0} if kinds == {"weight"} else {} if not kinds and source_names(data) else {"score": 0.0}
    )
    result: Data = with_value(data, ("sources", name), {**wanted, "items": 100_000})
    return result


def without_source(data: Data, name: str) -> Data:
    """The data without a source."""
    result: Data = with_value(data, ("sources", name), ABSENT)
    return result


def is_number(value: object) -> bool:
    """Whether a value is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_map(value: object) -> bool:
    return isinstance(value, Mapping)
