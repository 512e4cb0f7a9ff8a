from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermix.config.place import Place
from thermix.config.read import decoded, plain_data
from thermix.config.scalars import WrittenFloat
from thermix.errors import ConfigError

FILE = Place("mix.yaml")


def read(text: str) -> Any:
    return plain_data(text, FILE)


def refused(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("no", "no"),
        ("on", "on"),
        ("y", "y"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("2024-01-02", "2024-01-02"),
        ("0b11", "0b11"),
        ("010", 10),
        ("0o17", 15),
        ("0x1F", 31),
        ("-3", -3),
        ("3.2e9", 3.2e9),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        (".inf", float("inf")),
        ("-.INF", float("-inf")),
        ("true", True),
        ("False", False),
        ("tRue", "tRue"),
        ("~", None),
        ("null", None),
        ("", None),
        ("'null'", "null"),
        ('"3"', "3"),
        ("!!str 3", "3"),
        ("!!int 3", 3),
        ("!!float 3", 3.0),
        ("=", "="),
        ("80%", "80%"),
        ("网页文本 🙂", "网页文本 🙂"),
    ],
)
def test_scalars_are_those_of_yaml_1_2(written: str, value: object) -> None:
    data = read(f"key: {written}")["key"]
    assert data == value
    assert isinstance(data, type(value))


def test_a_number_knows_how_it_was_written() -> None:
    number = read("a: 3.20e9")["a"]
    assert isinstance(number, WrittenFloat)
    assert number.text == "3.20e9"


def test_nan_is_a_number_for_others_to_refuse() -> None:
    assert read("a: .nan")["a"] != read("a: .nan")["a"]


@pytest.mark.parametrize("key", ["no", "on", "123", "1.50", "null", "~", "true", "010", "1e3", ".inf"])
def test_keys_are_text_as_written(key: str) -> None:
    assert read(f"{key}: 1") == {key: 1}
    assert read(f"{{{key}: 1}}") == {key: 1}


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "\ufeff"])
def test_an_empty_text_is_nothing(text: str) -> None:
    assert read(text) is None


def test_line_ends_and_a_byte_order_mark_do_not_matter() -> None:
    assert read("\ufeffa: 1\r\nb:\r\n  - 2\r\n") == {"a": 1, "b": [2]}


def test_aliases_and_merge_keys_are_followed() -> None:
    base = "base: &b {score: 1, items: 2}\nother: &o {items: 9, path: p}\n"
    text = f"{base}web: {{<<: [*b, *o], score: 3}}\nlaw: *b\n"
    data = read(text)
    assert data["web"] == {"score": 3, "items": 2, "path": "p"}
    assert list(data["web"]) == ["score", "items", "path"]
    assert data["law"] == {"score": 1, "items": 2}


def test_a_quoted_merge_key_is_a_name() -> None:
    assert read('"<<": 1') == {"<<": 1}


def test_json_escapes_of_one_character_are_joined() -> None:
    assert read(json.dumps({"🙂": "🙂"})) == {"🙂": "🙂"}


