"""The multinomial order: every draw picks its source independently, from counter-based bits.

Draw number d of the run belongs to the source whose span of the step's cumulative shares holds the
upper 32 bits of hash(key, d). How many earlier draws a source had then has no closed form: counts are
replayed from *anchors*, kept as far as anyone asked, at most 4,096 with doubling spacing.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thermix.core.bits import hash64
from thermix.core.shares import Shares
from thermix.errors import SlowSeekWarning

__all__ = ["MultinomialCounts"]

Ints = NDArray[np.int64]

_BLOCK = 1 << 17  # draws replayed at a time: what stays in the cache
_MOST_ANCHORS = 4096
_DRAWS_A_SECOND = 40_000_000
_SLOW_SECONDS = 2


class _Known(NamedTuple):
    """Counts before some steps, kept every `spacing` steps as far as anyone asked."""

    spacing: int
    anchors: dict[int, Ints]


class MultinomialCounts:
    """Counts of one segment under independent draws, at any of its steps.

    Args:
        shares: what each source is owed, run by run.
        key: 64-bit key of the draws' bits.
        first_draw: the run's draws (or picks) before the segment.
        units_per_step: draws (or picks) in each step.
    """

    def __init__(self, shares: Shares, key: int, first_draw: int, units_per_step: int) -> None:
        self._shares = shares
        self._key = key
        self._first_draw = first_draw
        self._units = units_per_step
        self._start = int(shares.edges[0])
        self._sources = shares.compute(np.zeros(1, np.int64)).shape[0]
        first = {self._start: np.zeros(self._sources, np.int64)}
        self._known = _Known(max(1, _BLOCK // units_per_step), first)

    def at(self, steps: Ints) -> Ints:
        """Draws of each source from the segment's start to each step.

        Args:
            steps: (S,) steps of the segment, its end included, in increasing order.

        Returns:
            (S, K) int64.

        Cost: the draws from the last anchor on are replayed, about 40 million a second; a
        `SlowSeekWarning` says so before one that takes over 2 seconds.
        """
        result = np.empty((len(steps), self._sources), np.int64)
        here, counts = self._start, np.zeros(self._sources, np.int64)
        for row, step in enumerate(steps.tolist()):
            spacing, anchors = self._known
            anchor = self._start + (step - self._start) // spacing * spacing
            while anchor not in anchors:
                anchor -= spacing
            if anchor > here:
                here, counts = anchor, anchors[anchor]
            self._warn_if_slow(step - here)
            while here < step:
                spacing = self._known.spacing
                upto = min(step, self._start + ((here - self._start) // spacing + 1) * spacing)
                counts = counts + self._replay(here, upto)
                here = upto
                self._keep(here, counts)
            result[row] = counts
        return result

    def deficits(self, step: int) -> Ints:
        """Zeros: independent draws owe nobody anything."""
        del step
        return np.zeros(self._sources, np.int64)

    def owed(self, step: int) -> list[int]:
        """What each source is owed from the segment's start to `step`, exactly, in units of 2^-32."""
        return self._shares.until(step).expected(self._units)

    def coarse_steps(self) -> Ints:
        """Steps of the segment, its start and end among them: those whose counts are known, or few."""
        end = int(self._shares.edges[-1])
        return np.unique(np.array([*self._known.anchors, end], np.int64))

    def _keep(self, step: int, counts: Ints) -> None:
        spacing, anchors = self._known
        if (step - self._start) % spacing == 0:
            anchors[step] = counts
        if len(anchors) > _MOST_ANCHORS:
            spacing *= 2
            kept = {s: c for s, c in list(anchors.items()) if (s - self._start) % spacing == 0}
            self._known = _Known(spacing, kept)  # at once: another thread may be looking

    def _warn_if_slow(self, steps: int) -> None:
        seconds = steps * self._units / _DRAWS_A_SECOND
        if seconds > _SLOW_SECONDS:
            warnings.warn(
                f"order: multinomial has no closed form: replaying {steps * self._units:,} draws takes about "
                f"{seconds:.0f} s. `order: balanced` seeks at once.",
                SlowSeekWarning,
                stacklevel=2,
            )

    def _replay(self, first: int, last: int) -> Ints:
        """(K,) draws of each source in steps [first, last), at most one spacing of them."""
        total = np.zeros(self._sources, np.int64)
        steps = max(1, _BLOCK // self._units)
        for step in range(first, last, steps):
            total += self._replay_block(np.arange(step, min(step + steps, last)))
        return total

    def _replay_block(self, steps: Ints) -> Ints:
        thresholds = np.cumsum(self._shares.at_steps(steps), axis=0)[:-1]
        total = np.zeros(len(thresholds) + 1, np.int64)
        step_offsets = np.arange(len(steps), dtype=np.uint64) << np.uint64(32)
        keys = (thresholds.astype(np.uint64) + step_offsets).ravel()
        for first in range(0, self._units, _BLOCK):
            slots = np.arange(first, min(first + _BLOCK, self._units))
            before = self._first_draw + (steps - self._start) * self._units
            draws = (before[:, None] + slots).astype(np.uint64)
            bits = hash64(self._key, draws) >> np.uint64(32)
            bits.sort(axis=1)
            below = np.searchsorted((bits + step_offsets[:, None]).ravel(), keys)
            below = below.reshape(thresholds.shape) - np.arange(len(steps)) * len(slots)
            cumulative = np.concatenate([below.sum(axis=1), [draws.size]])
            total += np.diff(cumulative, prepend=0)
        return total
