"""Chi-square statistics of permutations, and what they are worth.

Null distribution: chi-square. For a uniformly random permutation each statistic here has it, but
for terms of order 1/n that are far below what a test sees. A check fails where either tail holds
less than `TAIL`: by chance with probability 2e-6, once and for all, because keys are fixed. It sees,
half of the time, a ratio chi2/df that is off by 4.8 * sqrt(2/df).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Ints = NDArray[np.int64]
TAIL = 1e-6


class Fit(NamedTuple):
    """A chi-square statistic and its degrees of freedom; independent ones add up."""

    chi2: float
    df: int

    @property
    def ratio(self) -> float:
        return self.chi2 / self.df

    @property
    def passes(self) -> bool:
        return bool(min(stats.chi2.sf(self.chi2, self.df), stats.chi2.cdf(self.chi2, self.df)) > TAIL)


def total(fits: Iterable[Fit]) -> Fit:
    pairs = list(fits)
    return Fit(sum(fit.chi2 for fit in pairs), sum(fit.df for fit in pairs))


def uniform_fit(values: Ints, chances: NDArray[np.float64]) -> Fit:
    """How well counts of values in range(len(chances)) fit the chances."""
    expected = chances / chances.sum() * values.size
    counts = np.bincount(values.ravel(), minlength=len(chances))
    return Fit(float(((counts - expected) ** 2 / expected).sum()), len(chances) - 1)


def joint_fit(first: Ints, second: Ints) -> Fit:
    """Independence of two labels of the same things, margins as found.

    Given the margins, Pearson's sum expects df * N / (N - 1), which is put right.
    """
    rows, columns = int(first.max()) + 1, int(second.max()) + 1
    counts = np.bincount((first * columns + second).ravel(), minlength=rows * columns)
    table = counts.reshape(rows, columns)
    expected = table.sum(1, keepdims=True) * table.sum(0) / table.sum()
    chi2 = float(((table - expected) ** 2 / expected).sum()) * (1 - 1 / first.size)
    return Fit(chi2, (rows - 1) * (columns - 1))


def upper(values: Ints, n: int, bins: int) -> Ints:
    """Bins of neighbouring numbers: what the upper half of a Feistel network decides."""
    return values * bins // n


def lower(values: Ints, bits: int, bins: int) -> Ints:
    """Bins by the last `bits` bits: what the lower half decides."""
    return (values % (1 << bits)) * bins >> bits


def position_by_value(order: Ints, bits: int, bins: int = 16) -> dict[str, Fit]:
    """Where a number is against which it is, by the upper and by the lower half of each."""
    n = len(order)
    halves = {
        name: (upper(numbers, n, bins), lower(numbers, bits, bins))
        for name, numbers in (("position", np.arange(n)), ("value", order))
    }
    return {
        f"{a} of position by {b} of value": joint_fit(position, value)
        for a, position in zip(("upper", "lower"), halves["position"], strict=True)
        for b, value in zip(("upper", "lower"), halves["value"], strict=True)
    }


def differences(order: Ints, bits: int, bins: int = 64) -> dict[str, Fit]:
    """Differences of values at positions 1, 2^bits, 2^bits + 1 and 2 * 2^bits apart.

    The lags move the lower half only, the upper half only, and both. Upper differences are modulo
    n, lower ones modulo 2^bits.
    """
    n, fits = len(order), {}
    nonzero = np.bincount(upper(np.arange(1, n), n, bins), minlength=bins).astype(float)
    for lag in (1, 1 << bits, (1 << bits) + 1, 2 << bits):
        apart = (order[lag:] - order[:-lag]) % n
        fits[f"upper difference at lag {lag}"] = uniform_fit(upper(apart, n, bins), nonzero)
        low = lower(order[lag:] - order[:-lag], bits, min(bins, 1 << bits))
        fits[f"lower difference at lag {lag}"] = uniform_fit(low, np.ones(min(bins, 1 << bits)))
    return fits


def patterns(orders: Iterable[Ints], bits: int) -> dict[str, Fit]:
    """All statistics of some independent permutations, each summed over the permutations."""
    found = [position_by_value(order, bits) | differences(order, bits) for order in orders]
    return {name: total(fits[name] for fits in found) for name in found[0]}
