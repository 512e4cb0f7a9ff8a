"""A plan in words, one table and curves: what `thermix plan` shows on a terminal.

Everything is read off the forecast; the exact values are in the record (`records.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from thermix.plan.edits import Edit
from thermix.plan.forecast import Forecast, SourceForecast
from thermix.report.curve import curve_text, evenly_picked
from thermix.report.layout import Column, lay_out
from thermix.report.records import Remark, tokens_of
from thermix.report.text import (
    Glyphs,
    clipped,
    count_text,
    epochs_text,
    legible,
    share_text,
    temperature_text,
)

__all__ = ["curves_text", "forecast_table", "plan_summary", "remarks_text"]

_MAX_CURVE = 60
_MAX_LABEL = 24
_FINGERPRINT_SHOWN = 12
_SHOWN_OF_A_CODE = 3


def plan_summary(forecast: Forecast, title: str, glyphs: Glyphs) -> list[str]:
    """Return the lines about the whole plan: its size, how it goes, its fingerprint, its edits."""
    plan = forecast.plan
    one_size = len({segment.batch_size for segment in plan.segments}) == 1
    each = f" {glyphs.times} {plan.batch_size:,} = " if one_size else ", "
    size = f"{plan.end:,} steps{each}{plan.draws:,} draws ({_units(forecast)})"
    tokens = tokens_of(plan)
    if tokens is not None:
        size += f" = {count_text(tokens)} tokens"
    first, last = (temperature_text(t) for t in forecast.temperature[[0, -1]])
    begin, end = (f"{n:.2f}" for n in forecast.effective_sources[[0, -1]])
    lines = [
        f"{legible(title, glyphs.encoding)}: {size}",
        f"temperature {first} {glyphs.arrow} {last}, effective sources {begin} {glyphs.arrow} {end}, "
        f"fingerprint {plan.fingerprint[:_FINGERPRINT_SHOWN]}",
    ]
    if plan.order != "balanced" or plan.pick != "draw":
        lines.append(f"order {plan.order}, pick {plan.pick}")
    return lines + [_edit_line(edit, glyphs) for edit in plan.edits]


def _edit_line(edit: Edit, glyphs: Glyphs) -> str:
    changes: list[str] = []
    if edit.temperature is not None:
        changes.append(f"temperature {edit.temperature!r}")
    for name, source in (edit.sources or {}).items():
        shown = legible(name, glyphs.encoding)
        changes.append(f"{shown} ends" if source is None else f"{shown} = {source!r}")
    for key in ("batch_size", "steps", "max_epochs", "when_capped"):
        value = getattr(edit, key)
        if value is not None:
            changes.append(f"{key} {value:,}" if isinstance(value, int) else f"{key} {value}")
    return f"from step {edit.at_step:,}: {', '.join(changes)}"


def forecast_table(forecast: Forecast, width: int, glyphs: Glyphs) -> Table:
    """Return the forecast, a row a source.

    Counts of a million and more are rounded to four digits, shares and epochs to what fits.
    """
    sources = forecast.sources
    names = [legible(source.name, glyphs.encoding) for source in sources]
    columns = [
        Column("source", names, right=False, clip=True),
        Column("items", [_items_text(source, sources) for source in sources]),
        *(
            Column(f"share\n{when}", [share_text(getattr(source, f"share_{when}")) for source in sources])
            for when in ("first", "mean", "last")
        ),
        Column("draws", [count_text(source.draws) for source in sources]),
        Column("epochs", [epochs_text(source.epochs) for source in sources]),
        Column("first\nrepeat", [_step_text(source.first_repeat_step, glyphs) for source in sources]),
        Column("ends\nat step", [_step_text(source.end_step, glyphs) for source in sources]),
    ]
    return lay_out(columns, width, glyphs)


def _units(forecast: Forecast) -> str:
    return ", ".join(dict.fromkeys(f"{source.unit}s" for source in forecast))


def _items_text(source: SourceForecast, sources: tuple[SourceForecast, ...]) -> str:
    unit = "" if len({s.unit for s in sources}) == 1 else f" {source.unit[:3]}"
    return count_text(source.items) + unit


def _step_text(step: int | None, glyphs: Glyphs) -> str:
    return glyphs.none if step is None else count_text(step)


def curves_text(forecast: Forecast, width: int, glyphs: Glyphs) -> RenderableType:
    """Return temperature and shares over the run as curves; the shares have one scale.

    Each begins at 0: an empty sign is 0, a full one the highest temperature or share of the plan.
    """
    names = [legible(source.name, glyphs.encoding) for source in forecast]
    label_width = min(max(map(cell_len, ["temperature", *names])), _MAX_LABEL)
    labels = [clipped(name, label_width, glyphs.ellipsis) for name in ["temperature", *names]]
    picked = evenly_picked(len(forecast.steps), min(_MAX_CURVE, max(width - label_width - 2, 1)))
    temperatures = forecast.temperature[picked]
    finite = temperatures[temperatures < float("inf")]
    top = float(finite.max(initial=0.0)) or 1.0
    shares = forecast.shares[picked]
    curves = [
        curve_text(temperatures, top, glyphs.levels),
        *(curve_text(column, float(forecast.shares.max()), glyphs.levels) for column in shares.T),
    ]
    return Group(
        *(Text(_padded(label, label_width + 2) + curve) for label, curve in zip(labels, curves, strict=True))
    )


def _padded(text: str, width: int) -> str:
    return text + " " * (width - cell_len(text))


def remarks_text(kind: str, remarks: Sequence[Remark], glyphs: Glyphs) -> Iterator[str]:
    """Yield a paragraph for each remark, beginning with its kind: "warning", "note".

    Of more than three with one code the first three are shown, and how many more there are.
    """
    totals = Counter(remark.code for remark in remarks)
    seen: Counter[str] = Counter()
    for remark in remarks:
        seen[remark.code] += 1
        if seen[remark.code] <= _SHOWN_OF_A_CODE:
            yield f"{kind}: {legible(remark.message, glyphs.encoding)}"
        elif seen[remark.code] == totals[remark.code]:
            more = totals[remark.code] - _SHOWN_OF_A_CODE
            yield f"{kind}: {more:,} more of {remark.code}; all are in --json."
