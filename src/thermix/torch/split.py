"""What of a batch is for the model, and what is about it; and counting the latter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from thermix.errors import InvalidInput

__all__ = ["ABOUT", "SourceCounter", "split_batch"]

ABOUT = ("source", "step", "micro_batch", "micro_batches")
"""Keys of a batch that are about it, and not for a model."""


def split_batch(batch: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """A batch as the model's inputs, for `model(**inputs)`, and what is about it: `source`, `step`.

    >>> split_batch({"input_ids": 1, "source": 2, "step": 3})
    ({'input_ids': 1}, {'source': 2, 'step': 3})
    """
    inputs = {key: value for key, value in batch.items() if key not in ABOUT}
    return inputs, {key: batch[key] for key in ABOUT if key in batch}


class SourceCounter:
    """Counts what reached the model of each source; for documents, whose tokens no plan knows.

    Draws and tokens of sequences need no counting: `observed` tells them from the plan. The counts are those
    of this process.

    Args:
        names: of the sources, `plan.names`.

    >>> counter = SourceCounter(("web", "books"))
    >>> batch = {"input_ids": torch.ones(2, 4, dtype=torch.int64), "source": torch.tensor([1, 1])}
    >>> sorted(counter.take(batch)), counter.draws, counter.tokens
    (['input_ids'], {'web': 0, 'books': 2}, {'web': 0, 'books': 8})
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._counts = torch.zeros(2, len(self._names), dtype=torch.int64)

    @property
    def draws(self) -> dict[str, int]:
        """Rows, or documents, of each source so far; from a GPU it waits for what is under way."""
        return dict(zip(self._names, self._counts[0].tolist(), strict=True))

    @property
    def tokens(self) -> dict[str, int]:
        """Tokens of each source so far, padding not counted."""
        return dict(zip(self._names, self._counts[1].tolist(), strict=True))

    def take(self, batch: Mapping[str, Any]) -> dict[str, Any]:
        """Count a batch, and return what of it is for the model.

        Raises:
            InvalidInput: it has no `source`.
        """
        inputs, about = split_batch(batch)
        if "source" not in about:
            raise InvalidInput(
                f"batch: it has the keys {', '.join(map(repr, batch))} and no 'source'. Count batches of a "
                "MixtureLoader or of a collator of thermix.torch, before anything drops keys."
            )
        source: Tensor = about["source"]
        tokens = _tokens(inputs, len(source)).to(source.device)
        belongs = source == torch.arange(len(self._names), device=source.device)[:, None]
        counts = torch.stack([belongs.sum(1), (belongs * tokens).sum(1)])
        self._counts = self._counts.to(source.device) + counts
        return inputs


def _tokens(inputs: Mapping[str, Any], rows: int) -> Tensor:
    """Tokens (rows,) of each row or packed document."""
    ids: Tensor = inputs["input_ids"]
    if "attention_mask" in inputs:
        mask: Tensor = inputs["attention_mask"]
        return mask.sum(1)
    if len(ids) != rows:
        bounds: Tensor = inputs["cu_seqlens"]
        return bounds.diff().long()
    return torch.full((rows,), ids.shape[1], device=ids.device)
