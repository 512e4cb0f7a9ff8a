"""Shares: what each source is owed at each step of one segment, in integers.

A segment is cut into *runs* of steps that share one temperature, and so one column of integer shares
`q` (units of 2^-32) that sums to exactly 2^32. Nothing here counts draws: `order` turns shares into
counts, `caps` bends shares to budgets. Invariant: the shares of a run do not depend on which other
runs are asked for with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thermix.core.temperature import softmax_rows

__all__ = [
    "GRID",
    "MAX_DRAWS",
    "MOST_OWED",
    "ONE",
    "SHARE_BITS",
    "Owed",
    "Shares",
    "grid_edges",
    "grid_middles",
    "grid_width",
    "owed",
    "quantise",
    "softmax_shares",
    "split_runs",
]

SHARE_BITS = 32
ONE = 1 << SHARE_BITS
"""The whole of a step's probability, in units of 2^-32."""

GRID = 1 << 17
"""A schedule's clock is cut into at most this many runs of one temperature."""

MAX_DRAWS = 1 << 50
"""A plan has fewer draws than this (at 2,048 tokens a draw: 2.3e18 tokens)."""

MOST_OWED = 1 << 45
"""Draws that a run may have: `owed` is exact below twice that."""

_FRACTION = ONE - 1
_LONG_RUNS = 64
_SAMPLES = 64
_CELLS = 1 << 17  # (source, run) pairs worked on at a time: what stays in the cache
_NARROW = 1 << 31  # up to here, draws * share fits in an int64


