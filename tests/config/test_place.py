from __future__ import annotations

import pytest

from thermix.config.place import Place, nearest, quoted, shown
from thermix.config.refusals import located, refusing
from thermix.config.scalars import WrittenFloat
from thermix.errors import ConfigError, InvalidInput, OutOfRange


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("web", "web"),
        ("网页文本", "网页文本"),
        ("نص", "نص"),
        ("🙂", "🙂"),
        ("c++/x-y_z", "c++/x-y_z"),
        ("a.b", '"a.b"'),
        ("a b", '"a b"'),
        ("a: b", '"a: b"'),
        ("[0]", '"[0]"'),
        ('say "so"', r'"say \"so\""'),
        ("", '""'),
        ("a\u200bb", r'"a\u200bb"'),
        ("\U000e0001", r'"\U000e0001"'),
        ("two\nlines", r'"two\nlines"'),
    ],
)
def test_a_name_that_could_be_misread_stands_in_quotes(name: str, written: str) -> None:
    assert str(Place("mix.yaml") / "sources" / name / "path" / 0) == f"mix.yaml: sources.{written}.path[0]"


@pytest.mark.parametrize(
    ("tail", "message"),
    [
        (": got 0; no.", "mix.yaml: edits[1].at: got 0; no."),
        (".until: got 0; no.", "mix.yaml: edits[1].at.until: got 0; no."),
        ("[2]: got 0; no.", "mix.yaml: edits[1].at[2]: got 0; no."),
        ("it is wrong.", "mix.yaml: edits[1].at: it is wrong."),
    ],
)
def test_an_error_begins_with_file_and_key_path(tail: str, message: str) -> None:
    assert str((Place("mix.yaml") / "edits" / 1 / "at").error(tail)) == message


def test_an_error_of_a_whole_file_begins_with_the_file() -> None:
    assert str(Place("mix.yaml").error("it is empty.")) == "mix.yaml: it is empty."


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        (True, "true"),
        ("да", '"да"'),
        (WrittenFloat(3.2e9, "3.2e9"), "3.2e9"),
        ({"a b": [1, None]}, '{"a b": [1, nothing]}'),
        (10**70, "a whole number of more than 60 digits"),
        ("x" * 100, f'"{"x" * 56}...'),
    ],
)
def test_values_are_shown_as_the_file_has_them(value: object, text: str) -> None:
    assert shown(value) == text


def test_quotes_are_read_back_by_json_and_yaml() -> None:
    assert quoted('"\\\t') == r'"\"\\\t"'


def test_the_nearest_name_is_near() -> None:
    assert nearest("max_epoch", ["max_epochs", "path"]) == "max_epochs"
    assert nearest("zzz", ["max_epochs", "path"]) is None


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("steps: got 0.", "f: edits[0].steps: got 0."),
        ("seed: got 0.", "f: edits[0]: seed: got 0."),
        ("sources.a.b.items: got 0.", 'f: edits[0].sources."a.b".items: got 0.'),
        ("sources.a.c: got 0.", "f: edits[0].sources.a.c: got 0."),
        ("sources.zzz.items: got 0.", "f: edits[0]: sources.zzz.items: got 0."),
    ],
)
def test_errors_from_below_are_placed_by_the_keys_that_are_there(message: str, told: str) -> None:
    place = Place("f") / "edits" / 0
    assert str(located(message, place, ("steps",), ("a", "a.b"))) == told


def test_an_error_from_below_is_kept_as_the_cause() -> None:
    cause = OutOfRange("items: got 0.")
    with pytest.raises(ConfigError, match=r"f: items: got 0\.") as caught, refusing(Place("f")):
        raise cause
    assert caught.value.__cause__ is cause


def test_an_error_that_has_a_place_keeps_it() -> None:
    with pytest.raises(ConfigError, match=r"^there$"), refusing(Place("f")):
        raise ConfigError("there")


def test_a_config_error_is_an_invalid_input() -> None:
    assert issubclass(ConfigError, InvalidInput)
    assert ConfigError.exit_code == 2
