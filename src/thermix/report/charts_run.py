"""Chart (b): the temperature and the sources' shares over the run, with the segments marked."""

from __future__ import annotations

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
    points_of,
    step_axis,
)
from thermix.report.charts_cast import Cast
from thermix.report.charts_data import sampled_steps
from thermix.report.text import share_text, temperature_text

__all__ = ["run_figure", "share_rows", "shares_panel", "temperature_rows", "temperature_scale"]

Float64 = NDArray[np.float64]

_TALL, _LOW = 300, 110
_MANY_TIMES = 30.0


def run_figure(subject: Subject) -> Figure:
    """The temperature above, the shares of the sources below, over one axis of steps."""
    plan, cast = subject.plan, subject.cast
    steps = sampled_steps(plan, points_of(cast))
    warmth, shares = plan.temperature(steps), plan.probabilities(steps)
    data = {
        "temperature": temperature_rows(steps.tolist(), warmth),
        "shares": share_rows(cast, steps.tolist(), shares),
        "labels": _label_rows(cast, shares[-1]),
        "hover": _hover_rows(cast, steps.tolist(), warmth, shares),
    }
    if len(steps) == 1:
        data["shares"] += [row | {"step": plan.end} for row in data["shares"]]
    chart, bare = _chart(plan.end, edits_of(plan), cast, _extremes(warmth))
    remark = f"The share of a source is its probability at the step, after caps. {cast.remark}"
    return Figure("run", "Temperature and shares over the run", remark, chart, data, bare)


def _extremes(warmth: Float64) -> tuple[float, ...]:
    """The temperatures that the axis depends on: the least, the highest, and inf beside it."""
    finite = warmth[warmth < np.inf]
    return tuple(sorted({float(warmth.min()), float(finite.max(initial=0.0)), float(warmth.max())}))


@lru_cache(maxsize=32)
def _chart(end: int, edits: tuple[int, ...], cast: Cast, warmths: tuple[float, ...]) -> tuple[Any, Any]:
    """The chart and its specification: scores change neither, so that a page has them when one is turned."""
    chart = alt.vconcat(
        _temperature_panel(end, edits, np.array(warmths)), _full_shares(end, edits, cast), spacing=14
    )
    return chart, bare_spec(chart)


def temperature_rows(steps: list[int], warmth: Float64, **more: Any) -> Rows:
    """A row a step; an infinite temperature stands a quarter above the highest other."""
    top = _ceiling(warmth)
    return [
        {"step": step, "T": min(t, top), "said": temperature_text(t)} | more
        for step, t in zip(steps, warmth.tolist(), strict=True)
    ]


def _ceiling(warmth: Float64) -> float:
    finite = warmth[warmth < np.inf]
    highest = float(finite.max(initial=0.0)) or 1.0
    return highest if len(finite) == len(warmth) else 1.25 * highest


def temperature_scale(warmth: Float64) -> Any:
    """From 0, or in logarithms where temperatures lie far apart."""
    top, lowest = _ceiling(warmth), float(warmth.min())
    if lowest > 0 and top / lowest > _MANY_TIMES:
        return alt.Scale(type="log", domain=[lowest, top], nice=False)
    return alt.Scale(domain=[0, 1.06 * top], nice=False)


def _temperature_panel(end: int, edits: tuple[int, ...], warmth: Float64) -> Any:
    x = step_axis(end, title=None)
    y = alt.Y(
        "T:Q", title="temperature", scale=temperature_scale(warmth), axis=alt.Axis(tickCount=4, format="~g")
    )
    line = alt.Chart(named("temperature")).mark_line(strokeWidth=2, color="#808890")
    layers = [line.encode(x=x, y=y), *edit_marks(edits, words=True)]
    if np.isinf(warmth).any():
        note = alt.Chart(alt.InlineData(values=[{"T": _ceiling(warmth), "text": "∞"}]))
        layers.append(
            note.mark_text(align="right", dx=-4, fontSize=14).encode(
                x=channels.XValue(0), y=alt.Y("T:Q"), text=alt.Text("text:N")
            )
        )
    return alt.layer(*layers, *hover("near_temperature", x), width=WIDTH, height=_LOW)


def share_rows(cast: Cast, steps: list[int], shares: Float64, **more: Any) -> Rows:
    """A row a step and label, the others added up."""
    grouped = _grouped(cast, shares)
    return [
        {"step": step, "source": label, "share": share, "rank": rank} | more
        for step, row in zip(steps, grouped.tolist(), strict=True)
        for rank, (label, share) in enumerate(zip(cast.domain, row, strict=True))
    ]


def _grouped(cast: Cast, shares: Float64) -> Float64:
    own = shares[:, list(cast.named)]
    return np.column_stack([own, shares[:, list(cast.rest)].sum(axis=1)]) if cast.rest else own


def _hover_rows(cast: Cast, steps: list[int], warmth: Float64, shares: Float64) -> Rows:
    return [
        {"step": step, "temperature": temperature_text(t)}
        | dict(zip(cast.domain, map(share_text, row), strict=True))
        for step, t, row in zip(steps, warmth.tolist(), _grouped(cast, shares).tolist(), strict=True)
    ]


def shares_panel(cast: Cast, data: Any, x: Any, *, axis: bool = True) -> Any:
    """Bands, the source with the most draws at the bottom."""
    ticks = alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75], grid=False) if axis else None
    y = alt.Y(
        "share:Q", title="share" if axis else None, stack="zero", scale=alt.Scale(domain=[0, 1]), axis=ticks
    )
    bands = alt.Chart(data).mark_area()
    return bands.encode(x=x, y=y, color=colour(cast), order=alt.Order("rank:Q"))


def _full_shares(end: int, edits: tuple[int, ...], cast: Cast) -> Any:
    x = step_axis(end)
    bands = [shares_panel(cast, named("shares"), x), *edit_marks(edits), *hover("near_shares", x)]
    names = label_layers(cast, named("labels"), len(cast.domain))
    return alt.layer(*bands, *names, width=WIDTH, height=_TALL)


def _label_rows(cast: Cast, last: Float64) -> Rows:
    """The names beside the bands, each at the middle of its own at the end."""
    grouped = _grouped(cast, last[None, :])[0]
    middles = np.cumsum(grouped) - grouped / 2
    return label_rows(dict(zip(cast.domain, middles.tolist(), strict=True)), (0, 1), _TALL)
