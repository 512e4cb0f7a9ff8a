from __future__ import annotations

import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thermix
from tests.plan.plans import check, mixture, some_plan
from thermix import Mixture, Plan, PlanError, Source
from thermix.plan.mixture import WhenCapped
from thermix.plan.segments import Pick

SEEDS = st.integers(0, 10**6)
WAYS: list[WhenCapped] = ["spread", "drop", "stop", "error"]
COOLING = thermix.linear(5.0, 0.5)


def capped(
    limit: float,
    when: WhenCapped,
    steps: int = 100,
    batch_size: int = 8,
    pick: Pick = "draw",
) -> Plan:
    """Three sources under a falling temperature; the best, of 100 items, has a cap."""
    sources = {
        "best": Source(score=2.0, items=100, max_epochs=limit),
        "good": Source(score=1.0, items=10_000),
        "poor": Source(score=0.0, items=10_000),
    }
    wanted = Mixture(sources, temperature=COOLING, when_capped=when)
    return Plan(wanted, steps=steps, batch_size=batch_size, pick=pick)


# ---- Never over, not by one draw


@given(SEEDS, st.sampled_from(["draw", "batch"]))
def test_no_cap_is_ever_passed(seed: int, pick: str) -> None:
    """Whatever happens to capped sources; every draw is looked at, see `plans.check`."""
    check(some_plan(random.Random(seed), caps=0.7, pick=pick))


@pytest.mark.parametrize("limit", [0.01, 0.5, 1, 1.005, 2.37, 3])
@pytest.mark.parametrize("when", ["spread", "drop"])
def test_a_binding_cap_is_used_up_to_within_one_draw(limit: float, when: WhenCapped) -> None:
    allowed = int(Fraction(str(limit)) * 100)
    assert capped(limit, when).counts(100)[0] in (allowed - 1, allowed)


def test_a_cap_is_read_in_decimals() -> None:
    """0.29 of 100 items is 29 draws; in binary fractions it is a little less."""
    assert int(0.29 * 100) == 28
    assert capped(0.29, "drop").counts(100)[0] == 29


def test_spread_lasts_to_the_end_and_drop_runs_out() -> None:
    spread, drop = capped(1, "spread"), capped(1, "drop")
    assert spread.counts(95)[0] < 98
    assert spread.probabilities(99)[0] > 0
    assert drop.counts(40)[0] == 100
    assert drop.probabilities(np.arange(40, 100))[:, 0].tolist() == [0.0] * 60


def test_what_a_cap_frees_goes_to_the_others_by_the_softmax_restricted_to_them() -> None:
    ways: tuple[WhenCapped, ...] = ("spread", "drop")
    for when in ways:
        plan = capped(1, when)
        steps = np.arange(50, 100)
        shares = plan.probabilities(steps)
        others = thermix.probabilities([1.0, 0.0], plan.temperature(steps))
        left = 1 - shares[:, :1]
        np.testing.assert_allclose(shares[:, 1:], others * left, atol=1e-8)


def test_stop_ends_the_plan_after_the_last_step_that_passes_no_budget() -> None:
    plan = capped(1, "stop")
    free = Plan(
        Mixture({n: Source(score=s.score, items=s.items) for n, s in plan.mixture.sources.items()}, COOLING),
        100,
        8,
    )
    counts = free.counts(np.arange(101))[:, 0]
    assert plan.end == int(np.searchsorted(counts, 100, side="right")) - 1
    assert plan.segments[-1].stopped_by == "best"
    np.testing.assert_array_equal(plan.counts(np.arange(plan.end + 1)), free.counts(np.arange(plan.end + 1)))
    assert plan.draws == plan.end * 8


def test_a_plan_whose_budgets_last_is_not_stopped() -> None:
    assert capped(100, "stop").end == 100


def test_error_refuses_what_a_cap_would_change_and_leaves_the_rest_as_it_is() -> None:
    with pytest.raises(PlanError, match="with when_capped: error such a plan is refused"):
        capped(1, "error")
    np.testing.assert_array_equal(
        capped(100, "error").counts(np.arange(101)), capped(100, "spread").counts(np.arange(101))
    )


@pytest.mark.parametrize("when", ["spread", "drop"])
def test_budgets_that_add_up_to_exactly_the_draws_are_all_used(when: WhenCapped) -> None:
    sources = {f"s{i}": Source(score=float(i), items=n, max_epochs=2) for i, n in enumerate([3, 50, 17, 80])}
    plan = Plan(Mixture(sources, temperature=COOLING, when_capped=when), steps=30, batch_size=10)
    check(plan)
    assert plan.counts(30).tolist() == [6, 100, 34, 160]
    with pytest.raises(PlanError, match="add up to 300 draws, steps 0 to 31 need 310"):
        Plan(plan.mixture, steps=31, batch_size=10)


