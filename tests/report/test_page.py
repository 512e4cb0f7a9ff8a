"""The report: one file, offline, with the plan's numbers, and nothing of a name taken for markup."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.report.browser import opened
from thermix.report.text import share_text

pytest.importorskip("altair")
pytest.importorskip("vl_convert")

from thermix.report.asked import Asked, read_asked
from thermix.report.page import report_page

EVIL = "<script>alert(1)</script>"
CONFIG = f"""\
# a comment with </pre></script><script>alert(2)</script> & <!-- in it
steps: 1000
batch_size: 64
temperature: {{schedule: linear, start: 5.0, end: 1.0, until: 80%}}
sources:
  web:      {{score: 2.0, items: 10000000}}
  books:    {{score: 3.0, items: 2000}}
  网页文本: {{score: 0.5, items: 50000}}
  مقالات: {{score: 0.4, items: 5000, max_epochs: 1}}
  step:     {{score: 0.1, items: 700}}
  "a.b[0]'x": {{score: 0.1, items: 70000}}
  "{EVIL}": {{score: 0.1, items: 7000}}
edits: [{{at: 700, temperature: 2.0}}]
"""


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    path = tmp_path / "mix.yaml"
    path.write_text(CONFIG, encoding="utf-8")
    return read_asked(path, compared=("linear", "cosine"))


def given(page: str) -> Any:
    """The data of the charts."""
    found = re.search(r'<script type="application/json" id="charts">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


def test_it_is_one_small_file_that_asks_for_nothing(asked: Asked) -> None:
    page = report_page(asked)
    assert len(page.encode()) < 5_000_000
    outside = page.split("<script>")[0] + page.split("</script>")[-1]
    assert not re.search(r'(src|href)="(?!data:)', outside)
    assert "default-src 'none'" in page


def test_it_says_what_was_asked_and_how_to_do_it_again(asked: Asked) -> None:
    page = html.unescape(report_page(asked))
    assert CONFIG in page
    assert asked.config.plan.fingerprint in page
    assert f"thermix plan {asked.path}" in page
    assert "--compare linear --compare cosine" in page


def test_the_table_is_the_forecast(asked: Asked) -> None:
    page = report_page(asked)
    rows = re.findall(r'<tr><th scope="row"><bdi>(.*?)</bdi></th>(.*?)</tr>', page)
    cells = {html.unescape(name): re.findall("<td>(.*?)</td>", rest) for name, rest in rows}
    assert list(cells) == list(asked.config.plan.names)
    for source in asked.forecast:
        assert cells[source.name][1:5] == [
            html.escape(share_text(source.share_first)),
            html.escape(share_text(source.share_mean)),
            html.escape(share_text(source.share_last)),
            f"{source.draws:,}",
        ]


def test_warnings_are_said_in_words(asked: Asked) -> None:
    page = html.unescape(report_page(asked))
    assert asked.warnings
    for warning in asked.warnings:
        assert warning.message in page


def test_no_name_and_no_line_of_the_config_is_taken_for_markup(asked: Asked) -> None:
    page = report_page(asked)
    assert EVIL not in page
    assert "alert(2)</script>" not in page
    assert EVIL in {row["source"] for row in given(page)["specs"]["chart-1"]["datasets"]["shares"]}


def test_the_hover_values_are_those_of_the_plan(asked: Asked) -> None:
    plan = asked.config.plan
    for row in given(report_page(asked))["specs"]["chart-1"]["datasets"]["hover"]:
        shares = dict(zip(plan.names, plan.probabilities(row["step"]), strict=True))
        assert row["web"] == share_text(shares["web"])
        assert row["step (2)"] == share_text(shares["step"])


def test_a_plan_without_warnings_says_so(tmp_path: Path) -> None:
    path = tmp_path / "mix.yaml"
    path.write_text("{steps: 9, batch_size: 2, sources: {a: {items: 90}, b: {items: 90}}}", encoding="utf-8")
    assert "Nothing calls for a second look." in report_page(read_asked(path))


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (400, "light"), (1280, "dark")])
def test_it_opens_in_a_browser(asked: Asked, tmp_path: Path, width: int, scheme: str) -> None:
    path = tmp_path / "report.html"
    path.write_text(report_page(asked), encoding="utf-8")
    with opened(path, width, scheme) as (page, said):
        assert said == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.locator(".chart svg.marks").count() == 5
        assert page.locator(".chart").first.get_attribute("data-drawn") == scheme
        assert page.locator("bdi", has_text=EVIL).count() == 1
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert paper == ("rgb(20, 23, 28)" if scheme == "dark" else "rgb(255, 255, 255)")


@pytest.mark.slow
def test_a_pointer_shows_the_values_and_follows_a_change_to_dark(asked: Asked, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(report_page(asked), encoding="utf-8")
    with opened(path, 1280) as (page, said):
        chart = page.locator("#chart-1 svg.marks")
        chart.scroll_into_view_if_needed()
        box = chart.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] * 0.7)
        page.mouse.move(box["x"] + box["width"] / 3 + 3, box["y"] + box["height"] * 0.7)
        shown = page.wait_for_selector("#vg-tooltip-element.visible").inner_text()
        assert "books" in shown
        assert EVIL in shown
        page.emulate_media(color_scheme="dark")
        page.wait_for_selector("#chart-4[data-drawn=dark]")
        assert said == []
