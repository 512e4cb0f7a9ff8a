from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests import oracle
from thermix.core.shares import (
    GRID,
    ONE,
    Shares,
    grid_edges,
    grid_middles,
    grid_width,
    owed,
    quantise,
    softmax_shares,
)
from thermix.core.temperature import probabilities

Ints = NDArray[np.int64]


def table_shares(edges: Ints, columns: Ints) -> Shares:
    """Shares (K, M) as they stand in a table."""
    return Shares(edges, lambda runs: columns[:, runs].copy())


# ---- Edges of runs


@st.composite
def clocks(draw: st.DrawFn) -> tuple[int, int, int, int, int]:
    """(start, stop, origin, span, still), as a segment may have them; about 200 cells at most."""
    width = draw(st.sampled_from([1, 2, 3, 7, 1000]))
    span = draw(st.integers((width - 1) * GRID + 1, width * GRID))
    origin = draw(st.integers(0, 50))
    start = origin + draw(st.integers(0, 100 * width))
    stop = start + draw(st.integers(1, 100 * width))
    return start, stop, origin, span, origin + draw(st.integers(0, 150 * width))


@given(clocks())
def test_edges_cover_the_segment_and_runs_lie_in_one_cell_until_it_is_still(
    clock: tuple[int, int, int, int, int],
) -> None:
    start, stop, origin, span, still = clock
    edges = grid_edges(*clock)
    assert edges[0] == start
    assert edges[-1] == stop
    assert (np.diff(edges) > 0).all()
    cells = (np.arange(start, stop) - origin) // grid_width(span)
    runs = np.searchsorted(edges, np.arange(start, stop), side="right")
    moving = np.arange(start, stop) < still
    assert len(set(zip(runs[moving], cells[moving], strict=True))) == len(set(runs[moving]))


@given(clocks())
def test_edges_after_it_is_still_are_few(clock: tuple[int, int, int, int, int]) -> None:
    *_, origin, span, still = clock
    edges = grid_edges(*clock)
    width = grid_width(span)
    calm = origin - (origin - still) // width * width
    assert (edges > calm).sum() <= 65


@pytest.mark.parametrize(("span", "width"), [(1, 1), (GRID, 1), (GRID + 1, 2), (2 * GRID, 2), (10**9, 7630)])
def test_a_temperature_is_held_for_span_over_two_to_the_17_steps_rounded_up(span: int, width: int) -> None:
    assert grid_width(span) == width


def test_a_long_plan_has_no_more_runs_than_the_grid_has_cells() -> None:
    assert len(grid_edges(0, 10**9, 0, 10**9, 10**9)) - 1 <= GRID
    assert len(grid_edges(0, 10**9, 0, 10**9, 0)) - 1 <= 64


def test_a_cell_is_evaluated_at_its_middle_wherever_a_segment_begins_in_it() -> None:
    span = 4 * GRID
    middles = grid_middles(np.array([10, 11, 13, 14, 18]), 10, span)
    assert middles.tolist() == [1.5, 1.5, 1.5, 5.5, 9.5]


def test_a_cell_of_one_step_is_evaluated_at_that_step() -> None:
    assert grid_middles(np.array([3, 9]), 3, GRID).tolist() == [0.0, 6.0]


# ---- Draws owed


@given(st.lists(st.tuples(st.integers(0, ONE), st.integers(0, 2**46)), min_size=1, max_size=20))
def test_products_are_exact_up_to_2_to_the_46_draws(pairs: list[tuple[int, int]]) -> None:
    q, draws = np.array([[q for q, _ in pairs]]), np.array([n for _, n in pairs])
    due = owed(q, draws)
    exact = [(int(w) << 32) + int(f) for w, f in zip(due.whole[0], due.fraction[0], strict=True)]
    assert exact == [q * n for q, n in pairs]
    assert (due.fraction >= 0).all()
    assert (due.fraction < ONE).all()
    assert due.total() == [sum(q * n for q, n in pairs)]


def test_nothing_is_owed_for_no_draws() -> None:
    assert owed(np.zeros((3, 0), np.int64), np.zeros(0, np.int64)).total() == [0, 0, 0]


def long_runs(runs: int, width: int, units: int) -> tuple[Shares, list[int]]:
    """Two sources over runs of width * units draws, and what each is owed exactly."""
    share = (ONE * (0.9 + 0.05 * np.sin(np.arange(runs)))).astype(np.int64)
    shares = table_shares(np.arange(runs + 1) * width, np.stack([share, ONE - share]))
    first = int(share.sum()) * width * units
    return shares, [first, runs * width * units * ONE - first]


