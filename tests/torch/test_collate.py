"""Padding and packing, against what they must be row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy

from thermix import InvalidInput
from thermix.torch import PackCollator, PadCollator, collate

DOCUMENTS = st.lists(st.lists(st.integers(1, 99), max_size=9), min_size=1, max_size=6)


def samples_of(documents: list[list[int]]) -> list[dict[str, Any]]:
    return [{"input_ids": d, "source": i % 3, "step": 4} for i, d in enumerate(documents)]


@given(DOCUMENTS, st.sampled_from([None, 1, 4]), st.sampled_from([1, 8]), st.sampled_from(["left", "right"]))
def test_padded_rows_are_the_documents(
    documents: list[list[int]], max_length: int | None, multiple_of: int, side: Any
) -> None:
    batch = PadCollator(0, max_length, multiple_of, side)(samples_of(documents))
    cut = [d[:max_length] for d in documents]
    length = batch["input_ids"].shape[1]
    assert length == -(-max(map(len, cut)) // multiple_of) * multiple_of
    for i, document in enumerate(cut):
        gap = [0] * (length - len(document))
        place = slice(0, len(document)) if side == "right" else slice(length - len(document), length)
        assert batch["input_ids"][i].tolist() == (document + gap if side == "right" else gap + document)
        assert batch["labels"][i, place].tolist() == document
        assert batch["attention_mask"][i, place].tolist() == [1] * len(document)
        assert int(batch["attention_mask"][i].sum()) == len(document)
        assert int((batch["labels"][i] == -100).sum()) == length - len(document)
    assert batch["source"].tolist() == [i % 3 for i in range(len(documents))]
    assert batch["step"] == 4


@given(DOCUMENTS, st.sampled_from([None, 1, 4]))
def test_packed_rows_are_the_documents_end_to_end(documents: list[list[int]], max_length: int | None) -> None:
    batch = PackCollator(max_length)(samples_of(documents))
    cut = [d[:max_length] for d in documents]
    assert batch["input_ids"].tolist() == [[token for d in cut for token in d]]
    assert batch["position_ids"].tolist() == [[place for d in cut for place in range(len(d))]]
    assert batch["labels"].tolist() == [[token for d in cut for token in ([-100] * len(d[:1]) + d[1:])]]
    assert batch["cu_seqlens"].tolist() == np.cumsum([0, *map(len, cut)]).tolist()
    assert batch["cu_seqlens"].dtype is torch.int32
    assert batch["max_seqlen"] == max(map(len, cut))
    assert len(batch["source"]) == len(documents)


def test_labels_of_the_sample_are_kept() -> None:
    samples = [{"input_ids": [5, 6, 7], "labels": [-100, 6, 7]}, {"input_ids": [8], "labels": [8]}]
    assert PadCollator(0)(samples)["labels"].tolist() == [[-100, 6, 7], [8, -100, -100]]
    assert PackCollator()(samples)["labels"].tolist() == [[-100, 6, 7, -100]]
    with pytest.raises(InvalidInput, match="one has 3 input_ids and 2 labels"):
        PadCollator(0)([{"input_ids": [1, 2, 3], "labels": [1, 2]}])


def test_what_was_padded_has_no_part_in_the_loss() -> None:
    batch = PadCollator(0)(samples_of([[5, 6, 7], [8]]))
    logits = torch.zeros(2, 3, 100)
    logits[1, 1:] = 1e9  # nonsense where it is padded
    logits[1, 1:, 0] = -1e9
    loss = cross_entropy(logits.view(-1, 100), batch["labels"].view(-1))
    assert loss.item() == pytest.approx(np.log(100), rel=1e-6)


@pytest.mark.parametrize("make", [collate, PadCollator(0), PackCollator()])
def test_a_sample_without_tokens_is_refused(make: Any) -> None:
    with pytest.raises(InvalidInput, match=r"has the keys 'text', 'source' and no 'input_ids'.*transform="):
        make([{"text": "a", "source": 1}])


def test_collating_is_the_same_for_samples_of_any_list() -> None:
    samples = samples_of([[1, 2], [3, 4]])
    batch = collate(samples)
    assert (batch["input_ids"].tolist(), batch["source"].tolist(), batch["step"]) == (
        [[1, 2], [3, 4]],
        [0, 1],
        4,
    )
    samples[1]["step"] = 5
    assert collate(samples)["step"].tolist() == [4, 5]
    assert set(collate([{"input_ids": [1]}])) == {"input_ids"}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"max_length": 0}, "max_length: got 0"),
        ({"multiple_of": 0}, "multiple_of: got 0"),
        ({"side": "middle"}, "side: got 'middle'; it is one of right, left"),
    ],
)
def test_options_out_of_range_are_refused(options: Any, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        PadCollator(0, **options)
    if "max_length" in options:
        with pytest.raises(InvalidInput, match=problem):
            PackCollator(**options)
