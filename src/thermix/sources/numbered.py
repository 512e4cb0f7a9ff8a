"""The draws of a plan by their number: which step, source and item draw n of the run is.

Draws count from 0 through the whole run, step by step, and inside a step in the order of its slots.
"""

from __future__ import annotations

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
        self._firsts = np.array([segment.first_draw for segment in plan.segments])
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
        numbers = self._checked(draws)
        segment = np.searchsorted(self._firsts, numbers, side="right") - 1
        ahead, slots = np.divmod(numbers - self._firsts[segment], self._sizes[segment])
        steps = self._starts[segment] + ahead
        if steps[0] == steps[-1] and (steps == steps[0]).all():  # what samplers ask for
            found = self._ahead.steps(int(steps[0]), int(steps[0]) + 1)
            return Places(steps, found.source[0, slots], found.item[0, slots])
        source, item = np.empty(len(numbers), np.int32), np.empty(len(numbers), np.int64)
        for step in np.unique(steps).tolist():
            here = steps == step
            found = self._ahead.steps(step, step + 1)
            source[here], item[here] = found.source[0, slots[here]], found.item[0, slots[here]]
        return Places(steps, source, item)

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
