"""The knobs of a temperature, whatever its schedule, and the same run under another shape.

A schedule is known by its keys alone: what is a temperature and what a moment of the run.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from thermix.config.temperatures import alpha, temperature
from thermix.core.schedule import Schedule
from thermix.errors import InvalidInput
from thermix.report.charts_compare import SHAPES, schedule_between
from thermix.studio.knobs import ABSENT, Knob, Path, value_at, with_value

__all__ = ["AS_WRITTEN", "CHOICES", "WARMEST", "reshaped", "shape_of", "temperature_knobs"]

AS_WRITTEN: Final = "as written"
"""A temperature of no single shape: a list of pieces, an alpha."""

CHOICES: Final = SHAPES
"""The shapes that a page offers."""

WARMEST: Final = 100.0

_TEMPERATURES: Final = ("value", "start", "peak", "end")
_MOMENTS: Final = ("warmup", "hold", "until")
_PERCENT: Final = re.compile(r"\s*\d+(\.\d+)?\s*%\s*")
_FROM, _TO = 5.0, 1.0


def shape_of(data: object) -> str:
    """The shape of the temperature, "as written" where it is none of those that can be chosen."""
    if value_at(data, ("alpha",)) is not ABSENT:
        return AS_WRITTEN
    said = value_at(data, ("temperature",))
    if said is ABSENT or _is_value(said):
        return "constant"
    shape = value_at(said, ("schedule",)) if isinstance(said, Mapping) else ABSENT
    return str(shape) if shape in CHOICES else AS_WRITTEN


def temperature_knobs(data: object) -> list[Knob]:
    """A knob for every temperature and every moment of the schedule; an alpha has none."""
    if value_at(data, ("alpha",)) is not ABSENT:
        return []
    said = value_at(data, ("temperature",))
    if said is ABSENT:
        return [Knob(("temperature",), "temperature", "T", 1.0)]
    if isinstance(said, list):
        pieces = [("temperature", i) for i in range(len(said))]
        return [
            Knob(knob.path, knob.kind, f"piece {path[1] + 1}: {knob.label}", knob.value)
            for path in pieces
            for knob in _knobs(value_at(data, path), path)
        ]
    return list(_knobs(said, ("temperature",)))


def _knobs(said: Any, path: Path) -> Iterator[Knob]:
    if not isinstance(said, Mapping):
        yield Knob(path, "temperature" if _is_value(said) else "text", "T", said)
        return
    for key in _TEMPERATURES:
        if key in said:
            yield _temperature_knob((*path, key), "T" if key == "value" else f"T at the {key}", said[key])
    for i, value in enumerate(_list(said.get("values"))):
        yield _temperature_knob((*path, "values", i), f"T {i + 1}", value)
    for i, value in enumerate(_list(said.get("at"))):
        yield _moment_knob((*path, "at", i), f"T {i + 2} from", value)
    for i, point in enumerate(_list(said.get("points"))):
        if isinstance(point, list) and len(point) == 2:
            yield _moment_knob((*path, "points", i, 0), f"point {i + 1} at", point[0])
            yield _temperature_knob((*path, "points", i, 1), f"T at point {i + 1}", point[1])
    for key in _MOMENTS:
        if key in said or (key == "until" and "start" in said):
            yield _moment_knob((*path, key), key, said.get(key, "100%"))


def _temperature_knob(path: Path, label: str, value: object) -> Knob:
    return Knob(path, "temperature" if _is_value(value) else "text", label, value)


def _moment_knob(path: Path, label: str, value: object) -> Knob:
    percent = isinstance(value, str) and _PERCENT.fullmatch(value)
    return Knob(path, "percent" if percent else "text", label, value)


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_value(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def reshaped(data: Mapping[str, Any], shape: str) -> Mapping[str, Any]:
    """The data with a temperature of another shape, between the same first and last one.

    Raises:
        InvalidInput: a shape that cannot be made with these temperatures.

    >>> reshaped({"temperature": {"schedule": "linear", "start": 4.0, "end": 1.0}}, "geometric")
    {'temperature': {'schedule': 'geometric', 'start': 4.0, 'end': 1.0}}
    """
    first, last, until = _ends(data)
    if first == last and shape != "constant":
        first, last = (_FROM if last < _FROM else 2.0 * last), (last if 0 < last < _FROM else _TO)
    schedule = schedule_between(shape, first, last, until)
    said = {key: _finite(value) for key, value in schedule.to_dict().items()}
    if said.get("until") == "100%":
        del said["until"]
    wanted = said["value"] if shape == "constant" else said
    result: Mapping[str, Any] = with_value(with_value(data, ("temperature",), wanted), ("alpha",), ABSENT)
    return result


def _ends(data: Mapping[str, Any]) -> tuple[float, float, str]:
    """The first and the last temperature, and when a ramp between them ends; the usual where none is said."""
    schedule = _schedule(data)
    if schedule is None:
        return _FROM, _TO, "100%"
    spans = schedule.spans
    ramps = [span for span in spans if span.shape != "hold" and span.end is not None]
    return float(spans[0].start), float(spans[-1].stop), str(ramps[-1].end) if ramps else "100%"


def _schedule(data: Mapping[str, Any]) -> Schedule | None:
    for key, read in (("alpha", alpha), ("temperature", temperature)):
        if key in data:
            try:
                return read(data[key])
            except InvalidInput:
                return None
    return temperature(1.0)


def _finite(value: object) -> object:
    return math.inf if value == "inf" else value
