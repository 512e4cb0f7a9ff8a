"""Tables and paragraphs as HTML; all text that comes from elsewhere is escaped here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from thermix.plan.forecast import Forecast
from thermix.report.records import Remark
from thermix.report.repeats import effective_epochs
from thermix.report.run_log import Realised
from thermix.report.text import count_text, epochs_text, legible, share_text

__all__ = ["forecast_html", "realised_html", "realised_words", "remarks_html", "table_html"]

_NONE = "–"


def forecast_html(forecast: Forecast) -> str:
    """The forecast as a table, a row a source."""
    heads = ["source", "items", "share first", "share mean", "share last", "draws", "epochs"]
    heads += ["worth", "first repeat", "ends at step"]
    rows = [
        (
            legible(source.name, "utf-8"),
            f"{count_text(source.items)} {source.unit}s",
            share_text(source.share_first),
            share_text(source.share_mean),
            share_text(source.share_last),
            f"{source.draws:,}",
            epochs_text(source.epochs),
            epochs_text(float(effective_epochs(source.epochs))),
            _step(source.first_repeat_step),
            _step(source.end_step),
        )
        for source in forecast
    ]
    return table_html(heads, rows)


def _step(step: int | None) -> str:
    return _NONE if step is None else f"{step:,}"


def realised_html(names: Sequence[str], realised: Realised) -> str:
    """Counted beside planned, a row a source."""
    columns = zip(names, realised.planned.tolist(), realised.counted.tolist(), strict=True)
    rows = [
        (legible(name, "utf-8"), f"{planned:,}", f"{counted:,}", f"{counted - planned:+,}")
        for name, planned, counted in columns
    ]
    return table_html(("source", "planned", "counted", "difference"), rows)


def realised_words(realised: Realised) -> str:
    """What a log says of a run, in sentences."""
    span = f"steps {realised.first:,} to {realised.last:,}"
    said = f"The log has {int(realised.counted.sum()):,} draws of {realised.steps:,} steps ({span})."
    if realised.as_planned:
        return f"{said} Every source was drawn exactly as often as planned in them."
    off = int(np.abs(realised.counted - realised.planned).max())
    said += f" They are not those of the plan; the source furthest off differs by {off:,}."
    if realised.whole < realised.steps:
        partial = realised.steps - realised.whole
        said += f" {partial:,} steps have more or fewer draws than a batch: is it the log of all ranks, once?"
    return said


def remarks_html(kind: str, remarks: Iterable[Remark]) -> str:
    """A list of what is said of a plan."""
    items = "".join(
        f"<li><strong>{kind}</strong> {escape(legible(r.message, 'utf-8'))}</li>" for r in remarks
    )
    return f'<ul class="{kind}s">{items}</ul>' if items else ""


def table_html(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose first column names its rows."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join(
        f'<tr><th scope="row"><bdi>{escape(first)}</bdi></th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>"
        for first, *cells in rows
    )
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide" tabindex="0">{table}</div>'
