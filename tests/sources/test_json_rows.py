"""Rows out of a .json file, piece by piece: the same as the json module reads at once."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermix.sources.json_rows import BadJsonError, json_rows

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The data in pieces that end at these places."""
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[start:end] for start, end in itertools.pairwise(ends)]


def read(data: bytes, places: list[int]) -> list[Any]:
    return [json.loads(line) for line in json_rows(cut(data, places))]


PLACES = st.lists(st.integers(0, 10_000), max_size=40)
INDENT = st.sampled_from([None, 0, 1, 4])


@given(st.lists(VALUES, max_size=6), PLACES, INDENT, st.booleans(), st.booleans())
def test_a_list_is_its_rows_wherever_it_is_cut(
    rows: list[Any], places: list[int], indent: int | None, ascii_only: bool, marked: bool
) -> None:
    data = json.dumps(rows, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert read(b"\xef\xbb\xbf" * marked + data, places) == rows


@given(
    st.lists(st.dictionaries(st.text(), VALUES, max_size=3), max_size=6),
    PLACES,
    INDENT,
    st.sampled_from(["\n", " ", "\r\n\n", ""]),
)
def test_rows_one_after_the_other_are_rows(
    rows: list[Any], places: list[int], indent: int | None, between: str
) -> None:
    assert read(between.join(json.dumps(row, indent=indent) for row in rows).encode(), places) == rows


@given(st.lists(VALUES, min_size=1, max_size=4), st.data())
def test_a_list_that_is_cut_short_is_no_json(rows: list[Any], data: st.DataObject) -> None:
    text = json.dumps(rows).encode()
    with pytest.raises(BadJsonError):
        read(text[: data.draw(st.integers(1, len(text) - 1))], [])


def test_what_python_writes_beside_json_is_read() -> None:
    nan, infinity = read(b"[NaN, -Infinity]", [2, 5, 9])
    assert math.isnan(nan)
    assert infinity == -math.inf


@pytest.mark.parametrize(
    ("data", "line", "message"),
    [
        (b"[1,]", 1, "not JSON: Expecting value"),
        (b"[1\n2]", 2, "not JSON: Expecting ',' or ']' after a row"),
        (b"[1,\n2", 2, "not JSON: Expecting ',' or ']' after a row"),
        (b'{"a": 1}\n\n{"a" 2}', 3, "not JSON: Expecting ':' delimiter"),
        (b'[1]\n{"a": 1}', 2, "not JSON: Extra data after the list"),
        (b'[1,\n"ab', 2, "not JSON: Unterminated string"),
        (b'[1,\n\n"caf\xe9"]', 3, "not UTF-8: invalid continuation byte"),
        (b"\n" + b"[" * 200_000, 2, "not read: maximum recursion depth|not JSON: Expecting value"),
        (b"]", 1, "not JSON: Expecting value"),
    ],
)
@pytest.mark.parametrize("places", [[], list(range(50))])
def test_what_is_no_json_is_named_by_its_line(
    data: bytes, line: int, message: str, places: list[int]
) -> None:
    with pytest.raises(BadJsonError, match=message) as caught:
        read(data, places)
    assert caught.value.line == line


def test_damage_is_found_without_reading_to_the_end() -> None:
    taken: list[int] = []

    def blocks() -> Any:
        yield b'{"a": 1} {"b" 2} '
        for i in range(100):
            taken.append(i)
            yield b'{"a": "' + b"x" * 1000 + b'"} '

    with pytest.raises(BadJsonError, match="Expecting ':' delimiter"):
        list(json_rows(blocks()))
    assert len(taken) <= 2
