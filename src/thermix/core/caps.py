"""Epoch caps: shares bent so that no source is owed more than its budget.

Only what is owed is bent here; that a count never passes its budget, not by one draw, is the clip's
work in `order`. All budgets are in units of 2^-32 draws, as Python integers, counted over one segment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thermix.core.exact import sum_rows
from thermix.core.shares import ONE, SHARE_BITS, Shares, owed, quantise
from thermix.core.temperature import softmax_rows

__all__ = ["drop", "over_budget", "spread"]

Ints = NDArray[np.int64]
Temperatures = Callable[[Ints], NDArray[np.float64]]


@dataclass(frozen=True)
class _Round:
    """Sources found over their budget together, and what their shares are scaled by."""

    sources: Ints
    factors: NDArray[np.float64]


def over_budget(shares: Shares, units_per_step: int, budgets: Mapping[int, int]) -> dict[int, int]:
    """The capped sources that the shares owe more than their budget, with what they are owed.

    Args:
        shares: of the segment.
        units_per_step: draws in each step.
        budgets: source -> budget, in units of 2^-32 draws.
    """
    due = shares.expected(units_per_step)
    return {i: due[i] for i, budget in budgets.items() if due[i] > budget}


def spread(
    scores: NDArray[np.float64],
    edges: Ints,
    temperatures: Temperatures,
    units_per_step: int,
    budgets: Mapping[int, int],
) -> Shares:
    """Shares scaled by a constant per source so that each budget lasts the whole segment.

    In rounds: every uncapped source that is owed more than its budget is scaled by budget / owed; the
    freed share goes to the uncapped in proportion to the softmax restricted to them; until none is
    over. Feasible exactly when the budgets cover the draws. At T = inf this is UniMax (Chung et al.
    2023, arXiv:2304.09151).

    Args:
        scores: (K,) float64, -inf for a source that cannot be drawn.
        edges: (M + 1,) int64 steps.
        temperatures: (n,) run numbers -> temperatures.
        units_per_step: draws in each step.
        budgets: source -> budget over the segment, in units of 2^-32 draws.

    Cost: at most K + 1 passes over the runs, in practice a few.
    """
    budgets = {i: max(budget, 0) for i, budget in budgets.items()}
    rounds: list[_Round] = []
    free = {i for i in range(len(scores)) if scores[i] > -np.inf}
    # Rounding shares down leaves up to one unit a source and draw to the one that takes the rest.
    slack = int(edges[-1] - edges[0]) * units_per_step * len(free)
    while True:
        shares = Shares(edges, _SpreadShares(scores, temperatures, tuple(rounds)))
        over = over_budget(shares, units_per_step, {i: b + slack for i, b in budgets.items() if i in free})
        if len(over) == len(free):
            del over[min(over, key=lambda i: (over[i] - budgets[i], i))]
        if not over:
            return shares
        found = np.array(sorted(over), np.int64)
        rounds.append(_Round(found, np.array([budgets[i] / over[i] for i in found.tolist()])))
        free -= set(over)


@dataclass(frozen=True)
class _SpreadShares:
    """The shares after some rounds, run by run."""

    scores: NDArray[np.float64]
    temperatures: Temperatures
    rounds: tuple[_Round, ...]

    def __call__(self, runs: Ints) -> Ints:
        temperatures = self.temperatures(runs)
        free = self.scores.copy()
        p = np.zeros((len(free), len(runs)))
        mass = np.ones(len(runs))
        for step in self.rounds:
            p[step.sources] = softmax_rows(free, temperatures)[step.sources] * mass * step.factors[:, None]
            mass = np.maximum(mass - sum_rows(p[step.sources]), 0.0)
            free[step.sources] = -np.inf
        uncapped = free > -np.inf
        p[uncapped] = (softmax_rows(free, temperatures) * mass)[uncapped]
        return quantise(p, int(np.argmax(free)), ~uncapped if self.rounds else None)


@dataclass(frozen=True)
class _Piece:
    """From `first_step` on: scores of the sources still in budget, shares fixed where one ends."""

    first_step: int
    scores: NDArray[np.float64]
    fixed: Mapping[int, int]


def drop(
    scores: NDArray[np.float64],
    edges: Ints,
    temperatures: Temperatures,
    units_per_step: int,
    budgets: Mapping[int, int],
) -> Shares:
    """Shares as asked until a source's budget ends; it gets what is left in that step and 0 after it.

    In each step the other sources share what the ended ones leave by the softmax restricted to them.

    The arguments are those of `spread`.

    Cost: one pass over the runs, and one block more for each budget that ends.
    """
    left = {i: max(budget, 0) for i, budget in budgets.items()}
    pieces = [_Piece(int(edges[0]), scores.copy(), {})]
    step, end = int(edges[0]), int(edges[-1])
    while step < end and left:
        current = pieces[-1].scores
        plain = Shares(edges, _DropShares(edges, edges, temperatures, (_Piece(step, current, {}),)))
        step = _run_until_one_ends(plain, step, units_per_step, left)
        if step == end:
            break
        fixed = _last_shares(current, temperatures, edges, step, units_per_step, left)
        if not fixed:
            break
        pieces.append(_Piece(step, _without(current, fixed), fixed))
        rest = Shares(edges, _DropShares(edges, edges, temperatures, (pieces[-1],)))
        column = rest.at_steps(np.array([step]))[:, 0]
        left = {i: b - int(column[i]) * units_per_step for i, b in left.items() if i not in fixed}
        step += 1
        pieces.append(_Piece(step, pieces[-1].scores, {}))
    cuts = np.array([piece.first_step for piece in pieces], np.int64)
    cut_edges = np.unique(np.concatenate([edges, cuts[cuts < end]]))
    return Shares(cut_edges, _DropShares(cut_edges, edges, temperatures, tuple(pieces)))


def _without(scores: NDArray[np.float64], ended: Mapping[int, int]) -> NDArray[np.float64]:
    living: NDArray[np.float64] = scores.copy()
    living[list(ended)] = -np.inf
    return living


@dataclass(frozen=True)
class _DropShares:
    """The shares of `drop`: `edges` are cut where budgets end, `grid` are those the temperatures know."""

    edges: Ints
    grid: Ints
    temperatures: Temperatures
    pieces: tuple[_Piece, ...]

    def __call__(self, runs: Ints) -> Ints:
        steps = self.edges[runs]
        temperatures = self.temperatures(np.searchsorted(self.grid, steps, side="right") - 1)
        firsts = np.array([piece.first_step for piece in self.pieces])
        which = np.maximum(np.searchsorted(firsts, steps, side="right") - 1, 0)
        q = np.empty((len(self.pieces[0].scores), len(runs)), np.int64)
        for number in np.unique(which):
            columns = np.flatnonzero(which == number)
            q[:, columns] = _piece_shares(self.pieces[number], temperatures[columns])
        return q


def _piece_shares(piece: _Piece, temperatures: NDArray[np.float64]) -> Ints:
    free = piece.scores
    p = softmax_rows(free, temperatures) * ((ONE - sum(piece.fixed.values())) / ONE)
    for i, share in piece.fixed.items():
        p[i] = share / ONE
    return quantise(p, int(np.argmax(free)), free == -np.inf)


def _run_until_one_ends(shares: Shares, step: int, units_per_step: int, left: dict[int, int]) -> int:
    """The first step from `step` on in which a budget would be passed (or the end); `left` is run down."""
    edges = shares.edges
    run = int(np.searchsorted(edges, step, side="right")) - 1
    block = max(1, (1 << 17) // max(1, shares.compute(np.zeros(1, np.int64)).shape[0]))
    capped = sorted(left)
    while run < shares.runs:
        runs = np.arange(run, min(run + block, shares.runs))
        starts = np.maximum(edges[runs], step)
        q = shares.compute(runs)[capped]
        due = owed(q, (edges[runs + 1] - starts) * units_per_step)
        whole, fraction = np.cumsum(due.whole, axis=1), np.cumsum(due.fraction, axis=1)
        whole += fraction >> SHARE_BITS
        fraction &= ONE - 1
        passed = np.zeros(len(runs), bool)
        for row, i in enumerate(capped):
            limit, part = divmod(left[i], ONE)
            passed |= (whole[row] > limit) | ((whole[row] == limit) & (fraction[row] > part))
        stop = int(np.argmax(passed)) if passed.any() else len(runs)
        if stop > 0:
            for row, i in enumerate(capped):
                left[i] -= (int(whole[row, stop - 1]) << SHARE_BITS) + int(fraction[row, stop - 1])
        if stop < len(runs):
            per_step = {i: int(q[row, stop]) * units_per_step for row, i in enumerate(capped)}
            steps = min(left[i] // due for i, due in per_step.items() if due)
            for i, due_per_step in per_step.items():
                left[i] -= steps * due_per_step
            return int(starts[stop]) + steps
        run += len(runs)
    return int(edges[-1])


def _last_shares(
    scores: NDArray[np.float64],
    temperatures: Temperatures,
    edges: Ints,
    step: int,
    units_per_step: int,
    left: Mapping[int, int],
) -> dict[int, int]:
    """The shares, in the step where budgets end, of the sources whose budgets end there: what is left.

    Empty where the last living source would end: then nobody else could take its draws.
    """
    fixed: dict[int, int] = {}
    temperature = temperatures(np.searchsorted(edges, np.array([step]), side="right") - 1)
    while True:
        living = _without(scores, fixed) if fixed else scores
        if not (living > -np.inf).any():
            last = max(fixed, key=lambda i: (fixed[i], -i))
            del fixed[last]
            return fixed
        column = _piece_shares(_Piece(step, living, fixed), temperature)[:, 0]
        ending = {
            i: max(left[i], 0) // units_per_step
            for i in left
            if i not in fixed and int(column[i]) * units_per_step > left[i]
        }
        if not ending:
            return fixed
        fixed.update(ending)
