from __future__ import annotations

import pickle
import random
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import thermix
from tests import oracle
from tests.plan.plans import check, mixture, pasted, slots, some_plan
from thermix import Mixture, Plan, Source
from thermix.core.bits import derive_key, epoch_keys
from thermix.core.permute import permute

ONE = 1 << 32
SEEDS = st.integers(0, 10**6)


def plain(seed: int, **given: object) -> Plan:
    return some_plan(random.Random(seed), **given)  # type: ignore[arg-type]


# ---- The twin: a whole plan from its probabilities, step by step


def twin_counts(plan: Plan) -> list[list[int]]:
    """Counts of a plan of one segment and at most 64 steps, from its probabilities alone."""
    steps = np.arange(plan.end)
    columns = (plan.probabilities(steps) * ONE).astype(np.int64).tolist()
    living = [i for i, s in enumerate(plan.mixture.sources.values()) if s.weight != 0]
    some = [[q[i] for i in living] for q in columns]
    rows = oracle.scan(some, [1 if plan.pick == "batch" else plan.batch_size] * plan.end)
    scale = plan.batch_size if plan.pick == "batch" else 1
    full = np.zeros((plan.end + 1, len(plan.names)), np.int64)
    full[:, living] = np.array(rows) * scale
    return full.tolist()


@given(SEEDS, st.sampled_from(["draw", "batch"]))
def test_counts_are_what_the_rule_makes_of_the_probabilities(seed: int, pick: str) -> None:
    plan = plain(seed, pick=pick)
    assert plan.counts(np.arange(plan.end + 1)).tolist() == twin_counts(plan)


@given(SEEDS, st.sampled_from(["balanced", "multinomial"]), st.sampled_from(["draw", "batch"]))
def test_every_draw_keeps_what_a_plan_promises(seed: int, order: str, pick: str) -> None:
    """Counts add up, every item once an epoch, weight 0 never: see `plans.check`."""
    check(plain(seed, order=order, pick=pick))


@given(SEEDS)
def test_probabilities_are_the_softmax_at_the_steps_temperature_in_units_of_2_to_the_minus_32(
    seed: int,
) -> None:
    plan = plain(seed)
    steps = np.arange(plan.end)
    found = plan.probabilities(steps)
    exact = thermix.probabilities(plan.mixture.scores, plan.temperature(steps))
    best = int(np.argmax(plan.mixture.scores))
    others = np.arange(len(plan.names)) != best
    units = found * ONE
    assert (units == np.rint(units)).all()
    assert (units.sum(axis=1) == ONE).all()
    assert (np.abs(found - exact)[:, others] <= 0.5 / ONE).all()
    assert (np.abs(found - exact)[:, best] <= len(plan.names) / ONE).all()


# ---- Items


def item_order(plan: Plan, name: str) -> list[int]:
    """The items of one source in the order of its draws; for plans of one draw a step."""
    source = plan.names.index(name)
    return [item for step in range(plan.end) for i, item, _ in slots(plan.batch(step)) if i == source]


def test_the_item_of_a_draw_is_its_position_in_the_epochs_permutation() -> None:
    plan = Plan(mixture({"a": 3.0, "b": 1.0}, items=7), steps=60, batch_size=1, seed=4)
    key = derive_key(4, "items", "a")
    order = item_order(plan, "a")
    keys = epoch_keys(key, np.arange(10))
    epochs = [permute(np.arange(7), 7, int(keys[e])).tolist() for e in range(10)]
    assert order == [item for epoch in epochs for item in epoch][: len(order)]
    assert len(order) == 45


@pytest.mark.parametrize("order", ["balanced", "multinomial"])
def test_a_source_keeps_its_own_order_whatever_the_others_are(order: str) -> None:
    alone = Plan(mixture({"b": 1.0}, items=30), steps=200, batch_size=1)
    others: list[dict[str, float]] = [
        {"a": 1.0, "b": 2.0},
        {"b": 2.0, "a": 1.0},
        {"c": 0.3, "b": 1.0, "a": 0.0, "d": 2.0},
    ]
    for weights in others:
        plan = Plan(mixture(weights, items=30), steps=200, batch_size=1, order=order)  # type: ignore[arg-type]
        mine = item_order(plan, "b")
        assert mine == item_order(alone, "b")[: len(mine)]
        assert len(mine) > 30


def test_sources_of_one_size_have_orders_of_their_own_and_seeds_change_them() -> None:
    plan = Plan(mixture({"a": 1.0, "b": 1.0}, items=50), steps=100, batch_size=1)
    reseeded = Plan(plan.mixture, steps=100, batch_size=1, seed=1)
    orders = [item_order(p, name) for p in (plan, reseeded) for name in ("a", "b")]
    assert len({tuple(order) for order in orders}) == 4


@given(SEEDS)
def test_the_seed_does_not_change_balanced_counts(seed: int) -> None:
    plan = plain(seed)
    other = replace(plan, seed=-(10**30))
    steps = np.arange(plan.end + 1)
    np.testing.assert_array_equal(plan.counts(steps), other.counts(steps))
    assert plan.fingerprint != other.fingerprint


