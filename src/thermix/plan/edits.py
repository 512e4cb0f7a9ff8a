"""Edits: changes of a plan from a step on. Checked here, applied by opening the next segment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace

from thermix.core.schedule import Schedule
from thermix.errors import InvalidInput, PlanError
from thermix.plan.checks import checked_whole
from thermix.plan.mixture import Mixture, Source, WhenCapped, as_schedule, checked_max_epochs
from thermix.plan.opening import open_segment
from thermix.plan.segments import Segment

__all__ = ["Edit", "apply_edit", "rescored"]


@dataclass(frozen=True)
class Edit:
    """What changes at a step; None and an empty mapping leave things as they are.

    Attributes:
        at_step: the first step of the new segment.
        temperature: a new schedule, on a clock of its own.
        sources: sources as they are from here on (new, replaced or grown), or None for one that ends.
        batch_size: draws in each step.
        steps: the plan's new number of steps.
        max_epochs, when_capped: as for `Mixture`.
    """

    at_step: int
    temperature: Schedule | None = None
    sources: Mapping[str, Source | None] | None = None
    batch_size: int | None = None
    steps: int | None = None
    max_epochs: float | None = None
    when_capped: WhenCapped | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "at_step", checked_whole("at_step", self.at_step, 1))
        if self.max_epochs is not None:
            object.__setattr__(self, "max_epochs", checked_max_epochs(self.max_epochs))
        if self.temperature is not None:
            object.__setattr__(self, "temperature", as_schedule(self.temperature))
        if self.batch_size is not None:
            object.__setattr__(self, "batch_size", checked_whole("batch_size", self.batch_size, 1, 1 << 30))
        if self.steps is not None:
            object.__setattr__(self, "steps", checked_whole("steps", self.steps, 1, 1 << 50))
        object.__setattr__(self, "sources", dict(self.sources) if self.sources else None)
        if all(getattr(self, f.name) is None for f in fields(self) if f.name != "at_step"):
            raise InvalidInput(
                f"edit at step {self.at_step}: it changes nothing. Give what is to change, or leave it out."
            )

    def __repr__(self) -> str:
        given = [
            f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if getattr(self, f.name) is not None
        ]
        return f"Edit({', '.join(given)})"

    def __hash__(self) -> int:
        values = [getattr(self, f.name) for f in fields(self) if f.name != "sources"]
        return hash((*values, tuple((self.sources or {}).items())))


def rescored(mixture: Mixture, scores: Mapping[str, float]) -> dict[str, Source]:
    """The named sources of a mixture with new scores, or new weights where the mixture goes by weights."""
    changed = {}
    for name, value in scores.items():
        source = mixture.sources.get(name)
        if source is None:
            raise InvalidInput(
                f"scores.{name}: no such source; there are {', '.join(mixture.names)}. To add one, "
                "use sources=."
            )
        if source.kind == "size":
            raise InvalidInput(
                f"scores.{name}: this mixture goes by size, so that a score has nothing to replace. "
                "Give all its sources scores by sources=."
            )
        changed[name] = (
            replace(source, weight=value) if source.kind == "weight" else replace(source, score=value)
        )
    return changed


def apply_edit(last: Segment, edit: Edit) -> tuple[Segment, Segment]:
    """The last segment, cut at the edit, and the one the edit opens.

    Raises:
        PlanError: the edit is not after the last one, outside the plan, or cannot be kept.
    """
    _check_place(last, edit)
    mixture = _changed_mixture(last.mixture, edit)
    batch_size = edit.batch_size or last.batch_size
    timeline = None if edit.temperature is not None else last.timeline.with_batch(edit.at_step, batch_size)
    planned_end = edit.steps or last.planned_end
    cut = last.cut(edit.at_step)
    opened = open_segment(last.rules, mixture, (edit.at_step, planned_end), batch_size, cut, timeline)
    return cut, opened


def _check_place(last: Segment, edit: Edit) -> None:
    at = edit.at_step
    if at <= last.start:
        raise PlanError(
            f"edit at step {at}: an earlier edit begins a segment at step {last.start}, and the past "
            "cannot change. "
            "Edits stand in the order of their steps, each at a later one; merge those of one step."
        )
    if at > last.end or (at == last.end and (edit.steps or 0) <= at):
        why = f"; {last.stopped_by!r} uses up its budget there" if last.stopped_by else ""
        raise PlanError(
            f"edit at step {at}: the plan ends at step {last.end}{why}. Edit before that, or make it "
            "longer with steps."
        )
    if edit.steps is not None and edit.steps <= at:
        raise PlanError(
            f"edit at step {at}: steps: got {edit.steps}; the plan must go on after the edit. To end "
            "it here, stop."
        )


def _changed_mixture(mixture: Mixture, edit: Edit) -> Mixture:
    sources = dict(mixture.sources)
    for name, source in (edit.sources or {}).items():
        if source is not None:
            sources[name] = source
        elif sources.pop(name, None) is None:
            raise PlanError(
                f"edit at step {edit.at_step}: sources.{name}: it cannot end, there is no such source; "
                f"there are {', '.join(mixture.names)}."
            )
    return Mixture(
        sources,
        temperature=edit.temperature if edit.temperature is not None else mixture.temperature,
        max_epochs=edit.max_epochs if edit.max_epochs is not None else mixture.max_epochs,
        when_capped=edit.when_capped if edit.when_capped is not None else mixture.when_capped,
    )
