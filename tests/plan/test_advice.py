"""What `advise` finds, and what it leaves alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pytest

from thermix.core.schedule import constant, linear, step
from thermix.plan.advice import CODES, MANY_EPOCHS, Advice, advise
from thermix.plan.mixture import Mixture, Source
from thermix.plan.plan import Plan

PLENTY = 10**6


def plan_of(sources: Mapping[str, Source], steps: int = 100, batch_size: int = 8, **of_mixture: Any) -> Plan:
    return Plan(Mixture(sources, **of_mixture), steps=steps, batch_size=batch_size)


def two(**changed: Source) -> dict[str, Source]:
    sources = {"web": Source(score=1.0, items=PLENTY), "books": Source(score=0.5, items=PLENTY)}
    return {**sources, **changed}


def found(plan: Plan, paths: Mapping[str, list[str]] | None = None) -> list[tuple[str, str | None]]:
    return [(advice.code, advice.source) for advice in advise(plan.forecast(), paths)]


def the_only(plan: Plan, paths: Mapping[str, list[str]] | None = None) -> Advice:
    (advice,) = advise(plan.forecast(), paths)
    return advice


def test_a_plan_without_surprises_gets_no_advice() -> None:
    assert found(plan_of(two(), temperature=linear(5.0, 1.0)), {"web": ["a"], "books": ["b"]}) == []


def test_the_codes_are_pinned() -> None:
    assert CODES == (
        "many_epochs",
        "never_drawn",
        "single_source",
        "same_path",
        "source_ends",
        "plan_stops",
        "schedule_outlasts_run",
        "greedy_temperature",
    )


@pytest.mark.parametrize(("steps", "expected"), [(50, []), (51, [("many_epochs", "web")])])
def test_four_epochs_are_fine_and_one_draw_more_is_not(
    steps: int, expected: list[tuple[str, str | None]]
) -> None:
    even = {"web": Source(score=0.0, items=50), "books": Source(score=0.0, items=PLENTY)}
    plan = plan_of(even, steps=steps, batch_size=8)
    assert plan.forecast()["web"].epochs == pytest.approx(MANY_EPOCHS * steps / 50)
    assert found(plan) == expected


def test_many_epochs_cite_their_source_and_the_way_out() -> None:
    plan = plan_of(two(web=Source(score=1.0, items=10)), temperature=math.inf)
    assert the_only(plan).message == (
        "web: 40.00 epochs; the value of repeats fades after about 4 (Muennighoff et al. 2023). "
        "To limit it, set max_epochs: 4."
    )


def test_a_source_too_rare_for_the_plan_is_never_drawn() -> None:
    advice = the_only(plan_of(two(rare=Source(score=-100.0, items=5))))
    assert (advice.code, advice.source) == ("never_drawn", "rare")
    assert advice.message == (
        "rare: never drawn; of 800 draws it is due 0. Raise its score, or the temperature, or remove it."
    )


def test_a_source_of_weight_zero_is_never_drawn_and_the_others_are_not_alone() -> None:
    plan = plan_of(
        {name: Source(weight=w, items=PLENTY) for name, w in (("a", 1.0), ("b", 2.0), ("no", 0.0))}
    )
    advice = the_only(plan)
    assert advice.message == (
        "no: never drawn; its weight is 0. If that is meant, the source can as well be removed."
    )


def test_one_source_is_alone_also_beside_one_of_weight_zero() -> None:
    alone = plan_of({"web": Source(score=1.0, items=PLENTY)})
    assert the_only(alone).message == (
        "web: the only source with a weight above 0; the temperature changes nothing."
    )
    beside = plan_of({"web": Source(weight=1.0, items=PLENTY), "no": Source(weight=0.0, items=1)})
    assert found(beside) == [("never_drawn", "no"), ("single_source", "web")]


def test_two_sources_of_one_path_are_named_once_each() -> None:
    plan = plan_of(two(code=Source(score=0.0, items=PLENTY)))
    assert found(plan, {"web": ["x", "y"], "books": ["z", "y"], "code": ["y"]}) == [
        ("same_path", "books"),
        ("same_path", "code"),
    ]
    assert the_only(plan, {"web": ["x", "x"], "books": ["x"]}).message == (
        "books: reads the same data as web, x; its items are drawn under both names, and each counts "
        "its own epochs. Keep one of them, with the weights of both."
    )


def test_a_dropped_source_ends_before_the_run() -> None:
    sources = two(books=Source(score=0.5, items=50, max_epochs=2))
    advice = the_only(plan_of(sources, when_capped="drop"))
    assert (advice.code, advice.source) == ("source_ends", "books")
    assert advice.message.startswith("books: its budget (max_epochs) is used up at step ")
    assert advice.message.endswith(
        " of 100; from there on the others take its share. To spread it over the run: when_capped: spread."
    )


def test_a_budget_spread_over_the_run_is_as_it_should_be() -> None:
    assert found(plan_of(two(books=Source(score=0.5, items=50, max_epochs=2)))) == []


def test_a_budget_spent_before_an_edit_ends_the_source_there() -> None:
    plan = plan_of(two(books=Source(score=0.5, items=50, max_epochs=2))).edit(at_step=100, steps=200)
    assert found(plan) == [("source_ends", "books")]


def test_a_source_that_an_edit_ends_was_meant_to_end() -> None:
    assert (
        found(plan_of(two(code=Source(score=0.0, items=PLENTY))).edit(at_step=50, sources={"code": None}))
        == []
    )


def test_a_plan_that_stops_early_says_by_whom_and_when() -> None:
    plan = plan_of(two(books=Source(score=0.5, items=50, max_epochs=2)), when_capped="stop")
    advice = the_only(plan)
    assert (advice.code, advice.source) == ("plan_stops", "books")
    assert advice.message == (
        f"books: its budget (max_epochs) is used up at step {plan.end}, and the plan stops there, "
        "not at step 100 (when_capped: stop)."
    )


@pytest.mark.parametrize("until", ["100%", "100 steps", "800 draws"])
def test_a_schedule_may_end_with_the_run(until: str) -> None:
    assert found(plan_of(two(), temperature=linear(5.0, 1.0, until=until))) == []


@pytest.mark.parametrize("until", ["101 steps", "801 draws"])
def test_a_schedule_that_ends_after_the_run_is_named(until: str) -> None:
    assert found(plan_of(two(), temperature=linear(5.0, 1.0, until=until))) == [
        ("schedule_outlasts_run", None)
    ]


def test_a_schedule_that_outlasts_says_where_it_comes_to() -> None:
    plan = plan_of(two(), temperature=linear(5.0, 1.0, until="200 steps"))
    assert the_only(plan).message == (
        "temperature: its schedule goes on to step 200, the run ends at step 100: it comes to 3.02, "
        "not to 1. Write its moments in %, or end it within the run."
    )


def test_a_run_made_shorter_cuts_its_schedule() -> None:
    plan = plan_of(two(), temperature=linear(5.0, 1.0))
    assert found(plan.edit(at_step=50, steps=80)) == [("schedule_outlasts_run", None)]


def test_a_schedule_replaced_before_its_end_was_meant_to_be() -> None:
    plan = plan_of(two(), temperature=linear(5.0, 1.0))
    assert found(plan.edit(at_step=50, temperature=1.0)) == []


@pytest.mark.parametrize(("temperature", "named"), [(0.05, False), (0.0499, True), (0.0, True)])
def test_a_temperature_below_a_twentieth_is_greedy(temperature: float, named: bool) -> None:
    close = {"web": Source(score=0.01, items=PLENTY), "books": Source(score=0.01, items=PLENTY)}
    assert (("greedy_temperature", None) in found(plan_of(close, temperature=temperature))) == named


def test_one_cold_step_of_many_is_seen() -> None:
    cold = step((1.0, 0.01, 1.0), at=("10001 steps", "10002 steps"))
    plan = plan_of(two(), steps=100_000, temperature=cold)
    assert the_only(plan).message == (
        "temperature: below 0.05 from step 10,001, at the least 0.01; there practically only the highest "
        "score is drawn. To draw others too, end it higher."
    )


def test_a_cold_end_that_the_run_does_not_reach_is_not_greedy() -> None:
    plan = plan_of(two(), temperature=linear(5.0, 0.01, until="200 steps"))
    assert found(plan) == [("schedule_outlasts_run", None)]


def test_a_later_segment_is_looked_at_too() -> None:
    plan = plan_of(two(), temperature=constant(1.0)).edit(at_step=60, temperature=0.01)
    assert [a.message.split(",")[0] for a in advise(plan.forecast())] == [
        "temperature: below 0.05 from step 60"
    ]


def test_advice_can_be_pasted_back() -> None:
    advice = Advice("single_source", "网页", "a message")
    assert eval(repr(advice)) == advice
