from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests import oracle
from thermix.core import order
from thermix.core.order import UNLIMITED, BalancedCounts
from thermix.core.shares import ONE, Shares
from thermix.core.temperature import probabilities

Ints = NDArray[np.int64]
Columns = list[list[int]]  # [run][source]


def shares_of(columns: Columns, edges: Ints) -> Shares:
    table = np.array(columns, np.int64).T
    return Shares(edges, lambda runs: table[:, runs].copy())


def normed(weights: list[float]) -> list[int]:
    total = sum(weights)
    q = [int(w / total * ONE) for w in weights]
    q[max(range(len(q)), key=lambda i: (q[i], -i))] += ONE - sum(q)
    return q


def drift(rng: random.Random, k: int, runs: int) -> Columns:
    base = [rng.random() ** 3 + 1e-9 for _ in range(k)]
    return [normed([b * (1 + 0.3 * i * m / runs) for i, b in enumerate(base)]) for m in range(runs)]


def wild(rng: random.Random, k: int, runs: int) -> Columns:
    return [normed([rng.random() ** 3 + 1e-9 for _ in range(k)]) for _ in range(runs)]


def equal(rng: random.Random, k: int, runs: int) -> Columns:
    del rng
    return [normed([1.0] * k)] * runs


def ending(rng: random.Random, k: int, runs: int) -> Columns:
    """Shares that turn 0 for good, as they do where temperatures fall or budgets end."""
    ends = [rng.randint(1, 2 * runs) for _ in range(k)]
    ends[rng.randrange(k)] = runs
    base = [rng.random() + 1e-9 for _ in range(k)]
    return [normed([b * (m < end) for b, end in zip(base, ends, strict=True)]) for m in range(runs)]


def blinking(rng: random.Random, k: int, runs: int) -> Columns:
    """Shares that are 0 in some runs and not in others."""
    table = [[rng.random() * (rng.random() < 0.6) for _ in range(k)] for _ in range(runs)]
    return [normed(row if any(row) else [1.0] * k) for row in table]


KINDS: list[Callable[[random.Random, int, int], Columns]] = [drift, wild, equal, ending, blinking]


@dataclass
class Case:
    columns: Columns
    edges: Ints
    units: int
    deficits: list[int]
    budgets: dict[int, int]

    @classmethod
    def of_seed(cls, seed: int, kind: Callable[[random.Random, int, int], Columns]) -> Case:
        rng = random.Random(seed)
        k, runs, units = rng.randint(1, 9), rng.randint(1, 30), rng.choice([1, 2, 3, 7, 64])
        lengths = [rng.choice([1, 1, 1, 2, 5, 40]) for _ in range(runs)]
        edges = rng.randint(0, 5) + np.cumsum([0, *lengths])
        deficits = [0] * k
        if rng.random() < 0.5:
            deficits = [rng.randint(-(2**33), 2**33) for _ in range(k)]
            deficits[0] -= sum(deficits)
        case = cls(kind(rng, k, runs), edges, units, deficits, {})
        if rng.random() < 0.4 and k > 1:
            case.budgets = case._some_budgets(rng)
        return case

    def _some_budgets(self, rng: random.Random) -> dict[int, int]:
        k, draws = len(self.deficits), int(self.edges[-1] - self.edges[0]) * self.units
        budgets = {i: rng.randint(0, draws) for i in range(k) if rng.random() < 0.7}
        if len(budgets) == k:
            budgets[rng.randrange(k)] += draws - min(sum(budgets.values()), draws)
        return budgets

    @property
    def steps(self) -> Ints:
        return np.arange(self.edges[0], self.edges[-1] + 1)

    def fast(self) -> BalancedCounts:
        budgets = [self.budgets.get(i, UNLIMITED) for i in range(len(self.deficits))]
        shares, deficits = shares_of(self.columns, self.edges), np.array(self.deficits)
        return BalancedCounts(shares, range(len(deficits)), self.units, deficits, budgets)

    def slow(self) -> Ints:
        """(S, K) counts of the twin, step by step."""
        lengths = np.diff(self.edges)
        by_step = [q for q, n in zip(self.columns, lengths, strict=True) for _ in range(n)]
        weights = shares_of(self.columns, self.edges).weights().tolist()
        deficits = dict(enumerate(self.deficits))
        draws = [self.units] * len(by_step)
        return np.array(oracle.scan(by_step, draws, deficits, self.budgets, weights))

    def owed(self) -> Ints:
        """(S, K) draws owed before every step, in units of 2^-32; small cases only."""
        q = np.repeat(np.array(self.columns), np.diff(self.edges), axis=0) * self.units
        before: Ints = np.cumsum([np.array(self.deficits), *q], axis=0)
        return before


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    """Sets the columns of a chunk and the runs between anchors."""

    def chunks(columns: int, runs: int) -> None:
        monkeypatch.setattr(order, "_CELLS", 1)
        monkeypatch.setattr(order, "_LEAST_COLUMNS", columns)
        monkeypatch.setattr(order, "_ANCHOR_RUNS", runs)

    return chunks


