"""Delivery: the rows of a plan's batches, from open sources.

Invariant: a batch is a function of plan, sources, rank and step alone. Reading one step, a span, or
iterating with any number of threads gives the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from functools import partial
from itertools import count
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from thermix.errors import InvalidInput, OutOfRange
from thermix.plan.checks import checked_whole
from thermix.plan.plan import Batch, Plan, rank_slice
from thermix.sources.ahead import DrawsAhead, in_order, next_ahead
from thermix.sources.base import Items, ItemSource, Rows
from thermix.sources.delivery_checks import check_sources, checked_out, one_unit
from thermix.sources.grouping import Grouped, SourceGroups
from thermix.sources.recycled import RecycledArrays
from thermix.sources.rows import Fill, RowType, SequenceRows

__all__ = ["BatchReader", "DeliveredBatch"]

_BLOCK_BYTES = 1 << 22  # rows made together: enough to be worth the calls, and few enough for the cache
_BLOCK_DOCUMENTS = 256
_GROUPED = 1 << 13  # draws whose rows are found together
_THREADS = min(2, os.cpu_count() or 1)

_New = Callable[[tuple[int, ...]], NDArray[Any]]
T = TypeVar("T")


class _Block(NamedTuple):
    """Steps from `start` on whose rows are made together: their draws (steps, b), and what reads them."""

    start: int
    draws: Batch
    read: Callable[[_New], Rows]


class DeliveredBatch(NamedTuple):
    """One rank's share of one step, with what it is made of.

    Attributes:
        step: its number.
        rows: an array (b, row length) for sequences, a list of b documents.
        source: int32 (b,), index into `plan.names`.
        item: int64 (b,), index into the source.
        epoch: int32 (b,), passes over the source before this draw.
    """

    step: int
    rows: Rows
    source: NDArray[np.int32]
    item: NDArray[np.int64]
    epoch: NDArray[np.int32]


class BatchReader:
    """Reads the batches of a plan.

    Args:
        plan: what the batches are.
        sources: by name, open, all of sequences of one length or all of documents. They stay the caller's
            to close. A source that an edit has ended may be missing; only steps that draw it need it.
        rank: in [0, world_size).
        world_size: data-parallel ranks.
        dtype: of the rows of sequences: "int64"; "int32", a quarter faster; or "storage", as the sources
            store them.

    Attributes:
        unit: what the rows are, sequences or documents.

    Raises:
        InvalidInput: sources are missing, are of several units, row lengths or (for "storage") types, or
            have other numbers of items than the plan says.
    """

    def __init__(
        self,
        plan: Plan,
        sources: Mapping[str, ItemSource],
        *,
        rank: int = 0,
        world_size: int = 1,
        dtype: RowType = "int64",
    ) -> None:
        self._made_from: tuple[Any, ...] = (plan, dict(sources), rank, world_size, dtype)
        self._plan = plan
        rank_slice(rank, world_size, max(segment.batch_size for segment in plan.segments))
        self._rank, self._world_size = rank, world_size
        self._draws = DrawsAhead(plan, rank, world_size)
        check_sources(plan, sources)
        self._groups = SourceGroups(plan.names, [sources.get(name) for name in plan.names])
        self.unit = one_unit([sources[plan.names[number]] for number in self._groups.given])
        self._sequences = SequenceRows(self._groups, dtype) if self.unit == "sequence" else None
        self._dtype, self._block_draws = np.dtype(object), _BLOCK_DOCUMENTS
        if self._sequences is not None:
            self._dtype = self._sequences.dtype
            self._block_draws = _BLOCK_BYTES // (self._sequences.row_length * self._dtype.itemsize)

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, self._made_from

    def read(self, step: int, out: NDArray[Any] | None = None) -> Rows:
        """The rows of one step, in the order of the batch's slots.

        Args:
            step: in [0, plan.end).
            out: array (b, row length) of the reader's dtype to fill; left out, a new one. None for documents.

        Returns:
            `out` or the new array; for documents a list of b.

        Raises:
            OutOfRange: no such step.
            InvalidInput: `out` has another shape or type, a source is closed, or is drawn and was not given.
            DataError: an item is damaged.

        Cost: draws are computed ahead where steps are read one after the other.
        """
        step = self._checked_step(step, self._plan.end)
        rows = self._block(step, step + 1).read(self._new(None if out is None else out[np.newaxis]))
        return cast("Rows", rows[0]) if out is None else out

    def read_steps(self, start: int, stop: int, out: NDArray[Any] | None = None) -> Rows:
        """The rows of steps [start, stop), which have one batch size.

        Args:
            start: in [0, plan.end).
            stop: in (start, plan.end].
            out: array (stop - start, b, row length) to fill; left out, a new one. None for documents.

        Returns:
            `out` or the new array; for documents a list of stop - start lists.

        Raises:
            OutOfRange, InvalidInput, DataError: as for `read`.
        """
        start = self._checked_step(start, self._plan.end)
        stop = self._checked_step(stop, self._plan.end + 1)
        if stop <= start:
            raise OutOfRange(f"stop: got {stop}, and start {start}; steps [start, stop) are at least one.")
        return self._block(start, stop).read(self._new(out))

    def batches(
        self, start: int = 0, stop: int | None = None, *, threads: int = _THREADS
    ) -> Generator[DeliveredBatch]:
        """Batches of steps [start, stop), one after the other.

        Args:
            start: in [0, plan.end].
            stop: in [start, plan.end]; left out, the end.
            threads: that read ahead, at most about 8 MB each or two batches, whichever is more. 0 reads each
                batch when it is asked for.

        Returns:
            An iterator; every batch has arrays of its own. Closing or dropping it ends its threads. It
            belongs to the process that made it.

        Raises:
            OutOfRange: no such steps.
            InvalidInput, DataError: from the iterator, in place of the batch concerned: as for `read`.
        """
        return self.made(_as_it_is, start, stop, threads=threads)

    def made(
        self,
        make: Callable[[DeliveredBatch], T],
        start: int = 0,
        stop: int | None = None,
        *,
        threads: int = _THREADS,
    ) -> Generator[T]:
        """What `make` makes of the batches of steps [start, stop), one after the other.

        Args:
            make: called in the thread that read the batch, from several at once; after an exception in a
                batch or one beside it, a second time for the same batch.
            start: as for `batches`.
            stop: as for `batches`.
            threads: as for `batches`.

        Returns:
            An iterator, as for `batches`; an exception of `make` comes in place of its batch.

        Raises:
            OutOfRange, InvalidInput, DataError: as for `batches`.
        """
        threads = checked_whole("threads", threads, 0, 1 << 10)
        start = self._checked_step(start, self._plan.end + 1)
        stop = self._checked_step(self._plan.end if stop is None else stop, self._plan.end + 1)
        return self._made(make, self._blocks(start, stop), threads)

    def _made(
        self, make: Callable[[DeliveredBatch], T], groups: Iterator[list[_Block]], threads: int
    ) -> Generator[T]:
        arrays = RecycledArrays(self._dtype, keep=2 * threads + 2)

        def made_of(block: _Block) -> list[T]:
            rows, draws = block.read(arrays.empty), block.draws
            batches = map(DeliveredBatch, count(block.start), rows, draws.source, draws.item, draws.epoch)
            return list(map(make, batches))

        def tried(block: _Block) -> tuple[_Block, list[T] | None]:
            try:
                return block, made_of(block)
            except Exception:
                return block, None  # one of its batches cannot be had, or none beside what others hold open

        todo = next_ahead(groups) if threads else (block for group in groups for block in group)
        with closing(todo) as blocks, closing(in_order(tried, blocks, threads)) as results:
            for block, made in results:
                if made is not None:
                    yield from made
                    continue
                for step in range(block.start, block.start + len(block.draws.source)):
                    yield from made_of(self._block(step, step + 1))

    def _blocks(self, start: int, stop: int) -> Iterator[list[_Block]]:
        """Steps [start, stop) cut into blocks of one batch size, in groups whose rows are found together."""
        for segment in self._plan.segments:
            last = min(stop, segment.end)
            if last <= start:
                continue
            share = rank_slice(self._rank, self._world_size, segment.batch_size)
            most = max(1, self._block_draws // (share.stop - share.start))
            while start < last:
                steps = min(most, last - start)
                blocks = max(1, min(_GROUPED // segment.batch_size, last - start) // steps)
                yield self._grouped(start, steps, blocks)
                start += steps * blocks

    def _grouped(self, start: int, steps: int, blocks: int) -> list[_Block]:
        """Blocks of `steps` steps each."""
        draws = self._draws.steps(start, start + steps * blocks)
        source, item = draws.source.reshape(blocks, -1), draws.item.reshape(blocks, -1)
        found = []
        for number, read in enumerate(self._reads(source, item, (steps, draws.source.shape[1]))):
            own = slice(number * steps, (number + 1) * steps)
            part = Batch(draws.source[own], draws.item[own], draws.epoch[own])
            found.append(_Block(start + number * steps, part, read))
        return found

    def _reads(
        self, source: NDArray[np.int32], item: Items, shape: tuple[int, int]
    ) -> Iterator[Callable[[_New], Rows]]:
        """What reads the rows of draws (m, S b) as m blocks of a shape (S, b)."""
        if self._sequences is None:
            for grouped in self._groups.group(source, item):
                yield partial(self._documents, grouped, shape)
        else:
            for fill in self._sequences.fills(source, item):
                yield partial(_filled, fill, (*shape, self._sequences.row_length))

    def _block(self, start: int, stop: int) -> _Block:
        return self._grouped(start, stop - start, 1)[0]

    def _documents(self, grouped: Grouped, shape: tuple[int, int], _: _New) -> Rows:
        """A list of b documents for each step."""
        (steps, each), found = shape, self._groups.documents(grouped)
        return [found[i * each : (i + 1) * each] for i in range(steps)]

    def _new(self, out: NDArray[Any] | None) -> _New:
        """Gives the caller's array where there is one, else a new one."""
        if self._sequences is None and out is not None:
            raise InvalidInput("out: got an array, and documents are read into lists. Leave it out.")
        dtype = self._dtype
        return partial(np.empty, dtype=dtype) if out is None else partial(checked_out, out, dtype=dtype)

    def _checked_step(self, step: object, below: int) -> int:
        number = checked_whole("step", step)
        if not 0 <= number < below:
            raise OutOfRange(
                f"step: got {number}; the plan has {self._plan.end} steps. Ask for 0 to {below - 1}."
            )
        return number


def _filled(fill: Fill, shape: tuple[int, int, int], new: _New) -> Rows:
    """Rows (S, b, row length), in the array that `new` gives for that shape."""
    rows = new(shape)
    fill(rows.reshape(shape[0] * shape[1], shape[2]))
    return rows


def _as_it_is(batch: DeliveredBatch) -> DeliveredBatch:
    return batch


def _remade(
    plan: Plan, sources: Mapping[str, ItemSource], rank: int, world_size: int, dtype: RowType
) -> BatchReader:
    return BatchReader(plan, sources, rank=rank, world_size=world_size, dtype=dtype)