# ---- Batches, ranks


@settings(max_examples=40)
@given(SEEDS, st.sampled_from(["balanced", "multinomial"]))
def test_a_batch_is_a_row_of_batches(seed: int, order: str) -> None:
    plan = plain(seed, order=order)
    many = plan.batches(0, plan.end)
    for step in range(plan.end):
        one = plan.batch(step)
        for name in ("source", "item", "epoch"):
            np.testing.assert_array_equal(getattr(many, name)[step], getattr(one, name))


@settings(max_examples=25)
@given(SEEDS, st.sampled_from([1, 2, 3, 7, 16]))
def test_the_slices_of_all_ranks_are_the_global_batch_for_every_world_size(
    seed: int, batch_size: int
) -> None:
    plan = plain(seed, batch_size=batch_size)
    whole = plan.batches(0, plan.end)
    for world_size in range(1, batch_size + 1):
        parts = [plan.batches(0, plan.end, rank, world_size) for rank in range(world_size)]
        sizes = [part.source.shape[1] for part in parts]
        assert max(sizes) - min(sizes) <= 1
        assert sizes == sorted(sizes, reverse=True)
        for name in ("source", "item", "epoch"):
            together = np.concatenate([getattr(part, name) for part in parts], axis=1)
            np.testing.assert_array_equal(together, getattr(whole, name))


def test_types_and_shapes_are_those_the_design_says() -> None:
    plan = Plan(mixture({"a": 1.0, "b": 2.0, "c": 3.0}), steps=10, batch_size=6)
    batch, batches = plan.batch(3, rank=1, world_size=4), plan.batches(3, 8)
    assert [a.dtype for a in (batch.source, batch.item, batch.epoch)] == [np.int32, np.int64, np.int32]
    assert batch.source.shape == (2,)
    assert batches.item.shape == (5, 6)
    assert plan.batches(4, 4).epoch.shape == (0, 6)
    assert plan.batches(10, 10).source.shape == (0, 6)
    assert plan.temperature([0, 1]).shape == (2,)
    assert plan.probabilities(0).shape == (3,)
    assert plan.probabilities([0, 1]).shape == (2, 3)
    assert plan.counts(10).shape == (3,)
    assert plan.counts([0, 1]).shape == (2, 3)
    assert plan.counts(10).dtype == np.int64
    assert plan.probabilities([]).shape == (0, 3)
    assert plan.counts([]).shape == (0, 3)
    assert plan.temperature([]).shape == (0,)
    assert (plan.end, plan.draws, plan.names) == (10, 60, ("a", "b", "c"))


def test_the_temperature_of_one_step_is_a_plain_float() -> None:
    assert type(Plan(mixture({"a": 1.0}), steps=1, batch_size=1).temperature(0)) is float


def test_every_rank_gets_a_fair_mix_and_not_the_same_sources_each_step() -> None:
    """Eight sources of equal weight on eight ranks: no rank is locked to a source."""
    plan = Plan(mixture(dict.fromkeys("abcdefgh", 1.0)), steps=400, batch_size=8)
    for rank in range(8):
        drawn = np.bincount(plan.batches(0, 400, rank, 8).source.ravel(), minlength=8)
        assert 20 < drawn.min() <= drawn.max() < 80  # 4.5 standard deviations


def test_pick_batch_takes_one_source_for_a_whole_step() -> None:
    plan = Plan(mixture({"a": 3.0, "b": 1.0}), steps=40, batch_size=8, pick="batch")
    assert all(len(set(row)) == 1 for row in plan.batches(0, 40).source.tolist())
    assert plan.counts(40).tolist() == [240, 80]


# ---- Asking


@given(SEEDS, st.lists(st.integers(0, 10**9), min_size=1, max_size=30))
def test_steps_may_be_asked_in_any_order_and_twice(seed: int, numbers: list[int]) -> None:
    plan = plain(seed)
    steps = [n % plan.end for n in numbers]
    for answer in (plan.temperature, plan.probabilities, plan.counts):
        one_by_one = [answer(step) for step in steps]
        np.testing.assert_array_equal(answer(steps), one_by_one)
        np.testing.assert_array_equal(answer(np.array(steps, np.uint16)), one_by_one)


def test_a_plan_is_the_same_whatever_was_asked_before() -> None:
    wanted = mixture({"a": 1.0, "b": 2.0, "c": 3.0}, temperature=thermix.linear(5.0, 1.0))
    fresh = Plan(wanted, steps=10**9, batch_size=7).counts(123_456_789)
    used = Plan(wanted, steps=10**9, batch_size=7)
    used.counts([10**9, 5, 777_777_777])
    used.batch(3)
    used.forecast()
    np.testing.assert_array_equal(used.counts(123_456_789), fresh)


