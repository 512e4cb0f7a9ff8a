"""A plan, written and read again, is the same plan."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from tests.config.texts import parsed, with_sources, write_lines
from thermix.config import SourceFiles, parse_config, read_config, to_yaml
from thermix.core.schedule import (
    Schedule,
    constant,
    cosine,
    geometric,
    inverse_linear,
    join,
    linear,
    piecewise,
    step,
    warmup_hold,
)
from thermix.errors import InvalidInput
from thermix.plan.mixture import Mixture, Source
from thermix.plan.plan import Plan


def again(plan: Plan) -> Plan:
    return parse_config(to_yaml(plan)).plan


NAMES = st.text(min_size=1, max_size=12).filter(str.strip) | st.sampled_from(
    [
        "no",
        "on",
        "y",
        "123",
        "1.50",
        "null",
        "~",
        "1e3",
        "a.b",
        "a: b",
        "<<",
        "网页文本",
        "نص",
        "🙂",
        "- a",
        "inf",
    ]
)
TEMPERATURES = st.floats(0, 1e6)
POSITIVE = st.floats(1e-6, 1e6) | st.sampled_from([1e-7, 1e22, 3.0])
PERCENT = st.lists(st.integers(1, 999), min_size=2, max_size=4, unique=True).map(
    lambda tenths: [f"{tenth / 10}%" for tenth in sorted(tenths)]
)


@st.composite
def one_schedule(draw: st.DrawFn) -> Schedule:
    low, high, until = draw(POSITIVE), draw(POSITIVE), draw(PERCENT)
    kinds: list[Schedule] = [
        constant(draw(TEMPERATURES | st.just(math.inf))),
        linear(low, high, until=until[0]),
        linear(low, high, until="40 steps"),
        linear(low, high),
        inverse_linear(math.inf, high, until=until[0]),
        geometric(low, high, until="400 tokens"),
        cosine(low, high, until="90 draws"),
        step((low, *(high for _ in until)), at=tuple(until)),
        piecewise(*((moment, draw(TEMPERATURES)) for moment in until)),
        warmup_hold(low, high, low, warmup=until[0], hold=until[1]),
        join(linear(low, high, until=until[0]), constant(high, until=until[1]), cosine(high, low)),
        join(join(linear(low, high, until=until[0])), constant(math.inf)),
    ]
    return draw(st.sampled_from(kinds))


@st.composite
def sources(draw: st.DrawFn, kind: str) -> Source:
    keys: dict[str, Any] = {"items": draw(st.integers(20, 1 << 40)), "unit": draw(st.sampled_from(UNITS))}
    if kind != "size":
        keys[kind] = draw(POSITIVE)
    if draw(st.booleans()):
        keys["max_epochs"] = draw(st.floats(100, 1e6) | st.integers(100, 10**6))
    return Source(**keys)


UNITS = ("sequence", "document")
KINDS = st.sampled_from(["score", "weight", "size"])


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    kind = draw(KINDS)
    mixture = Mixture(
        draw(st.dictionaries(NAMES, sources(kind), min_size=1, max_size=4)),
        temperature=draw(one_schedule()),
        max_epochs=draw(st.none() | st.floats(1e3, 1e5)),
        when_capped=draw(st.sampled_from(["spread", "drop", "stop", "error"])),
    )
    return Plan(
        mixture,
        steps=draw(st.integers(60, 200)),
        batch_size=draw(st.integers(1, 4)),
        seed=draw(st.integers()),
        pick=draw(st.sampled_from(["draw", "batch"])),
        sequence_length=7,
    )


@st.composite
def edited(draw: st.DrawFn, plan: Plan, at: int) -> Plan:
    kind = next(iter(plan.segments[-1].mixture.sources.values())).kind
    here = list(plan.segments[-1].mixture.sources)
    grown = {
        name: Source(
            s.score, s.weight, s.items + draw(st.integers(0, 5)), s.max_epochs, draw(st.sampled_from(UNITS))
        )
        for name, s in plan.segments[-1].mixture.sources.items()
        if draw(st.booleans())
    }
    new = draw(st.dictionaries(NAMES, sources(kind), max_size=2))
    ended = {here[0]: None} if len(here) > 1 and draw(st.booleans()) else {}
    added = {name: source for name, source in new.items() if name not in plan.names}
    return plan.edit(
        at_step=at,
        temperature=draw(st.none() | one_schedule()),
        sources={**grown, **added, **ended},
        batch_size=draw(st.none() | st.integers(1, 8)),
        steps=draw(st.none() | st.integers(100, 300)),
        max_epochs=draw(st.none() | st.floats(1e3, 1e5)),
        when_capped=draw(st.sampled_from([None, "spread", "drop"])),
    )


@given(st.data())
def test_a_plan_is_read_as_it_was_written(data: st.DataObject) -> None:
    try:
        plan = data.draw(plans())
        for at in sorted(data.draw(st.sets(st.integers(1, 59), max_size=3))):
            plan = data.draw(edited(plan, at))
    except InvalidInput:
        assume(False)  # caps that cannot be kept, an edit that changes nothing
    read = again(plan)
    assert read == plan
    assert read.fingerprint == plan.fingerprint


@given(NAMES, POSITIVE)
def test_other_readers_of_yaml_read_the_same(name: str, score: float) -> None:
    """PyYAML reads YAML 1.1, in which `no` is false and 1e-07 is text."""
    plan = Plan(Mixture({name: Source(score=score, items=9)}), steps=9, batch_size=1)
    assert yaml.safe_load(to_yaml(plan))["sources"] == {name: {"score": score, "items": 9}}


def test_a_kind_of_score_can_change() -> None:
    plan = Plan(
        Mixture({"a": Source(score=1.0, items=9), "b": Source(score=2.0, items=9)}), steps=9, batch_size=1
    )
    plan = plan.edit(at_step=3, sources={name: Source(weight=2.0, items=9) for name in "ab"})
    plan = plan.edit(at_step=6, sources={name: Source(items=9) for name in "ab"})
    assert again(plan) == plan


def test_schedules_are_written_for_people() -> None:
    mixture = Mixture(
        {"网页": Source(items=9), "no": Source(items=8)},
        temperature=join(linear(5.0, 1.0, until="50%"), constant(1.0)),
        max_epochs=500,
        when_capped="drop",
    )
    plan = Plan(mixture, steps=100, batch_size=8, seed=7, pick="batch")
    plan = plan.edit(at_step=60, temperature=math.inf, sources={"no": None})
    plan = plan.edit(at_step=80, temperature=step((5.0, math.inf), at=("30 steps",)), steps=120)
    assert (
        to_yaml(plan)
        == """\
