"""Whether a plan may go on from a run's state, and in words what is other; no tensors here.

Invariant: without an explicit override a run goes on only under the past it had.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from thermix.core.draws import Stream
from thermix.errors import InvalidInput, PlanError
from thermix.plan.checks import checked_whole
from thermix.plan.plan import Plan

__all__ = ["Accepted", "PlanChangedWarning", "accept", "repeats_and_skips"]

_KEYS = ("version", "step", "fingerprint", "plan", "parts")


class PlanChangedWarning(UserWarning):
    """A run goes on under a plan that is not the one its state was taken from."""


class Accepted(NamedTuple):
    """A state that a plan goes on from.

    Attributes:
        step: where.
        notes: what is other, a line each; empty for the plan it was taken from.
    """

    step: int
    notes: list[str]


def accept(plan: Plan, state: object, *, old_plan: Plan | None = None, override: bool = False) -> Accepted:
    """Accept the state of a run, or refuse it.

    Args:
        plan: to go on with.
        state: as `Plan.state` gives it, also through JSON.
        old_plan: the plan it was taken from, for what differs in words.
        override: go on although the pasts differ; needs `old_plan`.

    Raises:
        InvalidInput: no state, or `old_plan` is not the plan it was taken from.
        PlanError: another past, a newer version, or a step beyond the end.
    """
    known = _checked_state(state)
    if old_plan is not None:
        _check_taken_from(old_plan, known)
    try:
        same = plan.check_state(known) == "same"
    except PlanError as refusal:
        if override and known["step"] <= plan.end:
            return Accepted(known["step"], _overridden(old_plan, plan, known["step"]))
        if old_plan is None or known["step"] > plan.end:
            raise
        lines = "\n  ".join(["What differs:", *old_plan.difference(plan)])
        raise PlanError(f"{refusal}\n{lines}") from None
    return Accepted(known["step"], [] if same else _future(old_plan, plan, known["step"]))


def repeats_and_skips(old: Plan, new: Plan, step: int) -> list[str]:
    """What a run does to each source that leaves one plan for another with a different past.

    Returns:
        A line a source, none for those that go on where they stood.
    """
    before = dict(zip(old.names, old.counts(step).tolist(), strict=True))
    after = dict(zip(new.names, new.counts(step).tolist(), strict=True))
    streams = dict(zip(old.names, old.segments[-1].streams, strict=True))
    lines = []
    for name, stream in zip(new.names, new.segments[-1].streams, strict=True):
        drawn, goes_on = before.get(name, 0), after[name]
        if drawn and not _same_order(streams[name], stream, max(drawn, goes_on)):
            lines.append(f"{name}: another order of items; any of its {drawn:,} draws so far may come again")
        elif goes_on < drawn:
            lines.append(f"{name}: repeats its last {drawn - goes_on:,} draws")
        elif goes_on > drawn:
            lines.append(f"{name}: skips its next {goes_on - drawn:,} draws")
    return lines


def _checked_state(state: object) -> Mapping[str, Any]:
    if not isinstance(state, Mapping):
        raise InvalidInput(
            f"state: got a {type(state).__name__}; it is what state_dict() returned, a dict with "
            f"{', '.join(_KEYS)}."
        )
    if state.get("version") == 1:
        missing = [key for key in _KEYS if key not in state]
        if missing or not isinstance(state["fingerprint"], str):
            what = f"it has no {', '.join(missing)}" if missing else "its fingerprint is no text"
            raise InvalidInput(f"state: {what}; it is what state_dict() returned. Load one as it was saved.")
        checked_whole("state.step", state["step"], 0)
    return state


def _check_taken_from(old_plan: Plan, state: Mapping[str, Any]) -> None:
    try:
        taken = old_plan.check_state(state) == "same"
    except PlanError:
        taken = False
    if not taken:
        raise InvalidInput(
            "old_plan: the state was not taken from it. Load the plan that was saved beside the checkpoint "
            "(plan.save), or leave it out."
        )


def _overridden(old_plan: Plan | None, plan: Plan, step: int) -> list[str]:
    if old_plan is None:
        raise InvalidInput(
            "override: it needs old_plan, the plan the state was taken from, to say what is repeated and "
            f"skipped. Give it, or begin at the step without the state: seek({step})."
        )
    said = repeats_and_skips(old_plan, plan, step) or ["no source repeats or skips anything"]
    return ["the past differs, and was overridden", *said, *old_plan.difference(plan)]


def _future(old_plan: Plan | None, plan: Plan, step: int) -> list[str]:
    """What is other from the step on: from the old plan, or told from this plan's own edits."""
    if old_plan is not None:
        return old_plan.difference(plan)
    before = replace(plan, edits=tuple(edit for edit in plan.edits if edit.at_step < step))
    own = before.difference(plan)
    return own or [f"this plan has no edit from step {step} on, and the state's plan had another future"]


def _same_order(one: Stream, other: Stream, draws: int) -> bool:
    """Whether two streams have the same items in their first `draws` draws."""
    eras = [[era for era in stream.eras if era.first_draw < draws] for stream in (one, other)]
    return one.key == other.key and eras[0] == eras[1]
