"""What the verbs print as JSON: stable keys, exact values.

The keys others rely on are listed in design.md; more stand beside them. The invariant: every value is
valid JSON; there is no NaN, an infinite temperature is the text "inf", and what does not exist is null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from thermix.core.temperature import effective_sources, entropy

if TYPE_CHECKING:  # `thermix probs` has no plan, and starts sooner without
    from thermix.plan.forecast import Forecast, SourceForecast
    from thermix.plan.plan import Batch, Plan

__all__ = ["Remark", "batch_record", "json_text", "plan_record", "probabilities_record", "tokens_of"]

_SOURCE_KEYS = (
    "name",
    "score",
    "items",
    "unit",
    "share_first",
    "share_mean",
    "share_last",
    "expected_draws",
    "draws",
    "epochs",
    "first_repeat_step",
    "end_step",
    "capped",
)


def probabilities_record(
    names: Sequence[str], temperatures: Sequence[float], probabilities: NDArray[np.float64]
) -> dict[str, Any]:
    """Return the record of `thermix probs`.

    Args:
        names: K sources.
        temperatures: S temperatures.
        probabilities: (S, K).
    """
    return {
        "sources": list(names),
        "temperatures": [_temperature(t) for t in temperatures],
        "probabilities": probabilities.tolist(),
        "entropy": entropy(probabilities).tolist(),
        "effective_sources": effective_sources(probabilities).tolist(),
    }


class Remark(Protocol):
    """What is said of a plan: an `Advice`, or a notice of its configuration."""

    @property
    def code(self) -> str:
        """Its stable name."""
        ...

    @property
    def source(self) -> str | None:
        """The source it is about; None where it is about the plan."""
        ...

    @property
    def message(self) -> str:
        """What is said."""
        ...


def plan_record(
    forecast: Forecast, warnings: Sequence[Remark], notices: Sequence[Remark] = ()
) -> dict[str, Any]:
    """Return the record of `thermix plan`.

    Args:
        forecast: of the plan; `steps` and `draws` in the record are those that will happen.
        warnings: about the plan, as `thermix.plan.advice.advise` gives them.
        notices: about its configuration.
    """
    plan = forecast.plan
    return {
        "fingerprint": plan.fingerprint,
        "steps": plan.end,
        "batch_size": plan.batch_size,
        "draws": plan.draws,
        "sequence_length": plan.sequence_length,
        "tokens": tokens_of(plan),
        "seed": plan.seed,
        "order": plan.order,
        "pick": plan.pick,
        "temperature_first": _temperature(forecast.temperature[0]),
        "temperature_last": _temperature(forecast.temperature[-1]),
        "effective_sources_first": float(forecast.effective_sources[0]),
        "effective_sources_last": float(forecast.effective_sources[-1]),
        "segments": [{"start": s.start, "end": s.end, "batch_size": s.batch_size} for s in plan.segments],
        "sources": [_source_record(source) for source in forecast],
        "warnings": [_remark_record(warning) for warning in warnings],
        "notices": [_remark_record(notice) for notice in notices],
    }


def _remark_record(remark: Remark) -> dict[str, str | None]:
    return {"code": remark.code, "source": remark.source, "message": remark.message}


def tokens_of(plan: Plan) -> int | None:
    """Tokens of the whole plan; None where the length of a sequence is not known."""
    return None if plan.sequence_length is None else plan.draws * plan.sequence_length


def _source_record(source: SourceForecast) -> dict[str, Any]:
    return {key: getattr(source, key) for key in _SOURCE_KEYS}


def batch_record(
    names: Sequence[str], step: int, temperature: float, batch: Batch, limit: int | None = None
) -> dict[str, Any]:
    """Return the record of `thermix batch`: all draws, or the first `limit` of them."""
    columns = (batch.source[:limit].tolist(), batch.item[:limit].tolist(), batch.epoch[:limit].tolist())
    draws = [{"source": names[s], "item": i, "epoch": e} for s, i, e in zip(*columns, strict=True)]
    return {"step": step, "temperature": _temperature(temperature), "draws": draws}


def _temperature(value: float) -> float | str:
    return "inf" if math.isinf(value) else float(value)


def json_text(record: dict[str, Any], encoding: str = "utf-8") -> str:
    """Return a record as JSON, a line for each key and for each entry of a list.

    Names stand as they are if the encoding has their characters, else escaped.

    >>> print(json_text({"step": 1, "draws": [{"item": 2}, {"item": 3}]}))
    {
      "step": 1,
      "draws": [
        {"item": 2},
        {"item": 3}
      ]
    }
    """
    text = _lines_of(record, ensure_ascii=False)
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return _lines_of(record, ensure_ascii=True)
    return text


def _lines_of(record: dict[str, Any], *, ensure_ascii: bool) -> str:
    def dumped(value: object) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, allow_nan=False)

    parts = []
    for key, value in record.items():
        if isinstance(value, list) and value and isinstance(value[0], list | dict):
            entries = ",\n".join(f"    {dumped(entry)}" for entry in value)
            parts.append(f"  {dumped(key)}: [\n{entries}\n  ]")
        else:
            parts.append(f"  {dumped(key)}: {dumped(value)}")
    return "{\n" + ",\n".join(parts) + "\n}"
