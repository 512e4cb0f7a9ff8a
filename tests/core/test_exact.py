"""exp, cos(pi x), log and row sums: accuracy against Decimal, and the same bits everywhere."""

from __future__ import annotations

import hashlib
import math
import os
import subprocess
import sys
from decimal import Context, Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from thermix.core import exact
from thermix.errors import InvalidInput

PRECISE = Context(prec=60)
PI = Decimal("3.14159265358979323846264338327950288419716939937510582097494")

finite = st.floats(-700.0, 709.0)


def ulps_off(computed: float, true: Decimal) -> float:
    return abs(float((Decimal(computed) - true) / Decimal(math.ulp(computed))))


def decimal_cos_pi(x: float) -> Decimal:
    with localcontext(PRECISE):
        angle = PI * Decimal(x)
        total = term = Decimal(1)
        for n in range(2, 80, 2):
            term = -term * angle * angle / (n * (n - 1))
            total += term
        return total


# --- exp -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("low", "high"), [(-700, 709), (-30, 0), (-1, 1), (-1e-8, 1e-8)])
def test_exp_is_within_six_tenths_of_a_unit_in_the_last_place(low: float, high: float) -> None:
    x = np.random.default_rng(1).uniform(low, high, 4_000)
    worst = max(
        ulps_off(float(y), Decimal(float(v)).exp(PRECISE)) for v, y in zip(x, exact.exp(x), strict=True)
    )
    assert worst < 0.6


def test_exp_is_exact_where_it_can_be() -> None:
    x = np.array([0.0, -0.0, 5e-324, -5e-324, -np.inf, -700.0000001, -1e300])
    assert exact.exp(x).tolist() == [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0]


def test_exp_keeps_its_accuracy_at_the_ends_of_its_domain() -> None:
    x = np.array([-700.0, 709.0])
    for value, y in zip(x, exact.exp(x), strict=True):
        assert ulps_off(float(y), Decimal(float(value)).exp(PRECISE)) < 0.6


def test_exp_never_falls_on_neighbouring_table_entries() -> None:
    edges = (np.arange(-4096, 4096) + 0.5) * (math.log(2) / 2048)
    x = np.sort(np.concatenate([edges, np.nextafter(edges, 9), np.nextafter(edges, -9)]))
    assert (np.diff(exact.exp(x)) >= 0).all()


@pytest.mark.parametrize("bad", [709.1, np.inf, np.nan])
def test_exp_refuses_what_it_cannot_represent(bad: float) -> None:
    with pytest.raises(InvalidInput, match=r"exp: got .*; every exponent must be in \[-inf, 709\]"):
        exact.exp(np.array([0.0, bad]))


def test_exp_raises_no_floating_point_error_even_where_all_are_errors() -> None:
    with np.errstate(all="raise"):
        exact.exp(np.array([-np.inf, -800.0, -700.0, -1e-310, 5e-324, 709.0]))


def test_exp_takes_any_shape_and_leaves_its_argument_alone() -> None:
    x = np.array([[-1.0, -800.0], [0.5, 2.0]])
    before = x.copy()
    assert exact.exp(x).shape == (2, 2)
    assert exact.exp(np.array(1.0)).shape == ()
    assert exact.exp(np.zeros((0, 3))).shape == (0, 3)
    assert np.array_equal(x, before)


def test_exp_can_write_over_its_argument() -> None:
    x = np.random.default_rng(0).uniform(-800, 700, (3, 9_000))
    expected = exact.exp(x)
    assert exact.exp(x, out=x) is x
    assert np.array_equal(x, expected)


@given(st.lists(finite, min_size=1, max_size=40), st.integers(1, 4))
def test_exp_bits_do_not_depend_on_stride_or_neighbours(values: list[float], stride: int) -> None:
    x = np.array(values)
    spread = np.zeros(x.size * stride)
    spread[::stride] = x
    alone = np.array([exact.exp(x[i : i + 1])[0] for i in range(x.size)])
    assert np.array_equal(exact.exp(spread[::stride]), alone)
    assert np.array_equal(exact.exp(x[::-1])[::-1], alone)


def test_exp_bits_do_not_depend_on_the_size_of_the_array() -> None:
    x = np.random.default_rng(3).uniform(-750, 709, 20_001)
    whole = exact.exp(x)
    for size in (1_000, 8_191, 8_192, 8_193):
        parts = [exact.exp(x[i : i + size]) for i in range(0, x.size, size)]
        assert np.array_equal(np.concatenate(parts), whole)


# --- cos_pi --------------------------------------------------------------------------------------


def test_cos_pi_is_exact_at_quarter_turns() -> None:
    assert exact.cos_pi(np.array([0.0, 0.5, 1.0])).tolist() == [1.0, 0.0, -1.0]


def test_cos_pi_is_within_its_promise_of_the_true_value() -> None:
    x = np.concatenate([np.random.default_rng(2).uniform(0, 1, 3_000), [0.25, 0.75, 1e-9]])
    pairs = zip(x, exact.cos_pi(x), strict=True)
    assert max(abs(float(Decimal(float(c)) - decimal_cos_pi(float(v)))) for v, c in pairs) < 2.3e-16


@given(st.integers(0, 2**40))
def test_cos_pi_is_odd_about_a_half(k: int) -> None:
    x = np.array([k / 2**40])
    assert exact.cos_pi(1.0 - x) == -exact.cos_pi(x)


