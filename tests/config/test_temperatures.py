from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermix.config.place import Place
from thermix.config.read import plain_data
from thermix.config.temperatures import alpha, temperature
from thermix.core.schedule import Schedule, constant, geometric, inverse_linear, join, linear, step
from thermix.errors import InvalidInput

INF = math.inf


def written(text: str) -> Any:
    return plain_data(f"v: {text}", Place("f"))["v"]


def refused(read: Callable[[object], object], text: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        read(written(text))
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("1", constant(1.0)),
        ("2.5e0", constant(2.5)),
        (".inf", constant(INF)),
        ("inf", constant(INF)),
        ("0", constant(0.0)),
        ("{schedule: linear, start: 5, end: 1, until: 80%}", linear(5.0, 1.0, until="80%")),
        ("{schedule: inverse_linear, start: inf, end: 1}", inverse_linear(INF, 1.0)),
        (
            "[{schedule: linear, start: 5, end: 1, until: 50%}, {from: 50%, schedule: hold, value: 1}]",
            join(linear(5.0, 1.0, until="50%"), constant(1.0)),
        ),
        (
            "{schedule: join, pieces: [{schedule: linear, start: 5, end: 1, until: 50%}, 1.0]}",
            join(linear(5.0, 1.0, until="50%"), constant(1.0)),
        ),
    ],
)
def test_a_temperature_is_a_number_a_schedule_or_pieces(text: str, schedule: Schedule) -> None:
    assert temperature(written(text)) == schedule


@pytest.mark.parametrize(
    ("text", "schedule"),
    [
        ("1", constant(1.0)),
        ("0.25", constant(4.0)),
        ("0", constant(INF)),
        ("inf", constant(0.0)),
        ("{schedule: linear, start: 0.25, end: 1, until: 80%}", inverse_linear(4.0, 1.0, until="80%")),
        ("{schedule: linear, start: 0, end: 1}", inverse_linear(INF, 1.0)),
        ("{schedule: inverse_linear, start: 0.25, end: 1}", linear(4.0, 1.0)),
        ("{schedule: geometric, start: 0.25, end: 1}", geometric(4.0, 1.0)),
        ("{schedule: step, values: [0, 0.5, inf], at: [10%, 50%]}", step((INF, 2.0, 0.0), at=("10%", "50%"))),
        (
            "[{schedule: linear, start: 0.25, end: 1, until: 50%}, 0.5]",
            join(inverse_linear(4.0, 1.0, until="50%"), constant(2.0)),
        ),
    ],
)
def test_alpha_is_one_over_temperature(text: str, schedule: Schedule) -> None:
    assert alpha(written(text)) == schedule


RATES = st.floats(1e-3, 1e3)


@given(RATES, RATES, st.floats(0, 1))
def test_alpha_goes_as_its_schedule_says(start: float, end: float, progress: float) -> None:
    """Compared with the rule of the schedule itself, applied to alpha."""
    rules = {
        "linear": start + (end - start) * progress,
        "inverse_linear": 1 / (1 / start + (1 / end - 1 / start) * progress),
        "geometric": start * (end / start) ** progress,
    }
    for kind, expected in rules.items():
        schedule = alpha({"schedule": kind, "start": start, "end": end})
        assert 1 / schedule(progress) == pytest.approx(expected, rel=1e-9)
    assert 1 / alpha(start)(progress) == pytest.approx(start)


