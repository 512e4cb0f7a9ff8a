"""exp, cos(pi x), log and row sums whose every bit is the same on every machine.

NumPy picks its own `exp`, `cos`, `log` and sums by the CPU it runs on: between AVX-512 and AVX2
one `np.exp` in twenty differs in its last bit. A plan must not. Everything here is built from
operations that IEEE 754 rounds exactly (+ - * /, comparisons) and from integer work on the float64
words, each in a NumPy pass of its own so that no compiler can fuse two of them; `log` is integer
decimal arithmetic.

Not a maths library: only the functions and ranges that planning needs. The invariant: the bits of a
result depend on the value alone, not on shape, stride, chunk, CPU or NumPy version.
"""

from __future__ import annotations

import functools
import math
from decimal import Context, Decimal
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from thermix.errors import InvalidInput

__all__ = ["cos_pi", "exp", "log", "sum_rows"]

Float64 = NDArray[np.float64]

# exp(x) = 2^(k / 2048) * exp(r) with k = rint(x * 2048 / ln 2): |r| < 1.7e-4, a cubic is enough.
# The table and its tails (32 KB) stay in the first-level cache.
_TABLE_BITS: Final = 11
_TABLE_SIZE: Final = 1 << _TABLE_BITS
_PER_UNIT: Final = float.fromhex("0x1.71547652b82fep+11")  # 2048 / ln 2
_LN2_HIGH: Final = float.fromhex("0x1.62e42fecp-12")  # ln 2 / 2048 to 31 bits: k times it is exact
_LN2_LOW: Final = float.fromhex("0x1.d1cf79abc9e3bp-43")  # the rest
# 1/2 plus (2 sqrt 2 - 2) (ln 2 / 4096)^2 / 24: leaves a sixth of the missing r^4 / 24 (2^-57).
_HALF: Final = 0.5 + 9.884941302137993e-10
_ROUND: Final = 6755399441055744.0  # 1.5 * 2^52: adding it rounds to an integer, left in the low bits
_LOWEST: Final = -700.0
_HIGHEST: Final = 709.0
_CHUNK: Final = 8192  # five buffers of 64 KB fit a second-level cache


@functools.cache  # 2 to 5 ms, not to be paid by an import
def _powers_of_two() -> tuple[Float64, Float64]:
    """2^(j/2048) for j in range(2048), from integers: the nearest float64, the share it misses."""
    bits = 128
    root = 2 << bits
    for _ in range(_TABLE_BITS):
        root = math.isqrt(root << bits)
    powers = [1 << bits]
    for _ in range(_TABLE_SIZE - 1):
        powers.append(powers[-1] * root >> bits)
    nearest = [power / (1 << bits) for power in powers]
    rounded = [int(math.ldexp(value, bits)) for value in nearest]
    missing = [(power - value) / power for power, value in zip(powers, rounded, strict=True)]
    return np.array(nearest), np.array(missing)


def exp(x: Float64, out: Float64 | None = None) -> Float64:
    """Return e to the power `x`, the same bits on every machine.

    `exp(x) = 2^m * 2^(j/2048) * (1 + r + r^2/2 + r^3/6)`, where `x = (2048 m + j) ln 2 / 2048 + r`
    (Tang, "Table-driven implementation of the exponential function", ACM TOMS 15(2), 1989).

    Args:
        x: Exponents, any shape, in [-inf, 709]. Not modified (unless it is `out`).
        out: Where to write: C-contiguous, the shape of `x`; may be `x` itself. Default: new.

    Returns:
        float64 of the shape of `x`; error below 0.6 ulp (0.55 measured against Decimal), exactly 1
        at 0, and exactly 0.0 below -700, where the true value is under 1e-304.

    Raises:
        InvalidInput: A value is above 709 or NaN.

    About 6 ns a value from some thousand values on; 320 KB beside the result.

    >>> exp(np.array([0.0, 1.0, -np.inf]))
    array([1.        , 2.71828183, 0.        ])
    """
    source = np.ascontiguousarray(x, dtype=np.float64).reshape(-1)
    result = np.empty(np.shape(x)) if out is None else out
    flat = result.reshape(-1)
    buffers = np.empty((3, min(_CHUNK, flat.size)))
    index = np.empty(buffers.shape[1], dtype=np.int64)
    with np.errstate(under="ignore"):
        for start in range(0, flat.size, _CHUNK):
            piece = source[start : start + _CHUNK]
            _exp_chunk(piece, flat[start : start + _CHUNK], buffers[:, : piece.size], index[: piece.size])
    return result


def _exp_chunk(x: Float64, out: Float64, buffers: Float64, index: NDArray[np.int64]) -> None:
    if not x.max() <= _HIGHEST:
        raise InvalidInput(
            f"exp: got {x.max()}; every exponent must be in [-inf, {_HIGHEST:g}]. "
            "Subtract the largest exponent from all of them first."
        )
    vanishing = x < _LOWEST if x.min() < _LOWEST else None
    if vanishing is not None:
        x = np.maximum(x, _LOWEST)
    _exp_bounded(x, out, buffers, index)
    if vanishing is not None:
        out[vanishing] = 0.0


