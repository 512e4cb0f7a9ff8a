"""Delivery: the rows of a plan's batches, from open sources.

Invariant: a batch is a function of plan, sources, rank and step alone. Reading one step, a span, or
iterating with any number of threads gives the same.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from functools import partial
from itertools import count
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from thermix.errors import InvalidInput, OutOfRange
from thermix.plan.checks import checked_whole
from thermix.plan.plan import Batch, Plan, rank_slice
from thermix.sources.ahead import DrawsAhead, in_order
from thermix.sources.base import ItemSource, Rows
from thermix.sources.delivery_checks import check_sources, checked_out, one_unit
from thermix.sources.grouping import SourceGroups
from thermix.sources.recycled import RecycledArrays
from thermix.sources.rows import RowType, SequenceRows

__all__ = ["BatchReader", "DeliveredBatch"]

_BLOCK_BYTES = 1 << 22
_BLOCK_DOCUMENTS = 256
_THREADS = min(2, os.cpu_count() or 1)

_Span = tuple[int, int]
_New = Callable[[tuple[int, ...]], NDArray[Any]]


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
        dtype: of the rows of sequences: "int64"; "int32", a third faster; or "storage", as the sources
            store them.

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
        self._shares = [rank_slice(rank, world_size, segment.batch_size) for segment in plan.segments]
        self._draws = DrawsAhead(plan, rank, world_size)
        check_sources(plan, sources)
        self._groups = SourceGroups(plan.names, [sources.get(name) for name in plan.names])
        unit = one_unit([sources[plan.names[number]] for number in self._groups.given])
        self._sequences = SequenceRows(self._groups, dtype) if unit == "sequence" else None
        self._dtype = np.dtype(object) if self._sequences is None else self._sequences.dtype

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
        rows = self._rows(
            self._draws.steps(step, step + 1), self._new(None if out is None else out[np.newaxis])
        )
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
        return self._rows(self._draws.steps(start, stop), self._new(out))

    def batches(
        self, start: int = 0, stop: int | None = None, *, threads: int = _THREADS
    ) -> Iterator[DeliveredBatch]:
        """Batches of steps [start, stop), one after the other.

        Args:
            start: in [0, plan.end].
            stop: in [start, plan.end]; left out, the end.
            threads: that read ahead, at most about 20 MB each or two batches, whichever is more. 0 reads each
                batch when it is asked for.

        Returns:
            An iterator; every batch has arrays of its own. Closing or dropping it ends its threads. It
            belongs to the process that made it.

        Raises:
            OutOfRange: no such steps.
            InvalidInput, DataError: from the iterator, in place of the batch concerned: as for `read`.
        """
        threads = checked_whole("threads", threads, 0, 1 << 10)
        start = self._checked_step(start, self._plan.end + 1)
        stop = self._checked_step(self._plan.end if stop is None else stop, self._plan.end + 1)
        return self._delivered(self._spans(start, stop), threads)

    def _delivered(self, spans: Iterator[_Span], threads: int) -> Iterator[DeliveredBatch]:
        arrays = RecycledArrays(self._dtype, keep=2 * threads + 2)

        def block(span: _Span) -> tuple[_Span, Batch, Rows | None]:
            draws = self._draws.steps(*span)
            try:
                return span, draws, self._rows(draws, arrays.empty)
            except Exception:
                if span[1] - span[0] == 1:
                    raise
                return span, draws, None  # one of its batches cannot be read

        with closing(in_order(block, spans, threads)) as blocks:
            for (start, stop), draws, rows in blocks:
                found = map(self.read, range(start, stop)) if rows is None else rows
                yield from map(DeliveredBatch, count(start), found, draws.source, draws.item, draws.epoch)

    def _spans(self, start: int, stop: int) -> Iterator[_Span]:
        """Steps cut into blocks worth a thread's while, each of one batch size."""
        for segment, share in zip(self._plan.segments, self._shares, strict=True):
            last = min(stop, segment.end)
            draws = share.stop - share.start
            most = _BLOCK_DOCUMENTS // draws
            if self._sequences is not None:
                most = _BLOCK_BYTES // (draws * self._sequences.row_length * self._sequences.dtype.itemsize)
            while start < last:
                end = min(last, start + max(1, most))
                yield start, end
                start = end

    def _rows(self, draws: Batch, new: _New) -> Rows:
        """The rows of draws (S, b), those of sequences in the array that `new` gives for their shape."""
        steps, each = draws.source.shape
        source, item = draws.source.ravel(), draws.item.ravel()
        if self._sequences is None:
            found = self._groups.documents(source, item)
            return [found[i * each : (i + 1) * each] for i in range(steps)]
        rows = new((steps, each, self._sequences.row_length))
        self._sequences.fill(source, item, rows.reshape(steps * each, rows.shape[2]))
        return rows

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
                f"step: got {number}; the plan has steps 0 to {self._plan.end}. Ask below {below}."
            )
        return number


def _remade(
    plan: Plan, sources: Mapping[str, ItemSource], rank: int, world_size: int, dtype: RowType
) -> BatchReader:
    return BatchReader(plan, sources, rank=rank, world_size=world_size, dtype=dtype)