NUMBER = (
    "it must be a number, a schedule such as {schedule: linear, start: 5.0, end: 1.0, until: 80%}, "
    "or a list of those."
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("warm", f': got "warm"; {NUMBER}'),
        ('"5"', f': got "5"; {NUMBER} Write 5 without quotes.'),
        ("true", f": got true; {NUMBER}"),
        ("[]", f": got []; {NUMBER}"),
        (".nan", ": got nan; a temperature must be >= 0."),
        ("-1", ": got -1; a temperature must be >= 0."),
        (
            "{schedule: linear, start: 5, end: 1, until: 80}",
            ".until: got 80; a clock is always written with its unit (80%, 8000 steps, 10B tokens). "
            "Write '80%' or '80 steps', whichever is meant.",
        ),
        (
            "{schedule: linear, start: 5, end: .inf}",
            ".end: got inf; a temperature must be >= 0, and finite in this schedule. "
            "Only constant, step and inverse_linear take inf.",
        ),
        (
            "{schedule: join, pieces: [{schedule: linear, start: -5, end: 1}]}",
            ".pieces[0].start: got -5; a temperature must be >= 0, and finite in this schedule. "
            "Only constant, step and inverse_linear take inf.",
        ),
        (
            "[{schedule: linear, start: 5, end: 1, until: 80%}, {schedule: hold, value: 1, until: 70%}]",
            "[1].until: got 70%; it must come after 80%, where what is before it ends. "
            "All moments are on the clock of the run: write a later one.",
        ),
        (
            "[{schedule: linear, start: 5, end: 1, until: 80%}, {from: 90%, schedule: hold, value: 1}]",
            "[1].from: got 90%, but what is before it ends at 80%: there is a gap from 80% to 90%. A piece "
            "must "
            "begin where the one before ends. Write from: 80%, or leave it out.",
        ),
        (
            "[{schedule: linear, start: 5, end: 1, until: 80%}, {from: 70%, schedule: hold, value: 1}]",
            "[1].from: got 70%, but what is before it ends at 80%: the pieces overlap from 70% to 80%. A "
            "piece "
            "must begin where the one before ends. Write from: 80%, or leave it out.",
        ),
    ],
)
def test_what_is_no_temperature_is_refused(text: str, message: str) -> None:
    assert refused(temperature, text) == message


@pytest.mark.parametrize(
    "text", ["{schedule: linr, start: 1, end: 2}", "{schedule: linear, strat: 1, end: 2}"]
)
def test_a_schedule_that_is_misspelt_is_met_with_the_nearest(text: str) -> None:
    assert "did you mean" in refused(temperature, text)


IS = "alpha is 1/T: 0 is uniform, 1 the scores as given."
ALPHAS = "constant, hold, linear, inverse_linear, geometric, step"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("-1", f": got -1; it must be >= 0. {IS}"),
        (".nan", f": got .nan; it must be >= 0. {IS}"),
        (
            "1e-301",
            f": got 1e-301; in this schedule it must be 0, inf, or from 1e-300 to 1e+300. {IS}",
        ),
        ("warm", f': got "warm"; {NUMBER}'.replace("start: 5.0", "start: 0.2")),
        (
            "{schedule: linear, start: 0, end: inf}",
            f".end: got inf; in this schedule it must be 0, or from 1e-300 to 1e+300. {IS}",
        ),
        (
            "{schedule: inverse_linear, start: 0, end: 1}",
            f".start: got 0; in this schedule it must be from 1e-300 to 1e+300. {IS}",
        ),
        (
            "{schedule: geometric, start: 0, end: 1}",
            f".start: got 0; in this schedule it must be from 1e-150 to 1e+150. {IS}",
        ),
        ("{schedule: linear, start: a, end: 1}", '.start: got "a"; alpha must be a number >= 0.'),
        (
            '[0.5, {schedule: step, values: [1, "2"], at: [1%]}]',
            '[1].values[1]: got "2"; alpha must be a number >= 0. Write 2 without quotes.',
        ),
        (
            "{schedule: cosine, start: 0.2, end: 1}",
            f'.schedule: got "cosine"; 1/T follows none of these, alpha has {ALPHAS}. '
            "Use one of them, a list of pieces, or temperature.",
        ),
        (
            "[{schedule: join, pieces: []}]",
            f'[0].schedule: got "join"; 1/T follows none of these, alpha has {ALPHAS}. '
            "Use one of them, a list of pieces, or temperature.",
        ),
        ("{schedule: liner}", f'.schedule: got "liner"; it must be one of {ALPHAS}. Did you mean linear?'),
        (
            "{schedule: linear, start: 0.5, end: 1, until: 101%}",
            ".until: got '101%'; a percentage of a run must be from 0% to 100%.",
        ),
    ],
)
def test_what_is_no_alpha_is_refused_in_terms_of_alpha(text: str, message: str) -> None:
    assert refused(alpha, text) == message


def test_a_wrong_key_is_refused_by_the_name_the_file_uses() -> None:
    assert "linear has start, end, until" in refused(alpha, "{schedule: linear, start: 1, end: 2, at: 3}")


def test_the_end_of_alpha_is_the_probabilities_as_given() -> None:
    """The form of multilingual training: size^alpha with alpha = 1/T."""
    sizes = np.array([1000.0, 10.0])
    powers = sizes ** (1 / alpha(0.3)(0.0))
    assert powers / powers.sum() == pytest.approx(sizes**0.3 / (sizes**0.3).sum())
