"""Ranks' shares and micro-batches are of one size or refused, and what is proposed instead does fit."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.plan.plans import mixture
from thermix import InvalidInput, Plan
from thermix.plan.even import check_even
from thermix.plan.plan import rank_slice

BATCHES, PARTS = st.integers(1, 300), st.integers(1, 40)


def a_plan(batch_size: int) -> Plan:
    return Plan(mixture({"web": 1.0}), steps=10, batch_size=batch_size)


def refusal(plan: Plan, world_size: int, size: int | None, steps: tuple[int, int] = (0, 10)) -> str | None:
    try:
        check_even(plan, steps, 0, world_size, size)
    except InvalidInput as error:
        return str(error)
    return None


def proposed(said: str) -> tuple[int, int]:
    """The part and the batch size that a refusal proposes."""
    found = re.search(r"nearest (?:world size )?that does is (\d+), the nearest batch size (\d+);", said)
    assert found, said
    return int(found[1]), int(found[2])


@given(BATCHES, PARTS)
def test_a_world_size_is_refused_where_some_share_differs(batch: int, world_size: int) -> None:
    said = refusal(a_plan(batch), world_size, None)
    if world_size > batch:
        assert said is not None
        assert "every rank needs at least one draw" in said
        return
    shares = [rank_slice(rank, world_size, batch) for rank in range(world_size)]
    assert (said is None) == (len({share.stop - share.start for share in shares}) == 1)
    if said is not None:
        assert said.startswith(f"world_size: got {world_size} for batches of {batch} (from step 0 on); ")
        ranks, size = proposed(said)
        assert refusal(a_plan(batch), ranks, None) is None
        assert refusal(a_plan(size), world_size, None) is None
        divisors = [n for n in range(1, batch + 1) if batch % n == 0]
        assert abs(ranks - world_size) == min(abs(n - world_size) for n in divisors)
        fitting = [n for n in range(1, 2 * batch + world_size) if n % world_size == 0]
        assert abs(size - batch) == min(abs(n - batch) for n in fitting)


@given(st.integers(1, 60), st.integers(1, 5), PARTS)
def test_micro_batches_are_refused_where_the_last_is_smaller(share: int, world_size: int, size: int) -> None:
    plan = a_plan(share * world_size)
    said = refusal(plan, world_size, size)
    assert (said is None) == (share % size == 0)
    if said is not None:
        assert said.startswith(f"micro_batch_size: got {size} for a share of {share} (from step 0 on); ")
        smaller, batch = proposed(said)
        assert refusal(plan, world_size, smaller) is None
        assert refusal(a_plan(batch), world_size, size) is None


@pytest.mark.parametrize(
    ("steps", "at"), [((0, 10), 6), ((6, 10), 6), ((8, 10), 8), ((0, 7), 6), ((0, 6), None), ((10, 10), None)]
)
def test_only_steps_that_are_to_come_are_looked_at(steps: tuple[int, int], at: int | None) -> None:
    plan = a_plan(8).edit(at_step=6, batch_size=9)
    said = refusal(plan, 2, None, steps)
    assert said is None if at is None else said is not None and f"batches of 9 (from step {at} on)" in said
