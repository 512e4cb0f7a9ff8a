from __future__ import annotations

from collections.abc import Callable

import pytest

import thermix
from tests.plan.plans import mixture, slots
from thermix import Mixture, Plan, Source
from thermix.plan.fingerprint import PARTS, canonical_json, fingerprints, parts


def plan(**given: object) -> Plan:
    sources = {"a": Source(weight=1.0, items=40, max_epochs=9), "b": Source(weight=2.0, items=70)}
    wanted = Mixture(sources, temperature=thermix.linear(5.0, 1.0))
    return Plan(wanted, **({"steps": 100, "batch_size": 8, "seed": 3} | given))  # type: ignore[arg-type]


def remixed(a: Source, b: Source, temperature: object = None) -> Plan:
    return Plan(Mixture({"a": a, "b": b}, temperature or thermix.linear(5.0, 1.0)), 100, 8, 3)  # type: ignore[arg-type]


A, B = Source(weight=1.0, items=40, max_epochs=9), Source(weight=2.0, items=70)

CHANGES: dict[str, tuple[Callable[[], Plan], str]] = {
    "seed": (lambda: plan(seed=4), "seed"),
    "order of draws": (lambda: Plan(mixture({"a": 1.0}), 5, 8, order="multinomial"), "seed"),
    "pick": (lambda: plan(pick="batch"), "seed"),
    "steps": (lambda: plan(steps=101), "batch"),
    "batch size": (lambda: plan(batch_size=9), "batch"),
    "weight": (lambda: remixed(A, Source(weight=2.1, items=70)), "sources"),
    "size": (lambda: remixed(A, Source(weight=2.0, items=71)), "sizes"),
    "cap": (lambda: remixed(Source(weight=1.0, items=40, max_epochs=10), B), "caps"),
    "temperature": (lambda: remixed(A, B, thermix.linear(5.0, 1.1)), "temperature"),
    "name": (lambda: Plan(Mixture({"a": A, "B": B}, thermix.linear(5.0, 1.0)), 100, 8, 3), "sources"),
    "place": (lambda: Plan(Mixture({"b": B, "a": A}, thermix.linear(5.0, 1.0)), 100, 8, 3), "sources"),
}


def told(plan: Plan) -> dict[str, str]:
    return parts(plan.segments[-1].rules, plan.segments)


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_changes_draws_changes_the_fingerprint_and_its_part(change: str) -> None:
    make, part = CHANGES[change]
    other = make()
    assert other.fingerprint != plan().fingerprint
    assert told(other)[part] != told(plan())[part]
    assert tuple(told(other)) == PARTS


@pytest.mark.parametrize("change", ["seed", "batch size", "weight", "temperature", "cap"])
def test_a_part_that_is_as_it_was_has_the_hash_it_had(change: str) -> None:
    make, part = CHANGES[change]
    differing = {p for p in PARTS if told(make())[p] != told(plan())[p]}
    allowed = {"batch size": {"batch", "temperature"}}.get(change, {part})  # a clock counts draws
    assert part in differing <= allowed


def test_what_changes_no_draw_does_not_change_the_fingerprint() -> None:
    assert remixed(A, B).fingerprint == plan().fingerprint
    documents = Source(weight=1.0, items=40, max_epochs=9, unit="document")
    assert remixed(documents, B).fingerprint == plan().fingerprint
    assert plan(sequence_length=2048).fingerprint == plan().fingerprint
    assert remixed(Source(weight=1.0, items=40, max_epochs=9.0), B).fingerprint == plan().fingerprint


def test_a_score_and_its_weight_are_one() -> None:
    by_score = Mixture({"a": Source(score=0.0, items=4), "b": Source(score=0.0, items=4)})
    by_weight = mixture({"a": 1.0, "b": 1.0}, items=4)
    assert Plan(by_score, 5, 8).fingerprint == Plan(by_weight, 5, 8).fingerprint


def test_the_end_of_a_segment_that_an_edit_moves_is_not_in_it() -> None:
    chain = [
        fingerprints(p.segments[-1].rules, p.segments)[0]
        for p in (plan(), plan().edit(at_step=3, batch_size=2), plan().edit(at_step=99, steps=200))
    ]
    assert len(set(chain)) == 1


def test_plans_of_one_fingerprint_draw_alike() -> None:
    one, other = plan(), remixed(A, B)
    assert [slots(one.batch(s)) for s in range(100)] == [slots(other.batch(s)) for s in range(100)]


def test_canonical_json_is_one_text_for_one_value() -> None:
    assert canonical_json({"b": [1, 2.5], "a": "网"}) == '{"a":"网","b":[1,2.5]}'
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))
