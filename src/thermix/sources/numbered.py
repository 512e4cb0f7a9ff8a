"""The draws of a plan by their number: which step, source and item draw n of the run is.

Draws count from 0 through the whole run, step by step, and inside a step in the order of its slots.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thermix.errors import InvalidInput, OutOfRange
from thermix.plan.plan import Plan
from thermix.sources.ahead import DrawsAhead

__all__ = ["NumberedDraws", "Places", "first_draw"]


class Places(NamedTuple):
    """Where draws (n,) are: their steps, sources and items."""

    step: NDArray[np.int64]
    source: NDArray[np.int32]
    item: NDArray[np.int64]


class NumberedDraws:
    """Finds draws by their number.

    Args:
        plan: what the draws are.

    Cost: a chunk of at least 2,048 draws where they are not near those asked for before; then 100 ns each.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._draws = plan.draws
        self._ahead = DrawsAhead(plan, 0, 1)
        self._firsts_list = [segment.first_draw for segment in plan.segments]
        self._firsts = np.array(self._firsts_list)
        self._starts = np.array([segment.start for segment in plan.segments])
        self._sizes = np.array([segment.batch_size for segment in plan.segments])

    def __reduce__(self) -> tuple[type[NumberedDraws], tuple[Plan]]:
        return type(self), (self._plan,)

    def places(self, draws: Sequence[int]) -> Places:
        """Step, source and item of each draw (n,), in any order.

        Raises:
            InvalidInput: no whole numbers.
            OutOfRange: no such draw.
        """
        run = self._run(draws)
        if run is not None:
            return run
        numbers = self._checked(draws)
        segment = np.searchsorted(self._firsts, numbers, side="right") - 1
        ahead, slots = np.divmod(numbers - self._firsts[segment], self._sizes[segment])
        steps = self._starts[segment] + ahead
        source, item = np.empty(len(numbers), np.int32), np.empty(len(numbers), np.int64)
        for step in np.unique(steps).tolist():
            here = steps == step
            found = self._ahead.steps(step, step + 1)
            source[here], item[here] = found.source[0, slots[here]], found.item[0, slots[here]]
        return Places(steps, source, item)

    def _run(self, draws: Sequence[int]) -> Places | None:
        """Where consecutive draws of one step are, which is what samplers ask for; None for any others."""
        n = len(draws)
        if not n or set(map(type, draws)) != {int} or draws != list(range(draws[0], draws[0] + n)):
            return None
        if not 0 <= draws[0] <= self._draws - n:
            return None
        segment = self._plan.segments[bisect_right(self._firsts_list, draws[0]) - 1]
        ahead, slot = divmod(draws[0] - segment.first_draw, segment.batch_size)
        if slot + n > segment.batch_size:
            return None
        step = segment.start + ahead
        found = self._ahead.steps(step, step + 1)
        own = slice(slot, slot + n)
        return Places(np.full(n, step), found.source[0, own], found.item[0, own])

    def _checked(self, draws: Sequence[int]) -> NDArray[np.int64]:
        numbers = np.asarray(draws)
        if numbers.ndim != 1 or numbers.dtype.kind not in "iu":
            raise InvalidInput(
                f"key: got {numbers.dtype} of shape {numbers.shape}; a key is the number of a draw. "
                "A MixtureBatchSampler is given to a DataLoader as batch_sampler=, not as sampler=."
            )
        for extreme in (int(numbers.min()), int(numbers.max())):
            if not 0 <= extreme < self._draws:
                raise OutOfRange(
                    f"key: got {extreme}; the plan has draws 0 to {self._draws - 1}. Make sampler and "
                    "dataset of the same plan."
                )
        return numbers.astype(np.int64, copy=False)


def first_draw(plan: Plan, step: int) -> int:
    """The number of a step's first draw; for the plan's end the number of all draws."""
    segment = next(segment for segment in reversed(plan.segments) if segment.start <= step)
    return segment.draws_before(step)
