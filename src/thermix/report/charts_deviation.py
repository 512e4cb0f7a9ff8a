"""Chart (d): draws made minus draws owed, over the run: of a plan, or of what was counted in a log."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermix.plan.plan import Plan
from thermix.report.charts_base import (
    WIDTH,
    Figure,
    Rows,
    Subject,
    alt,
    channels,
    edit_marks,
    edits_of,
    hover,
    named,
    step_axis,
)
from thermix.report.charts_cast import MOST_NAMED, unique_labels
from thermix.report.charts_data import expected_draws
from thermix.report.run_log import Realised

__all__ = ["deviation_figure"]

Float64 = NDArray[np.float64]
Ints = NDArray[np.int64]

_HEIGHT = 180
_POINTS, _LONG = 240, 20_000
_ROW = 18


def deviation_figure(subject: Subject, realised: Realised | None = None) -> Figure:
    """How far the sources' draws are from the formula: all of them over the run, and each at most.

    Args:
        subject: the plan.
        realised: what was counted in the log of a run, to be shown in place of what the plan will draw.
    """
    plan = subject.plan
    if realised is None:
        steps, counts = _counted(subject)
        off = counts - expected_draws(plan, steps)
        title, draws = "Draws made minus draws owed", plan.draws
    else:
        steps, off = realised.points + 1, realised.running - realised.owed
        title, draws = "Draws counted in the log minus draws owed", int(realised.counted.sum())
    shown = np.argsort(-np.abs(off).max(axis=0), kind="stable")[:MOST_NAMED].tolist()
    labels = unique_labels([plan.names[i] for i in shown], ["step"])
    data = {
        "range": _range_rows(steps, off),
        "sources": [
            {"source": label, "low": low, "high": high, "end": end}
            for label, low, high, end in zip(
                labels, *(values[shown].tolist() for values in (off.min(0), off.max(0), off[-1])), strict=True
            )
        ],
        "hover": [
            {"step": step} | dict(zip(labels, (f"{value:+.2f}" for value in row), strict=True))
            for step, row in zip(steps.tolist(), off[:, shown].tolist(), strict=True)
        ],
    }
    few = f" The {len(shown)} sources that stray most are named." if len(plan.names) > len(shown) else ""
    furthest = float(np.abs(off).max())
    return Figure(
        "deviation",
        title,
        f"At {len(steps):,} steps of the run; the furthest is {furthest:.2f} draws of {draws:,}.{few}",
        alt.vconcat(_over_the_run(plan, data["range"]), _by_source(labels), spacing=36),
        data,
    )


def _counted(subject: Subject) -> tuple[Ints, Ints]:
    """Steps (S,) all over the plan, and the counts (S, K) before them; in a long one those that are known."""
    end = subject.plan.end
    if end > _LONG:  # a count costs a scan there
        return subject.steps, subject.counts
    starts = [segment.start for segment in subject.plan.segments]
    steps = np.unique(np.append(np.linspace(0, end, _POINTS).astype(np.int64), starts))
    return steps, subject.plan.counts(steps)


def _range_rows(steps: Ints, off: Float64) -> Rows:
    columns = (steps.tolist(), off.min(axis=1).tolist(), off.max(axis=1).tolist())
    return [{"step": step, "low": low, "high": high} for step, low, high in zip(*columns, strict=True)]


def _over_the_run(plan: Plan, rows: Rows) -> Any:
    x = step_axis(plan.end)
    most = max(1.0, *(abs(row[key]) for row in rows for key in ("low", "high")))
    y = alt.Y("low:Q", title="draws", scale=alt.Scale(domain=[-1.1 * most, 1.1 * most], nice=False))
    base = alt.Chart(named("range"))
    band = base.mark_area(opacity=0.45, color="#4ba3dc", stroke=None).encode(x=x, y=y, y2=alt.Y2("high:Q"))
    zero = alt.Chart(alt.InlineData(values=[{"low": 0}])).mark_rule().encode(y=alt.Y("low:Q"))
    words = {"text": "from the furthest below to the furthest above"}
    note = alt.Chart(alt.InlineData(values=[words])).mark_text(align="left", baseline="top", dx=4, dy=2)
    return alt.layer(
        band,
        zero,
        *edit_marks(edits_of(plan)),
        *hover("near_range", x),
        note.encode(x=channels.XValue(0), y=channels.YValue(0), text=alt.Text("text:N")),
        width=WIDTH,
        height=_HEIGHT,
    )


def _by_source(labels: list[str]) -> Any:
    y = alt.Y("source:N", sort=labels, title=None)
    tips = [
        alt.Tooltip("source:N"),
        *(alt.Tooltip(f"{key}:Q", format="+.2f") for key in ("low", "high", "end")),
    ]
    base = alt.Chart(named("sources")).encode(y=y, tooltip=tips)
    title = "draws: least and most over the run; the line is its end"
    span = base.mark_bar(height=9, opacity=0.55, color="#4ba3dc").encode(
        x=alt.X("low:Q", title=title, axis=alt.Axis(tickCount=6)), x2=alt.X2("high:Q")
    )
    end = base.mark_tick(height=15).encode(x=alt.X("end:Q"))
    zero = alt.Chart(alt.InlineData(values=[{"low": 0}])).mark_rule().encode(x=alt.X("low:Q"))
    return alt.layer(zero, span, end, width=WIDTH, height=alt.Step(_ROW))
