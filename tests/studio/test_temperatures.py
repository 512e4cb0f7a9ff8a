"""The knobs of a temperature, and the same run under another shape."""

from __future__ import annotations

from typing import Any

import pytest

from thermix.config import parse_config
from thermix.errors import InvalidInput
from thermix.studio.temperatures import AS_WRITTEN, CHOICES, reshaped, shape_of, temperature_knobs
from thermix.studio.yaml_text import data_text

LINEAR = {"schedule": "linear", "start": 5.0, "end": 1.0, "until": "80%"}


def knobs(temperature: Any, key: str = "temperature") -> dict[str, tuple[str, Any]]:
    return {knob.label: (knob.kind, knob.value) for knob in temperature_knobs({key: temperature})}


def test_every_temperature_and_every_moment_has_a_knob() -> None:
    assert knobs(LINEAR) == {
        "T at the start": ("temperature", 5.0),
        "T at the end": ("temperature", 1.0),
        "until": ("percent", "80%"),
    }
    assert knobs({"schedule": "cosine", "start": 5, "end": 1})["until"] == ("percent", "100%")
    assert knobs({"schedule": "linear", "start": 5, "end": 1, "until": "9k steps"})["until"][0] == "text"
    assert knobs({"schedule": "step", "values": [4, 2], "at": ["30%"]}) == {
        "T 1": ("temperature", 4),
        "T 2": ("temperature", 2),
        "T 2 from": ("percent", "30%"),
    }
    assert knobs({"schedule": "piecewise", "points": [["0%", 4], ["50%", 1]]})["T at point 2"][1] == 1
    assert knobs([LINEAR, {"schedule": "hold", "value": 1}])["piece 2: T"] == ("temperature", 1)


def test_a_number_is_a_knob_and_so_is_nothing() -> None:
    assert knobs(2.5) == {"T": ("temperature", 2.5)}
    assert temperature_knobs({})[0].value == 1.0
    assert knobs("warm") == {"T": ("text", "warm")}
    assert knobs(0.5, "alpha") == {}


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        ({}, "constant"),
        ({"temperature": 2}, "constant"),
        ({"temperature": LINEAR}, "linear"),
        ({"temperature": [LINEAR]}, AS_WRITTEN),
        ({"temperature": {"schedule": "piecewise", "points": []}}, AS_WRITTEN),
        ({"alpha": 0.5}, AS_WRITTEN),
        ({"temperature": "warm"}, AS_WRITTEN),
    ],
)
def test_the_shape_is_known_by_its_keys(data: Any, shape: str) -> None:
    assert shape_of(data) == shape


@pytest.mark.parametrize("shape", CHOICES)
@pytest.mark.parametrize(
    "before", [LINEAR, 3.0, 0.0, [LINEAR, {"schedule": "hold", "value": 1.0}], {"schedule": "step"}, None]
)
def test_every_shape_makes_a_plan_of_any_temperature(shape: str, before: Any) -> None:
    data = {
        "steps": 100,
        "batch_size": 4,
        "sources": {"a": {"score": 1.0, "items": 9}, "b": {"score": 0, "items": 9}},
    }
    data |= {} if before is None else {"temperature": before}
    after = dict(reshaped(data, shape))
    assert shape_of(after) == shape
    plan = parse_config(data_text(after)).plan
    if before == LINEAR:
        assert plan.temperature(0) == (1.0 if shape == "constant" else 5.0)
        assert plan.temperature(99) == 1.0


def test_an_alpha_becomes_the_temperature_that_it_is() -> None:
    after = reshaped({"alpha": {"schedule": "linear", "start": 0.25, "end": 1.0}, "steps": 5}, "cosine")
    assert after == {"steps": 5, "temperature": {"schedule": "cosine", "start": 4.0, "end": 1.0}}


def test_a_shape_that_cannot_be_is_refused() -> None:
    ends = {"temperature": {"schedule": "linear", "start": 5.0, "end": 0.0}}
    with pytest.raises(InvalidInput, match=r"geometric.end: got 0"):
        reshaped(ends, "geometric")
