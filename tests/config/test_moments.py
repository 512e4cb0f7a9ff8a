from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermix.config.moments import RunClock
from thermix.core.clock import Moment

CLOCK = RunClock(((0, 0, 8),), steps=1001, sequence_length=4)


def moment(text: str) -> Moment:
    return Moment.parse(text)


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("0%", 0),
        ("60%", 601),
        ("100%", 1001),
        ("600 steps", 600),
        ("800 draws", 100),
        ("801 draws", 101),
        ("3200 tokens", 100),
    ],
)
def test_a_moment_between_two_steps_is_the_later_one(text: str, step: int) -> None:
    assert CLOCK.first_step_at(moment(text)) == step


def test_a_step_is_itself() -> None:
    assert CLOCK.first_step_at(7) == 7
    assert CLOCK.whole_steps(7) == (7, Fraction(0))


@given(
    st.lists(st.tuples(st.integers(1, 50), st.integers(1, 20)), max_size=4),
    st.integers(1, 20),
    st.integers(0, 5_000),
)
def test_draws_are_placed_as_counting_them_places_them(
    changes: list[tuple[int, int]], batch: int, draws: int
) -> None:
    """Against a loop over steps."""
    clock = RunClock(((0, 0, batch),))
    batches = []
    for steps, after in changes:
        batches += [batch] * steps
        batch = after
        clock = clock.with_batch(len(batches), batch)
    before = [0]
    while before[-1] <= draws:
        step = len(before) - 1
        before.append(before[-1] + (batches[step] if step < len(batches) else batch))
    at = Moment(Fraction(draws), "draws")
    assert clock.first_step_at(at) == next(s for s, count in enumerate(before) if count >= draws)
    whole = max(s for s, count in enumerate(before) if count <= draws)
    assert clock.whole_steps(at) == (whole, Fraction(draws - before[whole]))
