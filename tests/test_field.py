"""What users of other systems ran into, one test each (the list is in the notes of the design: the field)."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

import thermix
from tests.plan.plans import mixture, slots
from thermix import InvalidInput, Mixture, Plan, Source

INF = float("inf")


def deviation(plan: Plan, steps: int) -> float:
    """The largest |draws - expected| of any source after any of the first steps."""
    asked = np.arange(steps)
    expected = np.cumsum(plan.probabilities(asked) * plan.batch_size, axis=0)
    return float(np.abs(plan.counts(asked + 1) - expected).max())


def test_weights_of_0_1_and_0_1009_are_not_realised_as_halves() -> None:
    """Grain counts in whole numbers of a block: 0.5 and 0.5."""
    plan = Plan(mixture({"a": 0.1, "b": 0.1009}, items=10**6), steps=1000, batch_size=1000)
    assert plan.counts(1000).tolist() == [497_760, 502_240]


def test_a_share_far_below_one_in_a_block_is_drawn_in_full() -> None:
    """Marin: 8 sources of a real mixture got nothing, a block of draws having no place for them."""
    plan = Plan(mixture({"web": 1.0, "small": 1e-5}, items=10**6), steps=1000, batch_size=2048)
    assert abs(plan.counts(1000)[1] - 2048 * 1000 * 1e-5 / (1 + 1e-5)) <= 1


@pytest.mark.parametrize("temperature", [0.0, 1.0, 100.0, 1e300, INF])
def test_weight_0_stays_0_at_every_temperature(temperature: float) -> None:
    """KempnerForge: a weight clamped to 1e-12 comes back at high T."""
    plan = Plan(mixture({"a": 1.0, "never": 0.0, "b": 2.0}, temperature=temperature), steps=50, batch_size=64)
    assert plan.probabilities(0)[1] == 0
    assert plan.counts(50)[1] == 0


def test_a_mixture_of_which_nothing_can_be_drawn_is_refused_when_it_is_made() -> None:
    """HF datasets: interleaving spins for ever on probability 0; an empty source yields a duplicate."""
    with pytest.raises(InvalidInput, match="all weights are 0"):
        mixture({"a": 0.0})
    with pytest.raises(InvalidInput, match="at least 1 item"):
        Source(weight=1.0, items=0)


@pytest.mark.parametrize("sources", [8, 32, 128])
def test_the_error_of_a_prefix_does_not_grow_with_the_number_of_sources(sources: int) -> None:
    """Grain's rule: 6, 26 and 106 draws at 8, 32 and 128 sources."""
    weights = np.random.default_rng(sources).random(sources) + 0.01
    wanted = mixture({str(i): float(w) for i, w in enumerate(weights)}, temperature=thermix.linear(5.0, 1.0))
    assert deviation(Plan(wanted, steps=4000, batch_size=1), 4000) < 2


def test_weights_2_7_17_serve_every_item_exactly_once() -> None:
    """Fast-LLM's closed form serves an item twice from three sources on."""
    plan = Plan(mixture({"a": 2.0, "b": 7.0, "c": 17.0}, items=10_000), steps=26 * 40, batch_size=1)
    drawn = [slots(plan.batch(step))[0][:2] for step in range(plan.end)]
    assert len(set(drawn)) == len(drawn)
    assert Counter(source for source, _ in drawn) == {0: 80, 1: 280, 2: 680}


def test_a_source_of_2400_items_has_no_repeat_in_its_first_2400_draws() -> None:
    """Megatron 708, streaming 739, WeightedRandomSampler 871, Grain mixed then shuffled 892."""
    sources = {"small": Source(weight=1.0, items=2400), "web": Source(weight=2.0, items=10**6)}
    plan = Plan(Mixture(sources, temperature=thermix.linear(5.0, 1.0)), steps=120, batch_size=64)
    many = plan.batches(0, 120)
    small = many.source == 0
    assert (
        len(set(many.item[small & (many.epoch == 0)].tolist())) == (small & (many.epoch == 0)).sum() == 2400
    )
    repeats = np.flatnonzero((small & (many.epoch > 0)).any(axis=1))
    used_up = int(np.flatnonzero(plan.counts(np.arange(121))[:, 0] >= 2400)[0])
    assert repeats[0] >= used_up - 1


def test_changing_weights_in_a_run_repeats_nothing_and_skips_nothing() -> None:
    """Megatron #457, Energon #17, litData #436, NeMo #14247."""
    plan = Plan(mixture({"a": 1.0, "b": 3.0}, items=100), steps=100, batch_size=8)
    later = plan.edit(at_step=13, scores={"a": 5.0}).edit(at_step=29, scores={"b": 0.1})
    many = later.batches(0, 60)
    for source in (0, 1):
        items, epochs = many.item[many.source == source], many.epoch[many.source == source]
        for epoch in range(int(epochs.max())):
            assert sorted(items[epochs == epoch].tolist()) == list(range(100))
    assert [slots(later.batch(s)) for s in range(13)] == [slots(plan.batch(s)) for s in range(13)]


