"""The page as a person meets it, in a headless Chromium: what it shows is what the library says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("streamlit")
pytest.importorskip("altair")
pytest.importorskip("playwright")

from tests.studio.served import seen, settled, studio
from thermix.config import parse_config
from thermix.plan.plan import Plan
from thermix.report.text import epochs_text, share_text

CONFIG = """\
# mine
steps: 10000
batch_size: 512
sequence_length: 2048
temperature: {schedule: linear, start: 5.0, end: 1.0, until: 80%}   # annealed
sources:
  web:      {score: 2.0, items: 10000000}   # most
  books:    {score: 3.0, items: 200000, max_epochs: 4}
  网页文本: {score: 0.5, tokens: 3.2e9}
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A running page of `mix.yaml`, and its folder; the user's home stays empty."""
    folder, home = tmp_path_factory.mktemp("mix"), tmp_path_factory.mktemp("home")
    (folder / "mix.yaml").write_text(CONFIG, encoding="utf-8")
    with studio("mix.yaml", folder=folder, home=home) as address:
        yield address, folder
    assert [path for path in home.rglob("*") if path.is_file()] == []
    assert sorted(path.name for path in folder.iterdir()) == ["mix.yaml"]


def table(page: Any) -> list[list[str]]:
    """The rows of the forecast."""
    page.locator(".wide table").first.wait_for()
    return [
        [cell.strip() for cell in row.locator("th, td").all_inner_texts()]
        for row in page.locator(".wide tbody tr").all()
    ]


def wanted(plan: Plan) -> list[list[str]]:
    """What the library says: name, shares, draws and epochs."""
    rows = []
    for s in plan.forecast():
        shares = [share_text(share) for share in (s.share_first, s.share_mean, s.share_last)]
        rows.append([s.name, *shares, f"{s.draws:,}", epochs_text(s.epochs)])
    return rows


def shown(page: Any) -> list[list[str]]:
    """The same columns of the page."""
    return [[row[0], *row[2:7]] for row in table(page)]


def yaml_of(page: Any) -> str:
    page.get_by_text("YAML", exact=True).click()
    settled(page)
    page.wait_for_function("(document.querySelector('.stTextArea textarea') || {}).value")
    return str(page.get_by_role("textbox", name="Edit it, or paste another").input_value())


def slider(page: Any, name: str) -> Any:
    return page.locator(f'input[type=range][aria-label="{name}"]')


def press(page: Any, name: str, key: str, times: int = 1) -> None:
    slider(page, name).focus()
    for _ in range(times):
        page.keyboard.press(key)
    settled(page)


def test_what_is_shown_is_the_plan(served: tuple[str, Path]) -> None:
    with seen(served[0]) as (page, said):
        assert shown(page) == wanted(parse_config(CONFIG).plan)
        assert parse_config(CONFIG).plan.fingerprint[:12] in page.inner_text("body")
        page.locator(".vega-embed canvas, .vega-embed svg").nth(3).wait_for()
        assert yaml_of(page) == CONFIG
        assert said == []


def test_panels_that_share_an_axis_of_steps_stand_under_each_other(served: tuple[str, Path]) -> None:
    ends = """[...document.querySelectorAll('[data-testid=stVegaLiteChart]')].slice(0, 2).map(chart => {
        const line = chart.querySelector('.role-axis-domain line').getBoundingClientRect();
        return [line.left, line.right];
    })"""
    with seen(served[0]) as (page, _):
        page.locator(".vega-embed svg").nth(3).wait_for()
        above, below = page.evaluate(ends)
        assert above[0] == pytest.approx(below[0], abs=3)
        assert above[1] == pytest.approx(below[1], abs=3)


def test_a_slider_that_is_moved_moves_everything(served: tuple[str, Path]) -> None:
    with seen(served[0]) as (page, said):
        before = shown(page)
        press(page, "web", "ArrowRight", 10)
        press(page, "T at the end", "ArrowRight", 2)
        now = shown(page)
        text = yaml_of(page)
        assert text == CONFIG.replace("score: 2.0", "score: 2.5").replace("end: 1.0", "end: 1.2")
        assert now == wanted(parse_config(text).plan) != before
        assert said == []


def test_shapes_and_lengths_can_be_chosen(served: tuple[str, Path]) -> None:
    with seen(served[0]) as (page, said):
        table(page)
        page.get_by_text("tokens", exact=True).click()
        settled(page)
        press(page, "Length of the run", "ArrowRight")
        page.get_by_label("Shape over the run").click()
        page.get_by_role("option", name="cosine").click()
        settled(page)
        now, text = shown(page), yaml_of(page)
        assert "schedule: cosine" in text
        assert "steps: 12B tokens" in text
        assert now == wanted(parse_config(text).plan)
        assert said == []


