"""The balanced order: from integer shares to integer counts, at any step, without replay.

Sources are halved into a tree (`tree`); at every node the node's draws are divided so that each half
stays nearest to what it is owed. For a node v with children L and R, at the end of every step:

    z   = n_v - E_v                               how far the node itself is ahead
    f   = E_L + z * Q_L / Q_v                     what L should have
    g   = clip(round(f), n_v - b_R, b_L)          never over the budgets b
    h   = running maximum of g
    n_R = running maximum of n_v - h
    n_L = n_v - n_R

where n are draws, E draws owed, Q shares, b budgets left, each summed over the node's sources. Counts
never fall, add up exactly, use nothing of the future, and stay near what is owed: within the tree's depth
for any shares above 0 (more where shares of 0 come and go: 2.4 draws were found at depth 2).
A half whose share in a step is 0 gets no draw in it, unless that would leave
it more than a draw behind round(f): only shares that go on and off in time with a node's few draws can
do that, and without the exception such a half would starve.

Everything is exact integer arithmetic (E and z in units of 2^-32, the floor of the product too), so
that f depends, while the shares hold still, on n_v alone: evaluating at a run's end gives the same as
evaluating at each of its steps. That is what makes the counts independent of how a scan is chunked,
and what random access rests on: *anchors*, states kept every 512 runs, made as far as anyone asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np
from numpy.typing import NDArray

from thermix.core.shares import SHARE_BITS, Shares, owed
from thermix.core.tree import Tree, halve

__all__ = ["DRAW_ORDER", "UNLIMITED", "BalancedCounts", "State"]

DRAW_ORDER = 1
"""Version of the draw order; part of every fingerprint. It changes when any draw of any plan would."""

UNLIMITED = 1 << 60
"""The budget of a source without a cap, in draws."""

_HALF = 1 << (SHARE_BITS - 1)
_LAG = 1  # draws that a half of share 0 may stay behind before it is given one all the same
_ANCHOR_RUNS = 512
_CELLS = 1 << 15  # (source, column) pairs a scan works on at a time: what stays in the cache
_LEAST_COLUMNS = 512

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class State:
    """Where the counts of a segment stand before a step; leaves in tree order.

    Attributes:
        step: the step.
        counts: (L,) draws since the segment's start.
        deficit: (L,) draws owed minus draws so far, in units of 2^-32; sums to 0.
        lead: per level, (nodes,) h - n_L: draws by which the left half's mark is ahead of its count.
    """

    step: int
    counts: Ints
    deficit: Ints
    lead: tuple[Ints, ...]


class BalancedCounts:
    """Counts of one segment under the balanced rule, at any of its steps.

    Args:
        shares: what each source is owed, run by run.
        living: indices of the sources that can be drawn, at least one.
        units_per_step: draws (or picks) in each step, >= 1.
        deficits: (K,) draws owed minus draws so far, in units of 2^-32; 0 for sources not living,
            summing to 0.
        budgets: (K,) draws each source may get in the segment, `UNLIMITED` where there is no cap.
    """

    def __init__(
        self,
        shares: Shares,
        living: Sequence[int],
        units_per_step: int,
        deficits: Ints,
        budgets: Sequence[int],
    ) -> None:
        self._shares = shares
        self._units_per_step = units_per_step
        self._first_deficits = deficits
        self._tree = halve([int(w) for w in shares.weights()], living)
        leaves = self._tree.leaves
        self._budgets = _Budgets.of(self._tree, [budgets[i] for i in leaves])
        lead = tuple(np.zeros(len(level.split), np.int64) for level in self._tree.levels)
        start = State(int(shares.edges[0]), np.zeros(len(leaves), np.int64), deficits[leaves], lead)
        self._anchors = {0: start}
        self._recent = start

    def at(self, steps: Ints) -> Ints:
        """Draws of each source from the segment's start to each step.

        Args:
            steps: (S,) steps of the segment, its end included, in increasing order.

        Returns:
            (S, K) int64; never falling along S, each row summing to the segment's draws before that step.

        Cost: a scan of at most 512 runs before each step where anchors lie, else from the last one on;
        about 15 ns a source and run.
        """
        counts, self._recent = self._scanned(steps)
        return counts

    def _scanned(self, steps: Ints) -> tuple[Ints, State]:
        """The counts, and the state at the last of the steps; several threads may scan at once."""
        result = np.zeros((len(steps), len(self._first_deficits)), np.int64)
        done = 0
        state = self._recent
        while done < len(steps):
            state = self._nearest(state, int(steps[done]))
            columns = self._columns(state.step, steps[done:])
            counts, state = self._advance(state, columns)
            upto = done + int(np.searchsorted(steps[done:], state.step, side="right"))
            where = np.searchsorted(columns, steps[done:upto])
            result[done:upto, self._tree.leaves] = counts[:, where].T
            done = upto
        return result, state

    def deficits(self, step: int) -> Ints:
        """(K,) draws owed minus draws so far before `step`, in units of 2^-32."""
        _, state = self._scanned(np.array([step], np.int64))
        result = np.zeros_like(self._first_deficits)
        result[self._tree.leaves] = state.deficit
        return result

    def owed(self, step: int) -> list[int]:
        """What each source is owed from the segment's start to `step`, exactly, in units of 2^-32.

        Read off the counts and the deficits, which the same scan makes.
        """
        counts, deficits = self.at(np.array([step], np.int64))[0], self.deficits(step)
        since = deficits - self._first_deficits
        return [(int(n) << SHARE_BITS) + int(d) for n, d in zip(counts, since, strict=True)]

    def coarse_steps(self) -> Ints:
        """Steps of the segment, about every 512 runs, its start and end among them: cheap once scanned."""
        edges = self._shares.edges
        return np.unique(np.append(edges[::_ANCHOR_RUNS], edges[-1]))

    def _nearest(self, state: State, step: int) -> State:
        """The last known state at or before `step`."""
        run = int(np.searchsorted(self._shares.edges, step, side="right")) - 1
        anchor = run // _ANCHOR_RUNS
        while anchor not in self._anchors:
            anchor -= 1
        best = self._anchors[anchor]
        return state if best.step <= state.step <= step else best

    def _columns(self, step: int, wanted: Ints) -> Ints:
        """The steps to evaluate next: `step`, every edge on the way, those wanted; one block of them.

        The way ends before a gap among those wanted that an anchor may bridge.
        """
        most = max(_LEAST_COLUMNS, _CELLS // len(self._tree.leaves))
        edges = self._shares.edges
        wanted = wanted[:most]
        gaps = np.flatnonzero(np.diff(np.searchsorted(edges, wanted)) > 2 * _ANCHOR_RUNS)
        wanted = wanted[: gaps[0] + 1] if len(gaps) else wanted
        after = int(np.searchsorted(edges, step, side="right"))
        columns = np.concatenate([np.array([step]), edges[after : after + most], wanted])
        columns.sort(kind="stable")
        distinct = np.diff(columns, prepend=-1) > 0
        distinct &= columns <= wanted[-1]
        return columns[distinct][:most]

    def _advance(self, state: State, columns: Ints) -> tuple[Ints, State]:
        """Counts (L, C) before each of `columns` (the first is the state's step), and the last state."""
        counts = np.empty((len(self._tree.leaves), len(columns)), np.int64)
        counts[:, 0] = state.counts
        if len(columns) > 1:
            q = self._shares.at_steps(columns[:-1])[self._tree.leaves]
            pieces = _still_pieces(q)
            for first, last in pairwise(pieces):
                ends = columns[first + 1 : last + 1]
                block = _Block(state, q[:, first:last], ends, self._units_per_step)
                block.divide(self._tree, self._budgets)
                counts[:, first + 1 : last + 1] = block.counts
                self._keep_anchors(block)
                state = block.state(-1)
        return counts, state

    def _keep_anchors(self, block: _Block) -> None:
        edges = self._shares.edges
        every = edges[::_ANCHOR_RUNS]
        first, last = np.searchsorted(every, [block.ends[0], block.ends[-1] + 1])
        for anchor in range(int(first), int(last)):
            if anchor not in self._anchors:
                column = int(np.searchsorted(block.ends, every[anchor]))
                if block.ends[column] == every[anchor]:
                    self._anchors[anchor] = block.state(column)


def _still_pieces(q: Ints) -> list[int]:
    """Cuts of the columns of `q` into pieces within which the same sources have share 0."""
    zero = q == 0
    if not zero.any():
        return [0, q.shape[1]]
    changes = np.flatnonzero((zero[:, 1:] != zero[:, :-1]).any(axis=0)) + 1
    return [0, *changes.tolist(), q.shape[1]]


@dataclass(frozen=True)
class _Budgets:
    """Draws the halves of each level's nodes may have, counted from the segment's start."""

    left: tuple[Ints, ...]
    right: tuple[Ints, ...]

    @classmethod
    def of(cls, tree: Tree, budgets: Sequence[int]) -> _Budgets | None:
        """None where no source has a cap."""
        if all(b >= UNLIMITED for b in budgets):
            return None
        running = [0, *accumulate(budgets)]
        left: list[Ints] = []
        right: list[Ints] = []
        for level in tree.levels:
            for sums, a, b in ((left, level.first, level.split), (right, level.split, level.last)):
                nodes = zip(a, b, strict=True)
                sums.append(np.array([min(running[j] - running[i], UNLIMITED) for i, j in nodes], np.int64))
        return cls(tuple(left), tuple(right))


class _Block:
    """Columns of a scan, divided down the tree; draws count from the state, leaves in tree order."""

    def __init__(self, state: State, q: Ints, ends: Ints, units_per_step: int) -> None:
        self.ends = ends
        units = np.diff(ends, prepend=state.step) * units_per_step
        due = owed(q, units)
        whole, fraction = due.whole, due.fraction
        np.cumsum(whole, axis=1, out=whole)
        np.cumsum(fraction, axis=1, out=fraction)
        fraction += state.deficit[:, None]
        self._zero_column = (q[:, 0] == 0).any()
        self._before = state
        self._whole, self._fraction, self._q = _prefix(whole), _prefix(fraction), _prefix(q)
        # Row i: draws, since the state, of the leaves before leaf i.
        self._n = np.empty_like(self._whole)
        self._n[0] = 0
        self._n[-1] = np.cumsum(units)
        self._base = _prefix(state.counts[:, None])
        self._leads: list[Ints] = []

    @property
    def counts(self) -> Ints:
        """(L, C) draws of each leaf before each of `ends`."""
        return np.diff(self._n, axis=0) + self._before.counts[:, None]

    def state(self, column: int) -> State:
        """The state at one of the columns."""
        n = np.diff(self._n[:, column])
        due = (np.diff(self._whole[:, column]) - n << SHARE_BITS) + np.diff(self._fraction[:, column])
        leads = tuple(lead[:, column].copy() for lead in self._leads)  # a view would keep the whole block
        return State(int(self.ends[column]), self._before.counts + n, due, leads)

    def divide(self, tree: Tree, budgets: _Budgets | None) -> None:
        """Divide every node's draws between its halves, level by level from the root."""
        for depth, level in enumerate(tree.levels):
            a, m, b = level.first, level.split, level.last
            n_v = self._n[b] - self._n[a]
            mark = self._wanted(a, m, b, n_v)
            wanted = mark.copy() if self._zero_column else mark
            most_left = most_right = None
            if budgets is not None:
                most_left = (budgets.left[depth] - (self._base[m] - self._base[a])[:, 0])[:, None]
                most_right = (budgets.right[depth] - (self._base[b] - self._base[m])[:, 0])[:, None]
                np.minimum(mark, most_left, out=mark)
                np.maximum(mark, n_v - most_right, out=mark)
            np.maximum.accumulate(mark, axis=1, out=mark)
            np.maximum(mark, self._before.lead[depth][:, None], out=mark)
            n_right = n_v - mark
            np.maximum.accumulate(n_right, axis=1, out=n_right)
            np.maximum(n_right, 0, out=n_right)
            n_left = n_v - n_right
            if self._zero_column:
                self._hold_zero_halves(a, m, b, n_v, wanted, n_left)
                if most_left is not None and most_right is not None:
                    np.minimum(n_left, most_left, out=n_left)
                    np.maximum(n_left, n_v - most_right, out=n_left)
                np.maximum(mark, n_left, out=mark)
            self._n[m] = self._n[a] + n_left
            self._leads.append(mark - n_left)

    def _wanted(self, a: NDArray[np.intp], m: NDArray[np.intp], b: NDArray[np.intp], n_v: Ints) -> Ints:
        """round(E_L + z * Q_L / Q_v), exactly; halves round up."""
        q_left = self._q[m] - self._q[a]
        q_node = np.maximum(self._q[b] - self._q[a], 1)
        whole_a, fraction_a = self._whole[a], self._fraction[a]
        ahead = (n_v - (self._whole[b] - whole_a) << SHARE_BITS) - (self._fraction[b] - fraction_a)
        mark = _floor_of_product(ahead, q_left, q_node)
        mark += self._fraction[m] - fraction_a + _HALF
        mark >>= SHARE_BITS
        mark += self._whole[m] - whole_a
        return mark

    def _hold_zero_halves(
        self,
        a: NDArray[np.intp],
        m: NDArray[np.intp],
        b: NDArray[np.intp],
        n_v: Ints,
        wanted: Ints,
        n_left: Ints,
    ) -> None:
        """Give a half whose share is 0 throughout the block what it lacks by more than a draw, no more."""
        no_left = self._q[m, 0] == self._q[a, 0]
        no_right = self._q[b, 0] == self._q[m, 0]
        least_left = np.clip(wanted - _LAG, 0, n_v)
        least_right = np.clip(n_v - wanted - _LAG, 0, n_v)
        n_left[no_left] = least_left[no_left]
        n_left[no_right] = (n_v - least_right)[no_right]


def _prefix(rows: Ints) -> Ints:
    """Running sums over axis 0, with a first row of zeros."""
    sums = np.empty((rows.shape[0] + 1, *rows.shape[1:]), np.int64)
    sums[0] = 0
    for i, row in enumerate(rows):  # cumsum over axis 0 walks down the columns: 5 times slower
        np.add(sums[i], row, out=sums[i + 1])
    return sums


def _floor_of_product(z: Ints, part: Ints, whole: Ints) -> Ints:
    """floor(z * part / whole), exactly, for |z| < 2^50 and 0 <= part <= whole <= 2^32.

    The float64 quotient is off by less than one; the remainder, taken in wrapping int64 arithmetic
    (it is below 2^34 in truth), says by how much.
    """
    quotient: Ints = np.floor(z.astype(np.float64) * part / whole).astype(np.int64)
    remainder = z * part - quotient * whole
    quotient += remainder >= whole
    quotient -= remainder < 0
    return quotient
