"""The plan as an iterable dataset, for loops that ask for one; `MixtureLoader` is faster, with threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from torch.utils.data import IterableDataset, get_worker_info

from thermix.plan.even import check_even
from thermix.plan.plan import Plan
from thermix.sources.base import ItemSource
from thermix.sources.reader import BatchReader
from thermix.sources.rows import RowType
from thermix.torch.batches import BatchMaker, Collate, Labels
from thermix.torch.collate import Batch
from thermix.torch.ranks import rank_and_world_size
from thermix.torch.resumable import Resumable
from thermix.torch.resume import accept
from thermix.torch.samples import Transform

__all__ = ["MixtureIterableDataset"]


class MixtureIterableDataset(IterableDataset[Batch]):
    """Whole batches of a rank, for `DataLoader(dataset, batch_size=None, num_workers=n)`.

    Worker w of n makes steps w, w + n, ...; a DataLoader takes from its workers in turn, so that the steps
    come in their order with any n. Batches are those of `MixtureLoader`. A DataLoader runs ahead of the loop,
    and a dataset cannot see how far; the state of a loop is `plan.state(batch["step"] + 1)`, or, with
    torchdata's `StatefulDataLoader`, that loader's own.

    Args:
        plan, sources, rank, world_size, labels, documents, transform, collate, dtype, uneven: as for
            `MixtureLoader`; "storage" is made int64 in the worker.

    Raises:
        InvalidInput: as for `MixtureLoader`.
    """

    def __init__(
        self,
        plan: Plan,
        sources: Mapping[str, ItemSource],
        rank: int | None = None,
        world_size: int | None = None,
        *,
        labels: Labels = "none",
        documents: bool = False,
        transform: Transform | None = None,
        collate: Collate | None = None,
        dtype: RowType = "int64",
        uneven: bool = False,
    ) -> None:
        self._from = Resumable(plan)
        self._rank, self._world_size = rank_and_world_size(rank, world_size)
        self._uneven = uneven
        self._reader = BatchReader(plan, sources, rank=self._rank, world_size=self._world_size, dtype=dtype)
        self._maker = BatchMaker(
            self._reader,
            sources,
            plan.names,
            labels=labels,
            documents=documents,
            transform=transform,
            collate=collate,
        )
        self._check_even(plan.segments[-1].start)

    @property
    def plan(self) -> Plan:
        """What the batches are."""
        return self._from.plan

    @property
    def first_step(self) -> int:
        """The step that iterating begins with."""
        return self._from.step

    def seek(self, step: int) -> None:
        """Begin with a step from the next iteration on; as for `MixtureLoader`."""
        self._from.seek(step)

    def load_state_dict(
        self, state: Mapping[str, object], *, old_plan: Plan | None = None, override: bool = False
    ) -> None:
        """Begin with the step of a state from the next iteration on; as for `MixtureLoader`."""
        self._from.load_state_dict(state, old_plan=old_plan, override=override)

    def __len__(self) -> int:
        """Batches from `first_step` to the plan's end."""
        return self.plan.end - self.first_step

    def __iter__(self) -> Iterator[Batch]:
        """The batches of this worker, from `first_step` on.

        Raises:
            InvalidInput: the world size does not divide a batch to come.
            DataError: in place of the batch concerned.
        """
        self._check_even(self.first_step)
        worker = get_worker_info()
        number, workers = (0, 1) if worker is None else (worker.id, worker.num_workers)
        return _Steps(self._from, self.first_step + number, workers, self._read)

    def _read(self, step: int) -> Batch:
        (parts,) = self._reader.made(self._maker, step, step + 1, threads=0)
        return self._maker.finished(parts[0])

    def _check_even(self, start: int) -> None:
        if not self._uneven:
            check_even(self.plan, (start, self.plan.end), self._rank, self._world_size, None)


class _Steps(Iterator[Batch]):
    """The batches of one worker: a step and every n-th after it. A `StatefulDataLoader` keeps its state."""

    def __init__(self, place: Resumable, step: int, stride: int, read: Callable[[int], Batch]) -> None:
        self._place = place
        self._step, self._stride = step, stride
        self._read = read

    def __next__(self) -> Batch:
        if self._step >= self._place.plan.end:
            raise StopIteration
        batch = self._read(self._step)
        self._step += self._stride
        return batch

    def state_dict(self) -> dict[str, Any]:
        """The plan's state, and this worker's next step, which may lie beyond the end."""
        return {**self._place.state_at(min(self._step, self._place.plan.end)), "next": self._step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from a state of the same worker of as many."""
        accept(self._place.plan, state)
        self._step = state["next"]
