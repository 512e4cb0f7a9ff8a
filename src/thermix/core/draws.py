"""From counts to draws: which source, item and epoch stands in each slot of a step.

Inside a step the draws stand source by source; a keyed permutation of the step's slots mixes them, so
that every rank's slice is a fair share. A draw that is the k-th of its source is item and epoch by
`Era`. Pure functions of their arguments, like all of `core`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thermix.core.bits import hash64
from thermix.core.permute import Run, permute_epochs, permute_sources, shuffled_rows

__all__ = ["Era", "Stream", "draw_steps", "grown"]

Ints = NDArray[np.int64]

_SLOTS = 1 << 18  # draws worked on at a time: what stays in the cache


@dataclass(frozen=True)
class Era:
    """A span of a source's draws during which it has one size.

    Attributes:
        first_draw: the source's draws before the era.
        first_epoch: its epochs before the era; an era begins with an epoch.
        items: the size.
    """

    first_draw: int
    first_epoch: int
    items: int


def grown(eras: Sequence[Era], draws: int, items: int) -> tuple[Era, ...]:
    """Eras of a source with a new size from a draw on: the epoch begun by then is finished first."""
    begun = [era for era in eras if era.first_draw < draws or era is eras[0]]
    last = begun[-1]
    epochs = -(-(draws - last.first_draw) // last.items)
    if epochs == 0:
        return (*begun[:-1], Era(last.first_draw, last.first_epoch, items))
    return (*begun, Era(last.first_draw + epochs * last.items, last.first_epoch + epochs, items))


@dataclass(frozen=True)
class Stream:
    """The endless sequence of one source's items: every item once an epoch, a new order each epoch.

    Attributes:
        key: the source's 64-bit key, a hash of (seed, purpose, name).
        eras: at least one, first draws increasing from 0.
    """

    key: int
    eras: tuple[Era, ...]

    def locate(self, draws: Ints) -> tuple[Ints, Ints, list[tuple[int, int, int]]]:
        """Where in the stream its draws number `draws` (from 0, increasing) are.

        Returns:
            Position inside the epoch and epoch, as int64 arrays; and (start, stop, items) of the
            consecutive draws that fall into each era.
        """
        if len(self.eras) == 1:
            epochs, positions = np.divmod(draws, self.eras[0].items)
            return positions, epochs, [(0, len(draws), self.eras[0].items)]
        cuts = np.searchsorted(draws, [era.first_draw for era in self.eras[1:]]).tolist()
        epochs, positions, spans = np.empty_like(draws), np.empty_like(draws), []
        for era, start, stop in zip(self.eras, [0, *cuts], [*cuts, len(draws)], strict=True):
            np.divmod(
                draws[start:stop] - era.first_draw, era.items, epochs[start:stop], positions[start:stop]
            )
            epochs[start:stop] += era.first_epoch
            spans.append((start, stop, era.items))
        return positions, epochs, spans

    def first_repeat(self, below: int) -> int | None:
        """The first of its draws, under number `below`, whose item was drawn before; None if there is none.

        A source that grew begins its second epoch with old and new items mixed: they are looked through.
        """
        known = self.eras[0].items
        if len(self.eras) == 1 or self.eras[1].first_epoch > 1:
            return known if known < below else None
        second = self.eras[1]
        below = min(below, second.first_draw + second.items)  # it has every old item
        for start in range(second.first_draw, below, _SLOTS):
            positions = np.arange(start, min(start + _SLOTS, below)) - second.first_draw
            items = permute_epochs(positions, np.ones_like(positions), second.items, self.key)
            if (items < known).any():
                return start + int(np.argmax(items < known))
        return None

    def epochs_at(self, draws: int) -> float:
        """Passes over the source after `draws` draws, the last one counted by its part."""
        era = next(era for era in reversed(self.eras) if era.first_draw <= draws)
        return era.first_epoch + (draws - era.first_draw) / era.items


def draw_steps(
    counts: Ints,
    first_step: int,
    batch: int,
    streams: Sequence[Stream],
    slot_key: int,
    slots: slice,
) -> tuple[NDArray[np.int32], Ints, NDArray[np.int32]]:
    """The draws in some slots of consecutive steps of one batch size.

    Args:
        counts: (S + 1, K) draws of each source before each step, and after the last.
        first_step: number of the first step.
        batch: draws in each step.
        streams: K of them.
        slot_key: key of the order inside a step.
        slots: the contiguous slots of each step that are wanted, 0 <= start <= stop <= batch size.

    Returns:
        source (S, n) int32, item (S, n) int64, epoch (S, n) int32.
    """
    steps = len(counts) - 1
    shape = (steps, slots.stop - slots.start)
    source, item, epoch = np.empty(shape, np.int32), np.empty(shape, np.int64), np.empty(shape, np.int32)
    block = max(1, _SLOTS // batch)
    for first in range(0, steps, block):
        last = min(first + block, steps)
        rows = slice(first, last)
        keys = hash64(slot_key, np.arange(first_step + first, first_step + last, dtype=np.uint64))
        order = shuffled_rows(keys, batch)[:, slots]
        out = source[rows], item[rows], epoch[rows]
        _draw_block(counts[first : last + 1], batch, streams, order, out)
    return source, item, epoch


def _draw_block(
    counts: Ints,
    batch: int,
    streams: Sequence[Stream],
    order: NDArray[np.unsignedinteger] | Ints,
    out: tuple[NDArray[np.int32], Ints, NDArray[np.int32]],
) -> None:
    """`draw_steps` for few enough draws; `order` (S, n) is a slot's place in the step, source by source."""
    place = _places(counts, batch)
    wanted = place[order + np.arange(len(order))[:, None] * batch]
    sizes = counts[-1] - counts[0]
    firsts = np.concatenate([[0], np.cumsum(sizes)])
    # Draws in the order (source, number), those of other ranks left out.
    if wanted.size == len(place):
        chosen, position = np.arange(len(place)), wanted
    else:
        mask = np.zeros(len(place), bool)
        mask[wanted] = True
        chosen = np.flatnonzero(mask)
        position = (np.cumsum(mask) - 1)[wanted]
    bounds = np.searchsorted(chosen, firsts)
    positions, epochs = np.empty_like(chosen), np.empty_like(chosen)
    runs: list[Run] = []
    for i in np.flatnonzero(np.diff(bounds)).tolist():
        first, last = int(bounds[i]), int(bounds[i + 1])
        numbers = chosen[first:last] + (counts[0, i] - firsts[i])
        positions[first:last], epochs[first:last], spans = streams[i].locate(numbers)
        runs += (Run(first + start, first + stop, items, streams[i].key) for start, stop, items in spans)
    items = permute_sources(positions, epochs, runs)
    sources = np.repeat(np.arange(len(streams), dtype=np.int32), np.diff(bounds))
    np.take(sources, position, out=out[0])
    np.take(items, position, out=out[1])
    np.take(epochs.astype(np.int32), position, out=out[2])


def _places(counts: Ints, batch: int) -> Ints:
    """Of each draw in the order (step, source) its place in the order (source, step): (S * batch,)."""
    sizes = np.diff(counts, axis=0)
    totals = counts[-1] - counts[0]
    starts = counts[:-1] - counts[0] + (np.cumsum(totals) - totals)
    before = np.cumsum(sizes, axis=1) - sizes + np.arange(len(sizes))[:, None] * batch
    shift = np.repeat((starts - before).ravel(), sizes.ravel())
    return shift + np.arange(len(shift))