@pytest.mark.parametrize("world_size", [1, 2, 3, 5, 8, 64])
def test_the_global_batch_is_the_same_for_every_world_size(world_size: int) -> None:
    """torchtitan PR #816, torchft #309: another world size is refused, or starts at zero."""
    plan = Plan(mixture({"a": 1.0, "b": 3.0}, items=1000), steps=10, batch_size=64)
    for step in (0, 7):
        ranks = [slots(plan.batch(step, rank, world_size)) for rank in range(world_size)]
        assert [draw for rank in ranks for draw in rank] == slots(plan.batch(step))


def test_no_two_ranks_draw_the_same_item_of_an_epoch() -> None:
    """datasets #7567, dreamzero #91: every rank draws the same sequence, with no error."""
    plan = Plan(mixture({"a": 1.0, "b": 3.0}, items=10**5), steps=50, batch_size=64)
    drawn = [draw for rank in range(8) for s in range(50) for draw in slots(plan.batch(s, rank, 8))]
    assert len(set(drawn)) == len(drawn) == 3200


def test_resume_at_any_step_needs_the_step_alone() -> None:
    """streaming #792, datasets #5454, litData #694: minutes to hours, or an index to be built again."""
    wanted = mixture({"a": 1.0, "b": 3.0}, items=1000, temperature=thermix.linear(5.0, 1.0))
    whole = Plan(wanted, steps=200, batch_size=8)
    straight = [slots(whole.batch(step)) for step in range(200)]
    for cut in range(0, 200, 49):
        resumed = Plan(wanted, steps=200, batch_size=8)
        assert [slots(resumed.batch(step)) for step in range(cut, 200)] == straight[cut:]


def test_neighbouring_epochs_seeds_and_sources_have_unrelated_orders() -> None:
    """grain, streaming, torchtitan: seed + epoch, so that seed 1 is seed 0 an epoch later."""
    orders = set()
    for seed in range(3):
        plan = Plan(mixture({"a": 1.0, "b": 1.0}, items=64), steps=512, batch_size=1, seed=seed)
        many = plan.batches(0, 512)
        for source in (0, 1):
            items = many.item[many.source == source].tolist()
            orders |= {tuple(items[64 * epoch : 64 * epoch + 64]) for epoch in range(4)}
    assert len(orders) == 3 * 2 * 4


def test_which_epoch_each_source_is_on_and_when_it_runs_out_is_told_before_the_run() -> None:
    """datasets #3064; yanmtt #35: one language 20 epochs at T = 5."""
    sources = {"en": Source(items=100_000), "sw": Source(items=1_000)}
    plan = Plan(Mixture(sources, temperature=thermix.constant(5.0)), steps=1000, batch_size=100)
    told = plan.forecast()["sw"]
    assert told.epochs > 20
    assert told.first_repeat_step is not None
    kept = Plan(
        Mixture(sources, temperature=thermix.constant(5.0), max_epochs=4), steps=1000, batch_size=100
    ).forecast()["sw"]
    assert (kept.draws, kept.capped) == (4000, True)


def test_more_than_2_to_the_24_items_and_sources_of_any_size_cost_no_memory() -> None:
    """pytorch #2576: WeightedRandomSampler stops at 2^24 and holds a table of all items."""
    plan = Plan(mixture({"a": 1.0, "b": 1.0}, items=2**62), steps=2**30, batch_size=64)
    batch = plan.batch(2**30 - 1)
    assert batch.item.max() > 2**60
    assert len(set(batch.item.tolist())) == 64


def test_no_global_generator_is_reseeded_or_advanced() -> None:
    """OLMo-core #447."""
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002 (the very state that must stay)
    states = random.getstate(), np.random.get_state()[1].tolist()  # type: ignore[index]  # noqa: NPY002
    plan = Plan(mixture({"a": 1.0, "b": 3.0}), steps=20, batch_size=8, order="multinomial")
    plan.edit(at_step=10, scores={"a": 2.0}).batches(0, 20)
    assert states == (random.getstate(), np.random.get_state()[1].tolist())  # type: ignore[index]  # noqa: NPY002


def test_the_same_temperature_by_another_name_is_told_apart() -> None:
    """NeMo PR #15200, RegMix: temperature is 1/T there; here a higher T is always flatter."""
    wanted = mixture({"a": 1.0, "b": 9.0})
    assert wanted.probabilities(INF).tolist() == [0.5, 0.5]
    assert wanted.probabilities(0.0).tolist() == [0.0, 1.0]
    assert wanted.probabilities(2.0).round(6).tolist() == [0.25, 0.75]
