"""Chart (a): what a temperature does to the sources, as bars and as curves over T.

The scores are those of the plan's last segment, and its caps are left out: this is the formula alone.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermix.report.charts_base import (
    WIDTH,
    Figure,
    Rows,
    Subject,
    alt,
    channels,
    colour,
    hover,
    labels_beside,
    named,
    root_scale,
)
from thermix.report.charts_cast import Cast, unique_labels
from thermix.report.charts_data import chosen_temperatures, curve_temperatures
from thermix.report.text import probability_text, temperature_text

__all__ = ["probabilities_figure"]

Float64 = NDArray[np.float64]

_HEIGHT = 300
_THICK, _THIN, _FEW = 11, 6, 6


def probabilities_figure(subject: Subject) -> Figure:
    """The probability of each source at several temperatures, and over all of them."""
    few = len(subject.cast.domain) <= _FEW
    temperatures = chosen_temperatures(subject.plan)[0 if few else 1 :]  # greedy: one bar of 100 %, no others
    data = {
        "bars": _rows(subject, temperatures, _probabilities(subject, temperatures)),
        "curves": _curve_rows(subject),
        "hover": _hover_rows(subject),
    }
    edited = subject.plan.segments[-1].start
    since = f"Scores as from step {edited:,} on. " if edited else ""
    return Figure(
        "probabilities",
        "Probability of each source by temperature",
        f"{since}Before caps. To the left only the highest score is drawn (greedy), to the right all alike "
        f"(uniform). {subject.cast.remark}",
        alt.vconcat(_bars(subject.cast), _curves(subject, data["curves"]), spacing=36).resolve_scale(
            color="independent"
        ),
        data,
    )


def _probabilities(subject: Subject, temperatures: Any) -> Float64:
    """(S, K) in the plan's order of sources; 0 for one that an edit ended."""
    mixture = subject.plan.segments[-1].mixture
    by_name = dict(zip(mixture.names, mixture.probabilities(np.asarray(temperatures)).T, strict=True))
    absent = np.zeros(len(temperatures))
    return np.stack([by_name.get(name, absent) for name in subject.plan.names], axis=1)


def _grouped(cast: Cast, values: Float64) -> Float64:
    """(S, labels): the named sources, and all others added up."""
    own = values[:, list(cast.named)]
    return np.column_stack([own, values[:, list(cast.rest)].sum(axis=1)]) if cast.rest else own


def _rows(subject: Subject, temperatures: list[float], values: Float64) -> Rows:
    texts = [_limit_text(t) for t in temperatures]
    return [
        {"source": label, "T": text, "p": p, "said": probability_text(p)}
        for text, row in zip(texts, values[:, list(subject.cast.named)].tolist(), strict=True)
        for label, p in zip(subject.cast.labels, row, strict=True)
    ]


def _limit_text(temperature: float) -> str:
    if temperature == 0.0:
        return "0 (greedy)"
    return "∞ (uniform)" if math.isinf(temperature) else temperature_text(temperature)


def _thickness(cast: Cast) -> int:
    return _THICK if len(cast.domain) <= _FEW else _THIN


def _bars(cast: Cast) -> Any:
    return (
        alt.Chart(named("bars"), width=WIDTH, height=alt.Step(_thickness(cast)))
        .mark_bar(height={"band": 0.92})
        .encode(
            y=alt.Y(
                "source:N",
                title=None,
                sort=list(cast.labels),
                scale=alt.Scale(paddingInner=0.3, paddingOuter=0.15),
            ),
            yOffset=alt.YOffset("T:N", sort=None, scale=alt.Scale(paddingInner=0)),
            x=alt.X(
                "p:Q",
                title="P(source | T)",
                axis=alt.Axis(format="%", tickCount=6),
                scale=alt.Scale(nice=True),
            ),
            color=alt.Color(
                "T:O", sort=None, title="temperature", legend=alt.Legend(orient="top", columns=6)
            ),
            tooltip=[alt.Tooltip("source:N"), alt.Tooltip("T:N"), alt.Tooltip("said:N", title="P")],
        )
    )


def _curve_rows(subject: Subject) -> Rows:
    temperatures = curve_temperatures(subject.plan)
    values = _probabilities(subject, temperatures)
    rows: Rows = []
    for label, i in zip(subject.cast.labels, subject.cast.named, strict=True):
        rows += _line(label, label, temperatures, values[:, i])
    for i in subject.cast.rest:
        rows += _line(subject.cast.rest_label, f"other {i}", temperatures[::4], values[::4, i])
    return rows