def test_a_cap_can_be_set_and_taken_away(served: tuple[str, Path]) -> None:
    with seen(served[0]) as (page, said):
        table(page)
        page.get_by_text("Caps: most passes over a source").click()
        cap = page.get_by_role("spinbutton", name="web").or_(
            page.get_by_label("web").and_(page.locator("input[type=number]"))
        )
        cap.first.fill("0.25")
        cap.first.press("Enter")
        settled(page)
        now, text = shown(page), yaml_of(page)
        assert "web:      {score: 2.0, items: 10000000, max_epochs: 0.25}   # most" in text
        assert now == wanted(parse_config(text).plan)
        assert said == []


def test_a_cap_typed_just_before_its_box_is_closed_is_kept(served: tuple[str, Path]) -> None:
    with seen(served[0]) as (page, said):
        table(page)
        page.get_by_text("Caps: most passes over a source").click()
        cap = page.locator("input[type=number][aria-label=web]")
        cap.fill("0.5")
        page.get_by_text("Caps: most passes over a source").click()
        cap.wait_for(state="hidden")
        settled(page)
        assert "max_epochs: 0.5}   # most" in yaml_of(page)
        assert said == []


def test_a_mistake_has_its_message_and_the_rest_stays(served: tuple[str, Path]) -> None:
    with seen(served[0]) as (page, said):
        good = shown(page)
        yaml_of(page)
        box = page.get_by_role("textbox", name="Edit it, or paste another")
        box.fill(CONFIG.replace("max_epochs: 4", "max_epochs: 0"))
        page.get_by_role("button", name="Use this text").click()
        settled(page)
        message = "mix.yaml: sources.books.max_epochs: got 0; it must be > 0."
        assert message in page.inner_text("body")
        page.get_by_text("Charts", exact=True).click()
        settled(page)
        assert shown(page) == good, "the last design that worked"
        press(page, "web", "ArrowRight")
        assert message in page.inner_text("body")
        page.get_by_text("YAML", exact=True).click()
        settled(page)
        box.fill("steps: [")
        page.get_by_role("button", name="Use this text").click()
        settled(page)
        assert "it is not YAML" in page.inner_text("body")
        assert box.input_value() == "steps: [", "nothing that was typed is lost"
        assert said == []


def test_variants_stand_side_by_side(served: tuple[str, Path]) -> None:
    with seen(served[0]) as (page, said):
        table(page)
        page.get_by_role("button", name="Pin as a variant").click()
        settled(page)
        press(page, "books", "ArrowLeft", 20)
        text = yaml_of(page)
        page.get_by_text("Variants", exact=True).click()
        settled(page)
        plans = (parse_config(text).plan, parse_config(CONFIG).plan)
        columns = [
            [[share_text(s.share_mean), epochs_text(s.epochs)] for s in plan.forecast()] for plan in plans
        ]
        assert [row[1:] for row in table(page)] == [a + b for a, b in zip(*columns, strict=True)]
        page.locator(".vega-embed canvas, .vega-embed svg").nth(3).wait_for()
        page.get_by_role("button", name="Go on from variant 1").click()
        settled(page)
        assert yaml_of(page) == CONFIG
        assert said == []


def test_it_is_downloaded_and_saved(served: tuple[str, Path]) -> None:
    address, folder = served
    with seen(address) as (page, said):
        table(page)
        press(page, "web", "ArrowLeft")
        with page.expect_download() as download:
            page.get_by_role("button", name="Download YAML").click()
        text = CONFIG.replace("score: 2.0", "score: 1.95")
        assert Path(download.value.path()).read_text("utf-8") == text
        assert download.value.suggested_filename == "mix.yaml"
        assert (folder / "mix.yaml").read_text("utf-8") == CONFIG
        page.get_by_role("button", name="Save to mix.yaml").click()
        settled(page)
        assert (folder / "mix.yaml").read_text("utf-8") == text
        (folder / "mix.yaml").write_text(CONFIG, encoding="utf-8")
        page.get_by_role("button", name="Save to mix.yaml").click()
        settled(page)
        assert "it was changed since it was opened here" in page.inner_text("body")
        assert (folder / "mix.yaml").read_text("utf-8") == CONFIG
        assert said == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_telephone(served: tuple[str, Path], scheme: str) -> None:
    with seen(served[0], 400, scheme) as (page, said):
        assert shown(page) == wanted(parse_config(CONFIG).plan)
        page.locator(".vega-embed canvas, .vega-embed svg").nth(3).wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 400
        for chart in page.get_by_test_id("stVegaLiteChart").all():
            assert chart.bounding_box()["width"] <= 400
        page.get_by_test_id("stExpandSidebarButton").click()
        slider(page, "web").wait_for()
        assert said == []


def test_everything_is_reached_by_the_keyboard(served: tuple[str, Path]) -> None:
    with seen(served[0]) as (page, _):
        table(page)
        reached = set()
        for _step in range(60):
            page.keyboard.press("Tab")
            reached.add(
                page.evaluate(
                    "(e => e.getAttribute('aria-label') || e.innerText || e.tagName)(document.activeElement)"
                )
            )
        for name in (
            "web",
            "books",
            "T at the start",
            "Length of the run",
            "Pin as a variant",
            "Save to mix.yaml",
        ):
            assert any(name in text for text in reached), f"{name}: {reached}"
