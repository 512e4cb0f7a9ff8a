"""The tutorial case: a user's own map-style datasets, mixed by one call."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from torch.utils.data import ConcatDataset, Dataset

from thermix.core.schedule import Schedule
from thermix.errors import InvalidInput
from thermix.plan.mixture import Mixture, Source, WhenCapped, as_schedule
from thermix.plan.plan import Plan
from thermix.plan.segments import Order
from thermix.torch.sampler import MixtureBatchSampler

__all__ = ["mixture_sampler"]


def mixture_sampler(
    datasets: Mapping[str, Dataset[Any]],
    *,
    steps: int,
    batch_size: int,
    scores: Mapping[str, float] | None = None,
    weights: Mapping[str, float] | None = None,
    temperature: Schedule | float = 1.0,
    max_epochs: float | None = None,
    when_capped: WhenCapped = "spread",
    seed: int = 0,
    order: Order = "balanced",
    rank: int | None = None,
    world_size: int | None = None,
) -> tuple[ConcatDataset[Any], MixtureBatchSampler]:
    """Ordinary datasets, mixed: their `ConcatDataset`, and the batch sampler over it.

    Use: `data, sampler = mixture_sampler(...)`, then `DataLoader(data, batch_sampler=sampler)`. Samples are
    as the datasets give them; which source each comes from says `sampler.plan.batch(step).source`, a function
    of the step. To go on after a checkpoint, call it the same way and load the sampler's state.

    Args:
        datasets: name -> map-style dataset (with a length).
        steps: number of batches.
        batch_size: samples in a batch, over all ranks.
        scores: name -> score, a log weight. Give scores, or weights, or neither: then the lengths are the
            weights.
        weights: name -> weight.
        temperature: as for `thermix.Mixture`.
        max_epochs: as for `thermix.Mixture`.
        when_capped: as for `thermix.Mixture`.
        seed: as for `thermix.Plan`.
        order: as for `thermix.Plan`.
        rank: as for `MixtureBatchSampler`; left out, the batches are global.
        world_size: given or left out with `rank`.

    Raises:
        InvalidInput: no datasets, one without a length or with no items, names that do not match, scores and
            weights both, or as for `Mixture` and `Plan`.

    >>> small, large = [("small", i) for i in range(10)], [("large", i) for i in range(100)]
    >>> data, sampler = mixture_sampler({"small": small, "large": large}, steps=5, batch_size=4)
    >>> [data[key] for key in next(iter(sampler))]
    [('large', 82), ('large', 39), ('large', 7), ('large', 52)]
    """
    if scores is not None and weights is not None:
        raise InvalidInput("scores, weights: got both; a score is a log weight. Give one of them.")
    _check_names(datasets, scores, "scores")
    _check_names(datasets, weights, "weights")
    sources = {
        name: Source(
            score=None if scores is None else scores[name],
            weight=None if weights is None else weights[name],
            items=_length(name, dataset),
        )
        for name, dataset in datasets.items()
    }
    mixture = Mixture(
        sources, temperature=as_schedule(temperature), max_epochs=max_epochs, when_capped=when_capped
    )
    plan = Plan(mixture, steps=steps, batch_size=batch_size, seed=seed, order=order)
    sampler = MixtureBatchSampler(plan, rank, world_size, keys="items")
    return ConcatDataset(datasets.values()), sampler


def _check_names(datasets: Mapping[str, object], given: Mapping[str, float] | None, what: str) -> None:
    if given is None:
        return
    for name in given:
        if name not in datasets:
            near = get_close_matches(str(name), list(datasets), n=1)
            hint = f"Did you mean {near[0]!r}?" if near else "Take it out."
            raise InvalidInput(f"{what}.{name}: there is no such dataset. {hint}")
    for name in datasets:
        if name not in given:
            raise InvalidInput(
                f"{what}: none for {name!r}; every dataset has one. Give it one, or leave out all."
            )


def _length(name: str, dataset: Dataset[Any]) -> int:
    try:
        length = len(dataset)  # type: ignore[arg-type] # a Dataset need not have one
    except TypeError:
        length = None
    if length is None or not hasattr(dataset, "__getitem__"):
        raise InvalidInput(
            f"datasets.{name}: got a {type(dataset).__name__}; items are drawn by their number, from a "
            "map-style dataset with __len__ and __getitem__. Put an iterable one into a list."
        )
    if length == 0:
        raise InvalidInput(f"datasets.{name}: it is empty. Take it out.")
    return int(length)