@pytest.mark.parametrize("bad", [-1e-9, 1.0000001, np.nan])
def test_cos_pi_refuses_values_outside_half_a_turn(bad: float) -> None:
    with pytest.raises(InvalidInput, match=r"cos_pi: got .*; every value must be in \[0, 1\]"):
        exact.cos_pi(np.array([0.5, bad]))


# --- log -----------------------------------------------------------------------------------------


@given(st.floats(5e-324, 1.7e308))
def test_log_is_the_nearest_float(x: float) -> None:
    assert exact.log(x) == float(Decimal(x).ln(PRECISE))


def test_log_keeps_every_digit_of_fractions_close_to_one() -> None:
    assert exact.log(Fraction(10**60 + 1, 10**60)) == 1e-60
    assert exact.log(Fraction(1, 3)) == -exact.log(3)
    assert exact.log(Decimal("1e400")) == pytest.approx(400 * math.log(10), rel=1e-15)
    assert exact.log(10**400) == exact.log(Decimal("1e400"))


def test_log_knows_its_ends() -> None:
    assert exact.log(0) == exact.log(0.0) == exact.log(Fraction(0)) == -math.inf
    assert exact.log(1) == 0.0
    assert exact.log(math.inf) == math.inf
    assert exact.log(np.float32(2.0)) == exact.log(np.int64(2)) == 0.6931471805599453  # type: ignore[arg-type]


def test_log_does_not_feel_the_callers_decimal_context() -> None:
    with localcontext(Context(prec=3)):
        assert exact.log(2.0) == 0.6931471805599453
        assert exact.log(Fraction(2, 3)) == -0.40546510810816438


@pytest.mark.parametrize("bad", [-1, -0.5, math.nan, True, "2", None, Decimal("NaN"), 1j])
def test_log_refuses_what_is_not_a_number_from_zero_on(bad: object) -> None:
    with pytest.raises(InvalidInput, match=r"log: got .*; it must be a number >= 0"):
        exact.log(bad)  # type: ignore[arg-type]


# --- sum_rows ------------------------------------------------------------------------------------


def sequential(column: NDArray[np.float64]) -> float:
    total = 0.0
    for value in column.tolist():
        total = total + value
    return total


@pytest.mark.parametrize("columns", [1, 2, 7, 63, 64, 65, 500])
def test_sum_rows_adds_first_to_last_whatever_stands_beside(columns: int) -> None:
    a = np.random.default_rng(columns).exponential(1.0, (300, columns)) ** 3
    expected = [sequential(a[:, s]) for s in range(columns)]
    assert exact.sum_rows(a).tolist() == expected
    assert exact.sum_rows(np.asfortranarray(a)).tolist() == expected


def test_the_pairwise_sum_would_have_differed() -> None:
    """The negative control of the test above."""
    a = np.random.default_rng(1).exponential(1.0, (300, 50)) ** 3
    alone = [float(np.sum(a[:, s])) for s in range(50)]
    assert alone != exact.sum_rows(a).tolist()


# --- the same bits on other machines ---------------------------------------------------------------

DIGEST = """
import hashlib
import numpy as np
from numpy._core import _multiarray_umath as numpy_c
from thermix.core import exact
from thermix.core.clock import Clock
from thermix.core.schedule import cosine, geometric, inverse_linear, linear
from thermix.core.temperature import softmax_rows

words = np.arange(30_001, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
unit = (words >> np.uint64(11)) * 2.0**-53
clock = Clock(30_001, ((0, 0, 7),))
results = [exact.exp(unit * 1400.0 - 700.0), exact.exp(-unit), exact.cos_pi(unit)]
results += [s.temperatures(np.arange(30_001), clock)
            for s in (linear(5, 1), geometric(5, 0.3), inverse_linear(7, 1.1), cosine(5, 1))]
results.append(softmax_rows(unit[:37] * 20.0, unit[:999] * 5.0))
hashed = hashlib.sha256(b"".join(r.astype("<f8").tobytes() for r in results)).hexdigest()
dispatch = [f for f in numpy_c.__cpu_dispatch__ if numpy_c.__cpu_features__.get(f)]
print(hashed, ",".join(dispatch), sep=";")
"""

PINNED = "2527f9153c1909275b69d914ec706ef3b4bcc2a2484b4b1077efad0f71a09fae"


def run_with(disabled: str) -> tuple[str, str]:
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": disabled}
    environment["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
    done = subprocess.run(
        [sys.executable, "-c", DIGEST], env=environment, capture_output=True, text=True, check=True
    )
    hashed, features = done.stdout.strip().split(";")
    return hashed, features


def test_every_bit_is_the_one_pinned_here() -> None:
    """A known answer: any machine and NumPy version that differs fails here."""
    assert run_with("")[0] == PINNED


def test_every_bit_stays_when_numpy_uses_no_optional_cpu_feature() -> None:
    hashed, features = run_with("")
    if not features:
        pytest.skip("NumPy dispatches on no CPU feature here")
    plain, left = run_with(features)
    assert left == "", "the switch did not work, so nothing was tested"
    assert plain == hashed


def test_the_digest_sees_a_single_bit() -> None:
    """The negative control: one last bit of one value changes the hash."""
    x = exact.exp(np.linspace(-5.0, 0.0, 1_000))
    other = x.copy()
    other[500] = np.nextafter(other[500], 1.0)
    assert hashlib.sha256(x.tobytes()).digest() != hashlib.sha256(other.tobytes()).digest()
