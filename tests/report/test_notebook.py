"""How notebooks show mixtures, plans and forecasts; run by IPython in this process."""

from __future__ import annotations

import base64
import builtins
import math
import re
import sys
import xml.etree.ElementTree
from typing import Any

import pytest

from tests.report.plans import small_plan
from thermix.core.schedule import constant, linear
from thermix.plan.forecast import Forecast
from thermix.plan.mixture import Mixture, Source
from thermix.plan.notebook import notebook_html
from thermix.plan.plan import Plan

pytest.importorskip("altair")
pytest.importorskip("vl_convert")


def shown(value: Mixture | Plan | Forecast) -> tuple[str, str]:
    """The HTML without its picture, and the picture, which must be sound XML."""
    html = notebook_html(value)
    assert html is not None
    picture = re.search(r'<img src="data:image/svg\+xml;base64,([^"]+)"', html)
    assert picture is not None
    svg = base64.b64decode(picture[1]).decode()
    xml.etree.ElementTree.fromstring(svg)
    return html.replace(picture[0], ""), svg


def test_a_plan_shows_its_forecast_and_its_run() -> None:
    html, svg = shown(small_plan())
    for source in small_plan().forecast():
        assert source.name in html
        assert f"<td>{source.draws:,}</td>" in html
        assert source.name in svg
    assert small_plan().fingerprint[:12] in html
    assert "Temperature and shares over the run" in svg


def test_a_forecast_shows_its_epochs() -> None:
    html, svg = shown(small_plan().forecast())
    assert "<bdi>books</bdi>" in html
    assert "Epochs of each source" in svg


@pytest.mark.parametrize(
    "temperature",
    [
        linear(5.0, 1.0, until="80%"),
        constant(math.inf),
        0.0,
        linear(5, 1, until="9k steps"),
        linear(5, 1, until="1B tokens"),
    ],
    ids=repr,
)
def test_a_mixture_shows_its_probabilities(temperature: Any) -> None:
    capped = {"web": Source(2.0, items=9, max_epochs=0.1), "b<i>": Source(1.0, items=3, max_epochs=1)}
    html, svg = shown(Mixture(capped, temperature))
    assert "<td>0.7311</td>" in html, "e^2 / (e^2 + e) at T = 1"
    assert "b&lt;i&gt;" in html
    assert "<i>" not in html
    assert "Probability of each source" in svg


def test_ipython_takes_it_and_keeps_the_plain_text() -> None:
    core = pytest.importorskip("IPython.core.formatters")
    data, _ = core.DisplayFormatter().format(small_plan())
    assert (
        data["text/plain"]
        .replace("\n", " ")
        .startswith("Plan(Mixture({'web': Source(score=2.0, items=10000000)")
    )
    assert "<table>" in data["text/html"]


def test_a_cell_that_ends_with_a_plan_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell()
    try:
        result = shell.run_cell("import thermix\nm = thermix.Mixture({'a': thermix.Source(items=9)})\nm")
        assert result.success
        assert "<bdi>a</bdi>" in shell.display_formatter.format(result.result)[0]["text/html"]
    finally:
        shell.history_manager.end_session()
    assert "Mixture({'a': Source(items=9)}" in capsys.readouterr().out


def test_without_the_extra_plain_text_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("thermix.report", "altair"))]:
        monkeypatch.delitem(sys.modules, name)
    there = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.split(".")[0] == "altair":
            raise ImportError(name)
        return there(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    assert notebook_html(small_plan()) is None
    assert small_plan()._repr_html_() is None
