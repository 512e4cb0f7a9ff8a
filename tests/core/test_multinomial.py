"""Statistics here state their error rates: a check fails by chance with probability 1e-6 at most, once
and for all, because keys are fixed. With D draws and K sources it sees, half of the time, shares that
are off by a factor of about 1 + 5 * sqrt(K / D).
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from thermix.core import multinomial
from thermix.core.bits import derive_key, hash64
from thermix.core.multinomial import MultinomialCounts
from thermix.core.shares import ONE, Shares, softmax_shares
from thermix.errors import SlowSeekWarning

Ints = NDArray[np.int64]
TAIL = 1e-6
KEY = derive_key(0, "multinomial")


def cooling(steps: int, sources: int) -> Shares:
    scores = np.linspace(0.0, 3.0, sources)
    return softmax_shares(np.arange(steps + 1), scores, lambda runs: 5.0 - 4.0 * runs / steps)


def fixed(steps: int, q: list[int]) -> Shares:
    return Shares(np.array([0, steps]), lambda runs: np.repeat(np.array(q)[:, None], len(runs), axis=1))


def p_value(counts: NDArray[np.float64] | Ints, expected: NDArray[np.float64]) -> float:
    chi2 = float(((counts - expected) ** 2 / expected).sum())
    return float(stats.chi2.sf(chi2, counts.size - counts.shape[0] if counts.ndim > 1 else counts.size - 1))


def drawn(shares: Shares, steps: int, units: int, key: int = KEY, first: int = 0) -> Ints:
    """(S, K) draws made in each step."""
    return np.diff(MultinomialCounts(shares, key, first, units).at(np.arange(steps + 1)), axis=0)


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Callable[[int, int], None]:
    def set_limits(block: int, anchors: int) -> None:
        monkeypatch.setattr(multinomial, "_BLOCK", block)
        monkeypatch.setattr(multinomial, "_MOST_ANCHORS", anchors)

    return set_limits


# ---- The twin: one draw at a time


@pytest.mark.parametrize(("steps", "units", "first"), [(40, 1, 0), (25, 7, 1000), (3, 333, 2**40)])
def test_a_draw_belongs_to_the_source_whose_span_holds_its_bits(steps: int, units: int, first: int) -> None:
    shares = cooling(steps, 5)
    q = shares.compute(np.arange(steps))
    counts = np.zeros((steps + 1, 5), np.int64)
    for step in range(steps):
        counts[step + 1] = counts[step]
        for slot in range(units):
            bits = int(hash64(KEY, np.array([first + step * units + slot], np.uint64))[0]) >> 32
            source = next(i for i in range(5) if bits < q[: i + 1, step].sum())
            counts[step + 1, source] += 1
    found = MultinomialCounts(shares, KEY, first, units).at(np.arange(steps + 1))
    np.testing.assert_array_equal(found, counts)


def test_a_source_of_share_0_is_never_drawn_and_one_of_all_always() -> None:
    made = drawn(fixed(1000, [0, ONE, 0]), 1000, 9)
    assert made.sum(axis=0).tolist() == [0, 9000, 0]


def test_the_smallest_share_is_kept() -> None:
    """One unit of 2^-32: its threshold is that very number, not rounded away."""
    low = fixed(10, [1, ONE - 1])
    bits = hash64(KEY, np.arange(100, dtype=np.uint64)) >> np.uint64(32)
    assert drawn(low, 10, 10)[:, 0].sum() == (bits < 1).sum()


# ---- Random access


def test_neither_blocks_nor_anchors_nor_the_order_of_questions_show(
    limits: Callable[[int, int], None],
) -> None:
    steps, units = 700, 13
    whole = MultinomialCounts(cooling(steps, 4), KEY, 5, units).at(np.arange(steps + 1))
    rng = np.random.default_rng(0)
    for block, anchors in ((1, 4096), (13, 3), (40, 2), (100, 7), (10**6, 5)):
        limits(block, anchors)
        counts = MultinomialCounts(cooling(steps, 4), KEY, 5, units)
        for _ in range(12):
            some = np.sort(rng.integers(0, steps + 1, int(rng.integers(1, 9))))
            np.testing.assert_array_equal(counts.at(some), whole[some])


def test_anchors_are_thinned_to_doubled_spacing(limits: Callable[[int, int], None]) -> None:
    limits(10, 8)
    counts = MultinomialCounts(cooling(1000, 3), KEY, 0, 10)
    counts.at(np.array([1000]))
    assert 1 < len(counts._known.anchors) <= 8
    assert set(np.diff(sorted(counts._known.anchors))) == {128}
    assert counts.coarse_steps()[0] == 0
    assert counts.coarse_steps()[-1] == 1000


def test_counts_add_up_and_never_fall() -> None:
    counts = MultinomialCounts(cooling(300, 6), KEY, 0, 11).at(np.arange(301))
    assert (counts.sum(axis=1) == np.arange(301) * 11).all()
    assert (np.diff(counts, axis=0) >= 0).all()


def test_nobody_is_owed_anything() -> None:
    assert MultinomialCounts(cooling(9, 4), KEY, 0, 5).deficits(7).tolist() == [0, 0, 0, 0]


def test_a_seek_of_seconds_says_so_before_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = MultinomialCounts(cooling(50, 3), KEY, 0, 100_000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        counts.at(np.array([10]))
    monkeypatch.setattr(multinomial, "_DRAWS_A_SECOND", 1_000_000)
    with pytest.warns(SlowSeekWarning, match=r"replaying 4,000,000 draws takes about 4 s"):
        counts.at(np.array([50]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        counts.at(np.array([50, 50]))


# ---- Statistics


def test_sources_are_drawn_by_their_shares() -> None:
    shares = cooling(64, 20)
    made = drawn(shares, 64, 4_000).astype(float)
    expected = shares.compute(np.arange(64)).T * (4_000 / ONE)
    assert p_value(made, expected) > TAIL  # type: ignore[arg-type]
    assert p_value(made, expected) < 1 - TAIL  # type: ignore[arg-type]


def test_the_check_sees_shares_that_are_a_little_off() -> None:
    """The negative control: a tenth of one source's share given to another."""
    shares = cooling(64, 20)
    made = drawn(shares, 64, 4_000).astype(float)
    expected = shares.compute(np.arange(64)).T * (4_000 / ONE)
    moved = expected.copy()
    moved[:, 19] -= expected[:, 19] / 10
    moved[:, 18] += expected[:, 19] / 10
    assert p_value(made, moved) < TAIL  # type: ignore[arg-type]


