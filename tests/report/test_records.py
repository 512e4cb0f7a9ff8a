"""The JSON of the verbs: keys others rely on, and values that are the library's own."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from tests.report.plans import small_plan
from thermix.core.schedule import constant
from thermix.core.temperature import probabilities
from thermix.plan.advice import advise
from thermix.plan.mixture import Mixture, Source
from thermix.plan.plan import Plan
from thermix.report.records import batch_record, json_text, plan_record, probabilities_record

PLAN_KEYS = {"fingerprint", "steps", "batch_size", "draws", "sources", "warnings"}
SOURCE_KEYS = {
    *("name", "score", "items", "share_first", "share_mean", "share_last", "draws", "epochs"),
    *("first_repeat_step", "end_step"),
}


def loaded(record: dict[str, Any], encoding: str = "utf-8") -> Any:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(json_text(record, encoding), parse_constant=refuse)


def test_a_plan_has_the_keys_of_the_design_and_the_values_of_the_forecast() -> None:
    plan = small_plan()
    forecast = plan.forecast()
    record = loaded(plan_record(forecast, advise(forecast)))
    assert record.keys() >= PLAN_KEYS
    assert (record["fingerprint"], record["steps"], record["batch_size"], record["draws"]) == (
        plan.fingerprint,
        1_000,
        64,
        64_000,
    )
    for source, of_forecast in zip(record["sources"], forecast, strict=True):
        assert source.keys() >= SOURCE_KEYS
        assert source == {key: getattr(of_forecast, key) for key in source}
    assert record["warnings"] == [
        {"code": advice.code, "source": advice.source, "message": advice.message}
        for advice in advise(forecast)
    ]
    assert [warning["source"] for warning in record["warnings"]] == ["books"]


def test_what_does_not_exist_is_null_and_infinity_is_text() -> None:
    sources = {"a": Source(weight=1.0, items=9_999), "no": Source(weight=0.0, items=1)}
    plan = Plan(Mixture(sources, temperature=constant(math.inf)), steps=2, batch_size=2)
    record = loaded(plan_record(plan.forecast(), ()))
    assert record["sources"][1]["score"] is None
    assert record["sources"][0]["first_repeat_step"] is record["sources"][0]["end_step"] is None
    assert record["sequence_length"] is record["tokens"] is None
    assert record["temperature_first"] == record["temperature_last"] == "inf"


def test_the_steps_of_an_edited_plan_are_those_that_happen() -> None:
    plan = small_plan().edit(at_step=500, steps=2_000, batch_size=128)
    record = loaded(plan_record(plan.forecast(), ()))
    assert (record["steps"], record["draws"]) == (2_000, 500 * 64 + 1_500 * 128)
    assert record["segments"] == [
        {"start": 0, "end": 500, "batch_size": 64},
        {"start": 500, "end": 2_000, "batch_size": 128},
    ]


def test_probabilities_are_a_row_a_temperature() -> None:
    temperatures = [0.0, 1.0, math.inf]
    rows = probabilities([2.0, 3.0], temperatures)
    record = loaded(probabilities_record(["web", "网页"], temperatures, rows))
    assert record["sources"] == ["web", "网页"]
    assert record["temperatures"] == [0.0, 1.0, "inf"]
    assert record["probabilities"] == rows.tolist()
    assert record["effective_sources"][0] == 1.0
    assert record["effective_sources"][2] == pytest.approx(2.0)


def test_a_batch_is_its_draws_in_order() -> None:
    plan = small_plan()
    batch = plan.batch(123)
    record = loaded(batch_record(plan.names, 123, plan.temperature(123), batch))
    assert record.keys() >= {"step", "temperature", "draws"}
    assert [list(draw) for draw in record["draws"]] == [["source", "item", "epoch"]] * 64
    assert [plan.names.index(draw["source"]) for draw in record["draws"]] == batch.source.tolist()
    assert [draw["item"] for draw in record["draws"]] == batch.item.tolist()
    assert [draw["epoch"] for draw in record["draws"]] == batch.epoch.tolist()
    shorter = batch_record(plan.names, 123, plan.temperature(123), batch, limit=2)
    assert loaded(shorter) == {**record, "draws": record["draws"][:2]}


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "cp1252", "no-such-encoding"])
def test_names_come_back_from_any_encoding(encoding: str) -> None:
    names = ["网页文本", "\udcff", 'quote " and \\', "new\nline"]
    record = {"sources": names, "rows": [{"name": name} for name in names]}
    assert loaded(record, encoding) == record
    if encoding != "utf-8":
        json_text(record, encoding).encode("ascii")


def test_a_number_that_json_lacks_is_a_loud_defect() -> None:
    with pytest.raises(ValueError, match="Out of range float values are not JSON compliant"):
        json_text({"p": [float(np.nan)]})
