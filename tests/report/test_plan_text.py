"""What `thermix plan` shows: summary, table, curves, remarks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from rich.cells import cell_len

from tests.report.plans import printed, small_plan
from thermix.core.schedule import constant
from thermix.plan.advice import Advice
from thermix.plan.forecast import Forecast
from thermix.plan.mixture import Mixture, Source
from thermix.plan.plan import Plan
from thermix.report.plan_text import curves_text, forecast_table, plan_summary, remarks_text
from thermix.report.text import ASCII, UNICODE, Glyphs, glyphs_for


def test_the_summary_says_size_course_and_fingerprint() -> None:
    plan = small_plan()
    assert plan_summary(plan.forecast(), "mix.yaml", UNICODE) == [
        "mix.yaml: 1,000 steps × 64 = 64,000 draws (sequences) = 131.1M tokens",
        f"temperature 5 → 1, effective sources 2.94 → 2.15, fingerprint {plan.fingerprint[:12]}",
    ]


def test_the_summary_names_edits_and_what_is_not_the_default() -> None:
    sources = {"web": Source(score=1.0, items=10**6), "网页": Source(score=1.0, items=10**6, unit="document")}
    plan = Plan(Mixture(sources), steps=100, batch_size=8, order="multinomial", pick="batch")
    edited = plan.edit(at_step=50, temperature=2.0, sources={"网页": None}, batch_size=16, steps=2_000)
    assert plan_summary(edited.forecast(), "m.yaml", ASCII) == [
        "m.yaml: 2,000 steps, 31,600 draws (sequences, documents)",
        f"temperature 1 -> 2, effective sources 2.00 -> 1.00, fingerprint {edited.fingerprint[:12]}",
        "order multinomial, pick batch",
        "from step 50: temperature constant(2.0), \\u7f51\\u9875 ends, batch_size 16, steps 2,000",
    ]
    capped = small_plan().edit(at_step=5, max_epochs=50.5, when_capped="drop")
    assert plan_summary(capped.forecast(), "m", ASCII)[-1] == "from step 5: max_epochs 50.5, when_capped drop"


def test_the_table_shows_what_the_forecast_has() -> None:
    lines = printed(forecast_table(small_plan().forecast(), 80, UNICODE))
    assert lines == [
        "                  share  share  share                   first     ends",
        "source     items  first   mean   last   draws  epochs  repeat  at step",
        "──────────────────────────────────────────────────────────────────────",
        "web       10.00M  33.8%  31.0%  25.4%  19,858   <0.01       –        –",
        "books      2,000  41.2%  52.9%  69.0%  33,850    16.9      75        –",
        "网页文本  50,000  25.0%  16.1%   5.7%  10,292    0.21       –        –",
    ]


def test_units_that_differ_stand_beside_the_items() -> None:
    sources = {"a": Source(score=1.0, items=10**6), "b": Source(score=1.0, items=500, unit="document")}
    lines = printed(forecast_table(Plan(Mixture(sources), steps=9, batch_size=2).forecast(), 80, ASCII))
    assert [line.split()[1:3] for line in lines[-2:]] == [["1.000M", "seq"], ["500", "doc"]]


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII, glyphs_for("cp1252")])
@pytest.mark.parametrize("width", [80, 100])
def test_the_table_fits_and_its_lines_are_equally_wide(glyphs: Glyphs, width: int) -> None:
    sources = {
        "law-and-regulations-of-the-european-union-v3": Source(score=0.0, items=10**14),
        "网页文本" * 10: Source(score=0.0, items=3),
        "q": Source(score=1.0, items=123_456_789_012),
    }
    plan = Plan(Mixture(sources, max_epochs=10**6, when_capped="drop"), steps=10**9, batch_size=1_000)
    lines = printed(forecast_table(plan.forecast(), width, glyphs), 300)
    (cells,) = {cell_len(line) for line in lines}
    assert cells <= width
    "".join(lines).encode(glyphs.encoding)


def test_curves_follow_the_temperature_and_share_one_scale() -> None:
    lines = printed(curves_text(small_plan().forecast(), 80, UNICODE))
    assert [line.split()[0] for line in lines] == ["temperature", "web", "books", "网页文本"]
    temperature, web, books, chinese = (line.split()[1] for line in lines)
    assert len(temperature) == len(web) == 60
    assert list(temperature) == sorted(temperature, reverse=True)
    assert (temperature[0], books[-1]) == ("█", "█")
    assert list(books) == sorted(books)
    assert web[-1] > chinese[-1]
    assert len({cell_len(line) for line in lines}) == 1


def _hot(plan: Plan) -> Plan:
    return plan.edit(at_step=500, temperature=float("inf"))


def _single(plan: Plan) -> Plan:
    return Plan(
        Mixture({"web": Source(score=1.0, items=10)}, temperature=constant(0.0)), steps=1, batch_size=1
    )


@pytest.mark.parametrize("change", [_hot, _single])
def test_curves_are_drawn_for_any_temperature(change: Callable[[Plan], Plan]) -> None:
    forecast: Forecast = change(small_plan()).forecast()
    for glyphs in (UNICODE, ASCII):
        lines = printed(curves_text(forecast, 80, glyphs))
        assert len(lines) == 1 + len(forecast.sources)


def test_long_names_are_clipped_beside_curves() -> None:
    plan = Plan(Mixture({"n" * 200: Source(score=1.0, items=10**6)}), steps=500, batch_size=1)
    assert all(cell_len(line) <= 60 for line in printed(curves_text(plan.forecast(), 60, ASCII)))


def test_remarks_begin_with_their_kind_and_many_of_one_code_are_counted() -> None:
    remarks = [Advice("never_drawn", f"s{i}", f"网{i}") for i in range(5)]
    other = Advice("single_source", "s", "alone")
    assert list(remarks_text("warning", [*remarks, other], UNICODE)) == [
        "warning: 网0",
        "warning: 网1",
        "warning: 网2",
        "warning: 2 more of never_drawn; all are in --json.",
        "warning: alone",
    ]
    assert list(remarks_text("note", remarks[:1], ASCII)) == ["note: \\u7f510"]
