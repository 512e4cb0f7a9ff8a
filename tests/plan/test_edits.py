from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thermix
from tests.plan.plans import check, edited, mixture, slots, some_plan
from thermix import Mixture, Plan, Source
from thermix.plan.edits import Edit
from thermix.plan.fingerprint import fingerprints

SEEDS = st.integers(0, 10**6)


def chain(plan: Plan) -> tuple[str, ...]:
    return fingerprints(plan.segments[-1].rules, plan.segments)


def story(seed: int, edits: int, caps: float, **given: object) -> None:
    """Edit a random plan at random steps again and again; the past must stay, and all promises hold."""
    rng = random.Random(seed)
    plan = some_plan(rng, caps, **given)
    drawn = check(plan)
    for _ in range(edits):
        later = edited(rng, plan, caps)
        if later is plan:
            return
        at = later.edits[-1].at_step
        redrawn = check(later)
        assert redrawn.steps[:at] == drawn.steps[:at]
        assert chain(later)[:-1] == chain(plan)
        before = plan.counts(np.arange(at + 1))
        np.testing.assert_array_equal(later.counts(np.arange(at + 1))[:, : before.shape[1]], before)
        assert (later.temperature(np.arange(at)) == plan.temperature(np.arange(at))).all()
        plan, drawn = later, redrawn


# ---- Any plan, any edits


@settings(max_examples=30)
@given(SEEDS, st.sampled_from([0.0, 0.3, 0.8]), st.sampled_from(["draw", "batch"]))
def test_edits_change_nothing_before_them_repeat_nothing_and_skip_nothing(
    seed: int, caps: float, pick: str
) -> None:
    story(seed, 4, caps, pick=pick)


@settings(max_examples=8)
@given(SEEDS)
def test_edits_of_independent_draws_keep_the_past_too(seed: int) -> None:
    story(seed, 3, 0.0, order="multinomial")


@pytest.mark.slow
@pytest.mark.parametrize("block", range(8))
def test_many_more_stories_of_many_edits(block: int) -> None:
    for seed in range(25):
        story(10_000_000 + 25 * block + seed, 8, (0.0, 0.3, 0.8)[seed % 3], pick=("draw", "batch")[seed % 2])


# ---- One edit at a time


def plan_of(steps: int = 100, batch_size: int = 8) -> Plan:
    wanted = mixture({"a": 3.0, "b": 2.0, "c": 1.0}, items=50, temperature=thermix.linear(5.0, 1.0))
    return Plan(wanted, steps=steps, batch_size=batch_size)


def test_an_edit_makes_a_new_plan_and_leaves_the_old_one() -> None:
    plan = plan_of()
    before = plan.fingerprint, plan.counts(100).tolist()
    later = plan.edit(at_step=40, scores={"a": 0.0})
    assert later is not plan
    assert (plan.fingerprint, plan.counts(100).tolist()) == before
    assert [segment.start for segment in later.segments] == [0, 40]
    assert later.counts([40, 100])[:, 0].tolist() == [plan.counts(40)[0]] * 2


def test_twice_as_many_steps_by_an_edit_change_nothing_before() -> None:
    plan = plan_of(steps=10_000)
    longer = plan.edit(at_step=5_000, steps=20_000)
    steps = np.arange(5_001)
    np.testing.assert_array_equal(longer.counts(steps), plan.counts(steps))
    for step in range(0, 5_000, 97):
        assert slots(longer.batch(step)) == slots(plan.batch(step))
    assert longer.temperature(9_999) == plan.temperature(9_999)
    assert longer.temperature([10_000, 19_999]).tolist() == [1.0, 1.0]
    assert longer.end == 20_000


def test_a_finished_plan_is_made_longer_at_its_very_end() -> None:
    plan = plan_of()
    longer = plan.edit(at_step=100, steps=150)
    check(longer)
    np.testing.assert_array_equal(longer.counts(np.arange(101)), plan.counts(np.arange(101)))
    assert longer.end == 150


def test_making_a_plan_of_another_length_is_another_past() -> None:
    """The negative control: the same change without an edit moves temperatures before it."""
    assert plan_of(steps=200).temperature(40) != plan_of().temperature(40)
    assert plan_of(steps=200).fingerprint != plan_of().edit(at_step=40, steps=200).fingerprint


def test_a_schedule_that_is_not_edited_keeps_its_clock() -> None:
    plan = plan_of()
    steps = np.arange(100)
    for later in (
        plan.edit(at_step=30, scores={"a": 0.1}),
        plan.edit(at_step=30, batch_size=16),
        plan.edit(at_step=30, steps=60).edit(at_step=50, steps=100),
    ):
        np.testing.assert_array_equal(later.temperature(steps), plan.temperature(steps))


def test_a_new_schedule_runs_from_the_edit_to_the_end() -> None:
    later = plan_of().edit(at_step=20, temperature=thermix.linear(9.0, 1.0))
    assert later.temperature([19, 20, 60, 99]).tolist() == pytest.approx([4.24, 9.0, 5.0, 1.1])


def test_a_clock_of_draws_counts_the_draws_of_both_batch_sizes() -> None:
    wanted = mixture({"a": 1.0}, temperature=thermix.linear(5.0, 1.0, until="1000 draws"))
    later = Plan(wanted, steps=100, batch_size=8).edit(at_step=50, batch_size=24)
    assert later.temperature([25, 50, 60, 75]).tolist() == [4.2, 3.4, 2.44, 1.0]


