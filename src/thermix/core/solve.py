"""At which coldness b = 1/T does one source have a given share of the draws?

Not the public function (`temperature.temperature_for_share` checks arguments and speaks of T): the
convex equation behind it, and its solver. Built on `exact`, so its answers are the same everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from thermix.core import exact

__all__ = ["Rest", "reciprocal"]


def reciprocal(b: float, scale: float) -> float:
    """The temperature of coldness `b` for gaps that were divided by `scale`."""
    return scale / b if b > 0.0 else math.inf


class Rest:
    """What the other sources weigh against one source, as a function of the coldness b = 1/T.

    With d_j = w_j - w_i, m the number of zeros among them (source i itself, and ties) and
    `L(b) = ln sum_{d_j != 0} exp(b d_j)`, its share is `1 / (m + exp(L(b)))`; L is convex.

    Args:
        gaps: The d_j of every source with a finite score, shape (K,), scaled to |d| <= 1.
    """

    def __init__(self, gaps: NDArray[np.float64]) -> None:
        self.sources = gaps.size
        self.gaps = gaps[gaps != 0.0]
        self.tied = self.sources - self.gaps.size
        self.best = not (self.gaps > 0.0).any()

    def log_sum(self, b: float) -> tuple[float, float]:
        """L(b) = ln sum_j exp(b d_j) over the sources that do not tie, and its slope L'(b)."""
        exponents = b * self.gaps
        top = float(exponents.max())
        terms = exact.exp(exponents - top)
        total = math.fsum(terms)
        return top + exact.log(total), math.fsum(terms * self.gaps) / total

    def solve(self, share: float) -> tuple[float, ...]:
        """Every b in [0, inf] that gives the share, largest first; none if there is none."""
        hot = (0.0,) if share == 1.0 / self.sources else ()
        if not self.gaps.size:
            return ()
        if share == (1.0 / self.tied if self.best else 0.0):
            return (math.inf,)
        if share == 0.0 or (self.best and not 1.0 / self.sources < share < 1.0 / self.tied):
            return hot
        if self.best:
            return (self._falling(self._odds(share), self._last_b(share)),)
        return self._around_peak(share) + hot

    def _odds(self, share: float) -> float:
        return exact.log(1 / Fraction(share) - self.tied)

    def _last_b(self, share: float) -> float:
        """A b above every solution: L lies above its asymptote, and below its parallel at 0."""
        nearest = float(self.gaps.max())
        room = self._odds(share) - (exact.log(self.gaps.size) if self.best else 0.0)
        return room / nearest * (1 + 1e-6)

    def _around_peak(self, share: float) -> tuple[float, ...]:
        """The b above and below the one at which L is lowest, so the share highest."""
        if share >= 1.0 / self.tied:
            return ()
        target, peak = self._odds(share), self.peak()
        if peak == 0.0 and share >= 1.0 / self.sources:
            return ()
        lowest = self.log_sum(peak)[0]
        if peak > 0.0 and abs(target - lowest) <= 2**-50 * max(1.0, lowest):
            return (peak,)
        if target < lowest:
            return ()
        colder = _root(self.log_sum, target, peak, max(self._last_b(share), peak), rising=True)
        if share <= 1.0 / self.sources:
            return (colder,)
        return colder, self._falling(target, peak)

    def _falling(self, target: float, last: float) -> float:
        return _root(self.log_sum, target, 0.0, last, rising=False)

    def peak(self) -> float:
        """The b of the largest share of a source that is not best; 0 if that only rises with T."""
        if self.log_sum(0.0)[1] >= 0.0:
            return 0.0
        low, high = 0.0, 1.0
        while self.log_sum(high)[1] < 0.0:
            low, high = high, 2.0 * high
        while low < (middle := 0.5 * (low + high)) < high:
            low, high = (middle, high) if self.log_sum(middle)[1] < 0.0 else (low, middle)
        # A peak that does not stand out in float64 from the uniform share is none.
        return high if self.log_sum(high)[0] < self.log_sum(0.0)[0] else 0.0

    def attainable(self, scale: float) -> str:
        """The range of shares in words, with the temperatures at its ends."""
        uniform = 1.0 / self.sources
        if not self.gaps.size:
            return f"its share is {uniform:.6g} at every temperature, as all finite scores are equal"
        if self.best:
            return f"its share lies between {uniform:.6g} (at T = inf) and {1.0 / self.tied:.6g} (at T = 0)"
        peak = self.peak()
        most = 1.0 / (self.tied + float(exact.exp(np.array(self.log_sum(peak)[0]))))
        return f"its share lies between 0 (at T = 0) and {most:.6g} (at T = {reciprocal(peak, scale):.6g})"


def _root(
    function: Callable[[float], tuple[float, float]],
    target: float,
    low: float,
    high: float,
    *,
    rising: bool,
) -> float:
    """Solve `function(b) = target` for a convex function that gives (value, slope), on [low, high].

    Newton from the end where the function is above the target: on a convex function it does not
    overshoot. Halving the bracket is the fallback where rounding makes it.
    """
    b = high if rising else low
    for _ in range(500):
        value, slope = function(b)
        if value == target:
            return b
        low, high = (low, b) if (value > target) == rising else (b, high)
        new = b - (value - target) / slope if slope and (slope > 0.0) == rising else math.nan
        if abs(new - b) <= 2**-52 * b:
            return new
        b = new if low < new < high else 0.5 * (low + high)
        if not low < b < high:
            return b
    return b
