"""Figures taken apart into panels, and variants side by side."""

from __future__ import annotations

import json

import pytest

pytest.importorskip("altair")
pytest.importorskip("streamlit")

from thermix.report.charts import figures
from thermix.report.charts_compare import plans_figure
from thermix.studio.design import Design
from thermix.studio.opened import EXAMPLE
from thermix.studio.shown import panels

DESIGN = Design("x", EXAMPLE, {})


@pytest.mark.parametrize("name", ["run", "epochs", "probabilities", "deviation", "compare"])
def test_every_panel_is_a_chart_of_its_own(name: str) -> None:
    (figure,) = figures(DESIGN.subject, [name])
    whole = figure.spec()
    for panel in (panel for row in panels(figure, "dark") for panel in row):
        text = json.dumps(panel)
        named = {part for part in whole["datasets"] if f'"data": {{"name": "{part}"}}' in text}
        assert set(panel["datasets"]) == named
        assert "width" not in panel
        assert not isinstance(panel.get("height"), dict)
        assert panel["config"]["text"]["color"] == "#e4e7eb"
        for rows in named:
            assert panel["datasets"][rows] == whole["datasets"][rows]


def test_a_panel_keeps_what_its_pointer_needs() -> None:
    (figure,) = figures(DESIGN.subject, ["run"])
    for (panel,) in panels(figure, "light"):
        (param,) = panel["params"]
        assert param["name"] in json.dumps(panel["layer"])
        assert all(view in json.dumps(panel["layer"]) for view in param["views"])


def test_variants_with_other_sources_stand_side_by_side() -> None:
    other = Design("x", EXAMPLE.replace("books:", "law:").replace("10B tokens", "5B tokens"), {})
    plans = {"this": DESIGN.plan, "that": other.plan}
    rows = plans_figure(plans, DESIGN.subject.cast, "t", "r").data["epochs"]
    shown = {(row["schedule"], row["source"]): (row["epochs"], row["draws"]) for row in rows}
    for name, plan in plans.items():
        for label in ("web", "books", "code"):
            wanted = (0.0, 0)
            if label in plan.names:
                source = plan.forecast()[label]
                wanted = (source.epochs, source.draws)
            assert shown[name, label] == wanted
