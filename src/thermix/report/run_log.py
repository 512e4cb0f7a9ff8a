"""What a run drew, counted from its log, beside what its plan says of the same steps.

A log is JSON lines, each one of:

    {"step": 7, "source": "web", ...}            one item, as `thermix stream` prints it
    {"step": 7, "counts": {"web": 12, "books": 4}}   the items of a step by source

The order of lines is free, and a step may come in parts, as from several ranks. Invariant: a line that is
neither is refused with its number; nothing is left out silently.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermix.errors import DataError, InvalidInput
from thermix.plan.plan import Plan
from thermix.report.charts_data import expected_draws

__all__ = ["Realised", "read_log"]

Ints = NDArray[np.int64]
Float64 = NDArray[np.float64]

_POINTS = 240


@dataclass(frozen=True)
class Realised:
    """Draws counted in a log.

    Attributes:
        steps: how many steps it has draws of.
        first, last: of these.
        whole: how many of these have as many draws as the plan's batches.
        counted: (K,) draws of each source.
        planned: (K,) those that the plan makes in the same steps.
        points: (P,) some of the steps, the last one among them.
        running: (P, K) draws counted up to the end of these steps.
        owed: (P, K) the probabilities of the steps counted until then, added up over their draws.
    """

    steps: int
    first: int
    last: int
    whole: int
    counted: Ints
    planned: Ints
    points: Ints
    running: Ints
    owed: Float64

    @property
    def as_planned(self) -> bool:
        """Whether every source was drawn exactly as often as planned."""
        return bool((self.counted == self.planned).all())


def read_log(path: Path, plan: Plan) -> Realised:
    """Count the draws in a log.

    Args:
        path: JSON lines.
        plan: of the run.

    Raises:
        InvalidInput: the file cannot be read, is empty, or is of another plan.
        DataError: a line is not of the two kinds.
    """
    seen: Counter[tuple[int, int]] = Counter()
    index = {name: i for i, name in enumerate(plan.names)}
    for where, step, counts in _lines(path):
        if not 0 <= step < plan.end:
            raise InvalidInput(
                f"{where}: step {step}; the plan has steps 0 to {plan.end}. Is it of another run?"
            )
        for name, count in counts.items():
            if name not in index:
                raise InvalidInput(
                    f"{where}: source {name!r}; the plan has none of that name. Is it of another run?"
                )
            seen[step, index[name]] += count
    if not seen:
        raise InvalidInput(f"{path}: no draws in it; a log has a line for each draw or step.")
    return _compared(seen, plan)


def _lines(path: Path) -> Iterator[tuple[str, int, Mapping[str, int]]]:
    try:
        with path.open("rb") as file:
            offset = 0
            for number, line in enumerate(file, start=1):
                if line.strip():
                    where = f"{path}: line {number} (byte {offset})"
                    yield (where, *_parsed(line, where))
                offset += len(line)
    except OSError as error:
        raise InvalidInput(f"--run: {path}: {(error.strerror or 'it cannot be read').lower()}.") from error


def _parsed(line: bytes, where: str) -> tuple[int, Mapping[str, int]]:
    try:
        record: Any = json.loads(line)
    except ValueError:
        raise DataError(f"{where}: no JSON; every line of a log is a JSON object. Was it cut off?") from None
    step = record.get("step") if isinstance(record, dict) else None
    if isinstance(step, int) and not isinstance(step, bool):
        if isinstance(record.get("source"), str):
            return step, {record["source"]: 1}
        counts = record.get("counts")
        if isinstance(counts, dict) and all(_is_count(count) for count in counts.values()):
            return step, counts
    raise DataError(
        f'{where}: neither {{"step", "source"}}, one item, nor {{"step", "counts"}}, those of a step.'
    )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _compared(seen: Counter[tuple[int, int]], plan: Plan) -> Realised:
    steps, sources = np.array(list(seen), np.int64).T
    draws = np.fromiter(seen.values(), np.int64, len(seen))
    counted = np.zeros(len(plan.names), np.int64)
    np.add.at(counted, sources, draws)
    distinct, inverse = np.unique(steps, return_inverse=True)
    per_step = np.zeros(len(distinct), np.int64)
    np.add.at(per_step, inverse, draws)
    cuts = np.flatnonzero(np.diff(distinct) > 1)
    starts = distinct[np.append(0, cuts + 1)]
    stops = distinct[np.append(cuts, len(distinct) - 1)] + 1
    planned = (plan.counts(stops) - plan.counts(starts)).sum(axis=0)
    points = distinct[np.unique(np.linspace(0, len(distinct) - 1, _POINTS).astype(np.int64))]
    running = np.zeros((len(points), len(plan.names)), np.int64)
    np.add.at(running, (np.searchsorted(points, steps), sources), draws)
    return Realised(
        steps=len(distinct),
        first=int(distinct[0]),
        last=int(distinct[-1]),
        whole=int((per_step == _batch_sizes(plan, distinct)).sum()),
        counted=counted,
        planned=planned,
        points=points,
        running=np.cumsum(running, axis=0),
        owed=_owed(plan, starts, stops, points),
    )


def _owed(plan: Plan, starts: Ints, stops: Ints, points: Ints) -> Float64:
    """(P, K) draws owed in the spans [start, stop) of steps, up to the end of each point."""
    asked = np.unique(np.concatenate([starts, stops, points + 1]))
    before = expected_draws(plan, asked)

    def at(step: Ints) -> Float64:
        return before[np.searchsorted(asked, step)]

    spans = np.cumsum(at(stops) - at(starts), axis=0)
    last = np.searchsorted(starts, points, side="right") - 1
    return spans[last] - at(stops[last]) + at(points + 1)


def _batch_sizes(plan: Plan, steps: Ints) -> Ints:
    starts = [segment.start for segment in plan.segments]
    sizes = np.array([segment.batch_size for segment in plan.segments], np.int64)
    return sizes[np.searchsorted(starts, steps, side="right") - 1]
