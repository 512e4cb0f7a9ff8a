"""A per-token loss, told apart by source."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from thermix.errors import InvalidInput

__all__ = ["LossBySource", "loss_by_source"]


class LossBySource(NamedTuple):
    """The loss of each source, as sums, which ranks and steps may add up.

    Attributes:
        total: (n,) sum over the tokens of a source.
        tokens: int64 (n,) that were counted.
    """

    total: Tensor
    tokens: Tensor

    @property
    def mean(self) -> Tensor:
        """(n,) mean loss of a token; NaN for a source without tokens."""
        return self.total / self.tokens


def loss_by_source(
    per_token_loss: Tensor,
    source: Tensor,
    n: int,
    *,
    mask: Tensor | None = None,
    cu_seqlens: Tensor | None = None,
) -> LossBySource:
    """Split a per-token loss by the sources of the rows.

    Args:
        per_token_loss: (B, L), or flat (B * L,), as `cross_entropy(..., reduction="none")` gives it. With
            `cu_seqlens` any shape of N tokens.
        source: whole numbers (B,) in [0, n): a batch's `source`.
        n: number of sources, `len(plan.names)`.
        mask: same number of elements; where it is False (or 0) a token does not count, such as
            `labels != -100`.
        cu_seqlens: (B + 1,) of a batch of `PackCollator`, whose sources are those of its documents.

    Returns:
        Sums and tokens on the loss's device, detached. The same on every run: no atomic additions. A loss
        that is not finite stays with its source.

    Raises:
        InvalidInput: the shapes do not fit.

    >>> loss_by_source(torch.tensor([[1.0, 3.0], [5.0, 5.0]]), torch.tensor([1, 0]), 3).mean
    tensor([5., 2., nan])
    """
    loss = per_token_loss.detach().reshape(-1)
    counted = torch.ones_like(loss, dtype=torch.bool) if mask is None else mask.reshape(-1).bool()
    if len(counted) != len(loss):
        raise InvalidInput(
            f"mask: got {len(counted)} elements for {len(loss)} losses; it says of each token whether it "
            "counts. Cut both in the same way."
        )
    zero = torch.zeros((), dtype=loss.dtype, device=loss.device)
    lengths = _lengths(len(source), len(loss), cu_seqlens)
    totals = _sums(torch.where(counted, loss, zero), lengths, torch.promote_types(loss.dtype, torch.float32))
    tokens = _sums(counted, lengths, torch.int64)
    belongs = source.to(loss.device) == torch.arange(n, device=loss.device)[:, None]
    return LossBySource(
        torch.where(belongs, totals, torch.zeros_like(totals)).sum(1), (belongs * tokens).sum(1)
    )


def _sums(values: Tensor, lengths: int | list[int], dtype: torch.dtype) -> Tensor:
    """The sum of each row or document."""
    if isinstance(lengths, int):
        return values.reshape(-1, lengths).sum(1, dtype=dtype)
    return torch.stack([part.sum(dtype=dtype) for part in torch.split(values, lengths)])


def _lengths(rows: int, tokens: int, cu_seqlens: Tensor | None) -> int | list[int]:
    """Tokens of every row, or of each document."""
    if cu_seqlens is not None:
        lengths: list[int] = cu_seqlens.diff().tolist()
        if len(lengths) != rows or sum(lengths) != tokens:
            raise InvalidInput(
                f"cu_seqlens: it says {len(lengths)} documents of {sum(lengths)} tokens, for {rows} "
                f"sources and {tokens} losses. Give loss, source and cu_seqlens of one batch."
            )
        return lengths
    if rows == 0 or tokens % rows or not tokens:
        raise InvalidInput(
            f"per_token_loss: got {tokens} losses for {rows} rows; a row has the same number of tokens as "
            "every other. Compute it with reduction='none', on the same batch."
        )
    return tokens // rows
