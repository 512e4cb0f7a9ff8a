from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thermix
from tests.plan.plans import Replay, edited, mixture, replay, some_plan
from thermix import Mixture, Plan, Source
from thermix.plan.forecast import SourceForecast

SEEDS = st.integers(0, 10**6)


def small_plan(seed: int, edits: int = 0, caps: float = 0.4) -> Plan:
    rng = random.Random(seed)
    plan = some_plan(rng, caps, pick=rng.choice(["draw", "batch"]))
    for _ in range(edits):
        plan = edited(rng, plan, caps)
    return plan


# ---- Every number, by brute force over every draw


def brute_expected(plan: Plan, i: int) -> float:
    sizes = [segment.batch_size for segment in plan.segments for _ in range(segment.start, segment.end)]
    return float(plan.probabilities(np.arange(plan.end))[:, i] @ np.array(sizes))


def brute_repeat(drawn: Replay, i: int) -> int | None:
    """The step that draws an item for the second time."""
    seen: set[int] = set()
    for step, slots in enumerate(drawn.steps):
        for source, item, _ in slots:
            if source == i:
                if item in seen:
                    return step
                seen.add(item)
    return None


def last_drawn(drawn: Replay, i: int) -> int | None:
    steps = [step for step, slots in enumerate(drawn.steps) if any(s == i for s, _, _ in slots)]
    return steps[-1] if steps else None


def brute_end(plan: Plan, drawn: Replay, i: int) -> int | None:
    """After the last draw of a budget used up, or where an edit ended the source."""
    segments = [s for s in plan.segments if plan.names[i] in s.mixture.sources]
    made, last = int(drawn.counts(len(plan.names))[-1, i]), segments[-1]
    budget, slack = last.budgets.get(i), last.batch_size if plan.pick == "batch" else 1
    step = last_drawn(drawn, i)
    used_up = step is not None and budget is not None and budget - made <= slack
    end = step + 1 if used_up and step is not None else last.end
    return end if end < plan.end else None


def check_source(plan: Plan, drawn: Replay, i: int, told: SourceForecast) -> None:
    shares = plan.probabilities([0, plan.end - 1])[:, i]
    assert told.name == plan.names[i]
    assert (told.share_first, told.share_last) == tuple(shares)
    assert told.expected_draws == pytest.approx(brute_expected(plan, i), abs=1e-6)
    assert told.share_mean == pytest.approx(told.expected_draws / plan.draws, abs=1e-12)
    assert told.draws == drawn.counts(len(plan.names))[-1, i]
    assert told.never_drawn == (last_drawn(drawn, i) is None)
    assert told.end_step == brute_end(plan, drawn, i)


@given(SEEDS)
def test_every_number_is_what_going_through_all_draws_gives(seed: int) -> None:
    plan = small_plan(seed)
    drawn, forecast = replay(plan), plan.forecast()
    for i, told in enumerate(forecast):
        check_source(plan, drawn, i, told)
        assert told.first_repeat_step == brute_repeat(drawn, i)
        items = plan.mixture.sources[told.name].items
        assert told.epochs == pytest.approx(told.draws / items)
        assert told.items == items


@settings(max_examples=40)
@given(SEEDS)
def test_every_number_holds_over_edits(seed: int) -> None:
    plan = small_plan(seed, edits=3)
    drawn, forecast = replay(plan), plan.forecast()
    for i, told in enumerate(forecast):
        check_source(plan, drawn, i, told)
        last = next(s for s in reversed(plan.segments) if told.name in s.mixture.sources)
        assert told.items == last.mixture.sources[told.name].items
        grown = len(
            {s.mixture.sources[told.name].items for s in plan.segments if told.name in s.mixture.sources}
        )
        if grown == 1:
            assert told.first_repeat_step == brute_repeat(drawn, i)


@settings(max_examples=20)
@given(SEEDS)
def test_curves_are_the_plans_own_values_at_their_steps(seed: int) -> None:
    plan = small_plan(seed, edits=1)
    forecast = plan.forecast()
    assert forecast.plan is plan
    assert forecast.steps[0] == 0
    assert forecast.steps[-1] == plan.end - 1
    np.testing.assert_array_equal(forecast.temperature, plan.temperature(forecast.steps))
    np.testing.assert_array_equal(forecast.shares, plan.probabilities(forecast.steps))
    np.testing.assert_array_equal(forecast.counts, plan.counts(forecast.steps))
    np.testing.assert_array_equal(forecast.entropy, thermix.entropy(forecast.shares))
    np.testing.assert_array_equal(forecast.effective_sources, thermix.effective_sources(forecast.shares))


def growing() -> Plan:
    plan = Plan(mixture({"a": 1.0}, items=10), steps=10, batch_size=4)
    return plan.edit(at_step=2, sources={"a": Source(weight=1.0, items=1000)})


