"""Which state a plan goes on from, and what is said where something is other."""

from __future__ import annotations

import copy
import io
import json
import warnings
from typing import Any

import pytest
import torch

import thermix
from tests.torch.cases import a_plan, expected, seen, sequences
from thermix import InvalidInput, Plan, PlanError
from thermix.torch import MixtureBatchSampler, MixtureLoader, PlanChangedWarning
from thermix.torch.resume import accept, repeats_and_skips


def loader_of(plan: Plan) -> MixtureLoader:
    return MixtureLoader(plan, sequences())


@pytest.fixture(params=[loader_of, MixtureBatchSampler], ids=["loader", "sampler"])
def make(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_a_state_is_small_plain_and_the_plans_own(make: Any) -> None:
    plan = a_plan().edit(at_step=5, batch_size=16).edit(at_step=7, scores={"web": 3.0})
    for step in range(plan.end + 1):
        place = make(plan)
        place.seek(step)
        state = place.state_dict()
        assert state == plan.state(step) == json.loads(json.dumps(state))
        assert len(json.dumps(state)) < 500
        assert {type(value) for value in [*state.values(), *state["parts"].values()]} == {int, str, dict}


def test_changing_a_state_that_was_taken_changes_nothing_else(make: Any) -> None:
    place = make(a_plan())
    state = place.state_dict()
    state["parts"]["seed"] = "other"
    assert place.state_dict() == a_plan().state(0)


def test_torch_saves_and_loads_it_as_weights_only(make: Any) -> None:
    place = make(a_plan())
    place.seek(7)
    file = io.BytesIO()
    torch.save({"data": place.state_dict()}, file)
    file.seek(0)
    other = make(a_plan())
    other.load_state_dict(torch.load(file, weights_only=True)["data"])
    assert other.step == 7


def test_the_same_plan_is_accepted_in_silence(make: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        place = make(a_plan())
        place.load_state_dict(a_plan().state(12))
    assert place.step == 12


def test_another_future_is_accepted_and_told(make: Any) -> None:
    plan = a_plan()
    edited = plan.edit(at_step=6, scores={"web": 5.0}, batch_size=16)
    place = make(edited)
    with pytest.warns(PlanChangedWarning) as caught:
        place.load_state_dict(plan.state(6))
    told = str(caught[0].message)
    assert told.startswith("the run goes on at step 6 under a changed plan:")
    assert "from step 6: edited: batch_size 24 -> 16, source web" in told
    assert caught[0].filename == __file__
    assert place.step == 6


def test_a_run_goes_on_under_an_edit_without_repeat_or_skip() -> None:
    """What was delivered under both plans is what the edited plan says from the start."""
    plan = a_plan()
    for k in range(1, plan.end):
        edited = plan.edit(at_step=k, scores={"web": 5.0}, batch_size=16)
        before = MixtureLoader(plan, sequences())
        batches = seen(before.until(k))
        after = MixtureLoader(edited, sequences(), 0, 1)
        with pytest.warns(PlanChangedWarning):
            after.load_state_dict(before.state_dict())
        assert batches + seen(after) == expected(edited)


def test_an_edit_that_is_gone_is_told_with_the_old_plan_and_without() -> None:
    old, plan = a_plan().edit(at_step=8, temperature=9.0), a_plan()
    assert accept(plan, old.state(5)).notes == [
        "this plan has no edit from step 5 on, and the state's plan had another future"
    ]
    assert accept(plan, old.state(5), old_plan=old).notes == old.difference(plan)
    assert "from step 8: the edit is gone" in old.difference(plan)[-1]


def test_another_past_is_refused_with_what_differs(make: Any) -> None:
    state, place = a_plan().state(5), make(a_plan(seed=4))
    with pytest.raises(PlanError, match=r"step 5 was reached under another plan.*the seed.*plan\.edit"):
        place.load_state_dict(state)
    with pytest.raises(PlanError, match=r"What differs:\n  seed: 3 -> 4$"):
        place.load_state_dict(state, old_plan=a_plan())
    assert place.step == 0


def test_an_override_says_what_it_repeats_and_skips() -> None:
    old = a_plan()
    new = a_plan().edit(at_step=2, scores={"web": 3.0})
    loader = loader_of(new)
    with pytest.warns(PlanChangedWarning, match="the past differs, and was overridden") as caught:
        loader.load_state_dict(old.state(6), old_plan=old, override=True)
    before, after = old.counts(6), new.counts(6)
    told = str(caught[0].message)
    assert f"web: skips its next {after[0] - before[0]} draws" in told
    assert f"书: repeats its last {before[1] - after[1]} draws" in told
    assert f"code: repeats its last {before[2] - after[2]} draws" in told
    assert loader.step == 6


def test_what_an_override_says_is_what_it_does() -> None:
    """The draws of each source, one by one: those drawn twice, and those never."""
    old, new, step = a_plan(), a_plan().edit(at_step=3, scores={"书": 4.0}), 7
    lines = repeats_and_skips(old, new, step)
    for i, name in enumerate(old.names):
        taken = [draw for s in range(step) for draw in draws_of(old, s, i)]
        rest = [draw for s in range(step, new.end) for draw in draws_of(new, s, i)]
        whole = [draw for s in range(new.end) for draw in draws_of(new, s, i)]
        repeats, skips = len(set(taken) & set(rest)), len(set(whole) - set(taken) - set(rest))
        line = [f"{name}: repeats its last {repeats} draws"] * (repeats > 0)
        line += [f"{name}: skips its next {skips} draws"] * (skips > 0)
        assert [said for said in lines if said.startswith(name)] == line


def draws_of(plan: Plan, step: int, source: int) -> list[tuple[int, int]]:
    batch = plan.batch(step)
    mine = batch.source == source
    return list(zip(batch.item[mine].tolist(), batch.epoch[mine].tolist(), strict=True))


def test_an_override_to_another_seed_says_that_anything_may_come_again() -> None:
    lines = repeats_and_skips(a_plan(), a_plan(seed=9), 6)
    drawn = a_plan().counts(6)
    assert lines[0] == f"web: another order of items; any of its {drawn[0]} draws so far may come again"
    assert repeats_and_skips(a_plan(), a_plan(seed=9), 0) == []


def test_an_override_needs_the_old_plan_and_the_right_one(make: Any) -> None:
    state, place = a_plan().state(5), make(a_plan(seed=4))
    with pytest.raises(InvalidInput, match=r"override: it needs old_plan.*seek\(5\)"):
        place.load_state_dict(state, override=True)
    with pytest.raises(InvalidInput, match="old_plan: the state was not taken from it"):
        place.load_state_dict(state, old_plan=a_plan(seed=5), override=True)
    assert place.step == 0


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda state: None, "state: got a NoneType; it is what state_dict"),
        (lambda state: [1], "state: got a list"),
        (lambda state: 7, "state: got a int"),
        (lambda state: {}, "version None"),
        (
            lambda state: {**state, "version": 2},
            r"state: version 2; this version of thermix reads version 1. Load it with",
        ),
        (lambda state: {**state, "step": 13}, "it stands at step 13, the plan ends at step 12"),
        (lambda state: {**state, "step": -1}, "state.step: got -1"),
        (lambda state: {**state, "step": 1.5}, "state.step: got 1.5"),
        (lambda state: {**state, "step": "3"}, "state.step: got '3'"),
        (lambda state: {**state, "fingerprint": 3}, "its fingerprint is no text"),
        (lambda state: {k: v for k, v in state.items() if k != "fingerprint"}, "it has no fingerprint"),
        (lambda state: {**state, "parts": 5}, "version 1"),
        (lambda state: {"samples_seen": 5}, "version None"),
    ],
)
def test_what_is_no_state_is_refused_and_moves_nothing(make: Any, change: Any, problem: str) -> None:
    place = make(a_plan())
    place.seek(2)
    with pytest.raises(InvalidInput, match=problem):
        place.load_state_dict(change(copy.deepcopy(a_plan().state(3))))
    assert place.step == 2


def test_a_step_beyond_the_end_is_refused_with_override_too() -> None:
    long = a_plan(steps=40)
    with pytest.raises(PlanError, match="it stands at step 30, the plan ends at step 12"):
        accept(a_plan(), long.state(30), old_plan=long, override=True)


def test_sources_whose_lengths_changed_are_refused_on_resume() -> None:
    sizes = {"web": 41, "书": 9, "code": 23}
    with pytest.raises(InvalidInput, match=r"sources.web: it has 41 items, and the plan says 40"):
        MixtureLoader(a_plan(), sequences(sizes))
    grown = thermix.Mixture({n: thermix.Source(score=0.0, items=s) for n, s in sizes.items()})
    was = thermix.Mixture({n: thermix.Source(score=0.0, items=s) for n, s in (sizes | {"web": 40}).items()})
    state = Plan(was, steps=9, batch_size=8).state(4)
    with pytest.raises(PlanError, match="what differs before it: the sizes of sources"):
        MixtureLoader(Plan(grown, steps=9, batch_size=8), sequences(sizes)).load_state_dict(state)
