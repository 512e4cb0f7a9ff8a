from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from thermix.core.caps import drop, over_budget, spread
from thermix.core.order import UNLIMITED, BalancedCounts
from thermix.core.shares import ONE, Shares, softmax_shares
from thermix.core.temperature import probabilities

Float64 = NDArray[np.float64]
Ints = NDArray[np.int64]

UNIMAX = {  # the example of the page of the PyPI package unimax-sampling: characters, share, at 4 epochs
    "fao": (549_707_867, 0.008795325872),
    "isl": (10_027_573_389, 0.160441174224),
    "ekk": (42_541_080_893, 0.2769211666346667),
    "swe": (179_955_884_499, 0.27692116663466665),
    "fas": (184_595_788_282, 0.27692116663466665),
}
UNIMAX_CHARACTERS = 250_000_000_000


def held(temperatures: Float64) -> Callable[[Ints], Float64]:
    return lambda runs: temperatures[runs]


def units(budgets: Mapping[int, float]) -> dict[int, int]:
    return {i: int(b * ONE) for i, b in budgets.items()}


def expected(p: Float64, draws: int) -> Float64:
    owed: Float64 = p.sum(axis=1) * draws
    return owed


# ---- Slow twins, in floats, step by step


def slow_spread(scores: Float64, temperatures: Float64, draws: int, budgets: Mapping[int, float]) -> Float64:
    """(K, S): in rounds, all that are over get a constant factor, what they leave goes to the free."""
    p: Float64 = probabilities(scores, temperatures).T
    fixed: dict[int, Float64] = {}
    while True:
        owed = expected(p, draws)
        over = [i for i in budgets if i not in fixed and owed[i] > budgets[i] * (1 + 1e-9)]
        if not over:
            return p
        fixed |= {i: p[i] * budgets[i] / owed[i] for i in over}
        free = scores.copy()
        free[list(fixed)] = -np.inf
        p = probabilities(free, temperatures).T * (1 - sum(fixed.values()))
        for i, row in fixed.items():
            p[i] = row


def slow_drop(scores: Float64, temperatures: Float64, draws: int, budgets: Mapping[int, float]) -> Float64:
    left = dict(budgets)
    columns = []
    for temperature in temperatures:
        last: dict[int, float] = {}
        while True:
            free = scores.copy()
            free[[i for i in left if i in last or left[i] <= 0]] = -np.inf
            p = probabilities(free, temperature) * (1 - sum(last.values()))
            p[list(last)] = list(last.values())
            over = [i for i in left if i not in last and p[i] * draws > left[i] > 0]
            if not over:
                break
            last |= {i: left[i] / draws for i in over}
        for i in left:
            left[i] = 0 if i in last else left[i] - p[i] * draws
        columns.append(p)
    p_by_step: Float64 = np.array(columns).T
    return p_by_step


@st.composite
def cases(draw: st.DrawFn) -> tuple[Float64, Float64, int, dict[int, float]]:
    """Scores, temperatures, draws a step, and budgets that leave one source without a cap."""
    seed = draw(st.integers(0, 10**6))
    rng = np.random.default_rng(seed)
    k, steps, batch = int(rng.integers(2, 9)), int(rng.integers(1, 40)), int(rng.integers(1, 50))
    scores = rng.normal(0, 1.5, k)
    ends = [(1.0, 1.0), (5.0, 1.0), (0.5, 3.0), (np.inf, np.inf)][int(rng.integers(4))]
    temperatures = np.full(steps, np.inf) if ends[0] == np.inf else np.linspace(*ends, steps)
    free = int(rng.integers(k))
    budgets = {i: float(rng.random() * steps * batch * 0.6 + 0.01) for i in range(k) if i != free}
    return scores, temperatures, batch, budgets