@pytest.mark.parametrize("when", ["spread", "drop"])
def test_one_item_sources_drawn_once_each_are_all_drawn(when: WhenCapped) -> None:
    sources = {str(i): Source(score=float(i % 7), items=1) for i in range(64)}
    plan = Plan(Mixture(sources, temperature=COOLING, max_epochs=1, when_capped=when), steps=16, batch_size=4)
    check(plan)
    assert plan.counts(16).tolist() == [1] * 64


def test_a_cap_of_all_counts_for_sources_without_one_of_their_own() -> None:
    sources = {"a": Source(weight=1.0, items=10), "b": Source(weight=1.0, items=10, max_epochs=3)}
    plan = Plan(Mixture(sources, max_epochs=1), steps=4, batch_size=10)
    assert plan.counts(4).tolist() == [10, 30]


@pytest.mark.parametrize("when", WAYS)
def test_pick_batch_keeps_caps_in_whole_steps(when: WhenCapped) -> None:
    if when == "error":
        with pytest.raises(PlanError, match="it allows 100 draws, the plan asks for"):
            capped(1, when, pick="batch")
        return
    plan = capped(1, when, pick="batch")
    check(plan)
    assert plan.counts(plan.end)[0] == 96  # 12 steps of 8; a 13th would pass 100


# ---- UniMax


def test_spread_at_infinite_temperature_is_unimax() -> None:
    """The example of the page of the PyPI package unimax-sampling, as in tests/core/test_caps.py."""
    sizes = [549_707_867, 10_027_573_389, 42_541_080_893, 179_955_884_499, 184_595_788_282]
    sources = {str(i): Source(weight=1.0, items=n) for i, n in enumerate(sizes)}
    wanted = Mixture(sources, temperature=thermix.constant(float("inf")), max_epochs=4)
    plan = Plan(wanted, steps=1_000_000, batch_size=250_000)
    exact = [0.008795325872, 0.160441174224, 0.2769211666346667, 0.27692116663466665, 0.27692116663466665]
    np.testing.assert_allclose(plan.probabilities([0, 999_999]), [exact, exact], rtol=0, atol=1e-9)
    drawn = plan.counts(1_000_000)
    for i in (0, 1):  # a share is rounded down to 2^-32, and so a budget to that part of all draws
        assert 4 * sizes[i] - 1 - plan.draws / 2**32 <= drawn[i] <= 4 * sizes[i]
    np.testing.assert_allclose(drawn / plan.draws, exact, atol=1e-9)


# ---- Over edits


def test_a_cap_counts_from_the_plans_start_over_edits() -> None:
    plan = capped(1, "spread").edit(at_step=30, temperature=0.5).edit(at_step=60, steps=150, batch_size=11)
    check(plan)
    assert plan.counts(150)[0] in (99, 100)


def test_a_raised_cap_gives_draws_again_to_a_source_that_had_run_out() -> None:
    plan = capped(0.5, "drop")
    raised = plan.edit(at_step=50, sources={"best": Source(score=2.0, items=100, max_epochs=1)})
    check(raised)
    assert raised.counts([50, 100])[:, 0].tolist() == [50, 100]


def test_a_grown_source_may_be_drawn_more_often_under_the_same_cap() -> None:
    plan = capped(2, "drop").edit(at_step=10, sources={"best": Source(score=2.0, items=150, max_epochs=2)})
    check(plan)
    assert plan.counts(100)[0] == 250  # the epoch begun is finished on 100 items, the next has 150


def test_a_stopped_plan_can_be_continued_by_an_edit_before_it_stops() -> None:
    plan = capped(1, "stop")
    going_on = plan.edit(at_step=plan.end - 1, when_capped="drop")
    check(going_on)
    assert going_on.end == 100
    assert going_on.counts(100)[0] == 100


def in_arrears(when: WhenCapped) -> Plan:
    """An edit that leaves one draw to a source that is owed 2.6: those that end hand theirs over."""
    plan = Plan(mixture(dict.fromkeys("abcdefghijklmnopqrst", 1.0)), steps=40, batch_size=1)
    undrawn = [name for name, n in zip(plan.names, plan.counts(10).tolist(), strict=True) if n == 0]
    heavy, *ending = undrawn
    sources: dict[str, Source | None] = dict.fromkeys(ending)
    sources[heavy] = Source(weight=10.0, items=1000, max_epochs=0.001)
    return plan.edit(at_step=10, sources=sources, when_capped=when)


@pytest.mark.parametrize("when", ["spread", "drop"])
def test_a_source_owed_more_than_its_cap_allows_keeps_all_shares_above_0(when: WhenCapped) -> None:
    plan = in_arrears(when)
    check(plan)
    assert (plan.probabilities(np.arange(10, 40)) >= 0).all()