def _hover_rows(subject: Subject) -> Rows:
    temperatures = curve_temperatures(subject.plan)
    grouped = _grouped(subject.cast, _probabilities(subject, temperatures)).tolist()
    return [
        {"T": t} | dict(zip(subject.cast.domain, map(probability_text, row), strict=True))
        for t, row in zip(temperatures.round(4).tolist(), grouped, strict=True)
    ]


def _line(label: str, line: str, temperatures: Float64, values: Float64) -> Rows:
    return [
        {"source": label, "line": line, "T": t, "p": p}
        for t, p in zip(temperatures.tolist(), values.tolist(), strict=True)
    ]


def _curves(subject: Subject, rows: Rows) -> Any:
    cast = subject.cast
    top = max(row["p"] for row in rows)
    ends = {row["line"]: row["p"] for row in rows if row["line"] in set(cast.labels)}
    if cast.rest:
        ends[cast.rest_label] = min(row["p"] for row in rows if row["line"] == f"other {cast.rest[0]}")
    spans = [row["T"] for row in rows]
    x = alt.X(
        "T:Q",
        title="temperature T (log scale)",
        scale=alt.Scale(type="log", domain=[min(spans), max(spans)], nice=False),
        axis=alt.Axis(tickCount=8, grid=False, format="~g"),
    )
    rooted = len(cast.domain) > _FEW
    y = alt.Y(
        "p:Q",
        title="P(source | T), square-root scale" if rooted else "P(source | T)",
        scale=root_scale(top) if rooted else alt.Scale(domain=[0, top], nice=False),
        axis=alt.Axis(format="~%", tickCount=6),
    )
    base = alt.Chart(named("curves"))
    lines = base.mark_line(strokeWidth=2).encode(
        x=x, y=y, color=colour(cast), detail=alt.Detail("line:N"), opacity=_fainter(cast)
    )
    layers = [*_run_band(subject), *_limits(subject), lines, *hover("near_curves", x, field_name="T")]
    layers += labels_beside(cast, ends, (0, top), _HEIGHT, rooted=rooted)
    return alt.layer(*layers, width=WIDTH, height=_HEIGHT)


def _fainter(cast: Cast) -> Any:
    return alt.condition(alt.datum.source == cast.rest_label, alt.value(0.45), alt.value(1.0))


def _run_band(subject: Subject) -> list[Any]:
    """The temperatures that the run goes through, shaded."""
    warmth = subject.forecast.temperature
    usual = warmth[(warmth > 0) & (warmth < np.inf)]
    if not len(usual):
        return []
    low, high = float(usual.min()), float(usual.max())
    row = {"low": low, "high": high, "text": "this run"}
    base = alt.Chart(alt.InlineData(values=[row]))
    words = base.mark_text(align="left", baseline="top", dx=4, dy=4).encode(
        x=alt.X("low:Q"), y=channels.YValue(0), text=alt.Text("text:N")
    )
    if low == high:
        return [base.mark_rule(strokeWidth=1.5, strokeDash=[2, 2]).encode(x=alt.X("low:Q")), words]
    band = base.mark_rect(opacity=0.12, fill="#808080", stroke=None).encode(
        x=alt.X("low:Q"), x2=alt.X2("high:Q")
    )
    return [band, words]


def _limits(subject: Subject) -> list[Any]:
    """Where the sources come to: 1 / K each as T grows, only the best as it falls."""
    mixture = subject.plan.segments[-1].mixture
    alive = int((mixture.scores > -np.inf).sum())
    rows = [{"p": 1 / alive, "text": f"uniform: 1/{alive}"}]
    base = alt.Chart(alt.InlineData(values=rows)).encode(y=alt.Y("p:Q"))
    uniform = base.mark_text(align="left", baseline="bottom", dx=4, dy=-2).encode(
        x=channels.XValue(0), text=alt.Text("text:N")
    )
    best = alt.Chart(alt.InlineData(values=[{"text": f"greedy: {_best(subject)}"}]))
    greedy = best.mark_text(align="left", baseline="bottom", dx=0, dy=-4)
    return [
        base.mark_rule(strokeDash=[4, 3]),
        uniform,
        greedy.encode(x=channels.XValue(0), y=channels.YValue(0), text=alt.Text("text:N")),
    ]


def _best(subject: Subject) -> str:
    """Who is drawn at T = 0."""
    mixture = subject.plan.segments[-1].mixture
    best = [n for n, p in zip(mixture.names, mixture.probabilities(0.0).tolist(), strict=True) if p > 0]
    return unique_labels(best[:1])[0] if len(best) == 1 else f"{len(best)} sources alike"