@pytest.mark.parametrize(
    ("runs", "width", "units"),
    [(1000, 3, 7), (GRID, 2049, 1), (40_000, 4097, 987_135)],
)
def test_expected_draws_are_exact_sums(runs: int, width: int, units: int) -> None:
    """The last case: runs over 2^31 draws whose fractions, 2^48 each, add up to more than 2^63."""
    shares, exact = long_runs(runs, width, units)
    assert shares.expected(units) == exact


# ---- Quantised probabilities

PROBABILITIES = st.lists(st.floats(1e-12, 1.0), min_size=1, max_size=30)


@given(PROBABILITIES)
def test_shares_add_up_to_2_to_the_32_and_only_one_is_not_the_nearest(weights: list[float]) -> None:
    p = np.array(weights) / np.sum(weights)
    best = int(p.argmax())
    q = quantise(p[:, None], best)[:, 0]
    assert q.sum() == ONE
    assert (q >= 0).all()
    assert q.tolist() == oracle.quantised(p.tolist(), best)
    others = np.arange(len(p)) != best
    assert (np.abs(q - p * ONE)[others] <= 0.5).all()


@given(st.lists(st.floats(-30.0, 30.0), min_size=1, max_size=12), st.floats(0.0, 50.0))
def test_softmax_shares_are_the_probabilities_rounded(scores: list[float], temperature: float) -> None:
    shares = softmax_shares(np.array([0, 5]), np.array(scores), lambda runs: np.full(len(runs), temperature))
    p = probabilities(scores, temperature)
    column = shares.compute(np.array([0]))[:, 0].tolist()
    assert column == oracle.quantised(p.tolist(), int(np.argmax(scores)))


def cooling(runs: int) -> Callable[[Ints], NDArray[np.float64]]:
    return lambda chosen: 5.0 - 4.0 * chosen / runs


def test_a_column_does_not_depend_on_the_others_asked_for() -> None:
    scores = np.linspace(-3.0, 2.0, 11)
    shares = softmax_shares(np.arange(1001), scores, cooling(1000))
    together = shares.compute(np.arange(1000))
    assert (together.sum(axis=0) == ONE).all()
    for runs in ([0], [999], [3, 500, 501], list(range(10, 900, 7))):
        np.testing.assert_array_equal(shares.compute(np.array(runs)), together[:, runs])


@given(st.lists(st.integers(0, 99), min_size=1, max_size=40))
def test_shares_at_steps_are_those_of_the_runs_that_hold_them(steps: list[int]) -> None:
    edges = np.array([0, 1, 2, 10, 40, 41, 100])
    columns = np.arange(12).reshape(2, 6)
    found = table_shares(edges, columns).at_steps(np.array(sorted(steps)))
    runs = [max(m for m in range(6) if edges[m] <= step) for step in sorted(steps)]
    np.testing.assert_array_equal(found, columns[:, runs])


def test_no_steps_have_no_shares() -> None:
    shares = softmax_shares(np.arange(4), np.zeros(3), cooling(3))
    assert shares.at_steps(np.zeros(0, np.int64)).shape == (3, 0)


def test_a_score_of_minus_infinity_has_no_share_at_any_temperature() -> None:
    scores = np.array([0.0, -np.inf, 1.0])
    shares = softmax_shares(np.arange(4), scores, lambda runs: np.array([0.0, 1.0, np.inf])[runs])
    found = shares.compute(np.arange(3))
    assert found[1].tolist() == [0, 0, 0]
    assert found[:, 0].tolist() == [0, 0, ONE]
    assert found[:, 2].tolist() == [ONE // 2, 0, ONE // 2]


def test_the_tree_weighs_shares_of_at_most_64_runs() -> None:
    asked: list[int] = []

    def compute(runs: Ints) -> Ints:
        asked.extend(runs.tolist())
        return np.ones((2, len(runs)), np.int64) * ONE // 2

    assert Shares(np.arange(10_001), compute).weights().tolist() == [64 * ONE // 2] * 2
    assert len(asked) == 64
    assert max(np.diff(asked)) <= 157
    asked.clear()
    assert Shares(np.arange(11), compute).weights().tolist() == [10 * ONE // 2] * 2
    assert asked == list(range(10))
