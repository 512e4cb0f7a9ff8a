"""Tables: all lines are equally wide, whatever is in them."""

from __future__ import annotations

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from thermix.report.layout import Column, lay_out, width_of
from thermix.report.text import ASCII, UNICODE, Glyphs, legible


def lines_of(table: Table) -> list[str]:
    console = Console(file=StringIO(), width=500, highlight=False, color_system=None)
    console.print(table)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def two(names: list[str], numbers: list[str], *, clip: bool = True) -> list[Column]:
    return [Column("source", names, right=False, clip=clip), Column("first\nrepeat", numbers)]


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII])
def test_wide_and_narrow_characters_end_at_the_same_cell(glyphs: Glyphs) -> None:
    names = ["web", "网页文本", "ｆｕｌｌ", "e\u0301te\u0301", "🦊 fox", "العربية", "한국어"]
    lines = lines_of(lay_out(two(names, ["1", "22"] * 3 + ["333"]), 80, glyphs))
    assert {cell_len(line) for line in lines} == {16}
    assert len(lines) == 2 + 1 + len(names)


def test_a_table_looks_like_this() -> None:
    table = lay_out(two(["web", "网页文本"], ["1", "1,000"]), 80, UNICODE)
    assert lines_of(table) == [
        "           first",
        "source    repeat",
        "────────────────",
        "web            1",
        "网页文本   1,000",
    ]


def test_a_last_row_can_stand_below_a_rule() -> None:
    table = lay_out(two(["web", "all"], ["1", "1"]), 80, ASCII, rule_above_last=True)
    assert lines_of(table)[2:] == ["-" * 14, "web          1", "-" * 14, "all          1"]


def test_names_are_clipped_to_the_width_and_numbers_never() -> None:
    lines = lines_of(lay_out(two(["a-very-long-name-that-goes-on"], ["1,234,567"]), 24, UNICODE))
    assert {cell_len(line) for line in lines} == {24}
    assert lines[-1] == "a-very-l…s-on  1,234,567"


@given(st.lists(st.text(min_size=1, max_size=50), min_size=1, max_size=6), st.integers(24, 90))
def test_any_names_give_lines_of_one_width(names: list[str], width: int) -> None:
    shown = [legible(name, "utf-8") for name in names]
    table = lay_out(two(shown, ["12"] * len(names)), width, UNICODE)
    lines = lines_of(table)
    assert len(lines) == 3 + len(names)
    widths = {cell_len(line) for line in lines}
    assert len(widths) == 1
    assert widths.pop() <= width


def test_markup_in_a_name_is_not_markup() -> None:
    assert lines_of(lay_out(two(["a[red]b"], ["1"]), 80, UNICODE))[-1].startswith("a[red]b")


def test_a_table_too_narrow_to_clip_is_wider_than_asked_but_whole() -> None:
    columns = two(["name"], ["1,234,567"], clip=False)
    assert {cell_len(line) for line in lines_of(lay_out(columns, 5, UNICODE))} == {width_of(columns)}
