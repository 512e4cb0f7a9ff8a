"""Chart (c): passes over each source during the run, and what they are worth at its end."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermix.report.charts_base import (
    WIDTH,
    Figure,
    Rows,
    Subject,
    alt,
    bare_spec,
    channels,
    colour,
    edit_marks,
    edits_of,
    hover,
    label_layers,
    label_rows,
    named,
    step_axis,
)
from thermix.report.charts_cast import MOST_NAMED, Cast, unique_labels
from thermix.report.charts_data import epochs_at
from thermix.report.repeats import HALF_LIFE, effective_epochs
from thermix.report.text import count_text, epochs_text

__all__ = ["MANY_EPOCHS", "epochs_figure"]

MANY_EPOCHS = 12.0
"""Axes of epochs that go further are square roots."""

_POINTS_OF_A_REST = 48
_HEIGHT = 300
_ROW = 18
_MARKS = {"first repeat": "circle", "drawn no more": "cross"}


def epochs_figure(subject: Subject) -> Figure:
    """Epochs over the run above; below, what they are worth after Muennighoff et al."""
    data = _data(subject)
    (tops,) = data["tops"]
    rooted = tops["run"] > MANY_EPOCHS, tops["worth"] > MANY_EPOCHS
    chart, bare = _chart(subject.plan.end, edits_of(subject.plan), subject.cast, *rooted)
    return Figure(
        "epochs",
        "Epochs of each source, and what repeats are worth",
        "Below, the value of repeats is a heuristic: epochs of new data that teach as much, after "
        f"Muennighoff et al. 2023 (R* = {HALF_LIFE:g}). {subject.cast.remark}",
        chart,
        data,
        bare,
    )


@lru_cache(maxsize=32)
def _chart(
    end: int, edits: tuple[int, ...], cast: Cast, rooted_run: bool, rooted_worth: bool
) -> tuple[Any, Any]:
    """The chart and its specification: its axes go as far as the data, so that a page keeps it."""
    chart = alt.vconcat(_over_the_run(end, edits, cast, rooted_run), _worth(cast, rooted_worth), spacing=36)
    return chart, bare_spec(chart)


def _data(subject: Subject) -> dict[str, Rows]:
    plan, cast = subject.plan, subject.cast
    steps, epochs = subject.steps, epochs_at(plan, subject.counts)
    some = np.unique(np.linspace(0, len(steps) - 1, _POINTS_OF_A_REST).astype(int))
    lines: Rows = []
    for label, i in zip(cast.labels, cast.named, strict=True):
        lines += _line(label, label, steps.tolist(), epochs[:, i].tolist())
    for i in cast.rest:
        lines += _line(cast.rest_label, f"other {i}", steps[some].tolist(), epochs[some, i].tolist())
    pointed = [
        {"step": step} | dict(zip(cast.labels, map(epochs_text, row), strict=True))
        for step, row in zip(steps.tolist(), epochs[:, list(cast.named)].tolist(), strict=True)
    ]
    caps, worth = _caps(subject, float(epochs.max())), _worth_rows(subject)
    top = 1.05 * max(1.0, float(epochs.max()), *(row["epochs"] for row in caps))
    return {
        "epochs": lines,
        "marks": _marks(subject),
        "caps": caps,
        "labels": _label_rows(subject, epochs[-1], top),
        "worth": worth,
        "hover": pointed,
        "tops": [{"run": top, "worth": max(row["epochs"] for row in worth) or 1.0}],
    }


def _line(label: str, line: str, steps: list[int], epochs: list[float]) -> Rows:
    return [
        {"source": label, "line": line, "step": step, "epochs": e}
        for step, e in zip(steps, epochs, strict=True)
    ]


def _marks(subject: Subject) -> Rows:
    """The step that repeats an item for the first time, and that from which on a source is drawn no more."""
    rows: Rows = []
    for label, i in zip(subject.cast.labels, subject.cast.named, strict=True):
        source = subject.forecast.sources[i]
        for what, step in zip(_MARKS, (source.first_repeat_step, source.end_step), strict=True):
            if step is not None and source.draws:
                epochs = 1.0 if what == "first repeat" else source.epochs
                rows.append({"source": label, "what": what, "step": step, "epochs": epochs})
    return rows


def _caps(subject: Subject, highest: float) -> Rows:
    """The caps at the end of the plan that are not far above what is drawn."""
    mixture = subject.plan.segments[-1].mixture
    names: dict[float, list[str]] = defaultdict(list)
    for label, i in zip(subject.cast.labels, subject.cast.named, strict=True):
        source = mixture.sources.get(subject.plan.names[i])
        limit = None if source is None else source.epoch_limit(mixture.max_epochs)
        if limit is not None and limit <= 1.15 * highest:
            names[float(limit)].append(label)
    return [
        {"epochs": cap, "text": f"cap {cap:g}: {these[0] if len(these) == 1 else f'{len(these)} sources'}"}
        for cap, these in sorted(names.items())
    ]


def _label_rows(subject: Subject, last: NDArray[np.float64], top: float) -> Rows:
    """The names beside the lines; that of the others at the middle of theirs."""
    cast = subject.cast
    ends = {label: float(last[i]) for label, i in zip(cast.labels, cast.named, strict=True)}
    if cast.rest:
        ends[cast.rest_label] = float(np.median(last[list(cast.rest)]))
    return label_rows(ends, (0, top), _HEIGHT, rooted=top > MANY_EPOCHS)


def _over_the_run(end: int, edits: tuple[int, ...], cast: Cast, rooted: bool) -> Any:
    x = step_axis(end)
    y = _axis(alt.Y, "epochs:Q", "epochs", rooted)
    lines = (
        alt.Chart(named("epochs"))
        .mark_line(strokeWidth=2)
        .encode(x=x, y=y, color=colour(cast), detail=alt.Detail("line:N"), opacity=_fainter(cast.rest_label))
    )
    shapes = alt.Scale(domain=list(_MARKS), range=list(_MARKS.values()))
    marks = (
        alt.Chart(named("marks"))
        .mark_point(size=70, filled=True, opacity=1, strokeWidth=1)
        .encode(
            x=alt.X("step:Q"),
            y=y,
            color=colour(cast),
            shape=alt.Shape(
                "what:N", scale=shapes, title=None, legend=alt.Legend(orient="top", symbolFillColor="#8f8f8f")
            ),
            tooltip=[alt.Tooltip("source:N"), alt.Tooltip("what:N"), alt.Tooltip("step:Q", format=",")],
        )
    )
    return alt.layer(
        *_cap_lines(),
        *edit_marks(edits, words=True),
        lines,
        *hover("near_epochs", x),
        marks,
        _reaching(y=alt.Y("run:Q")),
        *label_layers(cast, named("labels"), len(cast.domain)),
        width=WIDTH,
        height=_HEIGHT,
    )


def _axis(channel: Any, field: str, title: str, rooted: bool) -> Any:
    """From 0 to where the data ends; by square roots, small values can be told apart beside large ones."""
    return channel(
        field,
        title=f"{title}, square-root scale" if rooted else title,
        scale=alt.Scale(type="sqrt" if rooted else "linear", nice=False, zero=True),
        axis=alt.Axis(tickCount=6),
    )


def _reaching(**channel: Any) -> Any:
    """Nothing to see: an axis goes as far as the top that stands in the data."""
    return alt.Chart(named("tops")).mark_point(opacity=0, aria=False).encode(**channel)


def _fainter(rest_label: str) -> Any:
    return alt.condition(alt.datum.source == rest_label, alt.value(0.45), alt.value(1.0))


def _cap_lines() -> list[Any]:
    base = alt.Chart(named("caps")).encode(y=alt.Y("epochs:Q"))
    words = base.mark_text(align="left", baseline="bottom", dx=4, dy=-2).encode(
        x=channels.XValue(0), text=alt.Text("text:N")
    )
    return [base.mark_rule(strokeDash=[2, 3]), words]


def _worth_rows(subject: Subject) -> Rows:
    """A row a source at the plan's end, those with the most epochs first."""
    cast, sources = subject.cast, subject.forecast.sources
    order = sorted(range(len(sources)), key=lambda i: -sources[i].epochs)[:MOST_NAMED]
    known = dict(zip(cast.named, cast.labels, strict=True))
    others = [i for i in order if i not in known]
    known |= dict(zip(others, unique_labels([sources[i].name for i in others], cast.domain), strict=True))
    rows: Rows = []
    for i in order:
        source = sources[i]
        worth = float(effective_epochs(source.epochs))
        said = f"{epochs_text(source.epochs)} epochs of {count_text(source.items)}"
        if source.epochs > 1:
            said += f", worth {epochs_text(worth)}"
        colour_of = cast.rest_label if i in others else known[i]
        rows.append(
            {"name": known[i], "source": colour_of, "epochs": source.epochs, "worth": worth, "said": said}
        )
    return rows


def _worth(cast: Cast, rooted: bool) -> Any:
    base = alt.Chart(named("worth")).encode(y=alt.Y("name:N", sort=None, title=None))
    title = "epochs at the end of the run (outline), and what they are worth (filled)"
    x = _axis(alt.X, "epochs:Q", title, rooted)
    strokes = alt.Scale(domain=cast.domain, range=cast.colours)
    drawn = base.mark_bar(height=11, fillOpacity=0.15, strokeWidth=1).encode(
        x=x,
        color=colour(cast),
        stroke=alt.Stroke("source:N", scale=strokes, legend=None),
        tooltip=[alt.Tooltip("name:N", title="source"), alt.Tooltip("said:N", title="at the end")],
    )
    worth = base.mark_bar(height=11).encode(x=alt.X("worth:Q"), color=colour(cast))
    words = base.mark_text(align="left", dx=5).encode(x=alt.X("epochs:Q"), text=alt.Text("said:N"))
    reaching = _reaching(x=alt.X("worth:Q"))
    return alt.layer(drawn, worth, words, reaching, width=WIDTH, height=alt.Step(_ROW))