@pytest.mark.parametrize(
    "schedule",
    [thermix.linear(5.0, 1.0, until="80%"), thermix.cosine(1.0, 9.0), thermix.geometric(8.0, 0.1)],
)
def test_the_temperature_of_a_step_is_the_schedules_at_step_over_steps(
    schedule: thermix.core.schedule.Schedule,
) -> None:
    steps = 1 << 17
    plan = Plan(mixture({"a": 1.0}, temperature=schedule), steps=steps, batch_size=1)
    asked = np.array([0, 1, 77_777, 100_000, steps - 1])
    assert plan.temperature(asked).tolist() == schedule(asked / steps).tolist()


def test_a_longer_plan_holds_each_temperature_for_a_block_at_its_middle() -> None:
    steps, schedule = 3 << 17, thermix.linear(5.0, 1.0)
    plan = Plan(mixture({"a": 1.0}, temperature=schedule), steps=steps, batch_size=1)
    asked = np.array([0, 1, 2, 3, 77_777, steps - 1])
    assert plan.temperature(asked).tolist() == schedule((asked // 3 * 3 + 1) / steps).tolist()


def test_a_plan_of_2_to_the_50_draws_can_be_asked_at_its_end() -> None:
    wanted = mixture({"a": 1.0, "b": 2.0}, items=1 << 40, temperature=thermix.linear(5.0, 1.0))
    plan = Plan(wanted, steps=(1 << 40) - 1, batch_size=1 << 10)
    last = plan.counts(plan.end)
    assert int(last.sum()) == plan.draws == ((1 << 40) - 1) << 10
    assert (plan.batch(plan.end - 1).item < 1 << 40).all()
    off = plan.forecast()["b"].expected_draws - int(last[1])
    assert abs(off) < 2


# ---- Values


@given(SEEDS, st.floats(0.0, 1.0))
def test_a_plan_comes_back_from_its_repr_and_from_a_pickle(seed: int, caps: float) -> None:
    plan = some_plan(random.Random(seed), caps)
    for back in (pasted(plan), pickle.loads(pickle.dumps(plan))):
        assert back == plan
        assert hash(back) == hash(plan)
        assert back.fingerprint == plan.fingerprint
        assert slots(back.batch(0)) == slots(plan.batch(0))


def test_equal_mixtures_have_equal_hashes_and_plans() -> None:
    """The order of sources counts: it numbers them and settles ties."""
    first, second = mixture({"a": 1.0, "b": 1.0, "c": 1.0}), mixture({"c": 1.0, "b": 1.0, "a": 1.0})
    assert first != second
    again = mixture({"a": 1.0, "b": 1.0, "c": 1.0})
    assert first == again
    assert hash(first) == hash(again)


def test_asking_touches_no_global_random_state() -> None:
    plan = plain(0)
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002 (the very state that must stay)
    plan.batch(0)
    plan.forecast()
    here = random.random(), np.random.random()  # noqa: NPY002
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    assert here == (random.random(), np.random.random())  # noqa: NPY002


# ---- Known answers


def known() -> Plan:
    sources = {
        "web": Source(score=2.0, items=1_000_000),
        "books": Source(score=3.0, items=9),
        "网页文本": Source(score=1.0, items=50_000),
    }
    wanted = Mixture(sources, temperature=thermix.linear(5.0, 1.0))
    return Plan(wanted, steps=100, batch_size=8, seed=0)


def test_draws_of_draw_order_1() -> None:
    plan = known()
    assert plan.counts([0, 1, 50, 100]).tolist() == [[0, 0, 0], [3, 3, 2], [131, 168, 101], [251, 376, 173]]
    assert slots(plan.batch(0)) == [
        (1, 6, 0),
        (1, 3, 0),
        (0, 731882, 0),
        (0, 982596, 0),
        (0, 368630, 0),
        (2, 9093, 0),
        (2, 22147, 0),
        (1, 1, 0),
    ]
    assert slots(plan.batch(99)) == [
        (1, 7, 41),
        (2, 37282, 0),
        (1, 8, 41),
        (0, 176178, 0),
        (1, 1, 41),
        (0, 759413, 0),
        (1, 5, 41),
        (1, 2, 41),
    ]


def test_fingerprint_of_draw_order_1() -> None:
    assert known().fingerprint == "0410bc5abf53fa944e4fc882337fff3eeba641702d25324d3f8e316a0fc95142"


def test_single_draws_of_the_multinomial_order_of_draw_order_1() -> None:
    plan = Plan(known().mixture, steps=100, batch_size=8, seed=0, order="multinomial")
    assert plan.counts([1, 50, 100]).tolist() == [[3, 2, 3], [113, 181, 106], [243, 381, 176]]


SCRIPT = """
import sys; sys.path[:0] = {path!r}
from tests.plan.test_plan import known
plan = known()
print(plan.fingerprint, plan.counts(100).tolist(), plan.batches(0, 100).item.sum())
"""


def test_another_process_makes_the_same_draws() -> None:
    code = SCRIPT.format(path=[p for p in sys.path if p])
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    plan = known()
    here = f"{plan.fingerprint} {plan.counts(100).tolist()} {plan.batches(0, 100).item.sum()}"
    assert done.stdout.strip() == here
