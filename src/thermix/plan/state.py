"""The state of a run, and whether a plan may continue it; and what differs between two plans.

A run's state is its step and the fingerprint of its past: no iterator, no position in a source. A plan
may continue a run when it has the same past; its future may differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from thermix.errors import PlanError
from thermix.plan.checks import checked_whole
from thermix.plan.fingerprint import PARTS, fingerprints, parts

if TYPE_CHECKING:
    from thermix.plan.plan import Plan
    from thermix.plan.segments import Segment

__all__ = ["Continuation", "check_state", "difference", "state_at"]

_VERSION = 1
_SAID = {
    "seed": "the seed, order or pick",
    "sources": "the sources or their scores",
    "sizes": "the sizes of sources",
    "temperature": "the temperature or its clock",
    "batch": "the number of steps or the batch size",
    "caps": "the caps",
}

Continuation = Literal["same", "future differs"]


def state_at(plan: Plan, step: int) -> dict[str, Any]:
    """The state of a run of a plan before a step, as JSON values, under 500 bytes.

    Returns:
        {"version", "step", "fingerprint" of the segment that holds the step, "plan": the whole plan's
        fingerprint, "parts": short hashes of what that past is made of}. Independent of ranks and workers.
    """
    past = [s for s in plan.segments if s.start <= step]
    rules = past[0].rules
    return {
        "version": _VERSION,
        "step": step,
        "fingerprint": fingerprints(rules, past)[-1][:32],
        "plan": plan.fingerprint[:32],
        "parts": parts(rules, past),
    }


def check_state(plan: Plan, state: Mapping[str, Any]) -> Continuation:
    """Whether a plan may continue the run that a state was taken from.

    Returns:
        "same" for the plan it was taken from, "future differs" for one with the same past.

    Raises:
        PlanError: the past differs (the message says in what), or the state is no state.
    """
    if state.get("version") != _VERSION or not isinstance(state.get("parts"), Mapping):
        raise PlanError(
            f"state: version {state.get('version')!r}; this version of thermix reads version {_VERSION}. "
            "Load it with the version that wrote it."
        )
    step = checked_whole("state.step", state.get("step"), 0)
    if step > plan.end:
        raise PlanError(
            f"state: it stands at step {step}, the plan ends at step {plan.end}. Load the run's own plan."
        )
    chain = fingerprints(plan.segments[0].rules, plan.segments)
    for segment, fingerprint in zip(plan.segments, chain, strict=True):
        if fingerprint[:32] == state["fingerprint"] and segment.start <= step <= segment.end:
            return "same" if plan.fingerprint[:32] == state.get("plan") else "future differs"
    raise PlanError(_refusal(plan, step, state))


def _refusal(plan: Plan, step: int, state: Mapping[str, Any]) -> str:
    mine = state_at(plan, step)["parts"]
    differing = [_SAID[part] for part in PARTS if mine[part] != state["parts"].get(part)]
    what = ", ".join(differing) or "the edits"
    return (
        f"state: step {step} was reached under another plan; what differs before it: {what}. "
        "A run continues only under the same past. To change it from here on, take the run's own plan and "
        f"add an edit: plan.edit(at_step={step}, ...), or `edits: [{{at: {step}, ...}}]` in the file."
    )


def difference(old: Plan, new: Plan) -> list[str]:
    """What differs between two plans, a line each; empty for equal plans.

    >>> from thermix.plan.mixture import Mixture, Source
    >>> from thermix.plan.plan import Plan
    >>> a = Plan(Mixture({"web": Source(score=1.0, items=10)}), steps=10, batch_size=2)
    >>> difference(a, a.edit(at_step=5, batch_size=4, steps=20))
    ['from step 5: edited: batch_size 2 -> 4, steps 10 -> 20']
    """
    lines = [
        f"{name}: {getattr(old, name)} -> {getattr(new, name)}"
        for name in ("seed", "order", "pick", "sequence_length")
        if getattr(old, name) != getattr(new, name)
    ]
    for number in range(max(len(old.segments), len(new.segments))):
        lines += _segment_difference(old.segments[: number + 1], new.segments[: number + 1], number)
    return lines


def _segment_difference(old: tuple[Segment, ...], new: tuple[Segment, ...], number: int) -> list[str]:
    if len(old) <= number:
        changes = _changes(old[-1], new[number])
        return [f"from step {new[number].start}: edited: {', '.join(changes)}"]
    if len(new) <= number:
        return [f"from step {old[number].start}: the edit is gone"]
    changes = _changes(old[number], new[number])
    if old[number].start != new[number].start:
        changes.insert(0, f"start {old[number].start} -> {new[number].start}")
    return [f"from step {old[number].start}: {', '.join(changes)}"] if changes else []


def _changes(old: Segment, new: Segment) -> list[str]:
    """What is wanted differently in two segments, in words."""
    pairs: list[tuple[str, object, object]] = [
        ("batch_size", old.batch_size, new.batch_size),
        ("steps", old.planned_end, new.planned_end),
        ("temperature", old.mixture.temperature, new.mixture.temperature),
        ("max_epochs", old.mixture.max_epochs, new.mixture.max_epochs),
        ("when_capped", old.mixture.when_capped, new.mixture.when_capped),
    ]
    before, after = old.mixture.sources, new.mixture.sources
    for name in dict.fromkeys([*before, *after]):
        if name not in after:
            pairs.append((f"source {name}", "there", "ended"))
        elif name not in before:
            pairs.append((f"source {name}", "none", after[name]))
        else:
            pairs.append((f"source {name}", before[name], after[name]))
    if list(before) != list(after) and set(before) == set(after):
        pairs.append(("order of sources", ", ".join(before), ", ".join(after)))
    return [f"{what} {a} -> {b}" for what, a, b in pairs if a != b]