def _exp_bounded(x: Float64, out: Float64, buffers: Float64, index: NDArray[np.int64]) -> None:
    table, tail = _powers_of_two()
    shifted, k, r = buffers
    np.multiply(x, _PER_UNIT, out=shifted)
    np.add(shifted, _ROUND, out=shifted)
    np.subtract(shifted, _ROUND, out=k)
    np.multiply(k, _LN2_HIGH, out=r)
    np.subtract(x, r, out=r)
    np.multiply(k, _LN2_LOW, out=k)
    np.subtract(r, k, out=r)

    word = shifted.view(np.int64)  # its low bits are the integer k, in two's complement
    np.bitwise_and(word, _TABLE_SIZE - 1, out=index)
    np.subtract(word, index, out=word)
    np.left_shift(word, 52 - _TABLE_BITS, out=word)  # m at the place of float64's exponent
    np.take(table, index, out=out, mode="clip")  # "raise", the default, would buffer

    growth = k
    np.multiply(r, 1 / 6, out=growth)
    np.add(growth, _HALF, out=growth)
    np.multiply(growth, r, out=growth)
    np.multiply(growth, r, out=growth)
    np.add(growth, r, out=growth)
    np.take(tail, index, out=r, mode="clip")
    np.add(growth, r, out=growth)
    np.multiply(growth, out, out=growth)
    np.add(out, growth, out=out)
    bits = out.view(np.int64)
    np.add(bits, word, out=bits)


# Taylor coefficients in z = x^2, constant first: (-1)^k pi^n / n! for n = 2k and for n = 2k + 1.
_COS: Final = (
    1.0,
    -4.934802200544679,
    4.0587121264167685,
    -1.3352627688545895,
    0.2353306303588932,
    -0.02580689139001406,
    0.0019295743094039231,
    -0.0001046381049248457,
    4.303069587032947e-06,
)
_SIN: Final = (
    3.141592653589793,
    -5.16771278004997,
    2.5501640398773455,
    -0.5992645293207921,
    0.08214588661112823,
    -0.0073704309457143504,
    0.00046630280576761255,
    -2.1915353447830217e-05,
    7.952054001475513e-07,
)


def cos_pi(x: Float64) -> Float64:
    """Return cos(pi x) for `x` in [0, 1], the same bits on every machine.

    Args:
        x: Half turns, any shape, in [0, 1]. Not modified.

    Returns:
        float64 of the shape of `x`, within 2.3e-16 of the true value; exact at 0, 1/2 and 1.
        `cos_pi(1 - x)` is `-cos_pi(x)` wherever `1 - x` is exact.

    Raises:
        InvalidInput: A value is outside [0, 1] or NaN.

    >>> cos_pi(np.array([0.0, 0.25, 0.5, 1.0]))
    array([ 1.        ,  0.70710678,  0.        , -1.        ])
    """
    x = np.asarray(x, dtype=np.float64)
    inside = (x >= 0.0) & (x <= 1.0)
    if not inside.all():
        raise InvalidInput(f"cos_pi: got {x[~inside].flat[0]}; every value must be in [0, 1].")
    folded = np.where(x > 0.5, 1.0 - x, x)  # exact: 1 - x for x in [1/2, 1], then 1/2 - x for x in [1/4, 1/2]
    with np.errstate(under="ignore"):
        near_zero = _polynomial(_COS, folded * folded)
        complement = 0.5 - folded
        near_half = complement * _polynomial(_SIN, complement * complement)
    value = np.where(folded <= 0.25, near_zero, near_half)
    return np.where(x > 0.5, -value, value)


def _polynomial(coefficients: tuple[float, ...], z: Float64) -> Float64:
    value = np.full_like(z, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        value *= z
        value += coefficient
    return value


# Traps and limits are spelled out: the caller's decimal context must not reach a result.
_DIGITS: Final = 50
_LIMITS: Final = {
    "Emin": -999_999,
    "Emax": 999_999,
    "capitals": 1,
    "clamp": 0,
    "flags": [],
    "traps": [],
}


def log(x: float | int | Decimal | Fraction) -> float:
    """Return the natural logarithm of one number, rounded once from 50 decimal digits.

    Args:
        x: A number >= 0 (inf allowed), taken exactly as it stands, also a `Fraction` or `Decimal`.

    Returns:
        The float64 nearest to ln x; -inf at 0. About 20 us.

    Raises:
        InvalidInput: `x` is negative, NaN or not a number.

    >>> log(0), log(1), log(2.0), log(Fraction(1, 2))
    (-inf, 0.0, 0.6931471805599453, -0.6931471805599453)
    """
    value = _decimal(x)
    if value is None or value.is_nan() or value < 0:
        raise InvalidInput(f"log: got {x!r}; it must be a number >= 0.")
    return float(value.ln(Context(prec=_DIGITS, **_LIMITS)))  # type: ignore[arg-type]


def _decimal(x: object) -> Decimal | None:
    """`x` as a Decimal: exact, or (fractions) so close that its logarithm has 50 right digits."""
    if isinstance(x, bool | np.bool_):
        return None
    if isinstance(x, Fraction):
        # Near 1 the logarithm is about 1 / denominator at least: as many digits more keep it exact.
        digits = _DIGITS + len(str(x.denominator))
        context = Context(prec=digits, **_LIMITS)  # type: ignore[arg-type]
        return context.divide(Decimal(x.numerator), Decimal(x.denominator))
    if isinstance(x, np.integer | np.floating):
        x = x.item()
    return Decimal(x) if isinstance(x, int | float | Decimal) else None


def sum_rows(a: Float64) -> Float64:
    """Add the rows of `a` in order, first to last: `((a[0] + a[1]) + a[2]) + ...` for each column.

    `np.sum` adds in pairs, or not, depending on the shape; a column must not feel its neighbours.

    Args:
        a: Shape (K, S), K >= 1.

    Returns:
        Shape (S,); each value depends on its own column only.

    >>> sum_rows(np.array([[1.0, 0.5], [2.0, 0.25]]))
    array([3.  , 0.75])
    """
    if a.shape[1] < 64:
        # The same additions in the same order, in one call instead of K.
        last: Float64 = np.add.accumulate(a, axis=0)[-1].copy()
        return last
    total: Float64 = a[0].copy()
    for row in a[1:]:
        total += row
    return total
