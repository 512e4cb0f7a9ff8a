"""What a page shows of designs: charts panel by panel, the forecast, variants side by side.

Charts and tables are those of `thermix report`; here they are only put where there is room.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

import pyarrow as pa
import streamlit as st

from thermix.plan.advice import advise
from thermix.report.charts import figures
from thermix.report.charts_base import Figure
from thermix.report.charts_compare import plans_figure
from thermix.report.charts_theme import Theme, looks
from thermix.report.page_parts import forecast_html, table_html
from thermix.report.plan_text import plan_summary
from thermix.report.text import UNICODE, epochs_text, legible, share_text
from thermix.studio.design import Design

__all__ = ["as_tables", "panels", "show_design", "show_variants"]

_AXIS = 38  # pixels: an axis with its title

_STYLE: Final = """<style>
.wide { overflow-x: auto; max-width: 100%; }
.wide table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; margin: 0; }
.wide th, .wide td { padding: .2rem .7rem; text-align: right; white-space: nowrap; border: 0;
  border-bottom: 1px solid color-mix(in srgb, currentColor 18%, transparent); }
.wide th:first-child { text-align: left; padding-left: 0; } .wide thead th { font-weight: 400; opacity: .75; }
.wide tbody th { font-weight: 500; max-width: 20rem; overflow: hidden; text-overflow: ellipsis; }
.summary p { margin: 0; overflow-wrap: anywhere; } .summary ul { padding-left: 1.2rem; margin: .4rem 0 0; }
</style>"""
_AXES, _ROWS = 60, {"worth": 1.0, "sources": 1.0, "bars": 1.45, "epochs": 1.35}  # rows, with gaps of groups
_BESIDE = 290
_WARNINGS = 3
_PARTS: Final = {
    "run": "Shares over the run",
    "forecast": "Forecast",
    "epochs": "Epochs",
    "probabilities": "By temperature",
    "deviation": "Deviation",
}
_USUAL: Final = ("run", "forecast", "epochs")


def panels(figure: Figure, theme: Theme) -> Iterator[list[dict[str, Any]]]:
    """The parts of a figure that stand below each other, each a list of those beside each other.

    Every one is a whole chart without a width, which its place gives it.
    """
    spec = figure.spec()
    for part in spec.get("vconcat", [spec]):
        beside = [one | {"height": _BESIDE} for one in part.get("concat", [])]  # each with a key of its own
        yield [_alone(one, spec, theme) for one in beside or [part]]


def _alone(part: dict[str, Any], whole: Mapping[str, Any], theme: Theme) -> dict[str, Any]:
    text = repr(part)
    config = looks(theme) | {"background": "transparent", "axisLeft": {"minExtent": _AXIS}}
    kept = {key: value for key, value in part.items() if key != "width"}
    kept["autosize"] = {"type": "fit", "contains": "padding"}
    kept["padding"] = dict.fromkeys(("left", "right", "top", "bottom"), 2)  # config's is not heeded
    kept["datasets"] = {
        name: rows for name, rows in whole["datasets"].items() if repr({"name": name}) in text
    }
    if isinstance(part.get("height"), dict):  # so much a row; what is to fit needs a height in all
        rows = sum(_ROWS[name] * len(kept["datasets"][name]) for name in kept["datasets"] if name in _ROWS)
        kept["height"] = round(_AXES + part["height"]["step"] * rows)
    params = [p for p in whole.get("params", []) if any(repr(view) in text for view in p.get("views", []))]
    return kept | {"config": config, "$schema": whole["$schema"]} | ({"params": params} if params else {})


def as_tables(part: dict[str, Any]) -> dict[str, Any]:
    """A panel with its rows as Arrow tables, which Streamlit would make of them by way of pandas."""
    return part | {"datasets": {name: pa.Table.from_pylist(rows) for name, rows in part["datasets"].items()}}


def _aligned(above: dict[str, Any], below: Mapping[str, Any]) -> dict[str, Any]:
    """A panel as wide as the one below it: with the names that stand right of that one, unseen."""
    rows = [{"source": row["source"]} for row in below["datasets"]["labels"]]
    names = next(
        layer for layer in below["layer"] if layer["encoding"].get("text", {}).get("field") == "source"
    )
    encoding = {channel: names["encoding"][channel] for channel in ("x", "text")}
    mark = names["mark"] | {"opacity": 0, "aria": False}
    unseen = {"data": {"values": rows}, "mark": mark, "encoding": encoding}
    return above | {"layer": [*above["layer"], unseen]}


def _draw(figure: Figure, *, aligned: bool = False) -> None:
    """Draw a figure; `aligned`: its first row is to be as wide as its second."""
    theme: Theme = "dark" if st.context.theme.type == "dark" else "light"
    st.subheader(figure.title, anchor=False)
    st.caption(figure.remark)
    rows = list(panels(figure, theme))
    if aligned:
        rows[0] = [_aligned(rows[0][0], rows[1][0])]
    for row, parts in enumerate(rows):
        places = st.columns(len(parts)) if len(parts) > 1 else [st.container()]
        for column, (place, part) in enumerate(zip(places, parts, strict=True)):
            with place:
                st.vega_lite_chart(
                    spec=as_tables(part), width="stretch", theme=None, key=f"{figure.name} {row} {column}"
                )


def show_design(design: Design, remarks: Sequence[str]) -> None:
    """What is chosen to be seen of one design, what is quick to find first."""
    subject = design.subject
    top = st.container()
    chosen = st.pills(
        "Show",
        list(_PARTS),
        selection_mode="multi",
        default=_USUAL,
        format_func=lambda part: _PARTS[part],
        key="parts",
    )
    if "run" in chosen:
        _draw(figures(subject, ["run"])[0], aligned=True)
    with top:
        _summary(design, remarks)
    if "forecast" in chosen:
        st.subheader("Forecast", anchor=False)
        st.html(_STYLE + forecast_html(subject.forecast))
    for name in ("epochs", "probabilities", "deviation"):
        if name in chosen:
            _draw(figures(subject, [name])[0])


def _summary(design: Design, remarks: Sequence[str]) -> None:
    forecast = design.subject.forecast
    lines = plan_summary(forecast, "this design", UNICODE)
    words = "".join(f"<p>{_html(line)}</p>" for line in lines)
    st.html(f'{_STYLE}<div class="summary">{words}</div>')
    said = [advice.message for advice in advise(forecast)]
    said += [*remarks, *(notice.message for notice in design.config.notices)]
    if said:
        title = f"Worth a second look: {len(said)} {'remark' if len(said) == 1 else 'remarks'}"
        with st.expander(title, expanded=len(said) <= _WARNINGS):
            items = "".join(f"<li>{_html(text)}</li>" for text in said)
            st.html(f'{_STYLE}<div class="summary"><ul>{items}</ul></div>')


def _html(text: str) -> str:
    return escape(legible(text, "utf-8"))


def show_variants(designs: Mapping[str, Design]) -> None:
    """Several designs side by side: epochs and shares in a table, then their charts."""
    first = next(iter(designs.values()))
    st.html(_STYLE + _variants_html(designs))
    plans = {name: design.plan for name, design in designs.items()}
    remark = f"Shares are probabilities at the step, after caps. {first.subject.cast.remark}"
    _draw(plans_figure(plans, first.subject.cast, "Variants side by side", remark))


def _variants_html(designs: Mapping[str, Design]) -> str:
    heads = ["source"]
    rows: dict[str, list[str]] = {}
    for number, (name, design) in enumerate(designs.items()):
        heads += [f"{name}: share", "epochs"]
        for source in design.subject.forecast:
            cells = rows.setdefault(source.name, ["–"] * 2 * number)
            cells += [share_text(source.share_mean), epochs_text(source.epochs)]
        for cells in rows.values():
            cells += ["–"] * (2 * number + 2 - len(cells))
    return table_html(heads, [(legible(name, "utf-8"), *cells) for name, cells in rows.items()])
