"""Changes of plain data put into the text that it came from."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermix.config.place import Place
from thermix.config.read import plain_data
from thermix.studio.knobs import ABSENT, with_value
from thermix.studio.yaml_text import changed_text, data_text

TEXT = """\
# what this is for
steps: 1000      # short
batch_size: 64
temperature:     # annealed
  schedule: linear
  start: 5.0
  end: 1.0
sources:
  web:   {score: 2.0, items: 9}   # most
  "no":
    score: 1.5   # a guess
    items: 7
  书: {score: 0.5, items: 4,
       max_epochs: 2}
edits:
  - {at: 500, temperature: 1.0}   # late
"""


def data_of(text: str) -> Any:
    return plain_data(text, Place("it"))


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (("steps",), "10B tokens", "steps: 10B tokens      # short"),
        (("temperature", "start"), 4.5, "  start: 4.5"),
        (("temperature",), 2.0, "temperature: 2.0"),
        (("sources", "web", "score"), -0.25, "  web:   {score: -0.25, items: 9}   # most"),
        (("sources", "web", "max_epochs"), 3, "  web:   {score: 2.0, items: 9, max_epochs: 3}   # most"),
        (("sources", "web", "items"), ABSENT, "  web:   {score: 2.0}   # most"),
        (("sources", "web", "score"), ABSENT, "  web:   {items: 9}   # most"),
        (("sources", "no", "score"), 1.0, "    score: 1.0   # a guess"),
        (("sources", "no", "max_epochs"), 4, "    max_epochs: 4"),
        (("sources", "no", "items"), ABSENT, "    score: 1.5   # a guess"),
        (("sources", "书", "max_epochs"), ABSENT, "  书: {score: 0.5, items: 4}"),
        (("sources", "new one"), {"items": 5}, "  new one: {items: 5}"),
        (("seed",), 7, "seed: 7"),
        (("edits", 0, "at"), 600, "  - {at: 600, temperature: 1.0}   # late"),
    ],
)
def test_a_change_stands_in_its_place_and_comments_stay(path: Any, value: Any, line: str) -> None:
    wanted = with_value(data_of(TEXT), path, value)
    text = changed_text(TEXT, wanted)
    assert data_of(text) == wanted
    assert line in text.splitlines()
    comments = {part for row in TEXT.splitlines() for part in row.split("#")[1:]}
    kept = {part for row in text.splitlines() for part in row.split("#")[1:]}
    assert comments - kept <= ({" annealed"} if path == ("temperature",) else set())


def test_what_is_not_changed_stays_to_the_letter() -> None:
    assert changed_text(TEXT, data_of(TEXT)) == TEXT


def test_many_changes_at_once() -> None:
    wanted = data_of(TEXT)
    for path, value in (
        (("sources", "web", "a"), 1),
        (("sources", "web", "b"), 2),
        (("sources", "no"), ABSENT),
        (("x",), 1),
        (("y",), [1, 2]),
        (("steps",), 5),
    ):
        wanted = with_value(wanted, path, value)
    text = changed_text(TEXT, wanted)
    assert data_of(text) == wanted
    assert "# most" in text


@pytest.mark.parametrize(
    "text",
    [
        "a: &x {c: 1}\nb: *x\n",
        "base: &b {c: 1}\na: {<<: *b, d: 2}\n",
        "a:\n- 1\n- 2\n",
        "a: |\n  long\n  text\n",
        "{a: {c: 1}, b: 2}",
        "a: {}\n",
        "? a\n: 1\n",
    ],
)
def test_any_form_of_yaml_ends_as_what_is_wanted(text: str) -> None:
    for path, value in ((("a",), 5), (("a", "c"), 7), (("z",), {"q": [1]}), (("a",), ABSENT)):
        before = data_of(text)
        if len(path) == 2 and not isinstance(before["a"], dict):
            continue
        wanted = with_value(before, path, value)
        assert data_of(changed_text(text, wanted)) == wanted


values = st.integers(-9, 10**6) | st.floats(allow_nan=False) | st.text(max_size=12)
keys = st.text(min_size=1, max_size=8)
flat = st.dictionaries(keys, values | st.lists(values, max_size=3), max_size=4)


@given(st.dictionaries(keys, values | flat | st.dictionaries(keys, flat, max_size=3), min_size=1, max_size=5))
def test_data_comes_back_from_its_text(data: dict[str, Any]) -> None:
    assert data_of(data_text(data)) == data


@given(
    st.dictionaries(keys, flat, min_size=1, max_size=4), st.dictionaries(keys, flat, min_size=1, max_size=4)
)
def test_any_text_becomes_any_other(before: dict[str, Any], wanted: dict[str, Any]) -> None:
    sources, others = {"sources": before, "steps": 5}, {"sources": wanted, "seed": 1}
    assert data_of(changed_text(data_text(sources), others)) == others