def grid_edges(start: int, stop: int, origin: int, span: int, still: int) -> NDArray[np.int64]:
    """Edges of the runs that cover steps [start, stop) under a clock of `span` steps begun at `origin`.

    The temperature is held for w = ceil(span / 2^17) steps, on a grid that begins at `origin`: a clock
    of at most 131,072 steps has a temperature of its own at every step, and any longer one costs the
    same to scan. From `still` on the temperature does not change; counts do not depend on how such
    steps are cut into runs, so that a few long runs cover them.

    Args:
        start: first step, >= origin.
        stop: one past the last step, > start.
        origin: the step at which the schedule's clock stands at 0.
        span: steps from there to 100 % of the clock, >= 1.
        still: the step from which the temperature is constant, >= origin.

    Returns:
        Strictly increasing int64 steps, from `start` to `stop`, both included.
    """
    width = grid_width(span)
    turn = min(stop, max(start, origin - (origin - still) // width * width))
    first_inner = origin + ((start - origin) // width + 1) * width
    inner = np.arange(first_inner, turn, width, dtype=np.int64)
    outer = np.arange(turn, stop, -(-(stop - turn) // _LONG_RUNS) or 1, dtype=np.int64)
    return np.concatenate([np.array([start]), inner, outer[outer > start], np.array([stop])])


def split_runs(edges: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """The same edges, and more where a run has over `most` steps: counts do not depend on it."""
    lengths = np.diff(edges)
    if not len(lengths) or int(lengths.max()) <= most:
        return edges
    long = [np.arange(edges[m], edges[m + 1], most) for m in np.flatnonzero(lengths > most)]
    return np.unique(np.concatenate([edges, *long]))


def grid_width(span: int) -> int:
    """Steps for which a clock of `span` steps holds each temperature: ceil(span / 2^17)."""
    return -(-span // GRID)


def grid_middles(edges: NDArray[np.int64], origin: int, span: int) -> NDArray[np.float64]:
    """Where on its clock (steps since `origin`) each run's temperature is evaluated: its cell's middle.

    The cell is the whole one of the grid even where a segment covers only a part of it, so that an
    edit that leaves the schedule alone leaves every step's temperature alone.
    """
    width = grid_width(span)
    return np.asarray((edges - origin) // width * width + (width - 1) / 2, np.float64)


@dataclass(frozen=True)
class Owed:
    """Draws owed, exactly: `whole` + `fraction` / 2^32.

    Two int64 arrays, because draws in units of 2^-32 pass 2^63 from 2^31 draws on.
    """

    whole: NDArray[np.int64]
    fraction: NDArray[np.int64]

    def total(self) -> list[int]:
        """Per row (source) the exact sum in units of 2^-32, as Python integers."""
        wholes = self.whole.sum(axis=1)
        fractions = self.fraction.sum(axis=1)
        return [(int(w) << SHARE_BITS) + int(f) for w, f in zip(wholes, fractions, strict=True)]


def owed(q: NDArray[np.int64], draws: NDArray[np.int64]) -> Owed:
    """The exact products draws * q / 2^32.

    Args:
        q: (K, M) shares in [0, 2^32].
        draws: (M,) draws in each column, in [0, 2^46].

    Returns:
        `Owed` of (K, M) arrays; fractions are below 2^32.
    """
    if draws.size == 0 or int(draws.max()) < _NARROW:
        product = q * draws
        return Owed(product >> SHARE_BITS, product & _FRACTION)
    upper = q * (draws >> 16)
    lower = ((upper & 0xFFFF) << 16) + q * (draws & 0xFFFF)
    return Owed((upper >> 16) + (lower >> SHARE_BITS), lower & _FRACTION)


def quantise(
    p: NDArray[np.float64], rest_to: int, down: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Probabilities to integers that sum to exactly 2^32 in each column: nearest, one row takes the rest.

    Args:
        p: (K, M) probabilities, each column summing to 1 within rounding.
        rest_to: the row that takes what is left. Without `down`, one whose p is largest in every column.
        down: (K,) rows that are rounded down instead. With them the row `rest_to` may be small: in the
            columns where it would fall below 0 every row is rounded down.

    Returns:
        (K, M) int64 in [0, 2^32].
    """
    scaled = p * float(ONE)
    q: NDArray[np.int64] = np.rint(scaled).astype(np.int64)
    if down is not None:
        q[down] = np.floor(scaled[down])
    q[rest_to] += ONE - q.sum(axis=0)
    if down is not None and (short := q[rest_to] < 0).any():
        q[:, short] = np.floor(scaled[:, short])
        q[rest_to, short] += ONE - q[:, short].sum(axis=0)
    return q


@dataclass(frozen=True)
class Shares:
    """The integer shares of one segment, run by run.

    Attributes:
        edges: (M + 1,) int64 steps, increasing; run m covers steps [edges[m], edges[m + 1]).
        compute: (n,) int64 run numbers -> their shares, (K, n) int64, columns summing to 2^32; a
            column does not depend on which others are asked for.
    """

    edges: NDArray[np.int64]
    compute: Callable[[NDArray[np.int64]], NDArray[np.int64]]

    @property
    def runs(self) -> int:
        """The number of runs, M."""
        return len(self.edges) - 1

    def at_steps(self, steps: NDArray[np.int64]) -> NDArray[np.int64]:
        """The shares of the runs that hold `steps` (increasing): (K, n) int64."""
        runs = np.searchsorted(self.edges, steps, side="right") - 1
        if len(runs) > 1 and bool((runs[1:] == runs[:-1]).any()):
            distinct, inverse = np.unique(runs, return_inverse=True)
            return self.compute(distinct)[:, inverse]
        return self.compute(runs)

    def until(self, stop: int) -> Shares:
        """The shares of the steps before `stop`, of which there is one at least."""
        inside = self.edges[self.edges < stop]
        return Shares(np.append(inside, stop), self.compute)

    def weights(self) -> NDArray[np.int64]:
        """(K,) sums of the shares of about 64 evenly spaced runs, by which the tree halves sources."""
        chosen = np.unique(np.arange(_SAMPLES) * self.runs // _SAMPLES)
        weights: NDArray[np.int64] = self.compute(chosen).sum(axis=1)
        return weights

    def expected(self, units_per_step: int) -> list[int]:
        """Exact draws owed to each source over the whole segment, in units of 2^-32 (Python integers).

        Costs one pass over the runs: about 20 ns a source and run.
        """
        totals = [0] * self.compute(np.zeros(1, np.int64)).shape[0]
        block = max(1, _CELLS // len(totals))
        for first in range(0, self.runs, block):
            runs = np.arange(first, min(first + block, self.runs))
            units = (self.edges[runs + 1] - self.edges[runs]) * units_per_step
            totals = [a + b for a, b in zip(totals, owed(self.compute(runs), units).total(), strict=True)]
        return totals


def softmax_shares(
    edges: NDArray[np.int64],
    scores: NDArray[np.float64],
    temperatures: Callable[[NDArray[np.int64]], NDArray[np.float64]],
) -> Shares:
    """The shares softmax(w / T), quantised; the source with the best score takes the rest.

    Args:
        edges: (M + 1,) int64 steps.
        scores: (K,) float64, -inf for a source that cannot be drawn.
        temperatures: (n,) run numbers -> (n,) temperatures.
    """
    best = int(np.argmax(scores))
    return Shares(edges, lambda runs: quantise(softmax_rows(scores, temperatures(runs)), best))
