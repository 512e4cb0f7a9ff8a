"""The plan: mixture, steps, batch size and seed. It says what every draw of a run is, at any step.

A pure function of the step: nothing in a plan changes when it is asked. What it keeps between
questions (`segments`) only makes the next answer faster.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermix.core.bits import derive_key
from thermix.core.draws import draw_steps
from thermix.core.schedule import Schedule
from thermix.core.shares import MAX_DRAWS, ONE
from thermix.errors import InvalidInput, OutOfRange, PlanError
from thermix.plan.checks import check_choice, checked_whole
from thermix.plan.edits import Edit, apply_edit, rescored
from thermix.plan.fingerprint import fingerprints
from thermix.plan.mixture import Mixture, Source, WhenCapped, as_schedule
from thermix.plan.notebook import notebook_html
from thermix.plan.opening import open_segment
from thermix.plan.segments import Order, Pick, Rules, Segment

if TYPE_CHECKING:
    from thermix.plan.forecast import Forecast
    from thermix.plan.state import Continuation

__all__ = ["MAX_BATCH", "Batch", "Plan"]

MAX_BATCH = 1 << 30
"""Batches are smaller than this."""

_MAX_EPOCHS = 1 << 31
T = TypeVar("T", np.float64, np.int64)


@dataclass(frozen=True, eq=False)
class Batch:
    """The draws of one step, (B,) arrays, or of several, (S, B) arrays.

    Attributes:
        source: int32 index into `plan.names`.
        item: int64 index into the source, in [0, items).
        epoch: int32, passes over the source before this draw.
    """

    source: NDArray[np.int32]
    item: NDArray[np.int64]
    epoch: NDArray[np.int32]


@dataclass(frozen=True)
class Plan:
    """A mixture over a number of steps, fully determined.

    Args:
        mixture: what is wanted.
        steps: number of steps (global batches), >= 1.
        batch_size: draws in each step over all ranks, 1 to 2^30 - 1.
        seed: any integer; it orders the draws inside a step and the items inside a source, and does not
            change how many draws a source gets (with order "multinomial" it does).
        order: "balanced" keeps every source within about 1.5 draws of its expectation at every step;
            "multinomial" draws each source independently.
        pick: "draw" decides the source draw by draw, "batch" once for a whole step.
        sequence_length: tokens in a sequence; only schedules on a clock of tokens need it.
        edits: changes at later steps, as `edit` makes them.

    Raises:
        InvalidInput: a value out of range.
        PlanError: the caps cannot be kept, or an edit cannot be made.

    >>> web, books = Source(score=2.0, items=10_000), Source(score=3.0, items=2_000)
    >>> plan = Plan(Mixture({"web": web, "books": books}), steps=100, batch_size=8)
    >>> plan.counts([0, 1, 100])
    array([[  0,   0],
           [  2,   6],
           [215, 585]])
    """

    mixture: Mixture
    steps: int
    batch_size: int
    seed: int = 0
    order: Order = "balanced"
    pick: Pick = "draw"
    sequence_length: int | None = None
    edits: tuple[Edit, ...] = ()
    segments: tuple[Segment, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not isinstance(self.mixture, Mixture):
            raise InvalidInput(f"mixture: got {self.mixture!r}; it must be a thermix.Mixture.")
        for name, below in (("steps", MAX_DRAWS), ("batch_size", MAX_BATCH)):
            object.__setattr__(self, name, checked_whole(name, getattr(self, name), 1, below))
        object.__setattr__(self, "seed", checked_whole("seed", self.seed))
        if self.sequence_length is not None:
            length = checked_whole("sequence_length", self.sequence_length, 1, 1 << 40)
            object.__setattr__(self, "sequence_length", length)
        check_choice("order", self.order, ("balanced", "multinomial"))
        check_choice("pick", self.pick, ("draw", "batch"))
        object.__setattr__(self, "edits", tuple(self.edits))
        for number, edit in enumerate(self.edits):
            if not isinstance(edit, Edit):
                raise InvalidInput(
                    f"edits[{number}]: got {edit!r}; edits are made by plan.edit(at_step=...)."
                )
        object.__setattr__(self, "segments", self._opened())
        _check_epochs(self)

    def __repr__(self) -> str:
        shown = [
            f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.repr and self._is_set(f.name)
        ]
        return f"Plan({', '.join(shown).removeprefix('mixture=')})"

    def _repr_html_(self) -> str | None:
        return notebook_html(self)

    def __reduce__(self) -> tuple[Callable[..., Plan], tuple[Any, ...]]:
        return type(self), tuple(getattr(self, f.name) for f in fields(self) if f.init)

    def _is_set(self, name: str) -> bool:
        default = type(self).__dataclass_fields__[name].default
        return bool(getattr(self, name) != default)

    def _opened(self) -> tuple[Segment, ...]:
        rules = Rules(self.seed, self.order, self.pick, self.sequence_length)
        segments = [open_segment(rules, self.mixture, (0, self.steps), self.batch_size, None, None)]
        for edit in self.edits:
            segments[-1:] = apply_edit(segments[-1], edit)
        return tuple(segments)

    @property
    def names(self) -> tuple[str, ...]:
        """Every source that is in the plan at any step, in order of first appearance: K of them."""
        return self.segments[-1].names

    @property
    def end(self) -> int:
        """One past the last step: `steps` unless an edit moved it or a cap with "stop" ends the plan."""
        return self.segments[-1].end

    @property
    def draws(self) -> int:
        """The number of draws of the whole plan."""
        return self.segments[-1].draws_before(self.end)

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of all that can change the order of draws, and of nothing else."""
        return fingerprints(self.segments[-1].rules, self.segments)[-1]

    def temperature(self, step: ArrayLike) -> Any:
        """The temperature at a step.

        Args:
            step: in [0, end), or an array of steps (S,) in any order.

        Returns:
            float, or float64 (S,). A plan whose schedule runs over more than 131,072 steps holds each
            temperature for ceil(steps / 131,072) steps.
        """
        temperatures = self._per_segment(step, self.end, lambda s, steps: s.timeline.temperatures(steps))
        return temperatures if isinstance(temperatures, np.ndarray) else float(temperatures)

    def probabilities(self, step: ArrayLike) -> NDArray[np.float64]:
        """The probability of every source at a step, after caps: exact multiples of 2^-32.

        Args:
            step: in [0, end), or an array of steps (S,) in any order.

        Returns:
            float64 (K,), or (S, K); rows sum to 1.
        """
        return self._rows(step, self.end, lambda segment, steps: segment.shares.at_steps(steps).T / ONE)

    def counts(self, step: ArrayLike) -> NDArray[np.int64]:
        """Draws of every source before a step.

        Args:
            step: in [0, end], or an array of steps (S,) in any order.

        Returns:
            int64 (K,), or (S, K); never falling in the step, each row summing to the draws before it.

        Cost: a scan of at most 512 runs of the temperature grid, once the steps before were scanned.
        """
        return self._rows(step, self.end + 1, lambda segment, steps: segment.counts(steps))

    def batch(self, step: int, rank: int = 0, world_size: int = 1) -> Batch:
        """The draws of one rank in one step.

        Args:
            step: in [0, end).
            rank: in [0, world_size).
            world_size: data-parallel ranks; not more than the batch size.

        Returns:
            `Batch` of (b,) arrays. The ranks' batches, one after the other, are the global batch, which
            does not depend on `world_size`; where that does not divide the batch size, the first ranks
            have one draw more.
        """
        step = self._checked_step(step, self.end)
        batch = self.batches(step, step + 1, rank, world_size)
        return Batch(batch.source[0], batch.item[0], batch.epoch[0])

    def batches(self, start: int, stop: int, rank: int = 0, world_size: int = 1) -> Batch:
        """The draws of one rank in steps [start, stop), computed at once.

        Args:
            start: in [0, end].
            stop: in [start, end].
            rank: as for `batch`.
            world_size: as for `batch`.

        Returns:
            `Batch` of (stop - start, b) arrays.

        Raises:
            InvalidInput: the steps have different batch sizes.

        Cost: about 100 ns a draw.
        """
        start = self._checked_step(start, self.end + 1)
        stop = self._checked_step(stop, self.end + 1)
        if stop < start:
            raise OutOfRange(f"stop: got {stop}, before start {start}; steps are half-open [start, stop).")
        spans = [s for s in self.segments if s.start < stop and start < s.end] or [self._holding(start)]
        sizes = {segment.batch_size for segment in spans}
        if len(sizes) > 1:
            cuts = [s.start for s in spans[1:]]
            raise InvalidInput(
                f"steps {start} to {stop}: batch sizes differ. Ask up to and from step {cuts} apart."
            )
        slots = rank_slice(rank, world_size, sizes.pop())
        slot_key = derive_key(self.seed, "slots")
        parts = []
        for segment in spans:
            first, last = max(start, segment.start), min(stop, segment.end)
            counts = segment.counts(np.arange(first, max(last, first) + 1))
            parts.append(draw_steps(counts, first, segment.batch_size, segment.streams, slot_key, slots))
        if len(parts) == 1:
            return Batch(*parts[0])
        return Batch(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))

    def forecast(self) -> Forecast:
        """What the plan does to every source; needs no data."""
        from thermix.plan.forecast import forecast

        return forecast(self)

    def edit(
        self,
        *,
        at_step: int,
        temperature: Schedule | float | None = None,
        scores: Mapping[str, float] | None = None,
        sources: Mapping[str, Source | None] | None = None,
        batch_size: int | None = None,
        steps: int | None = None,
        max_epochs: float | None = None,
        when_capped: WhenCapped | None = None,
    ) -> Plan:
        """A new plan that differs from a step on; what lies before stays as it is.

        Counts continue: within an epoch no item is repeated and none skipped.

        Args:
            at_step: the first step of the new segment, after every earlier edit's.
            temperature: a new schedule, on a clock that runs from here to the end; None keeps the old
                one on its clock.
            scores: new scores (or weights, where the mixture has weights) of some sources.
            sources: sources to add, to replace (one may grow, not shrink), or, with None, to end.
            batch_size: of the steps from here on.
            steps: the plan's new number of steps.
            max_epochs: as for `Mixture`.
            when_capped: as for `Mixture`.

        Raises:
            PlanError: the edit lies in the past of another or outside the plan, changes nothing, or caps
                a source below what is already drawn.
        """
        changed = {**rescored(self.segments[-1].mixture, scores or {}), **(sources or {})}
        schedule = None if temperature is None else as_schedule(temperature)
        edit = Edit(at_step, schedule, changed, batch_size, steps, max_epochs, when_capped)
        return replace(self, edits=(*self.edits, edit))

    def state(self, step: int) -> dict[str, Any]:
        """The state of a run before `step`: JSON values under 500 bytes, the same on every rank.

        Args:
            step: in [0, end]; the number of global batches delivered so far.
        """
        from thermix.plan.state import state_at

        return state_at(self, self._checked_step(step, self.end + 1))

    def check_state(self, state: Mapping[str, Any]) -> Continuation:
        """Whether this plan may continue the run a state was taken from: "same" or "future differs".

        Raises:
            PlanError: the plans' pasts differ; the message says in what.
        """
        from thermix.plan.state import check_state

        return check_state(self, state)

    def difference(self, other: Plan) -> list[str]:
        """What differs from this plan to another, a readable line each; empty for equal plans."""
        from thermix.plan.state import difference

        return difference(self, other)

    def to_dict(self) -> dict[str, Any]:
        """All the plan was made from, as JSON values."""
        from thermix.plan.serial import plan_to_dict

        return plan_to_dict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Plan:
        """The plan that `to_dict` wrote; refused where its fingerprint does not match its contents."""
        from thermix.plan.serial import plan_from_dict

        return plan_from_dict(data)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the whole plan to a JSON file, at once or not at all; `Plan.load` reads it."""
        from thermix.plan.serial import save

        save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Plan:
        """The plan that `save` wrote (a configuration is read by `thermix.load_plan`)."""
        from thermix.plan.serial import load

        return load(path)

    def _holding(self, step: int) -> Segment:
        return next(s for s in reversed(self.segments) if s.start <= step)

    def _checked_step(self, step: object, below: int) -> int:
        number = checked_whole("step", step)
        if not 0 <= number < below:
            stopped = self.segments[-1].stopped_by
            why = f" ({stopped!r} uses up its budget there)" if stopped else ""
            raise OutOfRange(
                f"step: got {number}; the plan has {self.end} steps{why}. Ask for 0 to {below - 1}."
            )
        return number

    def _per_segment(
        self, step: ArrayLike, below: int, values: Callable[[Segment, NDArray[np.int64]], NDArray[T]]
    ) -> Any:
        """`values` of the segments' own increasing steps, put together in the order of `step`."""
        asked = np.asarray(step)
        if asked.dtype.kind not in "iu" or asked.ndim > 1:
            if asked.size:
                raise InvalidInput(
                    f"step: got {step!r}; steps are whole numbers, one or an array of shape (S,)."
                )
            asked = asked.astype(np.int64)
        for extreme in (asked.min(), asked.max()) if asked.size else ():
            self._checked_step(int(extreme), below)
        flat = np.atleast_1d(asked).astype(np.int64)
        distinct, inverse = np.unique(flat, return_inverse=True)
        cuts = np.searchsorted(distinct, [s.start for s in self.segments[1:]])
        pieces = np.split(distinct, cuts)
        rows = [
            values(s, p) for s, p in zip(self.segments, pieces, strict=True) if len(p) or not len(distinct)
        ]
        result = _stacked(rows, len(self.names))[inverse]
        return result[0] if asked.ndim == 0 else result

    def _rows(
        self, step: ArrayLike, below: int, values: Callable[[Segment, NDArray[np.int64]], NDArray[T]]
    ) -> NDArray[T]:
        rows: NDArray[T] = self._per_segment(step, below, values)
        return rows