STAR = 'A text that begins with * needs quotes: path: "*.jsonl".'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "a: 1\nb: 2\na: 3",
            'line 3, column 1: the key "a" stands here and in line 1 already; a key stands once. '
            "Remove or rename one.",
        ),
        (
            "sources: {网页: {}, no: {}, 'no': {}}",
            'line 1, column 27: the key "no" stands here and in line 1 already; a key stands once. '
            "Remove or rename one.",
        ),
        (
            "a:\n\tb: 1",
            "line 2, column 1: it is not YAML: found character '\\t' that cannot start any token. "
            "YAML is indented with spaces: replace the tab.\n     b: 1\n    ^",
        ),
        (
            "a: *.jsonl",
            "line 1, column 5: it is not YAML: expected alphabetic or numeric character, but found '.'. "
            f"{STAR}\n    a: *.jsonl\n        ^",
        ),
        (
            "网页: *x",
            f"line 1, column 5: it is not YAML: found undefined alias 'x'. {STAR}\n    网页: *x\n          ^",
        ),
        (
            "a: b: c",
            "line 1, column 5: it is not YAML: mapping values are not allowed here. A ':' ends a key: put a "
            "text "
            "that has one in quotes, give each key its own line, and indent keys of one level alike."
            "\n    a: b: c\n        ^",
        ),
        (
            "a: 1\nb",
            "line 2, column 2: it is not YAML: could not find expected ':'. A key needs a ':' and a space "
            "after it.\n    b\n     ^",
        ),
        (
            "a: {b: 1",
            "line 1, column 9: it is not YAML: expected ',' or '}', but got '<stream end>'. A '{' needs its "
            "'}', "
            "and a ',' between two keys.\n    a: {b: 1\n            ^",
        ),
        (
            "a: 'x",
            "line 1, column 6: it is not YAML: found unexpected end of stream. A quote is not closed."
            "\n    a: 'x\n         ^",
        ),
        (
            "a: @b",
            "line 1, column 4: it is not YAML: found character '@' that cannot start any token. "
            "A text that begins with it needs quotes.\n    a: @b\n       ^",
        ),
        (
            "a: [1, 2\nb: 3",
            "line 2, column 2: it is not YAML: expected ',' or ']', but got ':'. A '[' needs its ']', "
            "and a ',' between two values.\n    b: 3\n     ^",
        ),
        ("a: 1\n---\nb: 2", "line 2: a second document begins; a file holds one mixture. Remove it."),
        (
            "a: 1\nb: \x01",
            "line 2, column 4: got the character U+0001, which YAML does not allow. "
            "Remove it, or write it as an escape in double quotes.",
        ),
        (
            "a: !!python/object:os.system x",
            "line 1, column 4: got the tag !!python/object:os.system; only plain values are read. Remove it.",
        ),
        ("a: !!set {b}", "line 1, column 4: got the tag !!set; only plain values are read. Remove it."),
        ("a: !x [b]", "line 1, column 4: got the tag !x; only plain values are read. Remove it."),
        ("a: !!int b", "line 1, column 4: got 'b' with the tag !!int, which it is not. Remove it."),
        ("? [1, 2]\n: 3", "line 1, column 3: a key must be plain text. Put it in quotes."),
        ("a: &a [*a]", "line 1, column 4: an alias stands inside what it stands for. Write it out."),
        (
            "a: {<<: 3}",
            "line 1, column 9: << merges keys; it needs an alias of a mapping, or a list of them.",
        ),
        ("a: 1e400", "line 1, column 4: got 1e400; a number is below 1.8e308. For infinity, write .inf."),
        ("a: 1e-400", "line 1, column 4: got 1e-400; that is nearer to 0 than a number can be. Write 0."),
        (
            f"a: {'9' * 5000}",
            "line 1, column 4: got a number of 5000 digits; no number here needs as many. Shorten it.",
        ),
        (
            r'a: "\ud83d"',
            "line 1, column 4: got '\\ud83d'; an escape in it is half a character. Write the character "
            "itself.",
        ),
        (
            r'"\udc00": 1',
            "line 1, column 1: got '\\udc00'; an escape in it is half a character. "
            "Write the character itself.",
        ),
        (
            "a: {b: 1,\n\n",
            "line 3, column 1: it is not YAML: expected the node content, but found '<stream end>'.",
        ),
        ("[" * 5000, "it is nested too deep; a configuration has about six levels. Flatten it."),
    ],
)
def test_what_is_refused_is_shown_at_its_place(text: str, message: str) -> None:
    assert refused(text) == f"mix.yaml: {message}"


def test_aliases_cannot_blow_up() -> None:
    laughs = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [{f'*a{i - 1}, ' * 10}]\n" for i in range(1, 30))
    assert refused(laughs) == (
        "mix.yaml: line 7, column 5: its aliases stand for more than 1,000,000 values. Use fewer."
    )


def test_the_excerpt_of_a_long_line_is_short() -> None:
    message = refused(f"a: '{'x' * 500}' b")
    assert max(map(len, message.splitlines()[1:])) <= 110
    assert message.splitlines()[-1].endswith("^")


def test_a_file_that_is_not_utf8_is_refused_with_the_byte() -> None:
    with pytest.raises(ConfigError) as caught:
        decoded("name: é".encode("latin-1"), FILE)
    assert str(caught.value) == (
        "mix.yaml: byte 6: got 0xe9, which is not UTF-8; a configuration is UTF-8 text. Save it as UTF-8."
    )
    assert decoded("\ufeffé".encode(), FILE) == "é"


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read(text)
    except ConfigError as error:
        assert str(error).startswith("mix.yaml: ")  # noqa: PT017 (either way is right)


TEXT = st.text(max_size=30)
PLAIN = st.none() | st.booleans() | st.integers() | TEXT


@given(st.recursive(PLAIN, lambda below: st.lists(below) | st.dictionaries(TEXT, below)))
def test_json_is_read_as_json(data: object) -> None:
    assert read(json.dumps(data).replace("\x7f", "\\u007f")) == data
