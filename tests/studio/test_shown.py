"""Figures taken apart into panels, and variants side by side."""

from __future__ import annotations

import json
from typing import Any

import pytest

pytest.importorskip("altair")
pytest.importorskip("streamlit")

from thermix.report.charts import figures
from thermix.report.charts_compare import plans_figure
from thermix.studio.design import Design
from thermix.studio.opened import EXAMPLE
from thermix.studio.shown import as_tables, panels

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


@pytest.mark.parametrize("name", ["run", "epochs"])
def test_a_score_that_is_turned_changes_the_rows_alone(name: str) -> None:
    """So that a browser moves the chart it has, in place of drawing a new one."""
    turned = Design("x", EXAMPLE.replace("score: 2.0", "score: 2.05"), {}, DESIGN.subject)
    assert turned.plan.fingerprint != DESIGN.plan.fingerprint
    before, after = (
        [panel for row in panels(figures(design.subject, [name])[0], "light") for panel in row]
        for design in (DESIGN, turned)
    )
    assert [without_rows(panel) for panel in before] == [without_rows(panel) for panel in after]
    assert before != after


def without_rows(panel: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in panel.items() if key != "datasets"}


@pytest.mark.parametrize("name", ["run", "epochs", "probabilities", "deviation", "compare"])
def test_no_column_of_a_row_is_lost_on_the_way_to_the_browser(name: str) -> None:
    for row in panels(figures(DESIGN.subject, [name])[0], "light"):
        for panel in row:
            for table, rows in zip(
                as_tables(panel)["datasets"].values(), panel["datasets"].values(), strict=True
            ):
                assert table.to_pylist() == rows


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