def rank_slice(rank: int, world_size: int, batch_size: int) -> slice:
    """The slots of a step that a rank has: contiguous, in rank order, sizes differing by at most one.

    Raises:
        InvalidInput: world size over batch size.
        OutOfRange: no such rank.
    """
    world_size = checked_whole("world_size", world_size, 1)
    rank = checked_whole("rank", rank)
    if world_size > batch_size:
        raise InvalidInput(
            f"world_size: got {world_size} ranks for a batch of {batch_size}; every rank needs at "
            "least one draw. "
            "Use a larger batch or fewer ranks."
        )
    if not 0 <= rank < world_size:
        raise OutOfRange(f"rank: got {rank}; with world_size {world_size} ranks are 0 to {world_size - 1}.")
    each, more = divmod(batch_size, world_size)
    start = rank * each + min(rank, more)
    return slice(start, start + each + (rank < more))


def _stacked(rows: list[NDArray[T]], sources: int) -> NDArray[T]:
    """Segments' rows one below the other; sources that came later have zeros before."""
    if rows[0].ndim == 1:
        return np.concatenate(rows)
    return np.concatenate([np.pad(r, ((0, 0), (0, sources - r.shape[1]))) for r in rows])


def _check_epochs(plan: Plan) -> None:
    """Refuse a plan in which a source could pass 2^31 epochs, which an int32 cannot hold."""
    smallest = min((stream.eras[0].items, i) for i, stream in enumerate(plan.segments[-1].streams))
    if plan.draws // smallest[0] < _MAX_EPOCHS:
        return
    drawn = plan.counts(plan.end)
    for name, count, stream in zip(plan.names, drawn.tolist(), plan.segments[-1].streams, strict=True):
        if stream.epochs_at(count) >= _MAX_EPOCHS:
            raise PlanError(
                f"sources.{name}: {count:,} draws of {stream.eras[-1].items} items are more than 2^31 "
                "epochs. "
                "Lower its share, or cap it with max_epochs."
            )
