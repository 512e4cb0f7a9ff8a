"""Probabilities at a temperature, diversity, and the temperature at which a source has a share."""

from __future__ import annotations

import math
import re
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from thermix.core import exact
from thermix.core.clock import Clock
from thermix.core.schedule import inverse_linear
from thermix.core.temperature import (
    effective_sources,
    entropy,
    probabilities,
    softmax_rows,
    temperature_for_share,
)
from thermix.errors import InvalidInput

WEB, BOOKS, CODE = 0, 1, 2
SCORES = [2.0, 3.0, 1.0]

score = st.floats(-30.0, 30.0)
solvable = st.one_of(
    st.floats(-30.0, 30.0).map(lambda w: 0.0 if abs(w) < 1e-100 else w), st.integers(-3, 3).map(float)
)
scores_list = st.lists(score, min_size=1, max_size=12)
temperatures = st.one_of(st.floats(0.01, 1e6), st.sampled_from([0.0, 5e-324, 1e-300, np.inf]))


def decimal_softmax(scores: list[float], temperature: float) -> list[Decimal]:
    """The readable twin: exact arithmetic, no shift, no special case but -inf."""
    with localcontext() as context:
        context.prec, context.Emax, context.Emin = 60, 10**17, -(10**17)
        w = [Decimal(s) / Decimal(temperature) if s != -math.inf else None for s in scores]
        best = max(x for x in w if x is not None)
        terms = [Decimal(0) if x is None else (x - best).exp() for x in w]
        return [term / sum(terms) for term in terms]


def ulp_sum(row: NDArray[np.float64]) -> float:
    """How far the exact sum of a row is from 1."""
    return abs(float(sum(Fraction(p) for p in row.tolist()) - 1))


# --- known answers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [
        (0.5, [0.1173, 0.8668, 0.0159]),
        (1.0, [0.2447, 0.6652, 0.0900]),
        (2.0, [0.3072, 0.5065, 0.1863]),  # a published tutorial prints 0.4487 for books: wrong
        (10.0, [0.3322, 0.3672, 0.3006]),
    ],
)
def test_the_running_example_has_the_right_shares(temperature: float, expected: list[float]) -> None:
    p = probabilities(SCORES, temperature)
    assert p.round(4).tolist() == expected
    true = decimal_softmax(SCORES, temperature)
    assert max(abs(float(Decimal(a) - b)) for a, b in zip(p.tolist(), true, strict=True)) < 1e-15


LITERATURE = [
    ("mBERT", 0.7, 1.43),
    ("XLM", 0.5, 2.00),
    ("XLM-R", 0.3, 3.33),
    ("mT5", 0.3, 3.33),
    ("XLM-E", 0.7, 1.43),
    ("Massively Multilingual NMT in the Wild", 0.2, 5.0),
    ("Cooldown high phase", 0.2, 5.0),
]


@pytest.mark.parametrize(("model", "alpha", "temperature"), LITERATURE)
def test_published_temperatures_are_one_over_alpha(model: str, alpha: float, temperature: float) -> None:
    """UniMax (arXiv:2304.09151), table 1, and others: with w = log n, p is proportional to n^alpha."""
    sizes = np.array([3.0e9, 2.5e7, 4.1e5, 1.2e3])
    p = probabilities(np.log(sizes), 1 / alpha)
    assert np.allclose(p, sizes**alpha / (sizes**alpha).sum(), rtol=1e-12)
    assert round(1 / alpha, 2) == temperature, model


# --- probabilities -------------------------------------------------------------------------------


@given(scores_list, st.floats(0.01, 1e9))
def test_probabilities_agree_with_exact_arithmetic(scores: list[float], temperature: float) -> None:
    p = probabilities(scores, temperature)
    true = decimal_softmax(scores, temperature)
    assert max(abs(float(Decimal(a) - b)) for a, b in zip(p.tolist(), true, strict=True)) < 1e-14


@given(scores_list, temperatures)
def test_rows_sum_to_one_within_half_an_ulp_a_source(scores: list[float], temperature: float) -> None:
    p = probabilities(scores, temperature)
    assert (p >= 0).all()
    assert ulp_sum(p) <= len(scores) * 2.0**-53