# ---- The twin judges every count


@pytest.mark.parametrize("kind", KINDS)
def test_every_count_is_the_twins(kind: Callable[[random.Random, int, int], Columns]) -> None:
    for seed in range(60):
        case = Case.of_seed(seed, kind)
        np.testing.assert_array_equal(case.fast().at(case.steps), case.slow(), err_msg=f"seed {seed}")


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_every_count_of_many_more_cases_is_the_twins(
    kind: Callable[[random.Random, int, int], Columns],
) -> None:
    for seed in range(1_000, 3_000):
        case = Case.of_seed(seed, kind)
        np.testing.assert_array_equal(case.fast().at(case.steps), case.slow(), err_msg=f"seed {seed}")


@pytest.mark.parametrize("kind", KINDS)
def test_neither_chunks_nor_anchors_nor_the_order_of_questions_show(
    kind: Callable[[random.Random, int, int], Columns], small_chunks: Callable[[int, int], None]
) -> None:
    for seed in range(40):
        rng, case = random.Random(-seed), Case.of_seed(seed, kind)
        small_chunks(512, 512)
        whole = case.fast().at(case.steps)
        small_chunks(rng.choice([2, 3, 7, 50]), rng.choice([1, 2, 5, 512]))
        counts = case.fast()
        for _ in range(5):
            some = np.array(sorted(rng.choices(case.steps.tolist(), k=rng.randint(1, 20))))
            np.testing.assert_array_equal(counts.at(some), whole[some - case.edges[0]], err_msg=f"{seed}")


@given(st.integers(0, 10**6), st.sampled_from(KINDS), st.integers(1, 60))
def test_runs_may_be_split_anywhere(
    seed: int, kind: Callable[[random.Random, int, int], Columns], cuts: int
) -> None:
    """A run's shares repeated over its parts give the same counts; the tree is kept the same."""
    case = Case.of_seed(seed, kind)
    rng = random.Random(seed)
    edges = np.union1d(case.edges, rng.choices(case.steps.tolist(), k=cuts))
    runs = np.searchsorted(case.edges, edges[:-1], side="right") - 1
    split, kept = shares_of([case.columns[m] for m in runs], edges), case.fast()
    budgets = [case.budgets.get(i, UNLIMITED) for i in range(len(case.deficits))]
    deficits = np.array(case.deficits)
    parts = BalancedCounts(split, range(len(deficits)), case.units, deficits, budgets)
    parts._tree, parts._budgets = kept._tree, kept._budgets
    parts._anchors = dict(kept._anchors)
    parts._recent = kept._recent
    np.testing.assert_array_equal(parts.at(case.steps), kept.at(case.steps))


