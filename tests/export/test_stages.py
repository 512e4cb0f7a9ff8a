"""Stages of constant weights: the best cuts there are, and what they cost, counted by brute force."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermix import Mixture, Plan, Source, cosine, linear
from thermix.export.distance import distance_of
from thermix.export.stages import Stage, cut_stages, draws_before, starts
from thermix.export.trainer import as_written


def plan_of(steps: int = 40, batch: int = 50, start: float = 9.0, end: float = 0.3) -> Plan:
    named = {
        "web": Source(score=2.0, items=900),
        "books": Source(score=3.0, items=200),
        "law": Source(score=0.5, items=50),
    }
    return Plan(Mixture(named, temperature=linear(start, end)), steps=steps, batch_size=batch)


plans = st.builds(
    plan_of,
    steps=st.integers(1, 60),
    batch=st.integers(1, 300),
    start=st.floats(0.2, 20),
    end=st.floats(0.2, 20),
)


def twin(plan: Plan, stages: list[Stage]) -> list[tuple[float, float]]:
    """Largest and final deviation of each source, draw by draw of each step."""
    given, worst = np.zeros(len(plan.names)), np.zeros(len(plan.names))
    off = given
    for stage in stages:
        for step in range(stage.start, stage.stop):
            given = (
                given
                + (draws_before(plan, np.array([step + 1])) - draws_before(plan, np.array([step])))[0]
                * stage.weights
            )
            off = given - plan.counts(step + 1)
            worst = np.where(np.abs(off) > np.abs(worst), off, worst)
    return [(float(a), float(b)) for a, b in zip(worst, off, strict=True)]


@given(plans, st.integers(1, 6))
def test_stages_follow_each_other_and_end_where_the_plan_does(plan: Plan, most: int) -> None:
    stages = cut_stages(plan, most)
    assert 1 <= len(stages) <= most
    assert (stages[0].start, stages[-1].stop) == (0, plan.end)
    assert all(before.stop == after.start < after.stop for before, after in pairwise(stages))
    assert sum(stage.draws for stage in stages) == plan.draws
    for stage in stages:
        assert stage.weights.sum() == pytest.approx(1)
        assert (stage.counts == plan.counts(stage.stop) - plan.counts(stage.start)).all()


@given(plans, st.integers(1, 5))
def test_the_distance_is_that_of_counting_every_step(plan: Plan, most: int) -> None:
    stages = cut_stages(plan, most)
    found = distance_of(plan, stages, np.zeros(3))
    assert found.steps == plan.end + 1
    for source, (largest, final) in zip(found.sources, twin(plan, stages), strict=True):
        assert abs(source.largest) == pytest.approx(abs(largest), abs=1e-6)
        assert source.final == pytest.approx(final, abs=1e-6)
        assert source.final == pytest.approx(0, abs=1e-6)
        off = expected_at(plan, stages, source.at_step) - plan.counts(source.at_step)
        assert off[plan.names.index(source.name)] == pytest.approx(source.largest, abs=1e-6)


def expected_at(plan: Plan, stages: list[Stage], step: int) -> np.ndarray:
    before, found = int(draws_before(plan, np.array([step]))[0]), np.zeros(3)
    for stage in stages:
        found = found + min(before, stage.draws) * stage.weights
        before = max(0, before - stage.draws)
    return found


@pytest.mark.parametrize("most", [2, 3, 4])
def test_no_other_cuts_come_nearer(most: int) -> None:
    plan = plan_of(steps=16, batch=400)
    best = min(worst_of(plan, [0, *cuts, plan.end]) for cuts in combinations(range(1, plan.end), most - 1))
    stages = cut_stages(plan, most)
    assert len(stages) == most
    assert worst_of(plan, [0, *(stage.stop for stage in stages)]) == pytest.approx(best)
    even = [plan.end * i // most for i in range(most + 1)]
    assert best < worst_of(plan, even), "even cuts would have done"


def worst_of(plan: Plan, edges: list[int]) -> float:
    stages = []
    for start, stop in pairwise(edges):
        counts = plan.counts(stop) - plan.counts(start)
        stages.append(Stage(start, stop, int(counts.sum()), counts, counts / counts.sum()))
    return abs(distance_of(plan, stages, np.zeros(3)).farthest.largest)


def test_a_constant_temperature_is_one_stage() -> None:
    assert len(cut_stages(plan_of(steps=5_000, start=2.0, end=2.0), 8)) == 1


def test_more_stages_come_nearer_about_with_their_square() -> None:
    plan = plan_of(steps=20_000, batch=256)
    found = [worst_of(plan, [0, *(s.stop for s in cut_stages(plan, most))]) for most in (1, 4, 16)]
    assert found[0] / found[1] > 8
    assert found[1] / found[2] > 8


def test_stages_are_short_where_the_temperature_falls() -> None:
    named = {"a": Source(score=2.0, items=900), "b": Source(score=0.0, items=900)}
    plan = Plan(Mixture(named, temperature=cosine(9.0, 0.4)), steps=30_000, batch_size=64)
    lengths = [stage.stop - stage.start for stage in cut_stages(plan, 8)]
    assert max(lengths) > 3 * min(lengths)


def test_an_edit_is_a_place_to_cut() -> None:
    plan = plan_of(steps=3_000, start=2.0, end=2.0).edit(
        at_step=1_237, sources={"new": Source(score=4.0, items=70)}
    )
    assert [stage.stop for stage in cut_stages(plan, 2)] == [1_237, 3_000]
    assert plan.names[3] == "new"
    assert cut_stages(plan, 2)[0].weights[3] == 0


@given(st.integers(1, 90), st.integers(1, 40), st.integers(1, 40), st.integers(0, 6))
def test_starts_are_the_steps_before_which_draws_divide(cut: int, batch: int, after: int, power: int) -> None:
    plan = plan_of(steps=91, batch=batch)
    if after != batch:
        plan = plan.edit(at_step=cut, batch_size=after)
    unit = 1 << power
    for segment in plan.segments:
        due = [
            step
            for step in range(segment.start, segment.end)
            if draws_before(plan, np.array([step]))[0] % unit == 0
        ]
        assert list(starts(segment, unit)) == due


@given(plans, st.integers(1, 5), st.integers(0, 5))
def test_stages_begin_at_whole_units_of_draws(plan: Plan, most: int, power: int) -> None:
    before = np.array([stage.start for stage in cut_stages(plan, most, unit=1 << power)])
    assert (draws_before(plan, before) % (1 << power) == 0).all()


@given(plans, st.integers(1, 5))
def test_nine_digits_cost_next_to_nothing(plan: Plan, most: int) -> None:
    stages = cut_stages(plan, most)
    for before, after in zip(stages, as_written(plan, stages), strict=True):
        assert np.abs(before.weights - after.weights).max() < 1e-8
        assert after.weights.sum() == pytest.approx(1)
        assert ((after.weights > 0) == (before.weights > 0)).all()
