"""The published JSON schema is current, and accepts what thermix reads.

`mistakes` is a reader of just the JSON schema keywords that are used, so that no library is needed; a
keyword it does not know is an error, and where `jsonschema` is installed the two are compared.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import pytest

from tests.config.test_load import DESIGN
from tests.config.texts import SMALL, with_sources
from thermix.config import json_schema, parse_config
from thermix.config.place import Place
from thermix.config.read import plain_data
from thermix.config.schema import schema_text
from thermix.errors import ConfigError

SCHEMA = json_schema()
COMMAND = (
    'python -c "from thermix.config.schema import schema_text as s; print(s(), end=str())" '
    "> src/thermix/config/schema.json"
)

GOOD = [
    SMALL,
    DESIGN,
    f"{SMALL}temperature: [{{schedule: linear, start: 5, end: 1, until: 80%}}, "
    f"{{from: 80%, schedule: hold, value: 1}}]",
    f"{SMALL}temperature: .inf",
    f"{SMALL}temperature: {{schedule: step, values: [5, inf], at: [1k steps]}}",
    f"{SMALL}temperature: {{schedule: piecewise, points: [[0%, 5], [80%, 1]]}}",
    f"{SMALL}temperature: {{schedule: warmup_hold, start: 1, peak: 5, end: 1, warmup: 10%}}",
    f"{SMALL}temperature: "
    f"{{schedule: join, pieces: [{{schedule: cosine, start: 5, end: 1, until: 80%}}, 1]}}",
    f"{SMALL}alpha: {{schedule: linear, start: 0, end: 1}}",
    f"{SMALL}alpha: 0.3",
    f"{SMALL}max_epochs: 400\nwhen_capped: drop\norder: balanced\npick: batch\nseed: -3",
    f"{SMALL}edits: [{{at: 60, temperature: 1.0, sources: {{web: {{score: 1.5, max_epochs: null}}}}}}]",
    f"{SMALL}edits: [{{at: 60%, steps: 2k draws, sources: {{books: null}}}}, {{at: 90, batch_size: 1_0}}]",
    f"{SMALL}sequence_length: 4\nedits: [{{at: 1k tokens, when_capped: spread}}]",
    "steps: 10B tokens\nbatch_size: 1_024\nsequence_length: 2k\nsources: {网页: {weight: 3, tokens: 10B "
    "tokens}}",
    with_sources("{no: {items: 1e3, unit: document}, '1.5': {items: 10k, path: [a, b], field: text}}"),
]

BAD = [
    "steps: 10",
    with_sources("{web: {itmes: 9}}"),
    with_sources("{web: }"),
    f"{SMALL}seed: 1.5",
    f"{SMALL}temperature: -1",
    f"{SMALL}temperature: warm",
    f"{SMALL}temperature: {{schedule: linr, start: 5, end: 1}}",
    f"{SMALL}temperature: {{schedule: linear, start: 5}}",
    f"{SMALL}temperature: {{schedule: linear, start: 5, end: 1, until: 80}}",
    f"{SMALL}alpha: {{schedule: cosine, start: 0.2, end: 1}}",
    f"{SMALL}max_epochs: 0",
    f"{SMALL}max_epochs: null",
    f"{SMALL}when_capped: spred",
    f"{SMALL}zzz: 1",
    f"{SMALL}edits: [{{temperature: 1}}]",
    f"{SMALL}edits: [{{at: soon, temperature: 1}}]",
    f"{SMALL}edits: [{{at: 9, sources: {{web: {{items: null}}}}}}]",
    "steps: 80%\nbatch_size: 1\nsources: {web: {items: 9}}",
    "steps: 8\nbatch_size: 1\nsources: [web]",
]

TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "null": (type(None),),
}
NOTES = {"$schema", "$defs", "title", "description", "default"}


def mistakes(value: Any, schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """What of a value a schema refuses."""
    for keyword, rule in schema.items():
        if keyword not in NOTES:
            yield from (f"{path} {what}" for what in broken(keyword, rule, value, schema, path))


def broken(keyword: str, rule: Any, value: Any, schema: dict[str, Any], path: str) -> Iterator[str]:
    match keyword:
        case "$ref":
            yield from mistakes(value, SCHEMA["$defs"][rule.removeprefix("#/$defs/")], path)
        case "anyOf":
            if all(any(mistakes(value, option, path)) for option in rule):
                yield "none of several"
        case "type":
            kinds = [TYPES[kind] for kind in ([rule] if isinstance(rule, str) else rule)]
            if isinstance(value, bool) or not any(isinstance(value, kind) for kind in kinds):
                yield f"is no {rule}"
        case "enum" | "const":
            if value not in (rule if keyword == "enum" else [rule]):
                yield f"is not {rule}"
        case "pattern":
            if isinstance(value, str) and not re.search(rule, value):
                yield f"does not match {rule}"
        case "minimum" | "exclusiveMinimum":
            if isinstance(value, int | float) and (value < rule or (keyword != "minimum" and value == rule)):
                yield f"is below {rule}"
        case "minItems" | "maxItems":
            if isinstance(value, list) and (
                len(value) < rule if keyword == "minItems" else len(value) > rule
            ):
                yield f"has not {rule} items"
        case "items" | "prefixItems":
            parts = value if isinstance(value, list) else []
            rules = [rule] * len(parts) if keyword == "items" else rule
            for i, (part, one) in enumerate(zip(parts, rules, strict=False)):
                yield from mistakes(part, one, f"{path}[{i}]")
        case "required":
            yield from (f"has no {key}" for key in rule if isinstance(value, dict) and key not in value)
        case "properties" | "additionalProperties":
            known = schema.get("properties", {})
            for key, below in value.items() if isinstance(value, dict) else ():
                if keyword == "properties" and key in known:
                    yield from mistakes(below, known[key], f"{path}.{key}")
                elif keyword != "properties" and key not in known:
                    if rule is False:
                        yield f"has the unknown key {key}"
                    else:
                        yield from mistakes(below, rule, f"{path}.{key}")
        case _:
            raise AssertionError(f"{keyword} is not known here")


def data(text: str) -> Any:
    return plain_data(text, Place("f"))


def test_the_published_schema_is_current() -> None:
    published = files("thermix.config").joinpath("schema.json").read_text("utf-8")
    assert published == schema_text(), f"write it anew: {COMMAND}"
    assert json.loads(published) == SCHEMA


@pytest.mark.parametrize("text", GOOD)
def test_what_is_read_is_valid(text: str) -> None:
    assert list(mistakes(data(text), SCHEMA)) == []
    if text != DESIGN:  # it has a path without a size
        parse_config(text)


@pytest.mark.parametrize("text", BAD)
def test_mistakes_of_a_key_are_seen_by_the_schema_too(text: str) -> None:
    assert list(mistakes(data(text), SCHEMA))
    with pytest.raises(ConfigError):
        parse_config(text)


def test_every_key_says_what_it_is() -> None:
    models = [SCHEMA, *(SCHEMA["$defs"][f"{name}Model"] for name in ("Source", "SourceEdit", "Edit"))]
    for model in models:
        assert all("description" in key for key in model["properties"].values())


def test_a_library_agrees() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft202012Validator(SCHEMA)
    assert [text for text in GOOD if not validator.is_valid(data(text))] == []
    assert [text for text in BAD if validator.is_valid(data(text))] == []
