"""A mixture, a plan or a forecast as a notebook shows it: a line or two, a table, a chart.

The chart is a picture in the page: no script, so that it is there when the notebook is opened again.
"""

from __future__ import annotations

import base64
from dataclasses import replace
from html import escape

from thermix.core.schedule import linear
from thermix.plan.forecast import Forecast
from thermix.plan.mixture import Mixture
from thermix.plan.plan import Plan
from thermix.report.charts import figures
from thermix.report.charts_base import Figure, subject_of
from thermix.report.charts_data import chosen_temperatures
from thermix.report.charts_export import picture
from thermix.report.page_parts import forecast_html, table_html
from thermix.report.plan_text import plan_summary
from thermix.report.text import UNICODE, count_text, legible, probability_text, temperature_text

__all__ = ["small_html"]

_STEPS = 1_000
_WIDTH = 680


def small_html(value: Mixture | Plan | Forecast) -> str:
    """Return a mixture, a plan or a forecast as HTML."""
    if isinstance(value, Mixture):
        return _mixture(value)
    forecast = value.forecast() if isinstance(value, Plan) else value
    lines = "<br>".join(_text(line) for line in plan_summary(forecast, "Plan", UNICODE))
    subject = subject_of(forecast.plan, forecast)
    chart = "run" if isinstance(value, Plan) else "epochs"
    return f"<p>{lines}</p>{forecast_html(forecast)}{_image(*figures(subject, [chart]))}"


def _mixture(mixture: Mixture) -> str:
    subject = subject_of(_any_run(mixture))
    temperatures = chosen_temperatures(subject.plan)
    heads = ["source", "score", "items", *(f"P at T = {temperature_text(t)}" for t in temperatures)]
    shares = mixture.probabilities(temperatures).T.tolist()
    rows = [
        (
            legible(name, "utf-8"),
            f"{s.log_weight:.4g}",
            f"{count_text(s.items)} {s.unit}s",
            *map(probability_text, row),
        )
        for (name, s), row in zip(mixture.sources.items(), shares, strict=True)
    ]
    table = table_html(heads, rows)
    line = f"Mixture of {len(mixture.sources):,} sources, temperature {mixture.temperature!r}"
    return f"<p>{_text(line)}</p>{table}{_image(*figures(subject, ['probabilities']))}"


def _any_run(mixture: Mixture) -> Plan:
    """A plan that goes through the temperatures of a mixture, which alone has no run; caps are left out."""
    low, high = mixture.temperature.extremes
    sources = {name: replace(source, max_epochs=None) for name, source in mixture.sources.items()}
    schedule = linear(high, low) if high < float("inf") else mixture.temperature
    return Plan(Mixture(sources, schedule), steps=_STEPS, batch_size=1, sequence_length=1)


def _image(figure: Figure) -> str:
    data = base64.b64encode(picture([figure], "svg")).decode()
    return (
        f'<img src="data:image/svg+xml;base64,{data}" alt="{escape(figure.title)}" '
        f'style="width: {_WIDTH}px; max-width: 100%">'
    )


def _text(text: str) -> str:
    return escape(legible(text, "utf-8"))
