"""What all charts are made of: a figure with its data beside it, axes over steps, labels beside lines.

A chart names its data and says nothing of light or dark, so that one definition serves PNG, SVG, PDF
and a page; `charts_theme.py` has the looks. Colours of sources are part of a chart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from thermix.errors import MissingExtra
from thermix.plan.forecast import Forecast
from thermix.plan.plan import Plan
from thermix.report.charts_cast import Cast, cast_of

try:
    import altair as alt
except ImportError as error:
    raise MissingExtra("altair", "report", "drawing charts") from error

__all__ = [
    "WIDTH",
    "Figure",
    "Subject",
    "alt",
    "bare_spec",
    "channels",
    "colour",
    "edit_marks",
    "edits_of",
    "hover",
    "label_layers",
    "label_rows",
    "labels_beside",
    "named",
    "points_of",
    "root_scale",
    "spread",
    "step_axis",
    "strip",
    "subject_of",
    "unchecked",
]

WIDTH = 620
_POINTS, _FEWEST_POINTS, _ROWS = 240, 80, 1_600
_LABEL_GAP = 16.0
_FEW_LABELS = 8
_BIG = "datum.value < 10000 ? format(datum.value, ',') : replace(format(datum.value, '~s'), 'G', 'B')"

Rows = list[dict[str, Any]]
Layer = Any
channels: Any = alt  # the same, for the constructors that altair gives no types
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Subject:
    """What charts are drawn of: a plan, who is named, and the forecast, made when it is first asked for."""

    plan: Plan
    cast: Cast

    @cached_property
    def forecast(self) -> Forecast:
        """The forecast of the plan."""
        return self.plan.forecast()

    @cached_property
    def steps(self) -> Ints:
        """Steps at which counts are shown: those of the forecast, of each edit, and the plan's end."""
        return np.unique([*self.forecast.steps, *edits_of(self.plan), self.plan.end])

    @cached_property
    def counts(self) -> Ints:
        """(S, K) draws before those steps; those that the forecast has are not counted again."""
        known = np.append(self.forecast.steps, self.plan.end)
        counts = np.vstack([self.forecast.counts, [source.draws for source in self.forecast]])
        starts = np.setdiff1d(self.steps, known)
        if len(starts):
            known, counts = np.append(known, starts), np.vstack([counts, self.plan.counts(starts)])
        return counts[np.argsort(known)]


