"""Numbers and names as text: widths, limits, and characters that a console lacks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from thermix.report.text import (
    ASCII,
    UNICODE,
    clipped,
    count_text,
    epochs_text,
    glyphs_for,
    legible,
    probability_text,
    share_text,
    temperature_text,
)

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(st.integers(0, 1 << 62))
def test_a_count_takes_seven_characters_and_is_close_to_what_it_stands_for(count: int) -> None:
    text = count_text(count)
    assert len(text) <= 7
    scale = {"M": 10**6, "B": 10**9, "T": 10**12}.get(text[-1], 1)
    value = float(text.rstrip("MBT").replace(",", "")) * scale
    assert value == pytest.approx(count, rel=0.0 if count < 10**6 else 0.0005 if count < 10**15 else 0.05)


def test_a_million_million_draws_can_be_read() -> None:
    assert [count_text(n) for n in (0, 12_345, 999_999, 10**6, 10**12, 10**15)] == [
        "0",
        "12,345",
        "999,999",
        "1.000M",
        "1.000T",
        "1.0e15",
    ]


@given(st.floats(0.0, 1.0))
def test_a_share_of_0_or_100_percent_is_exactly_that(share: float) -> None:
    assert (share_text(share) == "0%") == (share == 0.0)
    assert (share_text(share) == "100%") == (share == 1.0)
    assert share_text(share) not in ("0.0%", "100.0%")
    assert len(share_text(share)) <= 6


@given(st.floats(0.0, 1.0))
def test_a_probability_is_0_only_where_it_is(probability: float) -> None:
    assert (float(probability_text(probability)) == 0.0) == (probability == 0.0)
    assert len(probability_text(probability)) <= 8


@given(st.floats(0.0, 2.0**31))
def test_epochs_are_0_only_where_they_are(epochs: float) -> None:
    assert (epochs_text(epochs) == "0") == (epochs == 0.0)
    assert len(epochs_text(epochs)) <= 9


def test_temperatures_have_four_digits() -> None:
    assert [temperature_text(t) for t in (5.0, 4.99978, 0.02089, float("inf"), 0.0)] == [
        "5",
        "5",
        "0.02089",
        "inf",
        "0",
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "gb18030"])
def test_an_encoding_with_all_signs_gets_them(encoding: str) -> None:
    assert glyphs_for(encoding).levels == UNICODE.levels


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "cp437", "no-such-encoding"])
def test_an_encoding_that_lacks_one_gets_ascii(encoding: str) -> None:
    glyphs = glyphs_for(encoding)
    assert (glyphs.encoding, glyphs.levels, glyphs.arrow) == (encoding, ASCII.levels, "->")
    assert "".join((glyphs.levels, glyphs.rule, glyphs.none, glyphs.ellipsis, glyphs.times)).isascii()


def test_curves_have_eight_levels_that_differ() -> None:
    assert len(set(UNICODE.levels)) == len(set(ASCII.levels)) == 8


@given(st.text(), st.sampled_from(["utf-8", "cp1252", "ascii", "no-such-encoding"]))
def test_a_legible_name_can_be_written_and_holds_no_control_character(name: str, encoding: str) -> None:
    text = legible(name, encoding)
    text.encode("ascii" if encoding == "no-such-encoding" else encoding)
    assert not any(c < " " or c == "\x7f" for c in text)


@pytest.mark.parametrize("name", ["web", "网页文本", "naïve café", "العربية", "emoji 🦊", "a [red]b[/red]"])
def test_a_legible_name_stays_as_it_is_where_it_can(name: str) -> None:
    assert legible(name, "utf-8") == name


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("two\nlines", "two\\nlines"),
        ("\u202eevil", "\\u202eevil"),
        ("\udcff", "\\udcff"),
    ],
)
def test_what_would_break_the_line_is_escaped(name: str, text: str) -> None:
    assert legible(name, "utf-8") == text


@given(NAMES, st.integers(8, 30), st.sampled_from(["…", "..."]))
def test_a_clipped_name_fits_and_keeps_its_ends(name: str, width: int, ellipsis: str) -> None:
    name = legible(name, "utf-8")
    short = clipped(name, width, ellipsis)
    assert cell_len(short) <= width
    if cell_len(name) <= width:
        assert short == name
    else:
        head, _, tail = short.partition(ellipsis)
        assert name.startswith(head)
        assert name.endswith(tail)


def test_wide_names_are_clipped_by_cells() -> None:
    assert clipped("网页文本网页文本", 10, "…") == "网页文…本"
