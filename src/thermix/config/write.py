"""A plan back to the YAML it could have come from: readable, and equal when it is read again.

Not `plan.save`, which keeps a plan beside a checkpoint: this is for people to go on from. Invariant:
`parse_config(to_yaml(plan, files)).plan == plan`; with paths that exist, if the data is as it was.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import MISSING
from itertools import chain

from thermix.config.data import SourceFiles
from thermix.config.place import quoted
from thermix.core.schedule import Constant, Join, Schedule
from thermix.plan.edits import Edit
from thermix.plan.mixture import Source
from thermix.plan.plan import Plan

__all__ = ["flow_text", "to_yaml"]

_PLAIN = re.compile(r"[^\W\d_](?:[\w/ -]*[\w/])?|[0-9.]+%|[0-9.]+[kMBGT]? (?:steps?|draws?|tokens?)")
_NOT_TEXT = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"])
_SOURCE_KEYS = ("score", "weight", "items", "max_epochs", "unit")
_RULES = {"order": "balanced", "pick": "draw"}

Fields = Mapping[str, object]


def to_yaml(plan: Plan, files: Mapping[str, SourceFiles] | None = None) -> str:
    """The configuration of a plan.

    Args:
        plan: with its edits.
        files: name -> where the items are, for the sources where that is known (`Config.files`); paths are
            written as they are, relative to wherever the text will be kept.

    Returns:
        YAML that every YAML 1.1 or 1.2 reader reads alike, one source a line.

    >>> from thermix.core.schedule import linear
    >>> from thermix.plan.mixture import Mixture
    >>> mixture = Mixture({"web": Source(2.0, items=800), "no": Source(1.0, items=90)}, linear(5.0, 1.0))
    >>> print(to_yaml(Plan(mixture, steps=100, batch_size=8)), end="")
    seed: 0
    steps: 100
    batch_size: 8
    temperature: {schedule: linear, start: 5.0, end: 1.0}
    sources:
      web: {score: 2.0, items: 800}
      "no": {score: 1.0, items: 90}
    """
    known = files or {}
    lines = chain(_top(plan), _sources(plan, known), _edits(plan, known))
    return "".join(f"{line}\n" for line in lines)


def _top(plan: Plan) -> Iterator[str]:
    keys: dict[str, object] = {"seed": plan.seed, "steps": plan.steps, "batch_size": plan.batch_size}
    keys |= {"sequence_length": plan.sequence_length, "max_epochs": plan.mixture.max_epochs}
    keys["when_capped"] = None if plan.mixture.when_capped == "spread" else plan.mixture.when_capped
    keys |= {key: getattr(plan, key) for key, usual in _RULES.items() if getattr(plan, key) != usual}
    yield from _given(keys, "")
    yield from _schedule(plan.mixture.temperature, "")


def _sources(plan: Plan, files: Mapping[str, SourceFiles]) -> Iterator[str]:
    yield "sources:"
    for name, source in plan.mixture.sources.items():
        yield f"  {_text(name)}: {flow_text(_definition(source, files.get(name), plan.sequence_length))}"


def _edits(plan: Plan, files: Mapping[str, SourceFiles]) -> Iterator[str]:
    current = dict(plan.mixture.sources)
    if plan.edits:
        yield "edits:"
    for edit in plan.edits:
        keys = {"steps": edit.steps, "batch_size": edit.batch_size}
        keys |= {"max_epochs": edit.max_epochs, "when_capped": edit.when_capped}  # type: ignore[dict-item]
        yield f"  - at: {edit.at_step}"
        yield from _given(keys, "    ")
        if edit.temperature is not None:
            yield from _schedule(edit.temperature, "    ")
        yield from _changes(edit, current, files, plan.sequence_length)


def _changes(
    edit: Edit, current: dict[str, Source], files: Mapping[str, SourceFiles], sequence_length: int | None
) -> Iterator[str]:
    if edit.sources:
        yield "    sources:"
    for name, source in (edit.sources or {}).items():
        before = current.pop(name, None)
        if source is None:
            yield f"      {_text(name)}: null"
            continue
        current[name] = source
        if before is None:
            keys = _definition(source, files.get(name), sequence_length)
        else:
            keys = _difference(before, source)
        yield f"      {_text(name)}: {flow_text(keys)}"


def _definition(source: Source, files: SourceFiles | None, sequence_length: int | None) -> Fields:
    """All keys of a source."""
    files = files or SourceFiles()
    keys: dict[str, object] = {"score": source.score, "weight": source.weight}
    if files.path:
        keys |= {"path": files.path[0] if len(files.path) == 1 else list(files.path)}
        keys |= {"field": files.field, "dtype": files.dtype}
    in_tokens = source.unit == "sequence" and files.tokens is not None and sequence_length is not None
    if in_tokens and files.tokens // sequence_length == source.items:  # type: ignore[operator]
        keys["tokens"] = files.tokens
    else:
        keys["items"] = source.items
    keys["max_epochs"] = source.max_epochs
    usual = "sequence" if not files.path or files.field is None else "document"
    keys["unit"] = None if source.unit == usual else source.unit
    return {key: value for key, value in keys.items() if value is not None}


def _difference(before: Source, after: Source) -> Fields:
    """The keys that differ, null for one that is taken away; its size where none does."""
    old = {key: getattr(before, key) for key in _SOURCE_KEYS}
    new = {key: getattr(after, key) for key in _SOURCE_KEYS}
    changed = {key: value for key, value in new.items() if value != old[key]}
    return changed if changed and "unit" not in changed else changed | {"items": after.items}


def _schedule(schedule: Schedule, indent: str) -> Iterator[str]:
    if isinstance(schedule, Join) and not any(isinstance(piece, Join) for piece in schedule.pieces):
        yield f"{indent}temperature:"
        yield from (f"{indent}  - {flow_text(_short(piece))}" for piece in schedule.pieces)
    elif schedule == Constant(getattr(schedule, "value", 1.0)):
        yield f"{indent}temperature: {_value(schedule.extremes[0])}"
    else:
        yield f"{indent}temperature: {flow_text(_short(schedule))}"


def _short(schedule: Schedule) -> Fields:
    """The schedule as plain data, without what is as it always is."""
    if isinstance(schedule, Join):
        return {"schedule": "join", "pieces": [_short(piece) for piece in schedule.pieces]}
    usual = {key: value for key, value in schedule.keys().items() if value is not MISSING}
    keys = {key: _infinite(value) for key, value in schedule.to_dict().items()}
    return {key: value for key, value in keys.items() if key not in usual or value != usual[key]}


def _infinite(value: object) -> object:
    """The number for the text that stands for it in JSON."""
    if isinstance(value, list):
        return [_infinite(below) for below in value]
    return math.inf if value == "inf" else value


def _given(keys: Fields, indent: str) -> Iterator[str]:
    yield from (f"{indent}{key}: {_value(value)}" for key, value in keys.items() if value is not None)


def _value(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, Mapping):
        return flow_text(value)
    if isinstance(value, list | tuple):
        return f"[{_joined(map(_value, value))}]"
    if isinstance(value, float):
        return _float(value)
    return str(value) if isinstance(value, int) else _text(str(value))


def flow_text(keys: Fields) -> str:
    """Keys and values in braces, as one line of YAML."""
    return f"{{{_joined(f'{_text(key)}: {_value(value)}' for key, value in keys.items())}}}"


def _joined(parts: Iterable[str]) -> str:
    return ", ".join(parts)


def _float(value: float) -> str:
    """With a point, without which YAML 1.1 takes 1e-07 for text."""
    if math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    digits, e, exponent = repr(value).partition("e")
    return f"{digits}{'' if '.' in digits else '.0'}{e}{exponent}"


def _text(text: str) -> str:
    """A text plain where every YAML reader takes it for one, else in quotes."""
    plain = _PLAIN.fullmatch(text) and text.isprintable() and text.lower() not in _NOT_TEXT
    return text if plain else quoted(text)