def sequence(draws: int, q: list[int], key: int = KEY) -> Ints:
    """The sources of single draws, one a step."""
    made: Ints = drawn(fixed(draws, q), draws, 1, key).argmax(axis=1)
    return made


THREE = [ONE // 4, ONE // 2, ONE // 4]


def pairs_p(sources: Ints, lag: int) -> float:
    table = np.zeros((3, 3))
    np.add.at(table, (sources[:-lag], sources[lag:]), 1)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return float(stats.chi2.sf(((table - expected) ** 2 / expected).sum(), 4))


@pytest.mark.parametrize("lag", [1, 2, 3, 64, 256])
def test_neighbouring_draws_are_independent(lag: int) -> None:
    assert pairs_p(sequence(3_000, THREE), lag) > TAIL


def test_the_check_of_neighbours_sees_a_sequence_that_prefers_to_stay() -> None:
    """The negative control: one draw in ten repeats the one before."""
    sources = sequence(3_000, THREE)
    sticky = np.where(np.arange(3_000) % 10 == 0, np.roll(sources, 1), sources)
    assert pairs_p(sticky, 1) < TAIL


def test_other_keys_draw_independently() -> None:
    one, other = sequence(3_000, THREE, KEY), sequence(3_000, THREE, derive_key(1, "multinomial"))
    table = np.zeros((3, 3))
    np.add.at(table, (one, other), 1)
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    assert stats.chi2.sf(((table - expected) ** 2 / expected).sum(), 4) > TAIL


def test_counts_of_a_step_scatter_as_independent_draws_do() -> None:
    """The variance over steps is D p (1 - p), not less: this order is not balanced."""
    made = drawn(fixed(2_000, THREE), 2_000, 50)
    for i, p in enumerate((0.25, 0.5, 0.25)):
        statistic = made[:, i].var(ddof=1) * 1_999 / (50 * p * (1 - p))
        assert TAIL < stats.chi2.cdf(statistic, 1_999) < 1 - TAIL


# ---- Known answers


def test_sources_of_draw_order_1() -> None:
    assert sequence(20, THREE).tolist() == [0, 2, 2, 0, 1, 1, 2, 0, 1, 1, 0, 0, 2, 1, 1, 0, 2, 1, 2, 1]


def test_threads_may_ask_at_once(limits: Callable[[int, int], None]) -> None:
    """Each finds anchors and their spacing that belong together."""
    limits(64, 8)
    wanted = np.arange(0, 4000, 7)
    asked = MultinomialCounts(cooling(4000, 3), KEY, 0, 10).at(wanted)
    counts, failed = MultinomialCounts(cooling(4000, 3), KEY, 0, 10), []

    def ask(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(40):
            steps = np.sort(rng.choice(len(wanted), 5, replace=False))
            if not (counts.at(wanted[steps]) == asked[steps]).all():
                failed.append(steps)

    threads = [threading.Thread(target=ask, args=(seed,), daemon=True) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert not failed
