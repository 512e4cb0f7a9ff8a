"""What the run saw, from the plan: exact at every step, with nothing counted in the loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from thermix.core.temperature import effective_sources, entropy
from thermix.errors import InvalidInput
from thermix.plan.checks import checked_whole
from thermix.plan.plan import Plan

__all__ = ["RunLog", "Writer", "observed"]

PREFIX = "thermix/"
_STEPS_AHEAD = 256

Writer = Callable[[Mapping[str, float], int], None]
"""Takes flat metrics and the step they belong to."""


def observed(
    plan: Plan, step: int, *, sequence_length: int | None = None, prefix: str = PREFIX
) -> dict[str, float]:
    """The mixture at a step, and what the run has seen once the step is done: over all ranks.

    Args:
        plan: of the run.
        step: in [0, plan.end).
        sequence_length: tokens in an item; left out, the plan's. Without it there are no `tokens`.
        prefix: of every key.

    Returns:
        `temperature`, `entropy` (nats), `effective_sources`, `draws`, `tokens`; and for each source NAME
        `NAME/probability`, `NAME/in_step` (draws in this step), `NAME/draws`, `NAME/tokens`, `NAME/epochs`
        (passes, the last one by its part).

    Raises:
        OutOfRange: no such step.

    Cost: about half a millisecond at any step; for `RunLog`, which asks for many at once, microseconds.

    >>> from thermix import Mixture, Source
    >>> plan = Plan(Mixture({"web": Source(score=0.0, items=10)}), steps=9, batch_size=4, sequence_length=8)
    >>> told = observed(plan, 4)
    >>> told["thermix/web/draws"], told["thermix/web/tokens"], told["thermix/web/epochs"]
    (20, 160, 2.0)
    """
    step = checked_whole("step", step)
    return _Table(plan, np.array([step]), sequence_length).told(step, prefix)


class _Table:
    """The numbers of several increasing steps, looked up in the plan together: as quick as for one."""

    def __init__(self, plan: Plan, steps: NDArray[np.int64], sequence_length: int | None) -> None:
        self._plan = plan
        self._length = plan.sequence_length if sequence_length is None else sequence_length
        self._row_of = {step: row for row, step in enumerate(steps.tolist())}
        self._shares = plan.probabilities(steps)
        self._entropy = np.asarray(entropy(self._shares)).tolist()
        self._effective = np.asarray(effective_sources(self._shares)).tolist()
        self._temperature = plan.temperature(steps).tolist()
        self._before, self._after = plan.counts(steps), plan.counts(steps + 1)

    def __contains__(self, step: int) -> bool:
        return step in self._row_of

    def told(self, step: int, prefix: str) -> dict[str, float]:
        row = self._row_of[step]
        after: list[int] = self._after[row].tolist()
        told: dict[str, float] = {
            f"{prefix}temperature": self._temperature[row],
            f"{prefix}entropy": self._entropy[row],
            f"{prefix}effective_sources": self._effective[row],
            **_amounts(prefix, sum(after), self._length),
        }
        in_step: list[int] = (self._after[row] - self._before[row]).tolist()
        streams = self._plan.segments[-1].streams
        parts = zip(self._plan.names, self._shares[row].tolist(), in_step, after, streams, strict=True)
        for name, share, new, draws, stream in parts:
            told |= {
                f"{prefix}{name}/probability": share,
                f"{prefix}{name}/in_step": new,
                **_amounts(f"{prefix}{name}/", draws, self._length),
                f"{prefix}{name}/epochs": stream.epochs_at(draws),
            }
        return told


class RunLog:
    """Writes what the run saw, every few steps.

    Args:
        plan: of the run.
        writers: such as `to_tensorboard("runs/1")`; any function of metrics and step.
        every: steps between two writes; the last step of the plan is always written.
        sequence_length: as for `observed`.

    >>> from thermix import Mixture, Source
    >>> plan = Plan(Mixture({"web": Source(score=0.0, items=10)}), steps=9, batch_size=4)
    >>> log = RunLog(plan, lambda metrics, step: print(step, metrics["loss"]), every=5)
    >>> for step in range(9):
    ...     log(step, {"loss": 1.5})
    0 1.5
    5 1.5
    8 1.5
    """

    def __init__(
        self, plan: Plan, *writers: Writer, every: int = 1, sequence_length: int | None = None
    ) -> None:
        for writer in writers:
            if not callable(writer):
                raise InvalidInput(
                    f"writers: got a {type(writer).__name__}; a writer is a function of metrics and step. "
                    "Use to_tensorboard, to_wandb or to_mlflow."
                )
        self._plan = plan
        self._writers = writers
        self._every = checked_whole("every", every, 1)
        self._sequence_length = sequence_length
        self._table: _Table | None = None

    def __call__(self, step: int, metrics: Mapping[str, float] | None = None) -> None:
        """Write the step that was just done, with metrics of your own; most steps it returns at once."""
        if step % self._every and step != self._plan.end - 1:
            return
        step = checked_whole("step", step)
        if self._table is None or step not in self._table:
            stop = max(step + 1, min(step + _STEPS_AHEAD * self._every, self._plan.end))
            self._table = _Table(self._plan, np.arange(step, stop, self._every), self._sequence_length)
        told = {**self._table.told(step, PREFIX), **(metrics or {})}
        for writer in self._writers:
            writer(told, step)


def _amounts(prefix: str, draws: int, length: int | None) -> dict[str, float]:
    tokens: dict[str, float] = {} if length is None else {f"{prefix}tokens": draws * length}
    return {f"{prefix}draws": draws, **tokens}
