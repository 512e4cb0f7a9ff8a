"""A plan in a Grain pipeline, for JAX: which dataset and which of its items each index is.

Invariant: element n of rank r is draw n of that rank in the plan, so that any slice, any number of reading
threads and any worker processes read the plan. Inside this file `import grain` is Google's Grain.
"""

from __future__ import annotations

import operator
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from thermix.errors import InvalidInput, MissingExtra, OutOfRange
from thermix.plan.even import check_even
from thermix.plan.plan import Plan, rank_slice
from thermix.sources.ahead import DrawsAhead
from thermix.sources.base import ItemSource
from thermix.sources.delivery_checks import check_sources

try:
    import grain
except ModuleNotFoundError as error:
    if error.name != "grain":
        raise
    raise MissingExtra("grain", "grain", "thermix.grain") from error

__all__ = ["PlanSelection", "mix"]


class PlanSelection(grain.transforms.DatasetSelectionMap):  # type: ignore[misc] # grain has no types
    """The draws of a plan as Grain's map from an index to (dataset, item).

    For `grain.MapDataset.select_from_datasets(datasets, PlanSelection(plan))` with the datasets in the order
    of `plan.names`; `mix` does that, and checks them.

    Args:
        plan: what the draws are.
        rank: data-parallel rank, such as `jax.process_index()`.
        world_size: data-parallel ranks, such as `jax.process_count()`.
        uneven: allow a world size that does not divide the batch; the first ranks have one draw more.

    Raises:
        OutOfRange: no such rank.
        InvalidInput: the world size does not divide the batch.

    Cost: a few microseconds an index; indices near those asked for before come from what is computed ahead.

    >>> from thermix import Mixture, Source
    >>> mixture = Mixture({"web": Source(score=0.0, items=9), "books": Source(score=1.0, items=5)})
    >>> selection = PlanSelection(Plan(mixture, steps=50, batch_size=4), rank=1, world_size=2)
    >>> len(selection), selection[0], selection[99]
    (100, (1, 3), (0, 3))
    """

    def __init__(self, plan: Plan, rank: int = 0, world_size: int = 1, *, uneven: bool = False) -> None:
        self._made_from = (plan, rank, world_size, uneven)
        shares = [rank_slice(rank, world_size, segment.batch_size) for segment in plan.segments]
        if not uneven:
            check_even(plan, (0, plan.end), rank, world_size, None)
        self._shares = [share.stop - share.start for share in shares]
        self._starts = [segment.start for segment in plan.segments]
        lengths = [segment.end - segment.start for segment in plan.segments]
        sizes = [length * share for length, share in zip(lengths, self._shares, strict=True)]
        self._firsts: list[int] = list(accumulate(sizes, initial=0))
        self._ahead = DrawsAhead(plan, rank, world_size)

    def __reduce__(self) -> tuple[Any, ...]:
        return _remade, self._made_from

    def __len__(self) -> int:
        """Draws of the rank in the whole plan."""
        return self._firsts[-1]

    def __getitem__(self, index: int) -> tuple[int, int]:
        """Number of the source, and of the item in it.

        Raises:
            OutOfRange: no such draw.
        """
        index = operator.index(index)
        if not 0 <= index < len(self):
            raise OutOfRange(f"index: got {index}; the rank has draws 0 to {len(self) - 1} of the plan.")
        segment = bisect_right(self._firsts, index, hi=len(self._starts)) - 1
        ahead, slot = divmod(index - self._firsts[segment], self._shares[segment])
        step = self._starts[segment] + ahead
        draws = self._ahead.steps(step, step + 1)
        return int(draws.source[0, slot]), int(draws.item[0, slot])


def mix(
    plan: Plan, datasets: Mapping[str, Any], rank: int = 0, world_size: int = 1, *, uneven: bool = False
) -> grain.MapDataset:
    """A `MapDataset` of a rank's draws, in the order of the plan.

    `.batch(share)` makes its elements the rank's share of each step, and `[step:]` of that goes on at a step.
    It must not be shuffled or repeated: order and epochs are the plan's.

    Args:
        plan: what the draws are.
        datasets: name -> `grain.MapDataset`, or an open source of thermix, which gives for token sequences
            `{"input_ids": int32 (L,), "source": int}` and for documents what its rows are.
        rank: as for `PlanSelection`.
        world_size: as for `PlanSelection`.
        uneven: as for `PlanSelection`.

    Raises:
        InvalidInput: names that are not the plan's, or other numbers of items than the plan says (Grain would
            wrap around in silence); or as for `PlanSelection`.
    """
    check_sources(plan, datasets)
    for name in plan.names:
        if name not in datasets:
            raise InvalidInput(
                f"sources.{name}: no dataset is given for it; Grain has one for each source, also for one "
                "that an edit has ended. Give it."
            )
    parents = [_as_dataset(number, datasets[name]) for number, name in enumerate(plan.names)]
    return grain.MapDataset.select_from_datasets(
        parents, PlanSelection(plan, rank, world_size, uneven=uneven)
    )


def _remade(plan: Plan, rank: int, world_size: int, uneven: bool) -> PlanSelection:
    return PlanSelection(plan, rank, world_size, uneven=uneven)


def _as_dataset(number: int, given: Any) -> grain.MapDataset:
    if isinstance(given, grain.MapDataset):
        return given
    return grain.MapDataset.source(_Items(number, given))


class _Items:
    """A source of thermix as a data source of Grain, which reads it many at a time where it can."""

    def __init__(self, number: int, source: ItemSource) -> None:
        self._number, self._source = number, source

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, item: int) -> Any:
        return self._getitems([item])[0]

    def _getitems(self, items: Sequence[int]) -> list[Any]:
        rows = self._source.read(items)
        if self._source.unit == "document":
            return list(rows)
        return [{"input_ids": row, "source": self._number} for row in np.asarray(rows, np.int32)]