@given(scores_list, st.lists(temperatures, min_size=1, max_size=6))
def test_many_temperatures_are_as_many_single_ones_to_the_last_bit(
    scores: list[float], many: list[float]
) -> None:
    rows = probabilities(scores, many)
    assert rows.shape == (len(many), len(scores))
    assert rows.flags.c_contiguous
    for row, temperature in zip(rows, many, strict=True):
        assert np.array_equal(row, probabilities(scores, temperature))


def test_softmax_rows_has_the_same_bits_in_chunks_of_any_size() -> None:
    w = np.random.default_rng(4).normal(0, 3, 20)
    w[3] = -np.inf
    t = np.concatenate([[0.0, np.inf, 1e-300], np.linspace(0.05, 9.0, 9_000)])
    whole = softmax_rows(w, t)
    assert whole.shape == (20, t.size)
    assert whole.flags.c_contiguous
    for size in (1, 63, 64, 1_000, 8_192):
        last = range(0, min(t.size, 20 * size), size)
        parts = [softmax_rows(w, t[i : i + size]) for i in last]
        assert np.array_equal(np.concatenate(parts, axis=1), whole[:, : last[-1] + size])


@given(st.lists(score, min_size=2, max_size=8), st.floats(0.01, 100))
def test_the_order_of_the_sources_changes_at_most_rounding(scores: list[float], temperature: float) -> None:
    p = probabilities(scores, temperature)
    assert np.allclose(probabilities(scores[::-1], temperature)[::-1], p, rtol=1e-14, atol=0)


@given(scores_list, st.integers(-20, 20), st.floats(0.05, 100))
def test_adding_a_constant_to_all_scores_changes_nothing(
    scores: list[float], shift: int, temperature: float
) -> None:
    whole = [float(round(s)) for s in scores]  # so that the shift is exact
    moved = [s + shift for s in whole]
    assert np.array_equal(probabilities(moved, temperature), probabilities(whole, temperature))


def test_an_infinite_temperature_is_uniform_over_what_can_be_drawn() -> None:
    assert probabilities([1e6, 0.0, -np.inf, -1e6], np.inf).tolist() == [1 / 3, 1 / 3, 0.0, 1 / 3]


def test_temperature_zero_takes_the_best_and_shares_ties() -> None:
    assert probabilities([1.0, 3.0, 3.0, -np.inf], 0.0).tolist() == [0.0, 0.5, 0.5, 0.0]
    assert probabilities([1.0, 3.0, 2.0], -0.0).tolist() == [0.0, 1.0, 0.0]


@pytest.mark.parametrize("temperature", [0.0, 5e-324, 1e-300, 1.0, 1e308, np.inf])
def test_a_source_of_weight_zero_is_never_drawn(temperature: float) -> None:
    assert probabilities([0.0, -np.inf, 1e-9], temperature)[1] == 0.0


@pytest.mark.parametrize("temperature", [0.0, 5e-324, 1e-300, 1e-3, 1.0, 1e300, np.inf])
def test_extreme_scores_and_temperatures_neither_overflow_nor_warn(temperature: float) -> None:
    with np.errstate(all="raise"):
        for w in ([1e6, -1e6, 0.0], [1.7e308, -1.7e308, 0.0], [5e-324, 0.0, -5e-324]):
            p = probabilities(w, temperature)
            assert np.isfinite(p).all()
            assert ulp_sum(p) <= 3 * 2.0**-53


def test_scores_further_apart_than_a_float_still_have_their_shares() -> None:
    p = probabilities([1.5e308, -1.5e308], 1.5e308)
    assert p.tolist() == probabilities([2.0, 0.0], 1.0).tolist()


