"""The JSON schema of a configuration, made from the models; for editors and checkers, not for thermix.

It is published as `schema.json` beside this file. An editor with the YAML language server completes keys
and marks mistakes with this first line in a configuration (or `thermix schema > mix.schema.json`):

    # yaml-language-server: $schema=mix.schema.json

A test compares the two and says how to write it anew. Invariant: every configuration that thermix reads
is valid by it. The converse does not hold: thermix checks more.
"""

from __future__ import annotations

import json
from dataclasses import MISSING
from typing import Any, Final

from thermix.config.model import ConfigModel
from thermix.config.temperatures import ALPHA_KINDS
from thermix.core import schedule as schedules
from thermix.core.schedule import Schedule

__all__ = ["json_schema", "schema_text"]

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_KINDS: Final[dict[str, type[Schedule]]] = {
    "constant": schedules.Constant,
    "hold": schedules.Constant,
    "linear": schedules.Linear,
    "inverse_linear": schedules.InverseLinear,
    "geometric": schedules.Geometric,
    "cosine": schedules.Cosine,
    "step": schedules.Step,
    "piecewise": schedules.Piecewise,
    "warmup_hold": schedules.WarmupHold,
    "join": schedules.Join,
}
_MOMENT: Final = {"$ref": "#/$defs/Moment"}
_LEVEL: Final = {"$ref": "#/$defs/Level"}
_POINT: Final = {"type": "array", "prefixItems": [_MOMENT, _LEVEL], "minItems": 2, "maxItems": 2}
_ARGUMENTS: Final[dict[str, dict[str, Any]]] = {
    "values": {"type": "array", "items": _LEVEL, "minItems": 2},
    "at": {"type": "array", "items": _MOMENT, "minItems": 1},
    "points": {"type": "array", "items": _POINT, "minItems": 2},
    "pieces": {"type": "array", "items": {"$ref": "#/$defs/Temperature"}, "minItems": 1},
    **dict.fromkeys(("until", "warmup", "hold", "from"), _MOMENT),
    **dict.fromkeys(("value", "start", "end", "peak"), _LEVEL),
}


def json_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of a configuration, as plain data."""
    schema = _cleaned(ConfigModel.model_json_schema())
    schema["$defs"] |= {
        "Temperature": _level_or_schedule("Temperature", _KINDS),
        "Alpha": _level_or_schedule("Alpha", {kind: _KINDS[kind] for kind in ALPHA_KINDS}),
        "Level": {"anyOf": [{"type": "number", "minimum": 0}, {"enum": ["inf", ".inf"]}]},
        "Moment": {
            "type": "string",
            "pattern": r"^\s*[0-9][0-9_.]*([eE][+-]?[0-9]+)?\s*[kMBGT]?\s*(%|steps?|draws?|tokens?)\s*$",
            "description": "A moment of the run, with its unit: 80%, 8000 steps, 1.5M draws, 10B tokens.",
        },
    }
    return {"$schema": _DIALECT, "title": "thermix configuration", **schema}


def schema_text() -> str:
    """The schema as it is published."""
    return json.dumps(json_schema(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _level_or_schedule(name: str, kinds: dict[str, type[Schedule]]) -> dict[str, Any]:
    """A number, one of the schedules, or a list of those."""
    options = [_schedule(kind, schedule) for kind, schedule in kinds.items()]
    pieces = {"type": "array", "items": {"$ref": f"#/$defs/{name}"}, "minItems": 1}
    return {"anyOf": [_LEVEL, pieces, *options]}


def _schedule(kind: str, schedule: type[Schedule]) -> dict[str, Any]:
    keys = schedule.keys()
    return {
        "type": "object",
        "properties": {"schedule": {"const": kind}} | {key: _ARGUMENTS[key] for key in (*keys, "from")},
        "required": ["schedule", *(key for key, default in keys.items() if default is MISSING)],
        "additionalProperties": False,
    }


def _cleaned(schema: Any) -> Any:
    """Without titles, with references to our definitions, and without null where null is refused."""
    if isinstance(schema, list):
        return [_cleaned(below) for below in schema]
    if not isinstance(schema, dict):
        return schema
    if "x-definition" in schema:
        return {"$ref": f"#/$defs/{schema['x-definition']}"}
    noise = {"title"} | ({"default"} if schema.get("default") is None else set())
    cleaned = {key: _cleaned(below) for key, below in schema.items() if key not in noise}
    for key, below in cleaned.get("properties", {}).items():
        cleaned["properties"][key] = _without_null(below)
    return cleaned


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    options = [option for option in schema.get("anyOf", []) if option != {"type": "null"}]
    if len(options) == len(schema.get("anyOf", [])):
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return rest | (options[0] if len(options) == 1 else {"anyOf": options})
