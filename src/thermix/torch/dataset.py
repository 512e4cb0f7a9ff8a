"""The plan as a map-style dataset: item n is draw n of the run.

So the order is the same with any number of workers, and any loader that reads 0, 1, 2, ... reads the plan.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from thermix.errors import InvalidInput
from thermix.plan.plan import Plan
from thermix.sources.base import ItemSource
from thermix.sources.delivery_checks import check_sources, one_unit
from thermix.sources.grouping import SourceGroups
from thermix.sources.numbered import NumberedDraws, Places
from thermix.sources.recycled import RecycledArrays
from thermix.sources.rows import RowType, SequenceRows
from thermix.torch.collate import Batch, Stacked
from thermix.torch.samples import Sample, Transform, samples_of

__all__ = ["MixtureDataset"]

_ARRAYS_KEPT = 4


class MixtureDataset(Dataset[Sample]):
    """The draws of a plan, read from its sources.

    For `DataLoader(MixtureDataset(plan, sources), batch_sampler=MixtureBatchSampler(plan))`. It goes to
    worker processes by fork or spawn. It must not be shuffled: it is in the order the plan says.

    A sample is a dict with `source`, an index into `plan.names`, `step`, and for sequences `input_ids` (L,);
    of a document its own keys, or `text`, `input_ids` or `item`, by what a row is.

    Args:
        plan: what the draws are.
        sources: by name, open; they stay the caller's to close.
        transform: of documents: from a row to what the sample is to hold.
        dtype: of the tokens of sequences: "int64", "int32", or "storage", as they are stored.
        stacked: of sequences: read a batch as one dict, `input_ids` (B, L), `source` (B,) and `step`, in half
            the time; with `collate_fn=thermix.torch.collate` only.

    Raises:
        InvalidInput: the sources are not the plan's; a transform of sequences; documents, stacked.
    """

    def __init__(
        self,
        plan: Plan,
        sources: Mapping[str, ItemSource],
        *,
        transform: Transform | None = None,
        dtype: RowType = "int64",
        stacked: bool = False,
    ) -> None:
        self._made_from = (plan, dict(sources), transform, dtype, stacked)
        self._plan = plan
        self._transform = transform
        check_sources(plan, sources)
        self._groups = SourceGroups(plan.names, [sources.get(name) for name in plan.names])
        unit = one_unit([sources[plan.names[number]] for number in self._groups.given])
        if unit == "sequence" and transform is not None:
            raise InvalidInput(
                "transform: the sources hold token sequences; it is for rows of documents. Leave it out."
            )
        if unit == "document" and stacked:
            raise InvalidInput(
                "stacked: the sources hold documents, which are of unequal length. Leave it out, and give "
                "the DataLoader a PadCollator or PackCollator."
            )
        self._stacked = stacked
        self._sequences = SequenceRows(self._groups, dtype) if unit == "sequence" else None
        if self._sequences is not None:
            self._arrays = RecycledArrays(self._sequences.dtype, keep=_ARRAYS_KEPT)
        self._draws = NumberedDraws(plan)

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, self._made_from

    @property
    def plan(self) -> Plan:
        """What the draws are."""
        return self._plan

    def __len__(self) -> int:
        """The plan's draws."""
        return self._plan.draws

    def __getitem__(self, draw: int) -> Sample:
        """The sample of a draw.

        Raises:
            OutOfRange: no such draw.
            InvalidInput: no whole number; a source is closed, or is drawn and was not given.
            DataError: an item is damaged.
        """
        try:
            number = operator.index(draw)
        except TypeError:
            raise InvalidInput(
                f"key: got a {type(draw).__name__}; a key is the number of a draw. A MixtureBatchSampler is "
                "given to a DataLoader as batch_sampler=, not as sampler=."
            ) from None
        return self._samples(self._draws.places([number]))[0]

    def __getitems__(self, draws: Sequence[int]) -> list[Sample] | Batch:
        """The samples of draws (n,), in their order; each source is asked once for all of its own.

        Returns:
            A list of n samples; with `stacked` one dict.

        Raises:
            OutOfRange, InvalidInput, DataError: as for one.
        """
        if len(draws) == 0:
            return []
        places = self._draws.places(draws)
        if self._stacked:
            return Stacked(self._batch(places))
        return self._samples(places)

    def _samples(self, places: Places) -> list[Sample]:
        if self._sequences is not None:
            rows = self._batch(places)["input_ids"].unbind(0)
            numbers, steps = places.source.tolist(), places.step.tolist()
            return [
                {"input_ids": row, "source": number, "step": step}
                for row, number, step in zip(rows, numbers, steps, strict=True)
            ]
        (grouped,) = self._groups.group(places.source[np.newaxis], places.item[np.newaxis])
        rows = self._groups.documents(grouped)
        numbers, items, steps = places.source.tolist(), places.item.tolist(), places.step.tolist()
        return samples_of(rows, numbers, items, steps, self._plan.names, self._transform)

    def _batch(self, places: Places) -> Batch:
        assert self._sequences is not None, "refused for documents"
        rows = self._arrays.empty((len(places.item), self._sequences.row_length))
        self._sequences.fill(places.source, places.item, rows)
        one_step = bool((places.step == places.step[0]).all())
        return {
            "input_ids": torch.from_numpy(rows),
            "source": torch.from_numpy(places.source.astype(np.int64)),
            "step": int(places.step[0]) if one_step else torch.from_numpy(places.step),
        }


def _remade(
    plan: Plan,
    sources: Mapping[str, ItemSource],
    transform: Transform | None,
    dtype: RowType,
    stacked: bool,
) -> MixtureDataset:
    return MixtureDataset(plan, sources, transform=transform, dtype=dtype, stacked=stacked)