@pytest.mark.parametrize("kind", KINDS)
def test_deficits_are_draws_owed_less_draws_made(
    kind: Callable[[random.Random, int, int], Columns],
) -> None:
    for seed in range(30):
        case = Case.of_seed(seed, kind)
        counts, owed = case.fast(), case.owed()
        for step in case.steps[:: max(1, len(case.steps) // 5)].tolist():
            made = counts.at(np.array([step]))[0]
            expected = owed[step - case.edges[0]] - (made << 32)
            np.testing.assert_array_equal(counts.deficits(step), expected)
            assert int(expected.sum()) == 0
            carried = owed[step - case.edges[0]] - case.deficits
            assert counts.owed(step) == carried.tolist()


# ---- What counts must keep


@given(st.integers(0, 10**6), st.sampled_from(KINDS))
def test_counts_never_fall_add_up_and_keep_budgets(
    seed: int, kind: Callable[[random.Random, int, int], Columns]
) -> None:
    case = Case.of_seed(seed, kind)
    counts = case.fast().at(case.steps)
    assert (np.diff(counts, axis=0) >= 0).all()
    assert (counts.sum(axis=1) == (case.steps - case.edges[0]) * case.units).all()
    assert all(counts[-1, i] <= budget for i, budget in case.budgets.items())


@given(st.integers(0, 10**6))
def test_a_source_whose_share_falls_to_0_is_drawn_no_more(seed: int) -> None:
    case = Case.of_seed(seed, ending)
    case.budgets, case.deficits = {}, [0] * len(case.deficits)
    made = np.diff(case.fast().at(case.steps), axis=0)
    q = np.repeat(np.array(case.columns), np.diff(case.edges), axis=0)
    assert (made[q == 0] == 0).all()


@given(st.integers(0, 10**6))
def test_only_what_is_over_a_draw_behind_is_drawn_at_share_0(seed: int) -> None:
    """Two sources make one node, so that what the half lacks is what the source lacks."""
    rng = random.Random(seed)
    columns = [rng.choice([[ONE, 0], [0, ONE], normed([rng.random(), rng.random()])]) for _ in range(60)]
    case = Case(columns, np.arange(61), rng.choice([1, 2, 7]), [0, 0], {})
    counts = case.fast().at(case.steps)
    behind = case.owed()[1:] / ONE - counts[:-1]
    assert (behind[(np.diff(counts, axis=0) > 0) & (np.array(columns) == 0)] > 1).all()


@given(st.integers(0, 10**6), st.sampled_from([drift, wild, equal, ending]))
def test_counts_stay_within_the_trees_depth_of_what_is_owed(
    seed: int, kind: Callable[[random.Random, int, int], Columns]
) -> None:
    """The bound is half a draw a level; deficits carried in are what the tree cannot mend at once."""
    case = Case.of_seed(seed, kind)
    case.budgets, case.deficits = {}, [0] * len(case.deficits)
    counts = case.fast()
    off = np.abs((counts.at(case.steps) << 32) - case.owed()).max() / ONE
    assert off <= max(1, len(counts._tree.levels))


def alternating(m: int) -> list[int]:
    """Two sources that are drawn in turns, beside one that always is."""
    return [ONE // 2, ONE // 2, 0] if m % 2 else [ONE // 2, 0, ONE // 2]


def test_counts_stay_near_what_is_owed_where_shares_of_0_come_and_go() -> None:
    columns = [alternating(m) for m in range(400)]
    case = Case(columns, np.arange(401), 1, [0, 0, 0], {})
    off = np.abs((case.fast().at(case.steps) << 32) - case.owed()).max() / ONE
    assert off < 3


def softmax_columns(scores: list[float], temperatures: NDArray[np.float64]) -> Columns:
    best = int(np.argmax(scores))
    return [oracle.quantised(p.tolist(), best) for p in probabilities(scores, temperatures)]


SCHEDULES = {
    "linear": np.linspace(5.0, 1.0, 400),
    "warming": np.linspace(0.3, 8.0, 400),
    "geometric": np.geomspace(20.0, 0.2, 400),
    "constant": np.full(400, 1.0),
    "cosine": 3.0 + 2.0 * np.cos(np.linspace(0, np.pi, 400)),
}


@pytest.mark.parametrize("sources", [2, 3, 8, 20, 50, 128])
@pytest.mark.parametrize("name", SCHEDULES)
def test_smooth_schedules_stay_within_2_draws_to_128_sources(name: str, sources: int) -> None:
    for units in (1, 13, 512):
        scores = np.random.default_rng([sources, units]).normal(0, 1.5, sources)
        columns = softmax_columns(scores.tolist(), SCHEDULES[name])
        case = Case(columns, np.arange(401), units, [0] * sources, {})
        assert np.abs((case.fast().at(case.steps) << 32) - case.owed()).max() < 2 * ONE


# ---- Known answers


def test_counts_of_draw_order_1() -> None:
    assert order.DRAW_ORDER == 1
    thirds = Case([normed([1.0, 1.0, 1.0])] * 7, np.arange(8), 1, [0, 0, 0], {})
    assert thirds.fast().at(thirds.steps).T.tolist() == [
        [0, 0, 1, 1, 1, 2, 2, 2],
        [0, 1, 1, 1, 2, 2, 2, 3],
        [0, 0, 0, 1, 1, 1, 2, 2],
    ]
    cooling = softmax_columns([2.0, 3.0, 1.0, 0.0], np.linspace(5.0, 0.5, 6))
    case = Case(cooling, np.arange(7), 10, [0] * 4, {2: 7})
    assert case.fast().at(case.steps).T.tolist() == [
        [0, 3, 5, 8, 11, 14, 15],
        [0, 3, 7, 11, 15, 20, 29],
        [0, 2, 4, 6, 7, 7, 7],
        [0, 2, 4, 5, 7, 9, 9],
    ]


# ---- Long plans and large numbers


def test_totals_near_2_to_the_50_are_exact() -> None:
    rng = random.Random(5)
    columns = [normed([rng.random() for _ in range(5)]) for _ in range(60)]
    width, units = (1 << 44) // 1_000_003, 1_000_003
    edges = np.arange(61) * width
    case = Case(columns, edges, units, [0] * 5, {})
    weights = shares_of(columns, edges).weights().tolist()
    twin = oracle.scan(columns, [width * units] * 60, weights=weights)
    counts = case.fast()
    np.testing.assert_array_equal(counts.at(edges), twin)
    for run in (59, 7, 30):  # and at single steps inside of runs, asked for backwards
        start = int(edges[run])
        inside = oracle.scan(
            [*columns[:run], columns[run]], [width * units] * run + [12_345 * units], weights=weights
        )
        assert counts.at(np.array([start + 12_345]))[0].tolist() == inside[-1]


def test_a_plan_of_a_billion_steps_is_the_same_however_it_is_asked_for() -> None:
    runs, width = 1 << 13, 122_071
    columns = [normed([3.0 - m / runs, 1.0, 2.0 * m / runs + 0.1, 0.3]) for m in range(runs)]
    edges = np.arange(runs + 1) * width
    case = Case(columns, edges, 64, [0] * 4, {})
    some = np.unique(np.random.default_rng(0).integers(0, int(edges[-1]), 300))
    together = case.fast().at(some)
    cold = case.fast()
    for i in (299, 0, 150, 151, 20):
        np.testing.assert_array_equal(cold.at(some[i : i + 1])[0], together[i])
    forward = case.fast()
    forward.at(edges)
    np.testing.assert_array_equal(forward.at(some), together)
    assert (together.sum(axis=1) == some * 64).all()


# ---- Negative controls: the obvious rules fail where ours holds


def test_differences_of_rounded_running_sums_go_down() -> None:
    """Leaves cut out of a line at rounded running sums: the middle one of three loses a draw."""
    columns = [normed([0.45, 0.1, 0.45])] * 40
    owed = np.cumsum(columns, axis=0)
    cuts = (np.cumsum(owed, axis=1) + ONE // 2) >> 32
    rounded = np.diff(cuts, axis=1, prepend=0)
    assert (np.diff(rounded, axis=0) < 0).any()
    case = Case(columns, np.arange(41), 1, [0, 0, 0], {})
    assert (np.diff(case.fast().at(case.steps), axis=0) >= 0).all()


def test_dividing_a_nodes_new_draws_by_its_shares_drifts() -> None:
    """`n_L += dn * Q_L / Q_v`, kept exactly: where dn and the shares change together, it strays for ever."""
    low, high = normed([0.25, 0.25, 0.5]), normed([0.475, 0.025, 0.5])
    columns = [high if m % 2 else low for m in range(800)]
    case = Case(columns, np.arange(801), 1, [0, 0, 0], {})
    node = case.fast().at(case.steps)[:, :2].sum(axis=1)
    new = np.diff(node)
    ratio = np.array([q[0] / (q[0] + q[1]) for q in columns])
    accumulated = np.cumsum(new * ratio)
    owed = case.owed()[1:, 0] / ONE
    assert np.abs(accumulated - owed).max() > 50
    assert np.abs(case.fast().at(case.steps)[1:, 0] - owed).max() < 2
