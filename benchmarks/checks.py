"""Is it what was asked for? A contender that is fast because it gives something else has no figure."""

from __future__ import annotations

from typing import Any

from benchmarks.data import VOCABULARY
from benchmarks.settings import Settings

__all__ = ["WrongBatch", "checked_batch", "checked_tokens"]


class WrongBatch(Exception):
    """A contender gave something else than it was asked for."""


def checked_batch(batch: Any, settings: Settings) -> None:
    """Refuse all but int64 tensors of the shape that was asked for, of the tokens that were written.

    Raises:
        WrongBatch: says how it differs.
    """
    batch = batch["input_ids"] if isinstance(batch, dict) else batch
    shape = (settings.batch, settings.length)
    if (str(batch.dtype), tuple(batch.shape)) != ("torch.int64", shape):
        raise WrongBatch(f"gave {batch.dtype} {tuple(batch.shape)}, not torch.int64 {shape}")
    least, most = int(batch.min()), int(batch.max())
    if least < 1 or most >= VOCABULARY:
        raise WrongBatch(f"gave ids from {least} to {most}; those written are from 1 to {VOCABULARY - 1}")
    if len(batch.unique()) < settings.length // 2:
        raise WrongBatch(f"gave {len(batch.unique())} different ids; those written are drawn evenly")


def checked_tokens(delivered: int, written: int, least: int) -> None:
    """Refuse a number of tokens that is not that of the text, less what does not fill a batch.

    Raises:
        WrongBatch: says how many there are.
    """
    if not least <= delivered <= written:
        raise WrongBatch(f"delivered {delivered:,} tokens; the text has {written:,}, at least {least:,} due")