@given(cases())
def test_spread_is_what_rounds_over_all_steps_give(
    case: tuple[Float64, Float64, int, dict[int, float]],
) -> None:
    scores, temperatures, batch, budgets = case
    edges, runs = np.arange(len(temperatures) + 1), np.arange(len(temperatures))
    found = spread(scores, edges, held(temperatures), batch, units(budgets)).compute(runs) / ONE
    np.testing.assert_allclose(found, slow_spread(scores, temperatures, batch, budgets), atol=2e-7)
    assert (found >= 0).all()
    assert (found.sum(axis=0) == 1).all()


@given(cases())
def test_drop_is_what_running_budgets_down_step_by_step_gives(
    case: tuple[Float64, Float64, int, dict[int, float]],
) -> None:
    scores, temperatures, batch, budgets = case
    steps = np.arange(len(temperatures))
    bent = drop(scores, np.arange(len(temperatures) + 1), held(temperatures), batch, units(budgets))
    found = bent.at_steps(steps) / ONE
    np.testing.assert_allclose(found, slow_drop(scores, temperatures, batch, budgets), atol=2e-6)
    assert (found >= 0).all()
    assert (found.sum(axis=0) == 1).all()


@given(cases(), st.sampled_from([spread, drop]))
def test_no_source_is_owed_more_than_its_budget(
    case: tuple[Float64, Float64, int, dict[int, float]], bend: Callable[..., Shares]
) -> None:
    scores, temperatures, batch, budgets = case
    bent = bend(scores, np.arange(len(temperatures) + 1), held(temperatures), batch, units(budgets))
    slack = len(temperatures) * batch * len(scores)
    due = bent.expected(batch)
    assert all(due[i] <= b + slack for i, b in units(budgets).items())
    assert over_budget(bent, batch, {i: b + slack for i, b in units(budgets).items()}) == {}


@given(cases(), st.sampled_from([spread, drop]))
def test_long_runs_are_bent_as_their_steps_are(
    case: tuple[Float64, Float64, int, dict[int, float]], bend: Callable[..., Shares]
) -> None:
    """At one temperature it must not matter how the steps are cut into runs."""
    scores, temperatures, batch, budgets = case
    steps, first = len(temperatures), temperatures[:1]
    fine = bend(scores, np.arange(steps + 1), held(np.repeat(first, steps)), batch, units(budgets))
    coarse = bend(scores, np.array([0, steps]), held(first), batch, units(budgets))
    every = np.arange(steps)
    np.testing.assert_array_equal(coarse.at_steps(every), fine.at_steps(every))


@given(cases())
def test_without_budgets_in_the_way_shares_stay_as_asked(
    case: tuple[Float64, Float64, int, dict[int, float]],
) -> None:
    scores, temperatures, batch, budgets = case
    edges, runs = np.arange(len(temperatures) + 1), np.arange(len(temperatures))
    ample = dict.fromkeys(budgets, 2 * len(runs) * batch * ONE)
    plain = softmax_shares(edges, scores, held(temperatures)).compute(runs)
    for bend in (spread, drop):
        bent = bend(scores, edges, held(temperatures), batch, ample)
        np.testing.assert_array_equal(bent.compute(runs), plain)


# ---- Budgets that add up to exactly the draws


@pytest.mark.parametrize("bend", [spread, drop])
def test_budgets_without_any_slack_are_used_up_to_the_last_draw(bend: Callable[..., Shares]) -> None:
    rng = np.random.default_rng(3)
    for _ in range(30):
        k, steps, batch = int(rng.integers(2, 8)), int(rng.integers(2, 60)), int(rng.integers(1, 40))
        draws = steps * batch
        cuts = np.sort(rng.integers(0, draws + 1, k - 1))
        budgets = np.diff(np.concatenate([[0], cuts, [draws]]))
        scores = np.where(budgets > 0, rng.normal(0, 2, k), -np.inf)
        living = np.flatnonzero(budgets).tolist()
        temperatures = held(np.linspace(5, 0.5, steps))
        left = {i: int(budgets[i]) << 32 for i in living}
        bent = bend(scores, np.arange(steps + 1), temperatures, batch, left)
        limits = [int(b) for b in budgets]
        counts = BalancedCounts(bent, living, batch, np.zeros(k, np.int64), limits).at(np.arange(steps + 1))
        assert counts[-1].tolist() == limits
        assert (np.diff(counts, axis=0) >= 0).all()