seed: 7
steps: 100
batch_size: 8
max_epochs: 500
when_capped: drop
pick: batch
temperature:
  - {schedule: linear, start: 5.0, end: 1.0, until: 50%}
  - {schedule: constant, value: 1.0}
sources:
  网页: {items: 9}
  "no": {items: 8}
edits:
  - at: 60
    temperature: .inf
    sources:
      "no": null
  - at: 80
    steps: 120
    temperature: {schedule: step, values: [5.0, .inf], at: [30 steps]}
"""
    )


def test_files_are_written_with_their_sizes() -> None:
    sources = (
        "{web: {score: 1, path: [a/b, 'c d/*.jsonl'], tokens: 3.2e9}, law: {score: 2, tokens: 1001}, "
        "code: {score: 3, path: x, field: text, items: 5}, raw: {score: 4, path: y.bin, dtype: uint16, "
        "items: 7}}"
    )
    config = parsed(text=with_sources(sources, "sequence_length: 10\n"))
    assert config.files["raw"] == SourceFiles(("y.bin",), dtype="uint16", items=7)
    text = to_yaml(config.plan, config.files)
    assert (
        text.split("sources:\n")[1]
        == """\
  web: {score: 1.0, path: [a/b, "c d/*.jsonl"], tokens: 3200000000}
  law: {score: 2.0, tokens: 1001}
  code: {score: 3.0, path: x, field: text, items: 5}
  raw: {score: 4.0, path: "y.bin", dtype: uint16, items: 7}
"""
    )
    read = parse_config(text)
    assert (read.plan, dict(read.files)) == (config.plan, dict(config.files))


def test_a_file_of_data_is_read_again(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", 5)
    first, second = tmp_path / "mix.yaml", tmp_path / "again.yaml"
    first.write_text(with_sources("{网页: {path: a.jsonl}}"), "utf-8")
    config = read_config(first)
    second.write_text(to_yaml(config.plan, config.files), "utf-8")
    assert read_config(second).plan == config.plan
    assert read_config(second).notices == ()


@pytest.mark.parametrize("order", ["balanced", "multinomial"])
def test_rules_are_written_where_they_are_not_as_usual(order: Any) -> None:
    plan = Plan(Mixture({"a": Source(items=9)}), steps=9, batch_size=1, order=order)
    assert ("order" in to_yaml(plan)) == (order != "balanced")
    assert again(plan) == plan