def points_of(cast: Cast) -> int:
    """How many points a curve has: fewer where there are many curves, which a page has to move."""
    return min(_POINTS, max(_FEWEST_POINTS, _ROWS // len(cast.domain)))


def subject_of(plan: Plan, forecast: Forecast | None = None) -> Subject:
    """Return a plan with all that its charts ask for, the sources in the order of their draws."""
    forecast = plan.forecast() if forecast is None else forecast
    subject = Subject(plan, cast_of(forecast))
    subject.__dict__["forecast"] = forecast  # where `cached_property` keeps it
    return subject


def bare_spec(chart: alt.TopLevelMixin) -> dict[str, Any]:
    """A chart as Vega-Lite, without looks and without the rows that it names."""
    with unchecked():
        spec: dict[str, Any] = chart.to_dict(validate=False)
    spec.pop("config", None)
    return spec


def unchecked() -> AbstractContextManager[None]:
    """Charts made in it are not held against Vega-Lite's schema, which takes half the time; tests do it."""
    return cast("AbstractContextManager[None]", alt.utils.schemapi.debug_mode(False))


@dataclass(frozen=True)
class Figure:
    """A chart, with what it shows.

    Attributes:
        name: of the chart, as `--chart` takes it.
        title: what it shows.
        remark: how to read it, and what is left out.
        chart: altair's; it refers to its data by name.
        data: the rows it shows, by name.
        bare: the chart as Vega-Lite without its rows, where that is known already.
    """

    name: str
    title: str
    remark: str
    chart: alt.TopLevelMixin
    data: Mapping[str, Rows] = field(repr=False)
    bare: Mapping[str, Any] | None = field(default=None, repr=False)

    def spec(self) -> dict[str, Any]:
        """The chart with its data as Vega-Lite, without title and looks."""
        spec = dict(bare_spec(self.chart) if self.bare is None else self.bare)
        datasets = {**spec.get("datasets", {}), **self.data}  # altair keeps a chart's own few rows there
        return spec | {"datasets": datasets, "description": f"{self.title}. {self.remark}"}


def named(name: str) -> Any:
    """Data by name; its rows are in the figure."""
    return alt.NamedData(name=name)


def strip(spec: Any) -> Any:
    """Return a specification without what only a pointer can see."""
    if isinstance(spec, list):
        return [strip(part) for part in spec if not _is_hover(part)]
    if not isinstance(spec, dict):
        return spec
    kept = {key: strip(part) if key != "datasets" else part for key, part in spec.items() if key != "params"}
    if "datasets" in kept:
        kept["datasets"] = {name: rows for name, rows in kept["datasets"].items() if name != "hover"}
    return kept


def _is_hover(part: object) -> bool:
    return isinstance(part, dict) and part.get("data") == {"name": "hover"}


def step_axis(end: int, *, title: str | None = "step", ticks: int = 6) -> Any:
    """The axis over a run of so many steps."""
    axis = alt.Axis(labelExpr=_BIG, tickCount=ticks, grid=False, labelOverlap=True)
    return alt.X("step:Q", title=title, scale=alt.Scale(domain=[0, end], nice=False), axis=axis)


def colour(cast: Cast) -> Any:
    """The colours of the sources; names stand beside the marks, so that there is no legend."""
    return alt.Color("source:N", scale=alt.Scale(domain=cast.domain, range=cast.colours), legend=None)


def edits_of(plan: Plan) -> tuple[int, ...]:
    """The steps where each segment but the first begins."""
    return tuple(segment.start for segment in plan.segments[1:] if segment.start < plan.end)


def edit_marks(starts: Sequence[int], *, words: bool = False) -> list[Layer]:
    """A line at each of some steps; with words once a figure."""
    if not starts:
        return []
    rows = [{"step": start, "text": f"edit at {start:,}"} for start in starts]
    base = alt.Chart(alt.InlineData(values=rows)).encode(x=alt.X("step:Q"))
    layers = [base.mark_rule(strokeDash=[4, 3], strokeWidth=1)]
    if words and len(starts) <= 6:
        layers.append(
            base.mark_text(align="left", baseline="bottom", dx=2, dy=-2).encode(
                y=channels.YValue(0), text=alt.Text("text:N")
            )
        )
    return layers


def labels_beside(
    cast: Cast, ends: Mapping[str, float], domain: tuple[float, float], height: int, *, rooted: bool = False
) -> list[Layer]:
    """Names to the right of a chart, each tied to where its line or band ends, none over another.

    Args:
        cast: whose colours.
        ends: label -> where it ends, on the axis.
        domain: of that axis.
        height: of the chart in pixels.
        rooted: whether the axis has a square-root scale (`root_scale`).
    """
    rows = label_rows(ends, domain, height, rooted=rooted)
    return label_layers(cast, alt.InlineData(values=rows), len(rows))


def label_rows(
    ends: Mapping[str, float], domain: tuple[float, float], height: int, *, rooted: bool = False
) -> Rows:
    """Where each name stands, and what it is tied to."""
    power = 0.5 if rooted else 1.0
    low, high = (edge**power for edge in domain)
    pixels = [(high - value**power) / (high - low) * height for value in ends.values()]
    spots = spread(pixels, _LABEL_GAP, height)
    return [
        {"source": label, "end": value, "spot": (high - spot / height * (high - low)) ** (1 / power)}
        for (label, value), spot in zip(ends.items(), spots, strict=True)
    ]


def label_layers(cast: Cast, data: Any, count: int) -> list[Layer]:
    """So many names and their ties, of the rows of `label_rows`."""
    length, thick = (13, 2.0) if count <= _FEW_LABELS else (30, 1.2)
    base = alt.Chart(data)
    ties = base.mark_rule(xOffset=1, x2Offset=length, strokeWidth=thick, clip=False, aria=False).encode(
        x=channels.XValue("width"),
        x2=channels.X2Value("width"),
        y=alt.Y("end:Q"),
        y2=alt.Y2("spot:Q"),
        color=colour(cast),
    )
    names = base.mark_text(align="left", baseline="middle", dx=length + 4).encode(
        x=channels.XValue("width"), y=alt.Y("spot:Q"), text=alt.Text("source:N")
    )
    return [ties, names]


def root_scale(top: float) -> Any:
    """From 0 to the top by square roots: small values can be told apart beside large ones."""
    return alt.Scale(type="sqrt", domain=[0, top], nice=False)


def spread(pixels: Sequence[float], gap: float, height: float) -> list[float]:
    """Return positions near those asked for, in their order, `gap` apart (closer where there is no room).

    >>> spread([10.0, 12.0, 90.0], 16.0, 100.0)
    [3.0, 19.0, 90.0]
    """
    order = np.argsort(np.asarray(pixels), kind="stable")
    gap = min(gap, height / max(len(order) - 1, 1))
    slots = gap * np.arange(len(order))
    # With a slot taken off each, "gap apart" is "never falling"; the nearest are means of pools.
    pools: list[tuple[float, int]] = []
    for value in np.asarray(pixels, np.float64)[order] - slots:
        pools.append((float(value), 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, m), (b, n) = pools[-2:]
            pools[-2:] = [((a * m + b * n) / (m + n), m + n)]
    level = np.repeat([value for value, _ in pools], [count for _, count in pools])
    placed = np.clip(level, 0.0, height - slots[-1]) + slots if len(order) else level
    result = np.empty(len(order))
    result[order] = placed
    return [float(spot) for spot in result]


def hover(name: str, x: Any, *, field_name: str = "step") -> list[Layer]:
    """A line under the pointer with all values at its place, on pages only (see `strip`)."""
    near = alt.selection_point(
        name=name, nearest=True, on="pointerover", clear="pointerout", fields=[field_name], empty=False
    )
    rule = alt.Chart(named("hover")).mark_rule(tooltip={"content": "data"}, strokeWidth=1.5, aria=False)
    seen = alt.OpacityValue(0, condition=alt.condition(near, alt.value(0.7), alt.value(0))["condition"])
    return [rule.encode(x=x, opacity=seen).add_params(near)]
