"""From samples to a batch: stacked where they are of one length, padded or packed where they are not.

Every collator gives `source` (B,) and `step` beside the model's inputs; `split.py` takes them apart again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from thermix.errors import InvalidInput
from thermix.plan.checks import check_choice, checked_whole
from thermix.torch.samples import Sample

__all__ = ["Batch", "PackCollator", "PadCollator", "Stacked", "collate"]

Batch = dict[str, Any]

_IGNORED = -100
"""The label that PyTorch's cross-entropy passes over."""


class Stacked(Batch):
    """A batch that was read in one piece, where a list of samples is expected."""

    def __missing__(self, key: object) -> None:
        raise InvalidInput(
            f"collate_fn: the dataset was made with stacked=True and gives whole batches, and {key!r} was "
            "asked of one. Give the DataLoader collate_fn=thermix.torch.collate."
        )


def collate(samples: Sequence[Sample] | Batch) -> Batch:
    """A batch of samples of equal length; a batch of a dataset made with `stacked` is passed on as it is.

    Returns:
        `input_ids` (B, L), `source` (B,), and `step`: one number, or (B,) where the samples are of several.
        Other keys are left out.

    Raises:
        InvalidInput: no `input_ids`, or their lengths differ.
    """
    if isinstance(samples, dict):
        return dict(samples)
    rows = [_tokens(sample, "input_ids") for sample in samples]
    if len({len(row) for row in rows}) > 1:
        shortest, longest = min(map(len, rows)), max(map(len, rows))
        raise InvalidInput(
            f"samples: lengths from {shortest} to {longest}; a batch has rows of one length. "
            "Use PadCollator or PackCollator."
        )
    return {"input_ids": torch.stack(rows), **_about(samples)}


@dataclass(frozen=True)
class PadCollator:
    """Documents of unequal length as rows of one length.

    The batch has `input_ids` (B, L), `attention_mask` (B, L), `labels` (B, L), which are the input (the model
    shifts them) or the sample's own, -100 where padded; `source` (B,) and `step`. Other keys are left out.

    Args:
        pad_id: the token to pad with.
        max_length: longer documents are cut to it; None cuts none.
        multiple_of: L is the next multiple of it.
        side: where the padding goes.

    Raises:
        InvalidInput: a value out of range, or from the call: a sample has no `input_ids`.

    >>> pad = PadCollator(pad_id=0)
    >>> batch = pad([{"input_ids": [5, 6, 7], "source": 1}, {"input_ids": [8], "source": 0}])
    >>> batch["input_ids"].tolist(), batch["labels"].tolist()
    ([[5, 6, 7], [8, 0, 0]], [[5, 6, 7], [8, -100, -100]])
    """

    pad_id: int
    max_length: int | None = None
    multiple_of: int = 1
    side: Literal["right", "left"] = "right"

    def __post_init__(self) -> None:
        _check_length(self.max_length)
        checked_whole("multiple_of", self.multiple_of, 1)
        check_choice("side", self.side, ("right", "left"))

    def __call__(self, samples: Sequence[Sample]) -> Batch:
        """The batch of samples, of which there is at least one."""
        rows = [_tokens(sample, "input_ids")[: self.max_length] for sample in samples]
        labels = [_labels(sample, self.max_length) for sample in samples]
        longest = -(-max(map(len, rows)) // self.multiple_of) * self.multiple_of
        return {
            "input_ids": self._padded(rows, longest, self.pad_id),
            "attention_mask": self._padded([torch.ones_like(row) for row in rows], longest, 0),
            "labels": self._padded(labels, longest, _IGNORED),
            **_about(samples),
        }

    def _padded(self, rows: list[Tensor], length: int, value: int) -> Tensor:
        out = torch.full((len(rows), length), value, dtype=torch.int64)
        for row, tokens in zip(out, rows, strict=True):
            row[: len(tokens)] = tokens
            if self.side == "left":
                row.copy_(row.roll(length - len(tokens)))
        return out


@dataclass(frozen=True)
class PackCollator:
    """Documents of unequal length end to end in one row, for attention that does not cross them.

    The batch has `input_ids` (1, N), `position_ids` (1, N) from 0 in every document, `labels` (1, N), -100 at
    every document's first token, which no token of its own predicts; `cu_seqlens` int32 (B + 1,), where each
    document begins, and N; `max_seqlen`; `source` (B,) and `step`. Other keys are left out.

    Args:
        max_length: longer documents are cut to it; None cuts none.

    Raises:
        InvalidInput: a value out of range, or from the call: a sample has no `input_ids`.

    >>> batch = PackCollator()([{"input_ids": [5, 6, 7], "source": 1}, {"input_ids": [8, 9], "source": 0}])
    >>> batch["position_ids"].tolist(), batch["cu_seqlens"].tolist(), batch["labels"].tolist()
    ([[0, 1, 2, 0, 1]], [0, 3, 5], [[-100, 6, 7, -100, 9]])
    """

    max_length: int | None = None

    def __post_init__(self) -> None:
        _check_length(self.max_length)

    def __call__(self, samples: Sequence[Sample]) -> Batch:
        """The batch of samples, of which there is at least one."""
        rows = [_tokens(sample, "input_ids")[: self.max_length] for sample in samples]
        lengths = torch.tensor([0, *map(len, rows)])
        bounds = lengths.cumsum(0)
        labels = torch.cat([_labels(sample, self.max_length) for sample in samples])
        labels[bounds[:-1][lengths[1:] > 0]] = _IGNORED
        positions = torch.cat([torch.arange(len(row)) for row in rows])
        return {
            "input_ids": torch.cat(rows)[None],
            "position_ids": positions[None],
            "labels": labels[None],
            "cu_seqlens": bounds.to(torch.int32),
            "max_seqlen": int(lengths.max()),
            **_about(samples),
        }


def _tokens(sample: Mapping[str, Any], key: str) -> Tensor:
    if key not in sample:
        raise InvalidInput(
            f"samples: one has the keys {', '.join(map(repr, sample))} and no {key!r}, its tokens. Give a "
            "transform that makes them: transform=lambda row: {'input_ids': tokenizer.encode(row['text'])}."
        )
    return torch.as_tensor(sample[key], dtype=torch.int64)


def _labels(sample: Mapping[str, Any], max_length: int | None) -> Tensor:
    key = "labels" if "labels" in sample else "input_ids"
    tokens, labels = _tokens(sample, "input_ids"), _tokens(sample, key)
    if len(tokens) != len(labels):
        raise InvalidInput(
            f"samples: one has {len(tokens)} input_ids and {len(labels)} labels; there is a label for each. "
            "Correct the transform."
        )
    return labels[:max_length]


def _about(samples: Sequence[Sample]) -> Batch:
    """`source` and `step`, where the samples have them."""
    about: Batch = {}
    if all("source" in sample for sample in samples):
        about["source"] = torch.tensor([sample["source"] for sample in samples])
    if all("step" in sample for sample in samples):
        steps = [sample["step"] for sample in samples]
        about["step"] = steps[0] if len(set(steps)) == 1 else torch.tensor(steps)
    return about


def _check_length(max_length: int | None) -> None:
    if max_length is not None:
        checked_whole("max_length", max_length, 1)
