"""A contender that gives something else than it was asked for has no figure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.checks import WrongBatch, checked_batch, checked_tokens
from benchmarks.settings import Settings

torch = pytest.importorskip("torch")

ASKED = Settings("row", batch=4, length=8)


def good() -> Any:
    return torch.arange(1, 33).reshape(4, 8)


def test_what_was_asked_for_passes_bare_or_as_input_ids() -> None:
    checked_batch(good(), ASKED)
    checked_batch({"input_ids": good(), "step": 3}, ASKED)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda batch: batch.int(), r"gave torch.int32 \(4, 8\), not torch.int64 \(4, 8\)"),
        (lambda batch: batch[:3], r"gave torch.int64 \(3, 8\), not"),
        (lambda batch: batch.T, r"gave torch.int64 \(8, 4\), not"),
        (lambda batch: batch - 1, "gave ids from 0 to 31; those written are from 1 to 32767"),
        (lambda batch: batch + 32_767, "gave ids from 32768 to 32799"),
        (torch.ones_like, "gave 1 different ids"),
    ],
)
def test_anything_else_is_refused(change: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(WrongBatch, match=message):
        checked_batch(change(good()), ASKED)


def test_all_tokens_are_to_be_delivered_but_those_that_fill_no_batch() -> None:
    checked_tokens(1000, 1000, 900)
    checked_tokens(900, 1000, 900)
    for delivered in (899, 1001):
        with pytest.raises(WrongBatch, match=f"delivered {delivered:,} tokens; the text has 1,000"):
            checked_tokens(delivered, 1000, 900)
