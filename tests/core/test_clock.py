"""Moments with their unit, and the clock that places them in a run."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermix.core.clock import Axis, Clock, Moment, Unit
from thermix.errors import InvalidInput

percents = st.decimals(0, 100, places=4).map(lambda d: Moment(Fraction(d), "percent"))
counts = st.one_of(
    st.integers(0, 2**63 - 1),
    st.integers(0, 9_000).map(lambda n: n * 10**6),
    st.integers(0, 9_000_000).map(lambda n: n * 10**12),
)
moments = st.one_of(
    percents,
    st.builds(Moment, counts.map(Fraction), st.sampled_from(["steps", "draws", "tokens"])),
)


@st.composite
def clocks(draw: st.DrawFn) -> Clock:
    """Any clock: up to four batch sizes, one after another."""
    step = draws = 0
    breaks = []
    for length in draw(st.lists(st.integers(1, 1_000), min_size=1, max_size=4)):
        batch = draw(st.integers(1, 4_096))
        breaks.append((step, draws, batch))
        step, draws = step + length, draws + length * batch
    return Clock(draw(st.integers(1, 3_000)), tuple(breaks), draw(st.integers(1, 8_192)))


# --- reading and writing moments -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value", "unit", "canonical"),
    [
        ("80%", 80, "percent", "80%"),
        ("80 %", 80, "percent", "80%"),
        (" 12.50% ", Fraction(25, 2), "percent", "12.5%"),
        ("0.05%", Fraction(1, 20), "percent", "0.05%"),
        ("100%", 100, "percent", "100%"),
        ("0%", 0, "percent", "0%"),
        ("8000 steps", 8_000, "steps", "8000 steps"),
        ("8_000 steps", 8_000, "steps", "8000 steps"),
        ("8000steps", 8_000, "steps", "8000 steps"),
        ("1 step", 1, "steps", "1 step"),
        ("1 steps", 1, "steps", "1 step"),
        ("1.5k steps", 1_500, "steps", "1500 steps"),
        ("2M steps", 2_000_000, "steps", "2M steps"),
        ("1.5e6 draws", 1_500_000, "draws", "1.5M draws"),
        ("500k draws", 500_000, "draws", "500000 draws"),
        ("1 draw", 1, "draws", "1 draw"),
        ("10B tokens", 10**10, "tokens", "10B tokens"),
        ("10 G tokens", 10**10, "tokens", "10B tokens"),
        ("3.2T tokens", 32 * 10**11, "tokens", "3.2T tokens"),
        ("1234567 tokens", 1_234_567, "tokens", "1234567 tokens"),
        ("1_234_000 tokens", 1_234_000, "tokens", "1.234M tokens"),
        ("15e-1k steps", 1_500, "steps", "1500 steps"),
    ],
)
def test_a_moment_is_read_exactly_and_written_in_one_way(
    text: str, value: Fraction, unit: Unit, canonical: str
) -> None:
    moment = Moment.parse(text)
    assert moment == Moment(Fraction(value), unit)
    assert str(moment) == canonical


@given(moments)
def test_the_text_of_a_moment_is_read_back_equal(moment: Moment) -> None:
    assert Moment.parse(str(moment)) == moment
    assert str(Moment.parse(str(moment))) == str(moment)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "80",
            "until: got '80'; a clock is always written with its unit (80%, 8000 steps, 10B tokens). "
            "Write '80%' or '80 steps', whichever is meant.",
        ),
        ("10B", "a clock is always written with its unit (80%, 8000 steps, 10B tokens)"),
        (0.8, "until: got 0.8; a clock is always written with its unit"),
        (8_000, "until: got 8000; a clock is always written with its unit"),
        (None, "until: got None; a clock is always written with its unit"),
        (True, "until: got True; a clock is always written with its unit"),
        ("8,000 steps", "a number has no commas. Write '8_000 steps'."),
        ("-5%", "a moment of a run is not negative."),
        ("-5 steps", "a moment of a run is not negative."),
        ("100.1%", "until: got '100.1%'; a percentage of a run must be from 0% to 100%."),
        ("1.5 steps", "until: got '1.5 steps'; steps must be a whole number. Round it up or down."),
        ("1.0005k draws", "draws must be a whole number."),
        ("1e30 tokens", "tokens must be in [0, 2^63)."),
        ("80 stpes", "it must be a number and its unit (80%, 8000 steps, 10B tokens)"),
        ("8 Ksteps", "k, M, B and T stand for 10^3 to 10^12."),
        ("nan%", "it must be a number and its unit"),
        ("inf steps", "it must be a number and its unit"),
        ("8__0 steps", "it must be a number and its unit"),
        ("٨ steps", "it must be a number and its unit"),
        ("", "it must be a number and its unit"),
        ("8 steps 3", "it must be a number and its unit"),
    ],
)
def test_what_is_not_a_moment_is_refused(text: object, message: str) -> None:
    with pytest.raises(InvalidInput, match="^until: got .*" + re.escape(message.split("; ")[-1])):
        Moment.parse(text, "until")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "unit", "message"),
    [
        (Fraction(1, 3), "percent", "moment: got 1/3 percent; a percentage must have an end to"),
        (Fraction(1, 2), "steps", "moment: got 1/2 steps; steps must be a whole number"),
        (Fraction(-1), "tokens", "moment: got -1 tokens; tokens must be in [0, 2^63)"),
        (Fraction(1), "epochs", "the unit must be one of percent, steps, draws, tokens"),
        (0.5, "percent", "the value must be a Fraction. Use Moment.parse for text."),
    ],
)
def test_a_moment_cannot_be_made_with_a_value_that_has_no_text(
    value: Fraction, unit: Unit, message: str
) -> None:
    with pytest.raises(InvalidInput, match=re.escape(message)):
        Moment(value, unit)


# --- the clock -----------------------------------------------------------------------------------

TWO_BATCHES = Clock(steps=1_000, breaks=((0, 0, 100), (600, 60_000, 200)), sequence_length=50)


@pytest.mark.parametrize(
    ("text", "percent", "steps", "draws"),
    [
        ("0%", 0.0, 0.0, 0.0),
        ("0 tokens", 0.0, 0.0, 0.0),
        ("60%", 0.6, 600.0, 60_000.0),
        ("80%", 0.8, 800.0, 100_000.0),
        ("800 steps", 0.8, 800.0, 100_000.0),
        ("100k draws", 0.8, 800.0, 100_000.0),
        ("5M tokens", 0.8, 800.0, 100_000.0),
        ("60_050 draws", 0.60025, 600.25, 60_050.0),
        ("2000 steps", 2.0, 2_000.0, 340_000.0),
        ("75 tokens", 0.000015, 0.015, 1.5),
    ],
)
def test_a_moment_has_one_place_on_every_axis(text: str, percent: float, steps: float, draws: float) -> None:
    moment = Moment.parse(text)
    places = [TWO_BATCHES.position(moment, axis) for axis in ("percent", "steps", "draws")]
    assert places == [percent, steps, draws]


def test_draws_at_is_exact_and_piecewise_linear() -> None:
    steps = np.array([[0.0, 0.5, 599.0], [600.0, 600.5, 5_000.0]])
    draws = TWO_BATCHES.draws_at(steps)
    assert draws.tolist() == [[0.0, 50.0, 59_900.0], [60_000.0, 60_100.0, 940_000.0]]
    assert TWO_BATCHES.draws_at(600).tolist() == 60_000.0


@given(clocks(), st.integers(0, 5_000))
def test_a_step_and_its_draws_are_the_same_place(clock: Clock, step: int) -> None:
    moment = Moment(Fraction(step), "steps")
    draws = clock.position(moment, "draws")
    assert draws == clock.draws_at(float(step))
    assert clock.position(Moment(Fraction(int(draws)), "draws"), "steps") == step
    assert clock.position(moment, "percent") == step / clock.steps


@given(clocks(), moments, moments)
def test_the_order_of_two_moments_is_the_same_on_every_axis(clock: Clock, a: Moment, b: Moment) -> None:
    axes: tuple[Axis, ...] = ("percent", "steps", "draws")
    before = [clock.position(a, axis) <= clock.position(b, axis) for axis in axes]
    after = [clock.position(a, axis) >= clock.position(b, axis) for axis in axes]
    assert all(before) or all(after)


@given(clocks())
def test_a_sum_over_batches_is_the_slow_twin_of_draws_at(clock: Clock) -> None:
    draws, expected = 0, []
    for step in range(200):
        expected.append(draws)
        draws += [batch for first, _, batch in clock.breaks if first <= step][-1]
    assert clock.draws_at(np.arange(200)).tolist() == expected


def test_tokens_need_a_sequence_length() -> None:
    clock = Clock(10, ((0, 0, 8),))
    message = "10B tokens: tokens have no place on a clock that .* has. Set sequence_length"
    for axis in ("percent", "steps", "draws"):
        with pytest.raises(InvalidInput, match=message):
            clock.position(Moment.parse("10B tokens"), axis)


@pytest.mark.parametrize("bad", [-1.0, [3.0, -0.5], np.nan])
def test_a_clock_has_no_steps_before_its_origin(bad: object) -> None:
    with pytest.raises(InvalidInput, match=r"steps: got .*; a clock begins at step 0"):
        TWO_BATCHES.draws_at(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("steps", "breaks", "length", "message"),
    [
        (0, ((0, 0, 8),), None, "clock.steps: got 0; a run has at least 1 step."),
        (9, (), None, "clock.breaks: got (); the first must be (0, 0, batch size)."),
        (9, ((1, 8, 8),), None, "the first must be (0, 0, batch size)."),
        (9, ((0, 0, 0),), None, "clock.breaks[0]: got (0, 0, 0); steps must not fall"),
        (9, ((0, 0, 8), (5, 41, 9)), None, "draws must be the sum of all earlier batches."),
        (9, ((0, 0, 8), (5, 40, 9), (4, 31, 9)), None, "clock.breaks[2]: got (4, 31, 9)"),
        (9, ((0, 0, 8),), 0, "clock.sequence_length: got 0; it must be >= 1."),
    ],
)
def test_a_clock_that_contradicts_itself_is_refused(
    steps: int, breaks: tuple[tuple[int, int, int], ...], length: int | None, message: str
) -> None:
    with pytest.raises(InvalidInput, match=re.escape(message)):
        Clock(steps, breaks, length)