def test_the_first_repeat_of_a_source_that_grew_is_an_item_drawn_twice() -> None:
    """After the epoch on the old size most items of the next one are new."""
    plan = growing()
    assert plan.forecast()["a"].first_repeat_step == brute_repeat(replay(plan), 0)


# ---- Known answers


def known(when: str = "spread") -> Plan:
    sources = {
        "web": Source(weight=6.0, items=1000),
        "books": Source(weight=3.0, items=50, max_epochs=2),
        "never": Source(weight=0.0, items=7),
        "tiny": Source(weight=1e-9, items=7),
    }
    return Plan(Mixture(sources, when_capped=when), steps=100, batch_size=9)  # type: ignore[arg-type]


def test_a_source_under_a_cap_is_told_with_its_end() -> None:
    told = known("drop").forecast()["books"]
    assert (told.draws, told.epochs, told.capped) == (100, 2.0, True)
    assert (told.first_repeat_step, told.end_step) == (16, 34)
    assert told.share_first == pytest.approx(1 / 3)
    assert told.share_last == 0


def test_sources_that_are_never_drawn_say_so() -> None:
    forecast = known().forecast()
    assert [told.name for told in forecast if told.never_drawn] == ["never", "tiny"]
    assert forecast["never"].share_mean == 0
    assert 0 < forecast["tiny"].expected_draws < 0.5
    assert forecast["never"].end_step is None
    assert forecast["never"].first_repeat_step is None


def test_a_source_that_is_never_drawn_does_not_reach_its_cap() -> None:
    sources = {"a": Source(weight=1.0, items=100), "b": Source(weight=0.0, items=1, max_epochs=1)}
    assert not Plan(Mixture(sources), steps=5, batch_size=2).forecast()["b"].capped


def test_a_source_that_an_edit_ends_ends_there() -> None:
    told = known().edit(at_step=40, sources={"web": None}).forecast()["web"]
    assert (told.end_step, told.share_last, told.draws) == (40, 0, known().counts(40)[0])


def test_an_unknown_source_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        known().forecast()["weg"]


# ---- Large plans: invariants


def large(steps: int) -> Plan:
    rng = np.random.default_rng(0)
    sources = {f"s{i}": Source(score=float(rng.normal(0, 1.5)), items=10 ** (3 + i % 6)) for i in range(20)}
    wanted = Mixture(sources, temperature=thermix.linear(5.0, 1.0, until="80%"))
    return Plan(wanted, steps=steps, batch_size=1024)


@pytest.mark.parametrize("steps", [10_000, 10**7, 10**9])
def test_the_forecast_of_a_large_plan_is_true_where_it_is_looked_at(steps: int) -> None:
    plan = large(steps)
    forecast = plan.forecast()
    assert sum(told.draws for told in forecast) == plan.draws
    assert sum(told.share_mean for told in forecast) == pytest.approx(1.0, abs=1e-12)
    assert sum(told.expected_draws for told in forecast) == pytest.approx(plan.draws, rel=1e-12)
    for i, told in enumerate(forecast):
        assert abs(told.draws - told.expected_draws) < 2
        assert told.epochs == pytest.approx(told.draws / told.items)
        if told.draws > told.items:
            assert told.first_repeat_step is not None
            before, after = plan.counts([told.first_repeat_step, told.first_repeat_step + 1])[:, i]
            assert before <= told.items < after
        else:
            assert told.first_repeat_step is None


def test_expected_draws_of_runs_above_2_to_the_46_draws_are_exact() -> None:
    """An edit to a large batch late in a plan of 2^49 steps: one run of one temperature holds 2^48 draws."""
    wanted = mixture({"a": 3.0, "b": 1.0}, items=1 << 40, temperature=thermix.linear(5.0, 1.0))
    plan = Plan(wanted, 1 << 49, 1).edit(at_step=(1 << 49) - (1 << 18), batch_size=(1 << 30) - 1)
    told = plan.forecast()["a"]
    middle = (1 << 49) - (1 << 17)
    assert plan.counts([middle, plan.end])[1, 0] == plan.counts(plan.end)[0] == told.draws
    assert told.expected_draws == pytest.approx(told.draws, abs=2)


def test_the_forecast_of_independent_draws_counts_them() -> None:
    plan = Plan(large(1000).mixture, steps=300, batch_size=64, order="multinomial")
    forecast = plan.forecast()
    assert [told.draws for told in forecast] == plan.counts(300).tolist()
    counts = plan.counts(np.arange(301))
    for i, told in enumerate(forecast):
        repeat = np.flatnonzero(counts[:, i] > told.items)
        assert told.first_repeat_step == (int(repeat[0]) - 1 if len(repeat) else None)
