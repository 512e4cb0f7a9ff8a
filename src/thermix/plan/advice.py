"""Advice: what a plan does that its maker may not have meant, as values.

Not errors (a plan that cannot be kept is refused when it is made), and nothing is changed. The
invariant: codes are stable, each stands for one finding, and the advice comes in the order of `CODES`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np

from thermix.plan.forecast import Forecast, SourceForecast

__all__ = ["CODES", "GREEDY_BELOW", "MANY_EPOCHS", "Advice", "Code", "advise"]

Code = Literal[
    "many_epochs",
    "never_drawn",
    "single_source",
    "same_path",
    "source_ends",
    "plan_stops",
    "schedule_outlasts_run",
    "greedy_temperature",
]
"""What can be found: the stable names of the findings."""

CODES: Final[tuple[Code, ...]] = get_args(Code)

MANY_EPOCHS: Final = 4
"""Epochs from which on repeats add less than new data (Muennighoff et al. 2023, arXiv:2305.16264)."""

GREEDY_BELOW: Final = 0.05
"""Temperature below which a score 0.5 lower is drawn less than once in e^10 = 22,026. Our choice."""


@dataclass(frozen=True)
class Advice:
    """One finding about a plan.

    Attributes:
        code: which finding it is, stable over versions.
        source: the source it is about; None where it is about the plan.
        message: where, what was found, what it means, the way out.
    """

    code: Code
    source: str | None
    message: str


def advise(forecast: Forecast, paths: Mapping[str, Sequence[str]] | None = None) -> tuple[Advice, ...]:
    """Return what is worth a second look in a plan.

    Args:
        forecast: of the plan.
        paths: what each source is read from, as far as known; compared as text.

    Returns:
        Advice in the order of `CODES`, and of sources within a code; empty where there is none.

    >>> from thermix.plan.mixture import Mixture, Source
    >>> from thermix.plan.plan import Plan
    >>> plan = Plan(Mixture({"web": Source(score=2.0, items=100)}), steps=10, batch_size=50)
    >>> [(advice.code, advice.source) for advice in advise(plan.forecast())]
    [('many_epochs', 'web'), ('single_source', 'web')]
    """
    return (
        *_many_epochs(forecast),
        *_never_drawn(forecast),
        *_single_source(forecast),
        *_same_path(paths or {}),
        *_source_ends(forecast),
        *_plan_stops(forecast),
        *_schedule_outlasts_run(forecast),
        *_greedy_temperature(forecast),
    )


def _many_epochs(forecast: Forecast) -> Iterator[Advice]:
    for source in forecast:
        if source.epochs > MANY_EPOCHS:
            yield Advice(
                "many_epochs",
                source.name,
                f"{source.name}: {source.epochs:,.2f} epochs; the value of repeats fades after about "
                f"{MANY_EPOCHS} (Muennighoff et al. 2023). To limit it, set max_epochs: {MANY_EPOCHS}.",
            )


def _never_drawn(forecast: Forecast) -> Iterator[Advice]:
    for source in forecast:
        if source.draws == 0:
            yield Advice(
                "never_drawn", source.name, f"{source.name}: never drawn; {_why_never(source, forecast)}"
            )


def _why_never(source: SourceForecast, forecast: Forecast) -> str:
    if source.score is None:
        return "its weight is 0. If that is meant, the source can as well be removed."
    return (
        f"of {forecast.plan.draws:,} draws it is due {source.expected_draws:.2g}. "
        "Raise its score, or the temperature, or remove it."
    )


def _single_source(forecast: Forecast) -> Iterator[Advice]:
    wanted = [source.name for source in forecast if source.score is not None]
    if len(wanted) == 1:
        message = f"{wanted[0]}: the only source with a weight above 0; the temperature changes nothing."
        yield Advice("single_source", wanted[0], message)


def _same_path(paths: Mapping[str, Sequence[str]]) -> Iterator[Advice]:
    readers: dict[str, str] = {}
    for name, read in paths.items():
        others = {readers.setdefault(path, name): path for path in read}
        others.pop(name, None)
        for other, path in others.items():
            yield Advice(
                "same_path",
                name,
                f"{name}: reads the same data as {other}, {path}; its items are drawn under both names, and "
                "each counts its own epochs. Keep one of them, with the weights of both.",
            )


def _source_ends(forecast: Forecast) -> Iterator[Advice]:
    last = forecast.plan.segments[-1]
    dropped = last.mixture.when_capped == "drop"
    for source in forecast:
        end = source.end_step
        if not source.capped or end is None or source.name not in last.mixture.sources:
            continue
        if dropped or end <= last.start:  # "spread" ends within a draw or so of the segment's end
            yield Advice(
                "source_ends",
                source.name,
                f"{source.name}: its budget (max_epochs) is used up at step {end:,} of "
                f"{forecast.plan.end:,}; from there on the others take its share. "
                "To spread it over the run: when_capped: spread.",
            )


def _plan_stops(forecast: Forecast) -> Iterator[Advice]:
    last = forecast.plan.segments[-1]
    if last.stopped_by is not None:
        yield Advice(
            "plan_stops",
            last.stopped_by,
            f"{last.stopped_by}: its budget (max_epochs) is used up at step {last.end:,}, and the plan stops "
            f"there, not at step {last.planned_end:,} (when_capped: stop).",
        )


def _schedule_outlasts_run(forecast: Forecast) -> Iterator[Advice]:
    last = forecast.plan.segments[-1]
    still = last.timeline.still()
    if still > last.end:
        goal = last.timeline.schedule.spans[-1].stop
        yield Advice(
            "schedule_outlasts_run",
            None,
            f"temperature: its schedule goes on to step {still:,}, the run ends at step {last.end:,}: "
            f"it comes to {forecast.temperature[-1]:.4g}, not to {goal:.4g}. "
            "Write its moments in %, or end it within the run.",
        )


def _greedy_temperature(forecast: Forecast) -> Iterator[Advice]:
    for segment in forecast.plan.segments:
        if segment.end <= segment.start or segment.timeline.schedule.extremes[0] >= GREEDY_BELOW:
            continue
        steps = segment.timeline.edges(segment.start, segment.end)[:-1]
        temperatures = segment.timeline.temperatures(steps)
        low = temperatures < GREEDY_BELOW
        if low.any():
            first = int(np.argmax(low))
            yield Advice(
                "greedy_temperature",
                None,
                f"temperature: below {GREEDY_BELOW} from step {int(steps[first]):,}, at the "
                f"least {temperatures.min():.4g}; there practically only the highest score is drawn. To draw "
                "others too, end it higher.",
            )
            return
