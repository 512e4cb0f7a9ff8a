"""From a delivered batch to dicts of tensors: what the loader's threads do with the rows they read.

Invariant: a batch's dicts, put together, are its rows in their order, with the source of each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from thermix.errors import InvalidInput
from thermix.plan.checks import check_choice, checked_whole
from thermix.sources.base import ItemSource
from thermix.sources.reader import BatchReader, DeliveredBatch
from thermix.torch.collate import Batch
from thermix.torch.samples import Sample, Transform, samples_of

__all__ = ["BatchMaker", "Collate", "Labels", "moved"]

Labels = Literal["none", "same", "shifted"]
Collate = Callable[[Sequence[Sample]], Mapping[str, Any]]


class BatchMaker:
    """Makes the dicts of a batch: one, or one a micro-batch.

    Args:
        reader: what reads the rows.
        sources: by name.
        names: of the plan's sources.
        labels: "none"; "same", a copy of the input, which the model shifts (Hugging Face's convention); or
            "shifted", for models that do not: a row's last token is no input, its first no label.
        documents: give `position_ids`, `cu_seqlens` and `max_seqlen` of the documents in each row.
        micro_batch_size: rows in a dict; None for all.
        transform, collate: of documents.

    Raises:
        InvalidInput: documents without `collate`, or an option that is not for what the sources hold.
    """

    def __init__(
        self,
        reader: BatchReader,
        sources: Mapping[str, ItemSource],
        names: Sequence[str],
        *,
        labels: Labels = "none",
        documents: bool = False,
        micro_batch_size: int | None = None,
        transform: Transform | None = None,
        collate: Collate | None = None,
    ) -> None:
        check_choice("labels", labels, ("none", "same", "shifted"))
        if micro_batch_size is not None:
            micro_batch_size = checked_whole("micro_batch_size", micro_batch_size, 1)
        self._names = tuple(names)
        self._sources = dict(sources)
        self._labels, self._documents = labels, documents
        self._size = micro_batch_size
        self._transform, self._collate = transform, collate
        if reader.unit == "document":
            self._check_for_documents()
        else:
            self._check_for_sequences()

    def __call__(self, batch: DeliveredBatch) -> list[Batch]:
        """The dicts of a batch: rows as they are stored or cast, `source` and `step`; no `labels` yet."""
        size = self._size
        if size is None:
            return [self._part(batch)]
        cuts = [slice(start, start + size) for start in range(0, len(batch.source), size)]
        parts = [self._part(_cut(batch, rows)) for rows in cuts]
        for number, part in enumerate(parts):
            part |= {"micro_batch": number, "micro_batches": len(parts)}
        return parts

    def finished(self, batch: Batch) -> Batch:
        """The dict with `labels`, and tokens as int64 where they are still as stored; on its own device."""
        if self._collate is not None:
            return batch
        rows: Tensor = batch["input_ids"]
        if rows.dtype not in (torch.int64, torch.int32):
            rows = batch["input_ids"] = rows.to(torch.int64)
        if self._labels == "same":
            batch["labels"] = rows.clone()
        elif self._labels == "shifted":
            batch["input_ids"], batch["labels"] = rows[:, :-1].contiguous(), rows[:, 1:].contiguous()
        return batch

    def _part(self, batch: DeliveredBatch) -> Batch:
        source = torch.from_numpy(batch.source.astype(np.int64))
        if self._collate is not None:
            part = self._collated(batch, self._collate)
            part.setdefault("source", source)
            part["step"] = batch.step
            return part
        part = {"input_ids": torch.from_numpy(batch.rows), "source": source, "step": batch.step}
        if self._documents:
            part |= self._boundaries(batch.source, batch.item, part["input_ids"].shape[1])
        return part

    def _collated(self, batch: DeliveredBatch, collate: Collate) -> Batch:
        steps = [batch.step] * len(batch.source)
        numbers, items = batch.source.tolist(), batch.item.tolist()
        samples = samples_of(list(batch.rows), numbers, items, steps, self._names, self._transform)
        made = collate(samples)
        if not isinstance(made, Mapping):
            raise InvalidInput(
                f"collate: it returned a {type(made).__name__}; a batch is a dict, to which source and step "
                "are added. Return a dict."
            )
        return dict(made)

    def _boundaries(self, source: NDArray[np.int32], item: NDArray[np.int64], length: int) -> Batch:
        """Where documents begin in the inputs of these draws."""
        inputs = length - (self._labels == "shifted")
        positions = np.empty((len(source), inputs), np.int64)
        for number in np.unique(source).tolist():
            drawn = source == number
            found: NDArray[np.int64] = self._given(number).documents(item[drawn]).positions
            if found.shape[1] < inputs:
                raise InvalidInput(
                    f"labels: got {self._labels!r}, and the rows of {self._names[number]!r} carry the "
                    "target, one token more than they have positions. Say labels='shifted', or open the "
                    "source without the target."
                )
            positions[drawn] = found[:, :inputs]
        begins = np.flatnonzero(positions == 0)
        bounds = np.append(begins, positions.size).astype(np.int32)
        return {
            "position_ids": torch.from_numpy(positions),
            "cu_seqlens": torch.from_numpy(bounds),
            "max_seqlen": int(np.diff(bounds).max()),
        }

    def _given(self, number: int) -> Any:
        return self._sources[self._names[number]]

    def _check_for_documents(self) -> None:
        if self._collate is None:
            raise InvalidInput(
                "collate: the sources hold documents, which are of unequal length. Give "
                "collate=PadCollator(pad_id=...) or PackCollator(), and a transform where rows are text; or "
                "prepare them as token shards."
            )
        if self._labels != "none" or self._documents:
            raise InvalidInput(
                f"labels, documents: got {self._labels!r} and {self._documents}; they are for token "
                "sequences. For documents the collator makes labels and boundaries: leave them out."
            )

    def _check_for_sequences(self) -> None:
        if self._collate is not None or self._transform is not None:
            raise InvalidInput(
                "collate, transform: the sources hold token sequences of one length; there is nothing to "
                "collate. Leave them out, and change the batch in the loop."
            )
        for name, source in self._sources.items() if self._documents else ():
            if not hasattr(source, "documents"):
                raise InvalidInput(
                    f"sources.{name}: it does not say where documents begin. Leave out documents=True, or "
                    "write it as token shards with an index."
                )


def _cut(batch: DeliveredBatch, rows: slice) -> DeliveredBatch:
    return DeliveredBatch(
        batch.step, batch.rows[rows], batch.source[rows], batch.item[rows], batch.epoch[rows]
    )


def moved(batch: Batch, device: torch.device) -> Batch:
    """The batch with its tensors on a device; from pinned memory the copy does not wait."""
    return {
        key: value.to(device, non_blocking=True) if isinstance(value, Tensor) else value
        for key, value in batch.items()
    }
