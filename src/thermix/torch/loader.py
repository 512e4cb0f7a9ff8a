"""The fast path from a plan to the training loop: batches as dicts of tensors, read ahead by threads.

Invariant: `step` counts the batches the loop was given, not those read ahead; the batch of a step depends on
plan, sources, rank and world size alone.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from functools import partial
from typing import Any

import torch
from torch import Tensor

from thermix.errors import InvalidInput, OutOfRange
from thermix.plan.checks import checked_whole
from thermix.plan.even import check_even
from thermix.plan.plan import Plan, rank_slice
from thermix.sources.base import ItemSource
from thermix.sources.reader import BatchReader, DeliveredBatch
from thermix.sources.rows import RowType
from thermix.torch.batches import BatchMaker, Collate, Labels, moved
from thermix.torch.collate import Batch
from thermix.torch.ranks import rank_and_world_size
from thermix.torch.resumable import Resumable
from thermix.torch.samples import Transform

__all__ = ["MixtureLoader"]


class MixtureLoader(Resumable):
    """Iterates the batches of a plan, from its step to the plan's end.

    A batch is a dict: `input_ids` (b, L), `source` (b,), which are indices into `plan.names`, and `step`;
    with the options below `labels` (b, L), `position_ids` (b, L), `cu_seqlens` int32 and `max_seqlen`,
    `micro_batch` and `micro_batches`. b is the rank's share of the batch, or the micro-batch.

    A loop that was broken out of goes on where it stopped when the loader is iterated again. A plan is one
    pass: after its end there is nothing more, until `seek`.

    Args:
        plan: what the batches are.
        sources: by name, open; they stay the caller's to close.
        rank: data-parallel rank; left out, that of `torch.distributed` where it is initialised, else 0.
        world_size: data-parallel ranks; given or left out with `rank`. With tensor or pipeline parallelism
            give both, of the data-parallel group.
        micro_batch_size: cut a rank's share of a step into parts of so many rows, for gradient accumulation.
            A step counts as delivered with its last part, so a state never lies inside a step.
        labels: "none"; "same", a copy of the input, which Hugging Face's models shift themselves; "shifted",
            for models that do not: a row's last token is no input and its first no label (open the sources
            with `with_target` and the inputs have the full length).
        documents: add `position_ids`, 0 where a document or row begins, and, for attention over the rows laid
            end to end, `cu_seqlens` and `max_seqlen`.
        transform: of documents: from a row to what the collator takes, such as a dict with `input_ids`.
        collate: of documents: from samples (dicts with `source` and `step`) to a dict of tensors, such as
            `PadCollator(pad_id=0)`. Called by the reading threads.
        dtype: of the tokens: "int64", "int32", or "storage", which moves them to the device as they are
            stored and makes them int64 there.
        threads: that read ahead; 0 reads each batch when it is asked for.
        device: where to put the tensors; left out, they stay in main memory.
        pin_memory: copy batches to page-locked memory while reading ahead; left out, where the device is
            CUDA.
        uneven: allow a world size, or micro-batches, that do not divide the batch; the first parts have one
            row more (micro-batches: the last one fewer), and the loop must weigh each by its rows.

    Raises:
        InvalidInput: the sources are not the plan's, or are documents and `collate` is missing; sizes that do
            not divide; a process group that is not initialised; an option that is not for these sources.

    >>> import numpy as np
    >>> from thermix import Mixture, Plan, Source
    >>> from thermix.sources import ObjectSource
    >>> web = ObjectSource(np.arange(40).reshape(10, 4), name="web", sequence_length=4)
    >>> plan = Plan(Mixture({"web": Source(score=0.0, items=10)}), steps=3, batch_size=2)
    >>> loader = MixtureLoader(plan, {"web": web})
    >>> [(batch["step"], tuple(batch["input_ids"].shape)) for batch in loader], loader.step
    ([(0, (2, 4)), (1, (2, 4)), (2, (2, 4))], 3)
    """

    def __init__(
        self,
        plan: Plan,
        sources: Mapping[str, ItemSource],
        rank: int | None = None,
        world_size: int | None = None,
        *,
        micro_batch_size: int | None = None,
        labels: Labels = "none",
        documents: bool = False,
        transform: Transform | None = None,
        collate: Collate | None = None,
        dtype: RowType = "int64",
        threads: int = 2,
        device: str | torch.device | None = None,
        pin_memory: bool | None = None,
        uneven: bool = False,
    ) -> None:
        super().__init__(plan)
        self._rank, self._world_size = rank_and_world_size(rank, world_size)
        self._uneven = uneven
        self._micro_batch_size = micro_batch_size
        self._threads = threads
        self._device = None if device is None else torch.device(device)
        self._pin_on = _pinning_device(pin_memory, self._device)
        self._reader = BatchReader(plan, sources, rank=self._rank, world_size=self._world_size, dtype=dtype)
        self._maker = BatchMaker(
            self._reader,
            sources,
            plan.names,
            labels=labels,
            documents=documents,
            micro_batch_size=micro_batch_size,
            transform=transform,
            collate=collate,
        )
        self._open: weakref.ref[Generator[Batch]] | None = None
        self._check_even(plan.segments[-1].start, plan.end)

    @property
    def rank(self) -> int:
        """This process among the data-parallel ones."""
        return self._rank

    @property
    def world_size(self) -> int:
        """Data-parallel processes."""
        return self._world_size

    def __len__(self) -> int:
        """Batches of the whole plan, micro-batches counted one by one, wherever the loader stands."""
        total = 0
        for segment in self._plan.segments:
            share = rank_slice(self._rank, self._world_size, segment.batch_size)
            rows = share.stop - share.start
            total += (segment.end - segment.start) * -(-rows // (self._micro_batch_size or rows))
        return total

    def __iter__(self) -> Iterator[Batch]:
        """The batches from `step` to the plan's end.

        Raises:
            InvalidInput: another iterator is open; sizes that do not divide a batch to come.
            DataError: from the iterator, in place of the batch concerned; the step stays at that batch.
        """
        return self.until(self._plan.end)

    def until(self, stop: int) -> Iterator[Batch]:
        """The batches from `step` to a step.

        Args:
            stop: in [step, plan.end].

        Raises:
            OutOfRange, InvalidInput, DataError: as for iterating.
        """
        self._check_idle("iter")
        if not self._step <= checked_whole("stop", stop) <= self._plan.end:
            raise OutOfRange(
                f"stop: got {stop}; the loader stands at step {self._step} and the plan ends at "
                f"{self._plan.end}. Ask for a step between, or seek first."
            )
        self._check_even(self._step, stop)
        make = self._made if self._device is None else self._made_for_device
        made = self._reader.made(make, self._step, stop, threads=self._threads)
        batches = self._delivered(made)
        self._open = weakref.ref(batches)
        return batches

    def close(self) -> None:
        """End the iterator that is open, if one is, and its threads; the loader can be iterated again."""
        batches = None if self._open is None else self._open()
        if batches is not None:
            batches.close()
        self._open = None

    def __enter__(self) -> MixtureLoader:
        return self

    def __exit__(self, kind: object, error: object, traceback: object, /) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_open": None}

    def _delivered(self, made: Generator[list[Batch]]) -> Generator[Batch]:
        with closing(made):
            for parts in made:
                last = parts.pop()
                for part in parts:
                    yield self._on_device(part)
                batch = self._on_device(last)
                self._step += 1
                yield batch

    def _on_device(self, part: Batch) -> Batch:
        return part if self._device is None else self._maker.finished(moved(part, self._device))

    def _made(self, batch: DeliveredBatch) -> list[Batch]:
        parts = list(map(self._maker.finished, self._maker(batch)))
        return parts if self._pin_on is None else list(map(self._pinned, parts))

    def _made_for_device(self, batch: DeliveredBatch) -> list[Batch]:
        return [self._pinned(part) for part in self._maker(batch)]

    def _pinned(self, batch: Batch) -> Batch:
        if self._pin_on is None:
            return batch
        with self._pin_on():  # a thread's own CUDA device is 0, whatever the process uses
            return {k: v.pin_memory() if isinstance(v, Tensor) else v for k, v in batch.items()}

    def _check_even(self, start: int, stop: int) -> None:
        if not self._uneven:
            check_even(self._plan, (start, stop), self._rank, self._world_size, self._micro_batch_size)

    def _check_idle(self, what: str) -> None:
        batches = None if self._open is None else self._open()
        if batches is not None and inspect.getgeneratorstate(batches) != inspect.GEN_CLOSED:
            raise InvalidInput(
                f"{what}: an iterator of this loader is open and reads on from step {self._step}; a loader "
                "has one at a time. End its loop, or call loader.close(), first."
            )


def _pinning_device(pin: bool | None, device: torch.device | None) -> Callable[[], Any] | None:
    """What makes the CUDA device current for which memory is pinned; None where none is pinned."""
    wanted = device is not None and device.type == "cuda" if pin is None else pin
    if not wanted:
        return None
    if not torch.cuda.is_available():
        raise InvalidInput(
            "pin_memory: no CUDA device is here to pin memory for. Leave it out: it follows the device."
        )
    index = None if device is None or device.type != "cuda" else device.index
    return partial(torch.cuda.device, torch.cuda.current_device() if index is None else index)
