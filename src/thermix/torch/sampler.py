"""Batches of a plan as lists of keys, for a `DataLoader`'s `batch_sampler`.

Invariant: the batch of a step depends on the plan, the rank and the world size alone. It has no epochs: it is
one pass over a plan, and needs no `set_epoch`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypeVar

import numpy as np

from thermix.errors import InvalidInput
from thermix.plan.checks import check_choice
from thermix.plan.even import check_even
from thermix.plan.plan import Plan, rank_slice
from thermix.sources.numbered import first_draw
from thermix.torch.ranks import rank_and_world_size
from thermix.torch.resumable import Resumable

__all__ = ["Keys", "MixtureBatchSampler"]

T = TypeVar("T")
Keys = Literal["draws", "items"]

_CHUNK = 1 << 14
_MOST_ITEMS = 1 << 62


class MixtureBatchSampler(Resumable):
    """Yields the keys of a step at a time.

    It is global unless `rank` is given, whatever `torch.distributed` says: what Accelerate and other
    frameworks that slice batches themselves ask for. In a plain DDP script give the rank, or every rank
    trains on the whole batch.

    A DataLoader with workers asks for batches the loop has not seen. What was delivered is counted by
    `for batch in sampler.counted(loader)`; or take `sampler.plan.state(batch["step"] + 1)`.

    Args:
        plan: what the batches are.
        rank: in [0, world_size); left out, there is one rank.
        world_size: data-parallel ranks; given or left out with `rank`.
        keys: "draws", for `MixtureDataset`: the numbers of the draws in the run; "items", for a
            `ConcatDataset` of the sources in the plan's order: the items' numbers in it.
        uneven: allow a world size that does not divide the batch; see `MixtureLoader`.

    Attributes:
        drop_last: True: every batch is full, and there is nothing to fill up.

    Raises:
        InvalidInput: the world size does not divide the batch, or too many items for "items".

    >>> from thermix import Mixture, Plan, Source
    >>> plan = Plan(Mixture({"web": Source(score=0.0, items=10)}), steps=2, batch_size=4)
    >>> list(MixtureBatchSampler(plan)), list(MixtureBatchSampler(plan, rank=1, world_size=2))
    ([[0, 1, 2, 3], [4, 5, 6, 7]], [[2, 3], [6, 7]])
    """

    drop_last = True

    def __init__(
        self,
        plan: Plan,
        rank: int | None = None,
        world_size: int | None = None,
        *,
        keys: Keys = "draws",
        uneven: bool = False,
    ) -> None:
        super().__init__(plan)
        check_choice("keys", keys, ("draws", "items"))
        given = rank is not None or world_size is not None
        self._rank, self._world_size = rank_and_world_size(rank, world_size) if given else (0, 1)
        self._uneven = uneven
        self._keys = keys
        sizes = [stream.eras[-1].items for stream in plan.segments[-1].streams]
        if keys == "items" and sum(sizes) >= _MOST_ITEMS:
            raise InvalidInput(
                f"keys: the sources have {sum(sizes)} items; 2^62 can be told apart. Use 'draws'."
            )
        self._firsts = [sum(sizes[:number]) for number in range(len(sizes))] if keys == "items" else []
        self._handed_out = False
        self._counting = False
        self._check_even(plan.segments[-1].start)

    @property
    def batch_size(self) -> int:
        """Keys in the next batch: the rank's share of a step."""
        segments = self._plan.segments
        segment = next(s for s in reversed(segments) if s.start <= self._step)
        share = rank_slice(self._rank, self._world_size, segment.batch_size)
        return int(share.stop - share.start)

    def __len__(self) -> int:
        """Batches from `step` to the plan's end, which is what iterating gives."""
        return self._plan.end - self._step

    def __iter__(self) -> Iterator[list[int]]:
        """The keys of each step, from `step` to the plan's end.

        Raises:
            InvalidInput: the world size does not divide a batch to come.
        """
        self._check_even(self._step)
        self._handed_out = True
        return self._batches(self._step)

    def counted(self, batches: Iterable[T]) -> Iterator[T]:
        """The batches of a loader over this sampler, counting those the loop is given.

        Args:
            batches: such as a DataLoader whose `batch_sampler` this is; it is iterated from `step` on.

        Yields:
            They, as they are. While the loop has one, `step` is past it.
        """
        self._check_idle("counted")
        self._counting = True
        try:
            for batch in batches:
                self._step += 1
                yield batch
        finally:
            self._counting = False
            self._handed_out = False

    def state_dict(self) -> dict[str, Any]:
        """The state, as for `MixtureLoader`.

        Raises:
            InvalidInput: batches were handed out, and nobody counted those that were delivered.
        """
        if self._handed_out and not self._counting:
            raise InvalidInput(
                "state_dict: batches were handed to a DataLoader, which runs ahead of the loop, and those "
                "the loop was given were not counted. Iterate `for batch in sampler.counted(loader)`, or "
                "take sampler.plan.state(steps done); for a StatefulDataLoader, which counts itself, make a "
                "StatefulBatchSampler."
            )
        return super().state_dict()

    def _go_to(self, step: int) -> None:
        super()._go_to(step)
        self._handed_out = False

    def _batches(self, start: int) -> Iterator[list[int]]:
        for segment in self._plan.segments:
            share = (
                rank_slice(self._rank, self._world_size, segment.batch_size) if segment.end > start else None
            )
            while share is not None and start < segment.end:
                stop = min(segment.end, start + max(1, _CHUNK // segment.batch_size))
                yield from self._keys_of(start, stop, share)
                start = stop

    def _keys_of(self, start: int, stop: int, share: slice) -> Iterator[list[int]]:
        if self._keys == "draws":
            for step in range(start, stop):
                first = first_draw(self._plan, step)
                yield list(range(first + share.start, first + share.stop))
            return
        many = self._plan.batches(start, stop, self._rank, self._world_size)
        yield from (np.array(self._firsts)[many.source] + many.item).tolist()

    def _check_even(self, start: int) -> None:
        if not self._uneven:
            check_even(self._plan, (start, self._plan.end), self._rank, self._world_size, None)

    def _check_idle(self, what: str) -> None:
        if self._counting:
            raise InvalidInput(
                f"{what}: counted() is reading on from step {self._step}; a sampler has one loop at a time. "
                "End that loop first."
            )