@given(cases(), st.integers(0, 10**6))
def test_spread_uses_every_binding_budget_to_within_one_draw(
    case: tuple[Float64, Float64, int, dict[int, float]], seed: int
) -> None:
    del seed
    scores, temperatures, batch, some = case
    steps, k = len(temperatures), len(scores)
    limits = [int(some.get(i, UNLIMITED - 1)) + 1 for i in range(k)]
    left = {i: limits[i] << 32 for i in some}
    edges = np.arange(steps + 1)
    plain = softmax_shares(edges, scores, held(temperatures))
    bent = spread(scores, edges, held(temperatures), batch, left)
    counter = BalancedCounts(bent, range(k), batch, np.zeros(k, np.int64), limits)
    drawn = counter.at(np.array([steps]))[0]
    for i in over_budget(plain, batch, left):
        assert limits[i] - 1 <= drawn[i] <= limits[i]


# ---- Known answers


def test_spread_at_infinite_temperature_is_unimax() -> None:
    sizes = [size for size, _ in UNIMAX.values()]
    steps, batch = 1_000_000, UNIMAX_CHARACTERS // 1_000_000
    budgets = {i: 4 * size << 32 for i, size in enumerate(sizes)}
    bent = spread(np.zeros(5), np.array([0, steps]), held(np.array([np.inf])), batch, budgets)
    shares = bent.compute(np.array([0]))[:, 0] / ONE
    np.testing.assert_allclose(shares, [share for _, share in UNIMAX.values()], rtol=0, atol=1e-9)


def test_one_budget_is_a_constant_factor_and_the_freed_share_goes_by_the_softmax() -> None:
    scores, temperatures = np.log([6.0, 3.0, 1.0]), np.linspace(2.0, 1.0, 50)
    plain = probabilities(scores, temperatures).T
    budget = plain[0].sum() * 10 / 4
    bent_shares = spread(scores, np.arange(51), held(temperatures), 10, units({0: budget}))
    bent = bent_shares.compute(np.arange(50)) / ONE
    np.testing.assert_allclose(bent[0], plain[0] / 4, atol=1e-8)
    np.testing.assert_allclose(bent[1] / bent[2], plain[1] / plain[2], rtol=1e-7)


def test_a_dropped_source_gets_what_is_left_in_its_last_step_and_nothing_after() -> None:
    bent = drop(np.log([3.0, 1.0]), np.array([0, 10]), held(np.array([1.0])), 4, units({0: 7.0}))
    assert (bent.at_steps(np.arange(10))[0] / ONE).tolist() == [0.75, 0.75, 0.25] + [0.0] * 7


def test_at_temperature_0_the_next_best_source_takes_over() -> None:
    for bend, first in ((spread, [0.5, 0.5]), (drop, [1.0, 0.0])):
        bent = bend(np.array([2.0, 1.0, 0.0]), np.array([0, 10]), held(np.zeros(1)), 1, units({0: 5.0}))
        shares = bent.at_steps(np.arange(10)) / ONE
        assert shares[:2, 0].tolist() == first
        assert shares[2].tolist() == [0.0] * 10
        assert shares[0].sum() == 5


@pytest.mark.parametrize("bend", [spread, drop])
def test_a_source_that_is_owed_more_than_its_budget_at_the_start_has_share_0(
    bend: Callable[..., Shares],
) -> None:
    """A segment may begin with a source in arrears for more draws than its cap still allows."""
    temperatures = held(np.linspace(2.0, 1.0, 10))
    bent = bend(np.zeros(3), np.arange(11), temperatures, 3, {0: -ONE // 4, 1: 4 * ONE})
    shares = bent.at_steps(np.arange(10))
    assert (shares >= 0).all()
    assert (shares.sum(axis=0) == ONE).all()
    assert shares[0].tolist() == [0] * 10
    assert shares[1].sum() * 3 <= 4 * ONE
