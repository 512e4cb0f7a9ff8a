"""The configuration as pydantic models: which keys there are, and what each of them may be.

Keys one by one; what several of them mean together is `checks.py`'s matter, and what they make is
`build.py`'s. The JSON schema (`schema.py`) is made from these models too. Invariant: a key that is not
in the file is not in `model_fields_set`, and nothing is turned into another kind silently.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, WithJsonSchema

from thermix.config import values
from thermix.config.temperatures import alpha, temperature
from thermix.core.clock import Moment
from thermix.core.schedule import Schedule
from thermix.plan.mixture import Unit, WhenCapped
from thermix.plan.segments import Order, Pick

__all__ = ["ConfigModel", "EditModel", "SourceEditModel", "SourceModel"]

_COUNT: Final = r"^\s*\+?[0-9][0-9_]*(\.[0-9][0-9_]*)?([eE][+-]?[0-9]{1,3})?\s*[kMBGT]?"
_NUMBER_TEXT: Final[dict[str, Any]] = {"type": "string", "pattern": rf"{_COUNT}\s*$"}
_COUNT_SCHEMA: Final[dict[str, Any]] = {"anyOf": [{"type": "number", "minimum": 1}, _NUMBER_TEXT]}
_TEXT_SCHEMA: Final[dict[str, Any]] = {"type": "string", "pattern": r"\S"}


def _count_or(units: str) -> dict[str, Any]:
    text = {"type": "string", "pattern": rf"{_COUNT}\s*({units})?\s*$"}
    return {"anyOf": [{"type": "number", "minimum": 1}, text]}


def _or_nothing(read: Callable[[object], Any]) -> Callable[[object], Any]:
    return lambda value: None if value is None else read(value)


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return schema | {"type": [schema["type"], "null"]}


_NUMBER: Final[dict[str, Any]] = {"type": "number"}
_WEIGHT: Final[dict[str, Any]] = {"type": "number", "minimum": 0}
_EPOCHS: Final[dict[str, Any]] = {"type": "number", "exclusiveMinimum": 0}

Whole = Annotated[
    int,
    PlainValidator(values.whole),
    WithJsonSchema({"anyOf": [{"type": "integer"}, {"type": "string", "pattern": r"^[+-]?[0-9_]+$"}]}),
]
Count = Annotated[int, PlainValidator(values.count), WithJsonSchema(_COUNT_SCHEMA)]
Tokens = Annotated[int, PlainValidator(values.token_count), WithJsonSchema(_count_or("tokens?"))]
RunLength = Annotated[
    int | Moment, PlainValidator(values.run_length), WithJsonSchema(_count_or("steps?|draws?|tokens?"))
]
At = Annotated[
    int | Moment, PlainValidator(values.at_moment), WithJsonSchema(_count_or("%|steps?|draws?|tokens?"))
]
Number = Annotated[float, PlainValidator(values.number), WithJsonSchema(_NUMBER)]
Weight = Annotated[float, PlainValidator(values.weight), WithJsonSchema(_WEIGHT)]
Epochs = Annotated[float, PlainValidator(values.epochs), WithJsonSchema(_EPOCHS)]
Text = Annotated[str, PlainValidator(values.text), WithJsonSchema(_TEXT_SCHEMA)]
Paths = Annotated[
    tuple[str, ...],
    PlainValidator(values.path_list),
    WithJsonSchema({"anyOf": [_TEXT_SCHEMA, {"type": "array", "items": _TEXT_SCHEMA, "minItems": 1}]}),
]
Temperature = Annotated[
    Schedule, PlainValidator(temperature), WithJsonSchema({"x-definition": "Temperature"})
]
Alpha = Annotated[Schedule, PlainValidator(alpha), WithJsonSchema({"x-definition": "Alpha"})]
NumberOrNull = Annotated[
    float | None, PlainValidator(_or_nothing(values.number)), WithJsonSchema(_or_null(_NUMBER))
]
WeightOrNull = Annotated[
    float | None, PlainValidator(_or_nothing(values.weight)), WithJsonSchema(_or_null(_WEIGHT))
]
EpochsOrNull = Annotated[
    float | None, PlainValidator(_or_nothing(values.epochs)), WithJsonSchema(_or_null(_EPOCHS))
]

_SCORE: Final = (
    "Score w, a log weight: P is proportional to exp(w / T). Every source has a score, or a weight, or none."
)
_WEIGHT_IS: Final = "Weight exp(w), up to a common factor; 0 is never drawn."
_CAP: Final = "Most passes over the source, counted from the start of the run; fractions are allowed."
_CAPS: Final = "Most passes over every source that has no max_epochs of its own."
_WHEN: Final = "What happens to a source that is asked for more than max_epochs allows."
_BATCH: Final = "Draws in a step: the global batch of one optimiser step, gradient accumulation included."
_STEPS: Final = "Steps of the run: 10000, or a length such as 10B tokens, of which the whole steps count."
_TEMPERATURE: Final = (
    "Temperature T: a number, a schedule, or a list of pieces. "
    "High is even, 1 the scores as given, 0 the best source only."
)
_ALPHA: Final = "1/T, in place of temperature."
_TOKENIZER: Final = (
    "Turns the raw sources into tokens (thermix prepare): bytes, a tokenizer.json, tiktoken:NAME or hf:NAME."
)
_PREPARED: Final = (
    "Folder in which thermix prepare keeps the shards of raw sources, one folder each; prepared if left out."
)


class _Keys(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)


class _SourceKeys(_Keys):
    """What a source and a changed source have in common: where its items are, and how many."""

    path: Paths | None = Field(
        None, description="File, folder or glob, or a list of them, from this file's folder."
    )
    field: Text | None = Field(None, description="The field of a document that holds its text.")
    tokens: Tokens | None = Field(
        None, description="Size in tokens, for when the data is not there: 3.2e9, 10B."
    )
    items: Count | None = Field(None, description="Size in items (sequences or documents), for the same.")
    dtype: Text | None = Field(None, description="Type of a token in a token file without a header.")
    unit: Unit | None = Field(None, description="What an item is; seen from the data where there is any.")


class SourceModel(_SourceKeys):
    """A source: how much it is wanted, where its items are, and how often each may come."""

    score: Number | None = Field(None, description=_SCORE)
    weight: Weight | None = Field(None, description=_WEIGHT_IS)
    max_epochs: Epochs | None = Field(None, description=_CAP)


class SourceEditModel(_SourceKeys):
    """What changes about a source; null takes a score, a weight or a limit away."""

    score: NumberOrNull = Field(None, description=_SCORE)
    weight: WeightOrNull = Field(None, description=_WEIGHT_IS)
    max_epochs: EpochsOrNull = Field(None, description=_CAP)


class EditModel(_Keys):
    """What changes from a step on; all else stays, and counts go on."""

    at: At = Field(
        description="The first step that is changed: 6000, 60% (of steps, as at the top), 10B tokens; "
        "between two steps it is the later one."
    )
    temperature: Temperature | None = Field(None, description=f"{_TEMPERATURE} Its clock begins here.")
    alpha: Alpha | None = Field(None, description=_ALPHA)
    sources: dict[str, SourceEditModel | None] | None = Field(
        None, description="Sources that change, key by key; a new one with all its keys; null ends one."
    )
    batch_size: Count | None = Field(None, description=_BATCH)
    steps: RunLength | None = Field(None, description=f"{_STEPS} Counted from the start of the run.")
    max_epochs: Epochs | None = Field(None, description=_CAPS)
    when_capped: WhenCapped | None = Field(None, description=_WHEN)


class ConfigModel(_Keys):
    """A configuration of thermix: sources, how they are mixed, and for how long."""

    seed: Whole = Field(
        0, description="Any whole number; another seed gives another order, not other shares."
    )
    steps: RunLength = Field(description=_STEPS)
    batch_size: Count = Field(description=_BATCH)
    sequence_length: Count | None = Field(None, description="Tokens in a sequence.")
    tokenizer: Text | None = Field(None, description=_TOKENIZER)
    end_of_document: Text | None = Field(
        None,
        description="Token that thermix prepare puts behind each document; the tokenizer's own if left out.",
    )
    prepared: Text | None = Field(None, description=_PREPARED)
    temperature: Temperature | None = Field(None, description=f"{_TEMPERATURE} 1 where there is none.")
    alpha: Alpha | None = Field(None, description=_ALPHA)
    sources: dict[str, SourceModel] = Field(description="Name of a source: what it is. Names are any text.")
    edits: list[EditModel] = Field([], description="Changes on the way, in the order of their steps.")
    max_epochs: Epochs | None = Field(None, description=_CAPS)
    when_capped: WhenCapped = Field("spread", description=_WHEN)
    order: Order = Field(
        "balanced",
        description="balanced: counts stay next to their expectation. multinomial: independent draws.",
    )
    pick: Pick = Field(
        "draw", description="draw: a source for every draw. batch: one source for a whole step."
    )