def test_a_long_plan_keeps_its_grid_of_temperatures_over_an_edit_inside_a_block() -> None:
    plan = plan_of(steps=10**6)
    later = plan.edit(at_step=500_003, scores={"a": 1.0})
    steps = np.arange(499_990, 500_020)
    np.testing.assert_array_equal(later.temperature(steps), plan.temperature(steps))


def test_a_source_that_is_added_starts_at_its_first_item_and_counts_from_0() -> None:
    later = plan_of().edit(at_step=40, sources={"d": Source(weight=6.0, items=7)})
    check(later)
    assert later.names == ("a", "b", "c", "d")
    assert later.counts(40)[3] == 0
    assert later.counts(100)[3] > 150
    assert later.probabilities(39)[3] == 0


def test_a_source_that_ends_is_drawn_no_more_and_continues_where_it_was_when_it_returns() -> None:
    gone = plan_of().edit(at_step=40, sources={"a": None})
    back = gone.edit(at_step=70, sources={"a": Source(weight=3.0, items=50)})
    check(back)
    assert gone.counts([40, 100])[:, 0].tolist() == [gone.counts(40)[0]] * 2
    assert back.counts(100)[0] > back.counts(70)[0] == gone.counts(40)[0]


def test_a_growing_source_finishes_its_epoch_on_the_old_size() -> None:
    later = Plan(mixture({"a": 1.0}, items=10), steps=10, batch_size=4).edit(
        at_step=3, sources={"a": Source(weight=1.0, items=16)}
    )
    check(later)
    many = later.batches(0, 10)
    epochs = {e: sorted(many.item[many.epoch == e].tolist()) for e in range(3)}
    assert epochs[0] == epochs[1] == list(range(10))
    assert epochs[2] == list(range(16))


def test_deficits_are_carried_over_so_that_frequent_edits_do_not_starve_a_small_source() -> None:
    """A source that is owed a tenth of a draw a step, in a plan edited at every single step."""
    plan = Plan(mixture({"a": 9.0, "b": 1.0}), steps=120, batch_size=1)
    often = replace(plan, edits=tuple(Edit(step, batch_size=1) for step in range(1, 120)))
    assert len(often.segments) == 120
    assert abs(often.counts(120)[1] - 12) <= 1


def test_what_a_source_that_ends_is_owed_goes_to_the_others() -> None:
    """Whatever ends when, the rest of the plan still is within two draws of its probabilities."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        names = [str(i) for i in range(12)]
        plan = Plan(mixture(dict(zip(names, rng.random(12).tolist(), strict=True))), steps=80, batch_size=3)
        at = int(rng.integers(1, 79))
        later = plan.edit(at_step=at, sources=dict.fromkeys(names[:6]))
        made = later.counts(80) - later.counts(at)
        expected = later.probabilities(np.arange(at, 80)).sum(axis=0) * 3
        assert np.abs(made - expected)[6:].max() < 3
        assert made[:6].tolist() == [0] * 6


def test_edits_at_every_kind_of_step_give_one_chain_of_fingerprints() -> None:
    plan = plan_of()
    first = plan.edit(at_step=30, scores={"a": 0.5})
    second = first.edit(at_step=60, batch_size=4)
    other = first.edit(at_step=70, batch_size=4)
    assert chain(second)[:2] == chain(other)[:2] == chain(first)
    assert chain(second)[2] != chain(other)[2]
    assert len({*chain(second), *chain(other)}) == 4


def test_edits_given_at_once_are_those_made_one_after_the_other() -> None:
    one = plan_of().edit(at_step=30, scores={"a": 0.5}).edit(at_step=60, batch_size=4)
    assert Plan(one.mixture, 100, 8, edits=one.edits) == one


def test_the_picks_of_independent_draws_are_not_used_twice_where_the_batch_size_changes() -> None:
    """Half the batch size: picks must not begin again at numbers that were used."""
    plan = Plan(mixture({"a": 1.0, "b": 1.0}), 400, 8, order="multinomial", pick="batch")
    later = plan.edit(at_step=200, batch_size=16)
    picks = [int(later.batch(step).source[0]) for step in range(400)]
    assert picks[100:200] != picks[200:300]


def test_what_is_owed_keeps_its_worth_in_draws_where_pick_batch_changes_its_batch_size() -> None:
    """Draws owed do not become a thousand times more when a pick becomes a thousand draws."""
    plan = Plan(mixture({"a": 1.0, "b": 1.0}, items=10**6), 11, 1, pick="batch")
    later = plan.edit(at_step=1, batch_size=1000)
    owed = np.abs(later.segments[1].counter.deficits(1)) / 2**32 * 1000
    assert owed.max() == pytest.approx(0.5)


def test_an_edit_may_take_a_cap_of_a_source_away() -> None:
    sources = {"a": Source(weight=9.0, items=10, max_epochs=2), "b": Source(weight=1.0, items=1000)}
    plan = Plan(Mixture(sources), steps=20, batch_size=4)
    later = plan.edit(at_step=10, sources={"a": Source(weight=9.0, items=10)})
    assert plan.counts(20)[0] == 20
    assert later.counts(20)[0] > 40
