from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermix.config import values
from thermix.config.place import Place
from thermix.config.read import plain_data
from thermix.core.clock import Moment
from thermix.errors import InvalidInput

HUGE = (1 << 62) - 1


def written(text: str) -> object:
    """A value as YAML gives it."""
    return plain_data(f"v: {text}", Place("f"))["v"]


def refused(read: Callable[[object], object], value: object) -> str:
    with pytest.raises(InvalidInput) as caught:
        read(value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("512", 512),
        ("+512", 512),
        ("1_000", 1000),
        ("3.2e9", 3_200_000_000),
        ("3.2E+9", 3_200_000_000),
        ("1_000.5e1", 10_005),
        ("10k", 10_000),
        ("1.5M", 1_500_000),
        ("10B", 10**10),
        ("10 B", 10**10),
        ("10G", 10**10),
        ("0.25T", 25 * 10**10),
        ("2e3k", 2_000_000),
        ("0x10", 16),
        ("010", 10),
        ("512.0", 512),
        ('"512"', 512),
        (str(HUGE), HUGE),
        (f"{HUGE}.0", HUGE),
        ("4.611686018427387903e18", HUGE),
        ("1e308", 10**308),
    ],
)
def test_counts_are_exact_however_they_are_written(text: str, number: int) -> None:
    assert values.count(written(text)) == number


@given(st.integers(1, 1 << 62))
def test_every_count_is_read_as_it_is(number: int) -> None:
    for text in (f"{number}", f"{number:_}", f"{number}e0", f"{number}.0"):
        assert values.count(written(text)) == number


RULE = "it must be a whole number, such as 512, 1_000, 3.2e9 or 10B."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0", ": got 0; it must be at least 1."),
        ("-3", ": got -3; it must be at least 1."),
        ("0e999999999", ": got 0e999999999; it must be at least 1."),
        ("1.5", ": got 1.5; it must be a whole number. Round it up or down."),
        ("1.5k k", f': got "1.5k k"; {RULE}'),
        ("10b", f': got "10b"; {RULE}'),
        ('"10,000"', f': got "10,000"; {RULE} Write 10_000.'),
        ("1:30", f': got "1:30"; {RULE}'),
        ("true", f": got true; {RULE}"),
        (".inf", f": got .inf; {RULE}"),
        (".nan", f": got .nan; {RULE}"),
        ("[1]", f": got [1]; {RULE}"),
        ("1e9999B", f': got "1e9999B"; {RULE}'),
    ],
)
def test_what_is_no_count_is_refused(text: str, message: str) -> None:
    assert refused(values.count, written(text)) == message


def test_a_seed_may_be_negative() -> None:
    assert values.whole(written("-1_0")) == -10
    assert refused(values.whole, "x") == f': got "x"; {RULE}'


def test_tokens_may_say_so() -> None:
    assert values.token_count("3.2B tokens") == 3_200_000_000
    assert values.token_count(1000) == 1000


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("8000", 8000),
        ("8k", 8000),
        ("8_000 steps", 8000),
        ("10B tokens", Moment(Fraction(10**10), "tokens")),
        ("5M draws", Moment(Fraction(5 * 10**6), "draws")),
    ],
)
def test_the_length_of_a_run_is_steps_or_a_moment(text: str, length: object) -> None:
    assert values.run_length(written(text)) == length


LENGTH = "it must be a length of at least 1 in steps, draws or tokens. Write 8000, or 10B tokens."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("80%", f': got "80%"; {LENGTH}'),
        ("0 steps", f': got "0 steps"; {LENGTH}'),
        ("1.5 steps", ": got '1.5 steps'; steps must be a whole number. Round it up or down."),
        ("-3", ": got -3; it must be at least 1."),
        ("ten", f': got "ten"; {RULE}'),
    ],
)
def test_what_is_no_length_is_refused(text: str, message: str) -> None:
    assert refused(values.run_length, written(text)) == message


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("6000", 6000),
        ("6k", 6000),
        ("6000 steps", 6000),
        ("60%", Moment(Fraction(60), "percent")),
        ("10B tokens", Moment(Fraction(10**10), "tokens")),
    ],
)
def test_an_edit_is_at_a_step_or_a_moment(text: str, moment: object) -> None:
    assert values.at_moment(written(text)) == moment


FIRST = "it must be at least 1. What holds from the first step on, stands above edits."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0", f": got 0; {FIRST}"),
        ("0 steps", f': got "0 steps"; {FIRST}'),
        ("101%", ": got '101%'; a percentage of a run must be from 0% to 100%."),
        ("soon", f': got "soon"; {RULE}'),
    ],
)
def test_what_is_no_place_of_an_edit_is_refused(text: str, message: str) -> None:
    assert refused(values.at_moment, written(text)) == message


WEIGHTLESS = "To leave the source out, remove it or give it weight 0."


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (values.number, "true", ": got true; it must be a number."),
        (values.number, '"2.0"', ': got "2.0"; it must be a number. Write 2.0 without quotes.'),
        (values.number, "1_000", ': got "1_000"; it must be a number. Write 1000 without quotes.'),
        (values.number, "high", ': got "high"; it must be a number.'),
        (values.number, "-.inf", ": got -.inf; it must be finite. To never draw a source, give it weight 0."),
        (values.number, ".nan", ": got .nan; it must be finite. To never draw a source, give it weight 0."),
        (
            values.number,
            "1" + "0" * 400,
            ": got a whole number of more than 60 digits; it must be finite. "
            "To never draw a source, give it weight 0.",
        ),
        (values.weight, "-1", ": got -1; it must be >= 0. Use 0 to never draw the source."),
        (values.epochs, "0", f": got 0; it must be > 0. {WEIGHTLESS}"),
        (values.epochs, "-0.5", f": got -0.5; it must be > 0. {WEIGHTLESS}"),
        (values.epochs, ".inf", ": got .inf; it must be finite. For no limit, leave it out."),
        (values.epochs, "[4]", ": got [4]; it must be a number."),
        (values.text, "123", ': got 123; it must be text. Put it in quotes: "123".'),
        (values.text, "true", ': got true; it must be text. Put it in quotes: "true".'),
        (values.text, "{a: b}", ': got {a: "b"}; it must be text. Leave the key out, or write a text.'),
        (values.text, '" "', ': got " "; it must not be empty. Leave the key out instead.'),
        (
            values.path_list,
            "[]",
            ": got an empty list; it must be a path or a list of paths. Leave the key out instead.",
        ),
        (values.path_list, "[a, 2]", '[1]: got 2; it must be text. Put it in quotes: "2".'),
    ],
)
def test_other_values_are_refused_with_the_way_out(
    read: Callable[[object], object], text: str, message: str
) -> None:
    assert refused(read, written(text)) == message


def test_values_are_plain_numbers_and_texts() -> None:
    assert type(values.number(written("2.5"))) is float
    assert type(values.epochs(written("2.5"))) is float
    assert values.epochs(4) == 4
    assert values.weight(written("0")) == 0.0
    assert values.text("no") == "no"
    assert values.path_list("a") == ("a",)
    assert values.path_list(["a", "b"]) == ("a", "b")
    assert math.isfinite(values.number(written("-1e308")))
