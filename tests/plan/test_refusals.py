"""Every wrong mixture, plan, edit and question is refused, and the message says what and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import thermix
from tests.plan.plans import mixture
from thermix import InvalidInput, Mixture, OutOfRange, Plan, PlanError, Source
from thermix.plan.mixture import as_schedule

INF, NAN = float("inf"), float("nan")
HUGE = 10**400  # an integer that no float can hold


def two(**given: Any) -> Plan:
    """Two sources of 10 items, 5 steps of 4 draws, unless given otherwise."""
    return Plan(mixture({"a": 1.0, "b": 1.0}, items=10), **({"steps": 5, "batch_size": 4} | given))


def capped(limit: float, when: Any, **given: Any) -> Plan:
    sources = {"a": Source(weight=1.0, items=10, max_epochs=limit), "b": Source(weight=1.0, items=1000)}
    return Plan(Mixture(sources, when_capped=when), **({"steps": 10, "batch_size": 4} | given))


MIXTURES: dict[str, tuple[Callable[[], object], str]] = {
    "no sources": (lambda: Mixture({}), r"sources: got none; .* at least one source"),
    "all weights zero": (
        lambda: mixture({"a": 0.0, "b": 0.0}),
        r"sources: all weights are 0; at least one source must have a weight > 0",
    ),
    "negative weight": (lambda: Source(weight=-1.0, items=1), r"weight: got -1\.0; it must be >= 0"),
    "weight NaN": (lambda: Source(weight=NAN, items=1), r"weight: got nan; it must be finite"),
    "score NaN": (lambda: Source(score=NAN, items=1), r"score: got nan; it must be finite"),
    "infinite score": (lambda: Source(score=INF, items=1), r"score: got inf; .*finite.* weight 0"),
    "minus infinite score": (lambda: Source(score=-INF, items=1), r"score: got -inf; .*give it weight 0"),
    "score as text": (lambda: Source(score="2", items=1), r"score: got '2'; it must be a number"),  # type: ignore[arg-type]
    "score and weight": (
        lambda: Source(score=1.0, weight=1.0, items=1),
        r"got both 1\.0 and 1\.0.*remove one",
    ),
    "mixed kinds of score": (
        lambda: Mixture({"a": Source(score=1.0, items=1), "b": Source(items=3)}),
        r"mixed kinds of score: 'a' by score, 'b' by size; .*every source a score",
    ),
    "source of size 0": (lambda: Source(items=0), r"items: got 0; a source needs at least 1 item. Remove"),
    "size above 2^62": (
        lambda: Source(items=2**62 + 1),
        r"items: got 46\d+; the most is 2\^62",
    ),
    "size as a float": (
        lambda: Source(items=1.5),  # type: ignore[arg-type]
        r"items: got 1\.5; it must be a whole number",
    ),
    "cap 0": (
        lambda: Source(items=1, max_epochs=0),
        r"max_epochs: got 0; it must be a number > 0\. To leave the source out, remove it or give it weight",
    ),
    "cap infinite": (lambda: Source(items=1, max_epochs=INF), r"max_epochs: got inf"),
    "cap of all 0": (lambda: Mixture({"a": Source(items=1)}, max_epochs=-1), r"max_epochs: got -1"),
    "unit": (lambda: Source(items=1, unit="byte"), r"unit: got 'byte'; it is 'sequence' or 'document'"),  # type: ignore[arg-type]
    "when_capped": (
        lambda: Mixture({"a": Source(items=1)}, when_capped="halt"),  # type: ignore[arg-type]
        r"when_capped: got 'halt'; it is one of spread, drop, stop, error",
    ),
    "negative T": (lambda: mixture({"a": 1.0}, temperature=-1.0), r"got -1\.0; a temperature must be >= 0"),
    "T NaN": (lambda: mixture({"a": 1.0}, temperature=NAN), r"got nan; a temperature must be >= 0"),
    "T a function": (
        lambda: Mixture({"a": Source(items=1)}, temperature=lambda p: p),  # type: ignore[arg-type]
        r"temperature: got <function.*number >= 0 or a schedule such as thermix\.linear",
    ),
    "empty name": (lambda: mixture({" ": 1.0}), r"got the name ' '; a name is text that is not empty"),
    "no source": (lambda: Mixture({"a": 3}), r"sources\.a: got 3; it must be a thermix\.Source"),  # type: ignore[dict-item]
    "too many": (
        lambda: mixture({str(i): 1.0 for i in range(2**14 + 1)}),
        r"sources: got 16385; the most is 16384",
    ),
}

PLANS: dict[str, tuple[Callable[[], object], str]] = {
    "no mixture": (lambda: Plan({}, steps=1, batch_size=1), r"mixture: got {}; .*thermix\.Mixture"),  # type: ignore[arg-type]
    "steps 0": (lambda: two(steps=0), r"steps: got 0; it must be at least 1"),
    "batch 0": (lambda: two(batch_size=0), r"batch_size: got 0; it must be at least 1"),
    "batch of 2^30": (lambda: two(batch_size=2**30), r"batch_size: got 1073741824; it must be below 2\^30"),
    "batch as a float": (lambda: two(batch_size=4.0), r"batch_size: got 4\.0; it must be a whole number"),
    "seed as text": (lambda: two(seed="0"), r"seed: got '0'; it must be a whole number"),
    "order": (lambda: two(order="random"), r"order: got 'random'; it is one of balanced, multinomial"),
    "pick": (lambda: two(pick="step"), r"pick: got 'step'; it is one of draw, batch"),
    "2^50 draws": (lambda: two(steps=2**40, batch_size=2**10), r"a plan has fewer than 2\^50 draws"),
    "more than 2^31 epochs": (
        lambda: Plan(mixture({"a": 1.0, "b": 1.0}, items=1), steps=2**32, batch_size=2),
        r"sources\.a: 4,294,967,296 draws of 1 items are more than 2\^31 epochs",
    ),
    "multinomial with caps": (
        lambda: capped(2, "spread", order="multinomial"),
        r"sources\.a\.max_epochs: a cap with order: multinomial; .*Use order: balanced",
    ),
    "cap below one draw": (
        lambda: capped(0.05, "spread"),
        r"sources\.a\.max_epochs: 0\.05 epochs of 10 items is less than one draw",
    ),
    "tokens without a sequence length": (
        lambda: Plan(
            mixture({"a": 1.0}, temperature=thermix.linear(5, 1, until="9B tokens")), steps=3, batch_size=1
        ),
        r"tokens have no place.*Set sequence_length",
    ),
    "budgets below the draws": (
        lambda: Plan(
            Mixture({"a": Source(items=9), "b": Source(items=4)}, max_epochs=1), steps=5, batch_size=4
        ),
        r"budgets of all sources add up to 13 draws, steps 0 to 5 need 20\. .*factor of at least 1\.556, or "
        r"end the run at step 3",
    ),
    "cap with error": (
        lambda: capped(1, "error"),
        r"sources\.a\.max_epochs: it allows 10 draws, the plan asks for 20; with when_capped: error",
    ),
    "stop before the first step": (
        lambda: capped(0.1, "stop"),
        r"sources\.a\.max_epochs: the very first step passes its budget; .*smaller batch",
    ),
}

EDITS: dict[str, tuple[Callable[[], object], str]] = {
    "nothing": (lambda: two().edit(at_step=2), r"edit at step 2: it changes nothing"),
    "in the past of another": (
        lambda: two().edit(at_step=3, temperature=2.0).edit(at_step=2, temperature=1.0),
        r"edit at step 2: an earlier edit begins a segment at step 3, and the past cannot change",
    ),
    "at the step of another": (
        lambda: two().edit(at_step=3, temperature=2.0).edit(at_step=3, temperature=1.0),
        r"edit at step 3: an earlier edit begins a segment at step 3.*merge those of one step",
    ),
    "at step 0": (lambda: two().edit(at_step=0, temperature=2.0), r"at_step: got 0; it must be at least 1"),
    "after the end": (
        lambda: two().edit(at_step=6, temperature=2.0),
        r"edit at step 6: the plan ends at step",
    ),
    "at the end": (
        lambda: two().edit(at_step=5, batch_size=8),
        r"ends at step 5.*longer with steps",
    ),
    "ending in its past": (
        lambda: two().edit(at_step=3, steps=2),
        r"steps: got 2; the plan must go on",
    ),
    "shrinking source": (
        lambda: two().edit(at_step=2, sources={"a": Source(weight=1.0, items=9)}),
        r"sources\.a\.items: got 9 after 10; a source may grow, not shrink\. End it and add",
    ),
    "ending what is not there": (
        lambda: two().edit(at_step=2, sources={"c": None}),
        r"edit at step 2: sources\.c: it cannot end, there is no such source; there are a, b",
    ),
    "score of what is not there": (
        lambda: two().edit(at_step=2, scores={"c": 1.0}),
        r"scores\.c: no such source; there are a, b\. To add one, use sources=",
    ),
    "another kind of score": (
        lambda: two().edit(at_step=2, sources={"c": Source(score=1.0, items=3)}),
        r"mixed kinds of score: 'a' by weight, 'c' by score",
    ),
    "score of a size": (
        lambda: Plan(Mixture({"a": Source(items=3)}), steps=5, batch_size=1).edit(
            at_step=1, scores={"a": 1.0}
        ),
        r"scores\.a: this mixture goes by size",
    ),
    "cap below what is drawn": (
        lambda: two().edit(at_step=4, sources={"a": Source(weight=1.0, items=10, max_epochs=0.7)}),
        r"sources\.a\.max_epochs: it allows 7 draws, 8 are already drawn; a cap counts from the plan's start",
    ),
    "every budget used up": (
        lambda: two().edit(at_step=4, max_epochs=0.8),
        r"step 4: every source has used up its budget, none is left",
    ),
    "after a stop": (
        lambda: capped(1, "stop").edit(at_step=8, temperature=2.0),
        r"the plan ends at step 5; 'a' uses up its budget there",
    ),
}

QUESTIONS: dict[str, tuple[Callable[[], object], str]] = {
    "world size over batch size": (
        lambda: two().batch(0, rank=0, world_size=5),
        r"world_size: got 5 ranks for a batch of 4; .*larger batch or fewer ranks",
    ),
    "rank out of range": (
        lambda: two().batch(0, rank=2, world_size=2),
        r"rank: got 2; with world_size 2 ranks are 0 to 1",
    ),
    "negative rank": (lambda: two().batch(0, rank=-1, world_size=2), r"rank: got -1"),
    "world size 0": (lambda: two().batch(0, rank=0, world_size=0), r"world_size: got 0; .*at least 1"),
    "step at the end": (lambda: two().batch(5), r"step: got 5; the plan has 5 steps"),
    "negative step": (lambda: two().batch(-1), r"step: got -1"),
    "temperature at the end": (lambda: two().temperature(5), r"step: got 5"),
    "probabilities at the end": (lambda: two().probabilities([0, 5]), r"step: got 5"),
    "counts after the end": (lambda: two().counts([0, 6]), r"step: got 6"),
    "step as a float": (lambda: two().counts(1.0), r"step: got 1\.0; steps are whole numbers"),
    "steps in two dimensions": (lambda: two().counts([[1]]), r"shape \(S,\)"),
    "stop before start": (lambda: two().batches(3, 2), r"stop: got 2, before start 3"),
    "steps of two batch sizes": (
        lambda: two().edit(at_step=2, batch_size=8).batches(0, 5),
        r"steps 0 to 5: batch sizes differ\. Ask up to and from step \[?2",
    ),
    "step after a stop": (lambda: capped(1, "stop").batch(7), r"'a' uses up its budget there"),
}

ALL = {**MIXTURES, **PLANS, **EDITS, **QUESTIONS}


@pytest.mark.parametrize("name", ALL)
def test_it_is_refused_and_the_message_says_what_and_why(name: str) -> None:
    call, message = ALL[name]
    with pytest.raises(InvalidInput, match=message):
        call()


@pytest.mark.parametrize(
    "name", ["rank out of range", "step at the end", "negative step", "stop before start"]
)
def test_what_does_not_exist_is_an_index_error(name: str) -> None:
    with pytest.raises(OutOfRange):
        ALL[name][0]()


@pytest.mark.parametrize("name", ["in the past of another", "shrinking source", "cap below what is drawn"])
def test_a_plan_that_cannot_be_changed_so_is_a_plan_error(name: str) -> None:
    with pytest.raises(PlanError):
        ALL[name][0]()


@pytest.mark.parametrize(
    "call",
    [
        lambda: Source(score=HUGE, items=1),
        lambda: Source(weight=HUGE, items=1),
        lambda: Source(items=1, max_epochs=HUGE),
        lambda: Mixture({"a": Source(items=1)}, temperature=as_schedule(HUGE)),
    ],
)
def test_an_integer_that_no_float_can_hold_is_refused(call: Callable[[], object]) -> None:
    with pytest.raises(InvalidInput):
        call()


@pytest.mark.parametrize("limit", [np.float64(1.5), np.float32(1.5)])
def test_a_cap_may_be_a_number_of_numpy(limit: Any) -> None:
    assert capped(limit, "spread").segments[0].budgets == {0: 15}


def test_a_cap_may_be_a_whole_number_of_numpy() -> None:
    assert capped(np.int64(2), "spread").segments[0].budgets == {0: 20}  # type: ignore[arg-type]


def test_a_step_that_no_int64_holds_is_named_as_it_was_given() -> None:
    with pytest.raises(InvalidInput, match="got 9223372036854775808"):
        two().counts(2**63)


def test_what_is_no_edit_is_refused() -> None:
    with pytest.raises(InvalidInput, match="edits"):
        two(edits=({"at_step": 2},))


def budgets_plan(factor: float, steps: int) -> Plan:
    sources = {"a": Source(weight=1.0, items=1009), "b": Source(weight=1.0, items=5)}
    return Plan(Mixture(sources, max_epochs=factor), steps=steps, batch_size=1)


def test_both_ways_out_of_budgets_that_do_not_cover_the_draws_work() -> None:
    with pytest.raises(PlanError, match=r"or end the run at step 1014") as refused:
        budgets_plan(1, 12_344)
    factor = float(str(refused.value).split("at least ")[1].split(",")[0])
    assert budgets_plan(1, 1014).end == 1014
    assert budgets_plan(factor, 12_344).end == 12_344