def test_integers_tuples_and_float32_are_numbers_too() -> None:
    expected = probabilities(SCORES, 2.0)
    for w in ((2, 3, 1), np.array([2, 3, 1], dtype=np.int8), np.array(SCORES, dtype=np.float32)):
        assert np.array_equal(probabilities(w, 2), expected)
    assert probabilities([0.5], 1.0).tolist() == [1.0]
    assert probabilities(SCORES, []).shape == (0, 3)


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([], r"scores: got shape \(0,\); they must be a flat sequence of one or more log weights"),
        ([[1.0]], r"scores: got shape \(1, 1\); they must be a flat sequence"),
        (1.0, r"scores: got shape \(\); they must be a flat sequence"),
        ([1.0, math.nan], r"scores\[1\]: got nan; a score must be finite, or -inf"),
        ([math.inf, 1.0], r"scores\[0\]: got inf; a score must be finite, or -inf"),
        ([-math.inf] * 2, r"scores: got -inf only; at least one must be finite"),
        (["2", "3"], r"scores: got \['2', '3'\]; they must be real numbers"),
        ([True, False], r"scores: got .*; they must be real numbers"),
        ([1j], r"scores: got .*; they must be real numbers"),
        ([[1.0], [1.0, 2.0]], r"scores: got .*; they must be real numbers"),
        ({"web": 2.0}, r"scores: got .*; they must be real numbers"),
    ],
)
def test_scores_out_of_range_are_refused(scores: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        probabilities(scores, 1.0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("temperature", "message"),
    [
        (-1.0, r"temperature: got -1.0; it must be >= 0. 0 takes the best source only"),
        ([1.0, math.nan], r"temperature: got nan; it must be >= 0"),
        ([[1.0]], r"temperature: got shape \(1, 1\); it must be one number or a flat sequence"),
        ("1", r"temperature: got '1'; they must be real numbers"),
        (True, r"temperature: got True; they must be real numbers"),
    ],
)
def test_temperatures_out_of_range_are_refused(temperature: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        probabilities(SCORES, temperature)  # type: ignore[arg-type]


# --- entropy and effective sources ---------------------------------------------------------------


def test_entropy_knows_its_ends() -> None:
    rows = entropy([[1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3], [0.5, 0.5, 0.0]])
    assert rows.tolist() == pytest.approx([0.0, math.log(3), math.log(2)], abs=1e-15)
    assert math.copysign(1.0, float(entropy([1.0]))) == 1.0


@given(scores_list, st.floats(0.05, 100))
def test_effective_sources_lie_between_one_and_all(scores: list[float], temperature: float) -> None:
    n = float(effective_sources(probabilities(scores, temperature)))
    assert 1.0 <= n <= len(scores) * (1 + 1e-12)


@given(st.lists(score, min_size=2, max_size=8), st.floats(0.05, 50), st.floats(1.01, 4))
def test_a_higher_temperature_is_never_less_diverse(
    scores: list[float], temperature: float, factor: float
) -> None:
    colder, hotter = entropy(probabilities(scores, [temperature, temperature * factor]))
    assert hotter >= colder - 1e-12


@pytest.mark.parametrize("bad", [[0.5, 0.4], [1.5, -0.5], [math.nan, 1.0], [], 1.0])
def test_what_is_not_a_distribution_has_no_entropy(bad: object) -> None:
    with pytest.raises(InvalidInput, match=r"probabilities: got"):
        entropy(bad)  # type: ignore[arg-type]


# --- the temperature for a share -----------------------------------------------------------------


@given(st.lists(solvable, min_size=2, max_size=9), st.integers(0, 8), st.floats(-6, 6))
def test_every_temperature_found_gives_the_share(
    scores: list[float], source: int, log_temperature: float
) -> None:
    source %= len(scores)
    assume(len(set(scores)) > 1)
    temperature = math.exp(log_temperature)
    share = float(probabilities(scores, temperature)[source])
    assume(0.0 < share < 1.0)
    found = temperature_for_share(scores, source, share)
    assert 1 <= len(found) <= 2
    assert list(found) == sorted(found)
    for t in found:
        assert probabilities(scores, t)[source] == pytest.approx(share, rel=1e-11, abs=1e-300)


@given(
    st.lists(st.integers(-8, 8), min_size=2, max_size=6),
    st.integers(0, 5),
    st.floats(0.3, 20),
)
def test_the_temperature_that_made_a_share_is_among_those_found(
    scores: list[int], source: int, temperature: float
) -> None:
    source %= len(scores)
    p = probabilities(scores, temperature)
    # d ln p / d ln T: where it is small the share hardly depends on T, and T cannot be found from it.
    sensitivity = abs(float(p @ np.array(scores)) - scores[source]) / temperature
    assume(sensitivity > 1e-2)
    assume(1e-250 < p[source] < 0.999)
    found = temperature_for_share(scores, source, float(p[source]))
    assert min(abs(t / temperature - 1) for t in found) < 1e-11


def test_the_best_sources_share_falls_from_one_to_uniform() -> None:
    assert temperature_for_share(SCORES, BOOKS, 1.0) == (0.0,)
    assert temperature_for_share(SCORES, BOOKS, 1 / 3) == (math.inf,)
    (t,) = temperature_for_share(SCORES, BOOKS, float(probabilities(SCORES, 1.0)[BOOKS]))
    assert t == pytest.approx(1.0, rel=1e-13)


def test_tied_best_sources_share_the_cold_limit() -> None:
    assert temperature_for_share([3.0, 3.0, 3.0, 0.0], 1, 1 / 3) == (0.0,)
    (t,) = temperature_for_share([3.0, 3.0, 3.0, 0.0], 1, 0.3)
    assert probabilities([3.0, 3.0, 3.0, 0.0], t)[1] == pytest.approx(0.3, rel=1e-13)


def test_a_source_below_the_mean_only_rises() -> None:
    assert temperature_for_share(SCORES, CODE, 0.0) == (0.0,)
    assert temperature_for_share(SCORES, CODE, 1 / 3) == (math.inf,)
    assert len(temperature_for_share(SCORES, CODE, 0.2)) == 1


def test_a_source_exactly_at_the_mean_has_no_peak_of_rounding_errors() -> None:
    assert temperature_for_share(SCORES, WEB, 1 / 3) == (math.inf,)
    assert temperature_for_share([0.1, 0.2, 0.3], 1, 1 / 3) == (math.inf,)


def test_a_source_above_the_mean_has_its_share_twice() -> None:
    w = [2.0, 3.0, 0.0, 0.0]
    cold, hot = temperature_for_share(w, 0, 0.26)
    assert cold < 2.164 < hot
    assert probabilities(w, [cold, hot])[:, 0] == pytest.approx([0.26, 0.26], rel=1e-13)
    cold, hot = temperature_for_share(w, 0, 0.25)
    assert hot == math.inf
    assert probabilities(w, cold)[0] == pytest.approx(0.25, rel=1e-13)


def test_the_peak_itself_is_met_once() -> None:
    w = [2.0, 3.0, 0.0, 0.0]
    grid = np.linspace(2.0, 2.4, 4_001)
    peak = float(probabilities(w, grid)[:, 0].max())
    found = temperature_for_share(w, 0, peak * (1 - 1e-15))
    assert all(abs(t - 2.16404) < 1e-3 for t in found)


def test_huge_and_close_scores_are_solved_in_their_own_scale() -> None:
    (t,) = temperature_for_share([1e6, 0.0, -1e6], 0, 0.7)
    assert probabilities([1e6, 0.0, -1e6], t)[0] == pytest.approx(0.7, rel=1e-12)
    w = [1.0, 1.0 - 1e-15, 0.0]
    (t,) = temperature_for_share(w, 0, 0.6)
    assert t < 1e-14
    assert probabilities(w, t)[0] == pytest.approx(0.6, rel=1e-12)
    assert probabilities([-1e-140, 1e-140], temperature_for_share([-1e-140, 1e-140], 0, 0.25))[
        0, 0
    ] == pytest.approx(0.25, rel=1e-12)


@pytest.mark.parametrize("share", [1e-300, 1e-12, 0.3, 1 - 1e-9, 1 - 2**-53])
def test_shares_close_to_none_and_all_are_met(share: float) -> None:
    source = WEB if share < 0.33 else BOOKS
    for t in temperature_for_share(SCORES, source, share):
        p = probabilities(SCORES, t)[source]
        assert p == pytest.approx(share, rel=1e-11)


def test_a_source_that_cannot_be_drawn_does_not_count() -> None:
    with_dead = temperature_for_share([2.0, -math.inf, 3.0, 1.0], 2, 0.5)
    assert with_dead == temperature_for_share(SCORES, BOOKS, 0.5)


@pytest.mark.parametrize(
    ("scores", "source", "share", "message"),
    [
        (
            [2.0, 3.0, 0.0, 0.0],
            0,
            0.9,
            "share: got 0.9 for source 0; its share lies between 0 (at T = 0) and 0.295762 "
            "(at T = 2.16404). Ask for a share it can have, or change the scores.",
        ),
        (SCORES, 1, 0.2, "its share lies between 0.333333 (at T = inf) and 1 (at T = 0)"),
        (SCORES, 2, 0.4, "its share lies between 0 (at T = 0) and 0.333333 (at T = inf)"),
        ([1.0, 1.0, 0.0], 0, 0.6, "between 0.333333 (at T = inf) and 0.5 (at T = 0)"),
        (SCORES, 1, 0.0, "its share lies between 0.333333 (at T = inf)"),
        ([1.0, 1.0], 0, 0.5, "its share is 0.5 at every temperature, as all finite scores are equal"),
        ([1.0, 1.0], 0, 0.4, "its share is 0.5 at every temperature"),
        ([1.0, -math.inf], 0, 0.4, "its share is 1 at every temperature"),
        ([1.0, -math.inf], 1, 0.0, "source: got 1, whose score is -inf; its share is 0 at every"),
        (SCORES, 3, 0.4, "source: got 3; it must be a position in scores, 0 to 2."),
        (SCORES, -1, 0.4, "source: got -1; it must be a position in scores, 0 to 2."),
        (SCORES, 1.0, 0.4, "source: got 1.0; it must be a position in scores, an integer."),
        (SCORES, True, 0.4, "source: got True; it must be a position in scores, an integer."),
        (SCORES, 1, 1.1, "share: got 1.1; it must be a probability, a number in [0, 1]."),
        (SCORES, 1, math.nan, "share: got nan; it must be a probability, a number in [0, 1]."),
        (SCORES, 1, "40%", "share: got '40%'; it must be a probability, a number in [0, 1]."),
        ([1e300, 0.0], 0, 0.6, "scores: two differ by 1e+300; to solve for a temperature"),
        ([1e-300, 0.0], 0, 0.6, "scores: two differ by 1e-300; to solve for a temperature"),
    ],
)
def test_a_share_that_no_temperature_gives_is_refused_with_the_range(
    scores: list[float], source: int, share: float, message: str
) -> None:
    with pytest.raises(InvalidInput, match=re.escape(message)):
        temperature_for_share(scores, source, share)


# --- annealing identities ------------------------------------------------------------------------


def mean_over_a_run(w: NDArray[np.float64], b0: float, b1: float) -> NDArray[np.float64]:
    """The mean probabilities while 1/T goes evenly from b0 to b1, by Gauss-Legendre on the schedule."""
    nodes, weights = np.polynomial.legendre.leggauss(60)
    schedule = inverse_linear(1 / b0 if b0 else np.inf, 1 / b1)
    steps = (nodes + 1) / 2 * 1_000
    t = schedule.temperatures(steps, Clock(1_000, ((0, 0, 8),)))
    mean: NDArray[np.float64] = softmax_rows(w, t) @ weights / 2
    return mean


def log_partition(w: NDArray[np.float64], b: float) -> float:
    return exact.log(math.fsum(exact.exp(b * w)))


@pytest.mark.parametrize(("b0", "b1"), [(0.0, 1.0), (0.2, 1.0), (1.0, 0.3), (0.5, 4.0)])
def test_the_mean_score_over_an_inverse_linear_run_is_the_change_of_log_z(b0: float, b1: float) -> None:
    w = np.array([2.0, 3.0, 1.0, -0.5])
    mean_score = float(w @ mean_over_a_run(w, b0, b1))
    expected = (log_partition(w, b1) - log_partition(w, b0)) / (b1 - b0)
    assert mean_score == pytest.approx(expected, rel=1e-12)


def test_a_source_a_thousand_times_larger_has_its_mean_share_over_a_run() -> None:
    """Closed form: (ln(1 + 1000^1) - ln(1 + 1000^0.2)) / (0.8 ln 1000)."""
    mean = mean_over_a_run(np.array([exact.log(1000), 0.0]), 0.2, 1.0)
    closed = math.log(1001 / (1 + 1000**0.2)) / (0.8 * math.log(1000))
    assert closed == pytest.approx(0.959629701571, abs=5e-13)
    assert mean[0] == pytest.approx(closed, rel=1e-12)
