"""Chart (e): one mixture under several schedules, or several plans, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from thermix.core.schedule import Schedule, constant, cosine, geometric, inverse_linear, linear, step
from thermix.errors import InvalidInput
from thermix.plan.plan import Plan
from thermix.report.charts_base import WIDTH, Figure, Rows, Subject, alt, colour, named, root_scale, step_axis
from thermix.report.charts_cast import COLOURS, Cast
from thermix.report.charts_data import epochs_at, sampled_steps
from thermix.report.charts_epochs import MANY_EPOCHS
from thermix.report.charts_run import share_rows, shares_panel, temperature_rows, temperature_scale
from thermix.report.text import epochs_text

__all__ = ["SHAPES", "alternatives", "compare_figure", "plans_figure", "schedule_between"]

SHAPES: Final = ("linear", "cosine", "geometric", "inverse_linear", "step", "constant")
"""Schedules that a start and an end make."""

_ASKED: Final = "as configured"
_POINTS = 120
_HEIGHT, _LOW, _GUTTER = 180, 150, 26


def alternatives(plan: Plan, shapes: Sequence[str]) -> dict[str, Plan]:
    """Return the plan as it is, and the same with other schedules between its first and last temperature.

    Args:
        plan: with a schedule that begins and ends at different temperatures.
        shapes: of `SHAPES`. "step" goes halfway (in log T) in the middle; "constant" stays at the end's.

    Raises:
        InvalidInput: no such shape, or one that cannot be made with these temperatures.
        PlanError: the caps cannot be kept under another schedule.
    """
    own = plan.mixture.temperature
    first, last = float(own.spans[0].start), float(own.spans[-1].stop)
    if first == last:
        raise InvalidInput(
            f"--compare: the temperature begins and ends at {first:g}; a schedule between equal temperatures "
            "is constant. Give the configuration a temperature with another start than end."
        )
    made = {shape: _compared(shape, first, last, str(own.last_moment())) for shape in shapes}
    same = [shape for shape, schedule in made.items() if schedule == own]
    plans = {f"{same[0]}, {_ASKED}" if same else _ASKED: plan}
    for shape, schedule in made.items():
        if shape not in same:
            plans[shape] = replace(plan, mixture=replace(plan.mixture, temperature=schedule))
    return plans


def _compared(shape: str, first: float, last: float, until: str) -> Schedule:
    try:
        return schedule_between(shape, first, last, until)
    except InvalidInput as error:
        at = "--compare" if shape not in SHAPES else f"--compare {shape}"
        raise InvalidInput(f"{at}: {error}") from None


def schedule_between(shape: str, first: float, last: float, until: str = "100%") -> Schedule:
    """Return the schedule of a shape that goes from one temperature to another.

    Args:
        shape: of `SHAPES`. "step" has three values, "constant" is the last one.
        first: where it begins.
        last: where it ends.
        until: when a ramp ends.

    Raises:
        InvalidInput: no such shape, or one that cannot be made with these temperatures.

    >>> schedule_between("step", 4.0, 1.0)
    step((4.0, 2.0, 1.0), at=('33%', '67%'))
    """
    if shape not in SHAPES:
        raise InvalidInput(f"got {shape!r}; it is one of {', '.join(SHAPES)}.")
    if shape == "constant":
        return constant(last)
    if shape == "step":
        between = float(f"{(first * last) ** 0.5:.3g}") if 0 < first * last < np.inf else last
        return step((first, between, last), at=("33%", "67%"))
    ramps = {"linear": linear, "cosine": cosine, "geometric": geometric, "inverse_linear": inverse_linear}
    return ramps[shape](first, last, until=until)


def compare_figure(subject: Subject, shapes: Sequence[str]) -> Figure:
    """One mixture under its own schedule and others: temperatures, shares, epochs at the end."""
    remark = f"All go from the first to the last temperature of the configuration. {subject.cast.remark}"
    plans = alternatives(subject.plan, shapes)
    return plans_figure(plans, subject.cast, "The same mixture under other schedules", remark)


def plans_figure(plans: Mapping[str, Plan], cast: Cast, title: str, remark: str) -> Figure:
    """Temperatures over the run above, then shares, then epochs at the end, of every plan.

    Args:
        plans: by the names that the chart gives them, one at least.
        cast: who is named, by the order of the first plan's sources; those of others are found by name.
        title: of the figure.
        remark: below it.
    """
    names, known = list(plans), next(iter(plans.values())).names
    end = max(plan.end for plan in plans.values())
    data: dict[str, Rows] = {"temperature": [], "shares": [], "epochs": []}
    for name, plan in plans.items():
        steps = sampled_steps(plan, _POINTS)
        shares = _in_order(known, plan, plan.probabilities(steps))
        data["temperature"] += temperature_rows(steps.tolist(), plan.temperature(steps), schedule=name)
        data["shares"] += share_rows(cast, steps.tolist(), shares, schedule=name)
        data["epochs"] += _epoch_rows(cast, known, plan, name)
    parts = (_temperatures(plans, end), _shares(cast, names, end), _epochs(cast, names, data["epochs"]))
    chart = alt.vconcat(*parts, spacing=30).resolve_scale(color="independent", strokeDash="independent")
    return Figure("compare", title, remark, chart, data)


def _in_order(names: Sequence[str], plan: Plan, values: Any) -> Any:
    """The columns of (S, K) values in the order of some names; 0 for a source that the plan has not."""
    if plan.names == tuple(names):
        return values
    index = {name: i for i, name in enumerate(plan.names)}
    absent = np.zeros_like(values[:, 0])
    return np.stack([values[:, index[name]] if name in index else absent for name in names], axis=1)


def _epoch_rows(cast: Cast, names: Sequence[str], plan: Plan, schedule: str) -> Rows:
    counts = plan.counts([plan.end])
    epochs = _in_order(names, plan, epochs_at(plan, counts))[0].tolist()
    drawn = _in_order(names, plan, counts)[0].tolist()
    return [
        {
            "source": label,
            "schedule": schedule,
            "epochs": epochs[i],
            "draws": drawn[i],
            "said": epochs_text(epochs[i]),
        }
        for label, i in zip(cast.labels, cast.named, strict=True)
    ]


def _temperatures(plans: Mapping[str, Plan], end: int) -> Any:
    names = list(plans)
    warmth = np.concatenate([other.temperature(sampled_steps(other, _POINTS)) for other in plans.values()])
    scale = alt.Scale(domain=names, range=list(COLOURS[: len(names)]))
    dashes = alt.Scale(domain=names, range=[[1, 0], [7, 3], [2, 2], [9, 3, 2, 3], [4, 2], [12, 4], [1, 3]])
    key = alt.Legend(orient="top", columns=4, symbolType="stroke", symbolSize=300, symbolStrokeWidth=2)
    return (
        alt.Chart(named("temperature"), width=WIDTH, height=_LOW)
        .mark_line(strokeWidth=2)
        .encode(
            x=step_axis(end),
            y=alt.Y("T:Q", title="temperature", scale=temperature_scale(warmth), axis=alt.Axis(tickCount=5)),
            color=alt.Color("schedule:N", scale=scale, title=None, legend=key),
            strokeDash=alt.StrokeDash("schedule:N", scale=dashes, title=None, legend=key),
            tooltip=[
                alt.Tooltip("schedule:N"),
                alt.Tooltip("step:Q", format=","),
                alt.Tooltip("said:N", title="T"),
            ],
        )
    )


def _shares(cast: Cast, names: list[str], end: int) -> Any:
    """A panel a schedule, two or three in a row; one key of the sources for all."""
    columns = 2 if len(names) in (2, 4) else 3
    width = (WIDTH - _GUTTER * (columns - 1)) // columns
    key = colour(cast)
    key.legend = alt.Legend(
        orient="bottom", columns=3, labelLimit=190, title="from the bottom up", symbolStrokeWidth=0
    )
    panels = []
    for number, name in enumerate(names):
        x = step_axis(end, title=None, ticks=4)
        panel = shares_panel(cast, named("shares"), x, axis=number % columns == 0)
        panel = panel.encode(color=key).transform_filter(alt.datum.schedule == name)
        panels.append(panel.properties(width=width, height=_HEIGHT, title=alt.Title(name, fontSize=12)))
    return alt.concat(*panels, columns=columns, spacing=_GUTTER)


def _epochs(cast: Cast, names: list[str], rows: Rows) -> Any:
    top = max((row["epochs"] for row in rows), default=0.0)
    rooted = top > MANY_EPOCHS
    title = "epochs at the end of the run" + (", square-root scale" if rooted else "")
    along = alt.Axis(tickCount=6)
    scale = alt.Scale(domain=names, range=list(COLOURS[: len(names)]))
    y = alt.Y("source:N", sort=list(cast.labels), title=None, scale=alt.Scale(paddingInner=0.25))
    base = alt.Chart(named("epochs"), width=WIDTH, height=alt.Step(9)).encode(
        y=y, yOffset=alt.YOffset("schedule:N", sort=names)
    )
    bars = base.mark_bar().encode(
        x=alt.X("epochs:Q", title=title, axis=along, scale=root_scale(top) if rooted else alt.Scale()),
        color=alt.Color("schedule:N", scale=scale, legend=None),
        tooltip=[alt.Tooltip("source:N"), alt.Tooltip("schedule:N"), alt.Tooltip("said:N", title="epochs")],
    )
    words = base.mark_text(align="left", dx=4, fontSize=9).encode(
        x=alt.X("epochs:Q"), text=alt.Text("said:N")
    )
    return alt.layer(bars, words)
