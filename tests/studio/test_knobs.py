"""What can be turned in a configuration, and the configuration after it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermix.errors import InvalidInput
from thermix.studio.knobs import (
    ABSENT,
    Length,
    cap_knobs,
    in_unit,
    length_of,
    size_knobs,
    value_at,
    want_knobs,
    with_source,
    with_value,
    without_source,
)

DATA: dict[str, Any] = {
    "steps": "10B tokens",
    "sources": {"web": {"score": 2.0, "items": 9}, "书": {"score": -1, "tokens": "3B", "max_epochs": 4}},
}

trees = st.recursive(
    st.integers(),
    lambda below: st.dictionaries(st.sampled_from("abc"), below) | st.lists(below),
    max_leaves=8,
)


def test_each_knob_is_one_value_of_the_configuration() -> None:
    assert [(k.path[1], k.kind, k.value) for k in want_knobs(DATA)] == [
        ("web", "score", 2.0),
        ("书", "score", -1),
    ]
    assert [(k.label, k.value) for k in cap_knobs(DATA)] == [("web", None), ("书", 4)]
    assert [(k.label, k.value) for k in size_knobs(DATA)] == [("web: items", 9), ("书: tokens", "3B")]


@pytest.mark.parametrize("data", [None, 5, [], {}, {"sources": 3}, {"sources": {"a": None}}])
def test_what_is_no_configuration_has_no_knobs(data: Any) -> None:
    assert want_knobs(data) == cap_knobs(data) == size_knobs(data) == []
    assert length_of(data) is None


@pytest.mark.parametrize("value", ["high", True, [1], float("nan"), float("inf")])
def test_a_value_that_no_slider_has_is_shown_as_it_is_written(value: Any) -> None:
    (knob,) = want_knobs({"sources": {"a": {"score": value}}})
    assert (knob.kind, knob.value) == ("text", value)


@given(trees, st.lists(st.sampled_from("abc"), max_size=3), st.integers())
def test_turning_a_knob_changes_its_value_and_no_other(data: Any, path: list[str], value: int) -> None:
    if not isinstance(data, dict):
        data = {"a": data}
    parents = [value_at(data, tuple(path[:i])) for i in range(len(path))]
    if any(not isinstance(parent, dict) and parent is not ABSENT for parent in parents):
        return
    after = with_value(data, tuple(path), value)
    assert value_at(after, tuple(path)) == value
    if path:
        back = value_at(data, tuple(path))
        if all(parent is not ABSENT for parent in parents):
            assert with_value(after, tuple(path), back) == data


def test_nothing_given_is_changed_in_place() -> None:
    before = repr(DATA)
    with_value(DATA, ("sources", "web", "score"), 1.0)
    without_source(DATA, "web")
    assert repr(DATA) == before


@pytest.mark.parametrize(
    ("written", "length"),
    [
        (10_000, Length(10_000, "steps")),
        (1e4, Length(10_000, "steps")),
        ("10B tokens", Length(10**10, "tokens")),
        ("5 steps", Length(5, "steps")),
        ("2M draws", Length(2 * 10**6, "draws")),
        *((bad, None) for bad in (0, -3, 1.5, "80%", "long", True, None, [4])),
    ],
)
def test_a_length_is_read_in_the_unit_it_is_written_in(written: Any, length: Length | None) -> None:
    assert length_of({"steps": written}) == length


@given(st.integers(1, 10**9), st.integers(1, 5_000), st.integers(1, 5_000))
def test_steps_in_another_unit_and_back_are_the_same(steps: int, batch: int, tokens: int) -> None:
    for unit in ("draws", "tokens"):
        there = in_unit(Length(steps, "steps"), unit, batch, tokens)
        assert in_unit(there, "steps", batch, tokens) == Length(steps, "steps")
        assert length_of({"steps": there.written}) == there


def test_a_new_source_is_wanted_in_the_way_of_the_others() -> None:
    assert with_source(DATA, "new")["sources"]["new"] == {"score": 0.0, "items": 100_000}
    weights = {"sources": {"a": {"weight": 3, "items": 5}}}
    assert with_source(weights, "new")["sources"]["new"] == {"weight": 1.0, "items": 100_000}
    assert with_source({"sources": {"a": {"items": 5}}}, "new")["sources"]["new"] == {"items": 100_000}
    assert without_source(with_source(DATA, "new"), "new") == DATA


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (" ", "sources: got an empty name; a name is text that is not empty."),
        ("web", "sources: there is 'web' already. Give the new one another name."),
    ],
)
def test_a_name_that_cannot_be_is_refused(name: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        with_source(DATA, name)
    assert str(refused.value) == message
