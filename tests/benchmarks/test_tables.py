"""From rows to statistics and Markdown."""

from __future__ import annotations

import pytest

from benchmarks.harness import Row
from benchmarks.tables import Better, markdown, number, ratio, records

TITLES = {"thermix": "thermix", "slow": "Slow & Co", "gone": "Gone"}


def row(contender: str, *values: float, label: str = "a", **more: object) -> Row:
    made = Row(label, contender, list(values), [100.0] * len(values))
    made.reason, made.failed = str(more.get("reason", "")), bool(more.get("failed"))
    return made


def case(rows: list[Row], better: Better = "higher") -> dict[str, object]:
    words = {"title": "Title", "note": "Note.", "unit": "units", "better": better}
    return {**words, "rows": records(rows, better)}


@pytest.mark.parametrize(
    ("better", "expected"),
    [("higher", 10.0), ("lower", 0.1)],
)
def test_a_ratio_is_the_median_of_the_turns_ratios(better: Better, expected: float) -> None:
    ours, theirs = [10.0, 100.0, 30.0], [1.0, 50.0, 3.0]  # 10, 2 and 10 times
    assert ratio(ours, theirs, better) == pytest.approx(expected)


def test_a_ratio_pairs_turns_and_does_not_divide_medians() -> None:
    ours, theirs = [10.0, 20.0, 90.0], [5.0, 1.0, 30.0]  # 2, 20 and 3 times; medians would give 4
    assert ratio(ours, theirs, "higher") == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("ours", "theirs", "better"),
    [([], [], "higher"), ([1.0], [1.0, 2.0], "higher"), ([1.0], [0.0], "higher"), ([0.0], [1.0], "lower")],
)
def test_there_is_no_ratio_of_nothing_of_unequal_turns_or_by_zero(
    ours: list[float], theirs: list[float], better: Better
) -> None:
    assert ratio(ours, theirs, better) is None


def test_records_have_median_least_most_values_and_the_ratio() -> None:
    found = records([row("thermix", 4.0, 6.0, 5.0), row("slow", 1.0, 2.0, 1.0)], "higher")
    assert found[1] == {
        "row": "a",
        "contender": "slow",
        "median": 1.0,
        "min": 1.0,
        "max": 2.0,
        "thermix_times_better": 4.0,
        "values": [1.0, 2.0, 1.0],
        "peak_mb": 100.0,
    }


def test_a_ratio_compares_the_same_row_alone() -> None:
    found = records([row("thermix", 4.0), row("slow", 1.0, label="b")], "higher")
    assert found[1]["thermix_times_better"] is None


def test_a_row_without_figures_has_status_and_reason() -> None:
    rows = [row("gone", reason="not installed"), row("slow", reason="broke", failed=True)]
    assert records(rows, "higher") == [
        {"row": "a", "contender": "gone", "status": "skipped", "reason": "not installed"},
        {"row": "a", "contender": "slow", "status": "failed", "reason": "broke"},
    ]


def test_markdown_is_a_line_a_row_with_the_best_in_bold() -> None:
    rows = [row("thermix", 4.0), row("slow", 1234.5), row("slow", 2.0, label="b")]
    lines = markdown(case(rows), TITLES).splitlines()
    assert lines[:9] == [
        "## Title",
        "",
        "Note.",
        "",
        "Medians, in units; higher is better, the best of a row is bold.",
        "",
        "|  | thermix | Slow & Co |",
        "|---|--:|--:|",
        "| a | 4 | **1,234** |",
    ]
    assert lines[9] == "| b | - | **2** |"


def test_where_lower_is_better_the_least_is_bold_and_first() -> None:
    text = markdown(case([row("slow", 9.0), row("thermix", 3.0)], "lower"), TITLES)
    assert "| a | **3** | 9 |" in text
    assert text.index("| a | thermix | 3 | 3 | 3 |  | 100 |") < text.index(
        "| a | Slow & Co | 9 | 9 | 9 | 3x | 100 |"
    )


def test_a_contender_without_a_figure_is_named_once_with_its_reason() -> None:
    rows = [row("thermix", 1.0, label=label) for label in "ab"]
    rows += [row("gone", label=label, reason="not\n installed | <b>") for label in "ab"]
    rows += [row("slow", 1.0), row("slow", label="b", reason="broke", failed=True)]
    text = markdown(case(rows), TITLES)
    assert text.count("- Gone - left out: not installed \\| &lt;b>") == 1
    assert "- Slow & Co, b - failed: broke" in text


def test_a_case_without_any_figure_still_makes_a_page() -> None:
    text = markdown(case([row("gone", reason="not installed")]), TITLES)
    assert "- Gone - left out: not installed" in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1234567.0, "1,234,567"),
        (99.96, "100"),
        (12.345, "12.3"),
        (1.0, "1"),
        (0.0123456, "0.0123"),
        (0.00001234, "1.2e-05"),
    ],
)
def test_numbers_have_three_digits(value: float, text: str) -> None:
    assert number(value) == text
