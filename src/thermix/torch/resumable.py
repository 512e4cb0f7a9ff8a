"""What has a step in a plan: its state, taken and loaded. The base of loader and sampler."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from thermix.errors import InvalidInput, OutOfRange
from thermix.plan.checks import checked_whole
from thermix.plan.plan import Plan
from thermix.torch.resume import PlanChangedWarning, accept

__all__ = ["Resumable"]


class Resumable:
    """A place in a plan: the number of steps that were delivered.

    Args:
        plan: what the steps are.

    Raises:
        InvalidInput: it is no plan.
    """

    def __init__(self, plan: Plan) -> None:
        if not isinstance(plan, Plan):
            raise InvalidInput(
                f"plan: got a {type(plan).__name__}; it must be a thermix.Plan. "
                "thermix.load_plan(path) makes one of a configuration."
            )
        self._plan = plan
        self._step = 0
        self._states: dict[int, dict[str, Any]] = {}

    @property
    def plan(self) -> Plan:
        """What the steps are."""
        return self._plan

    @property
    def step(self) -> int:
        """The next step; as many are delivered."""
        return self._step

    def seek(self, step: int) -> None:
        """Go to a step, forward or back; the next batch is that step's.

        Args:
            step: in [0, plan.end].

        Raises:
            OutOfRange: no such step.
            InvalidInput: an iterator is still open.
        """
        self._check_idle("seek")
        number = checked_whole("step", step)
        if not 0 <= number <= self._plan.end:
            raise OutOfRange(
                f"step: got {number}; the plan has {self._plan.end} steps. "
                f"Ask for 0 to {self._plan.end}, which is the end."
            )
        self._go_to(number)

    def state_dict(self) -> dict[str, Any]:
        """The state: the step and the fingerprint of its past, JSON values under 500 bytes.

        The same on every rank, for every world size and number of workers: any of them may load it.
        """
        return self.state_at(self._step)

    def load_state_dict(
        self, state: Mapping[str, Any], *, old_plan: Plan | None = None, override: bool = False
    ) -> None:
        """Go to the step of a state.

        A plan with the same past and another future is accepted, with a `PlanChangedWarning` that says what
        is other.

        Args:
            state: as `state_dict` returned it.
            old_plan: the plan it was taken from (`Plan.load` of what was saved beside the checkpoint), so
                that differences can be told in words.
            override: go on at that step although the past differs; the warning says what is repeated and
                skipped. Needs `old_plan`.

        Raises:
            PlanError: another past, a newer version, or a step beyond the end.
            InvalidInput: no state, or an iterator is still open.
        """
        self._check_idle("load_state_dict")
        step, notes = accept(self._plan, state, old_plan=old_plan, override=override)
        if notes:
            told = "\n  ".join([f"the run goes on at step {step} under a changed plan:", *notes])
            warnings.warn(told, PlanChangedWarning, stacklevel=2)
        self._go_to(step)

    def _go_to(self, step: int) -> None:
        self._step = step

    def _check_idle(self, what: str) -> None:
        """Refuse to move where somebody reads on from the present step; nobody does here."""

    def state_at(self, step: int) -> dict[str, Any]:
        """The state of a run before a step, as `Plan.state` gives it, in microseconds."""
        begun = sum(segment.start <= step for segment in self._plan.segments)
        if begun not in self._states:  # within a segment nothing but the step changes
            self._states[begun] = self._plan.state(step)
        state = self._states[begun]
        return {**state, "step": step, "parts": dict(state["parts"])}
