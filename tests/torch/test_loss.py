"""The loss of each source, against a loop over tokens; and what of a batch is for the model."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from tests.torch.cases import a_plan, documents, sequences
from thermix import InvalidInput
from thermix.torch import (
    MixtureLoader,
    PackCollator,
    PadCollator,
    SourceCounter,
    loss_by_source,
    split_batch,
)


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("masked", [True, False])
def test_it_is_that_of_a_loop_over_the_tokens(flat: bool, masked: bool) -> None:
    rng = np.random.default_rng(1)
    loss, source = rng.random((30, 7)), rng.integers(0, 4, 30)
    mask = rng.random((30, 7)) < (0.6 if masked else 2.0)
    total, tokens = np.zeros(6), np.zeros(6, np.int64)
    for r in range(30):
        for c in range(7):
            if mask[r, c]:
                total[source[r]] += loss[r, c]
                tokens[source[r]] += 1
    given = torch.from_numpy(loss)
    told = loss_by_source(
        given.view(-1) if flat else given,
        torch.from_numpy(source),
        6,
        mask=torch.from_numpy(mask) if masked else None,
    )
    np.testing.assert_allclose(told.total.numpy(), total, rtol=1e-12)
    assert told.tokens.tolist() == tokens.tolist()
    np.testing.assert_allclose(told.mean.numpy()[:4], (total / np.maximum(tokens, 1))[:4], rtol=1e-12)
    assert math.isnan(told.mean[5])


def test_packed_documents_have_the_loss_of_their_own_tokens() -> None:
    batch = PackCollator()([{"input_ids": [1] * n, "source": s} for n, s in ((3, 1), (0, 0), (2, 1), (4, 2))])
    loss = torch.arange(9.0)
    told = loss_by_source(loss, batch["source"], 3, cu_seqlens=batch["cu_seqlens"])
    assert (told.total.tolist(), told.tokens.tolist()) == ([0, 0 + 1 + 2 + 3 + 4, 5 + 6 + 7 + 8], [0, 5, 4])


def test_a_loss_that_is_not_finite_stays_with_its_source_and_a_masked_one_does_not_count() -> None:
    loss = torch.tensor([[math.nan, 1.0], [2.0, math.inf], [3.0, 5.0]])
    source = torch.tensor([0, 1, 2])
    told = loss_by_source(loss, source, 3).mean
    assert math.isnan(told[0])
    assert told[1] == math.inf
    assert told[2] == 4
    kept = loss_by_source(loss, source, 3, mask=loss.isfinite()).mean
    assert kept.tolist() == [1, 2, 4]


def test_half_precision_is_added_up_in_float32_and_no_gradient_is_kept() -> None:
    loss = torch.full((2, 5000), 1.0, dtype=torch.bfloat16, requires_grad=True)
    told = loss_by_source(loss, torch.tensor([0, 0]), 1)
    assert told.total.tolist() == [10_000]
    assert not told.total.requires_grad


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"source": torch.tensor([0, 1, 2, 0])}, "got 10 losses for 4 rows"),
        ({"source": torch.tensor([], dtype=torch.int64)}, "got 10 losses for 0 rows"),
        ({"mask": torch.ones(9)}, "mask: got 9 elements for 10 losses"),
        (
            {"cu_seqlens": torch.tensor([0, 5, 9])},
            "it says 2 documents of 9 tokens, for 2 sources and 10 losses",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_refused(arguments: Any, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        loss_by_source(torch.ones(2, 5), **{"source": torch.tensor([0, 1]), "n": 3, **arguments})


def test_a_batch_is_split_into_inputs_and_what_is_about_it() -> None:
    for batch in MixtureLoader(a_plan(), sequences(), labels="same", micro_batch_size=4):
        inputs, about = split_batch(batch)
        assert set(inputs) == {"input_ids", "labels"}
        assert set(about) == {"source", "step", "micro_batch", "micro_batches"}


@pytest.mark.parametrize("make", [PadCollator(0), PackCollator()])
def test_counting_keeps_the_source_from_the_model_and_counts_rows_and_tokens(make: Any) -> None:
    plan = a_plan()
    counter = SourceCounter(plan.names)
    tokens: Counter[str] = Counter()
    for step, batch in enumerate(MixtureLoader(plan, documents(), collate=make)):
        assert not {"source", "step"} & set(counter.take(batch))
        draws = plan.batch(step)
        for source, item in zip(draws.source.tolist(), draws.item.tolist(), strict=True):
            tokens[plan.names[source]] += 1 + item % 5
        assert list(counter.draws.values()) == plan.counts(step + 1).tolist()
        assert counter.tokens == {name: tokens[name] for name in plan.names}


def test_counting_a_batch_whose_source_was_dropped_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"has the keys 'input_ids' and no 'source'"):
        SourceCounter(("web",)).take({"input_ids": torch.ones(1, 1)})
