"""Edits in a file are edits of a plan, and are refused at their place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.config.texts import SMALL, parsed, refused, with_sources, write_lines
from thermix.config import load_plan
from thermix.core.schedule import constant, inverse_linear, linear
from thermix.plan.edits import Edit
from thermix.plan.mixture import Source
from thermix.plan.plan import Plan

WEB, BOOKS = Source(score=2.0, items=800), Source(score=3.0, items=90)
LAW = Source(score=1.0, items=50)
TOKENS = f"{SMALL}sequence_length: 4\n"


def plan_of(edits: str, text: str = SMALL) -> Plan:
    return parsed(f"edits: {edits}\n", text).plan


def base(text: str = SMALL) -> Plan:
    return parsed("", text).plan


@pytest.mark.parametrize(
    ("written", "change"),
    [
        ("{at: 60, temperature: 2.0}", {"temperature": 2.0}),
        ("{at: 60, temperature: {schedule: linear, start: 5, end: 1}}", {"temperature": linear(5.0, 1.0)}),
        ("{at: 60, alpha: 0.5}", {"temperature": constant(2.0)}),
        (
            "{at: 60, alpha: {schedule: linear, start: 0.5, end: 1}}",
            {"temperature": inverse_linear(2.0, 1.0)},
        ),
        ("{at: 60, steps: 200}", {"steps": 200}),
        ("{at: 60, steps: 1.2k draws}", {"steps": 150}),
        ("{at: 60, batch_size: 16}", {"batch_size": 16}),
        ("{at: 60, batch_size: 16, steps: 800 draws}", {"batch_size": 16, "steps": 80}),
        ("{at: 60, max_epochs: 20}", {"max_epochs": 20}),
        ("{at: 60, max_epochs: 20, when_capped: drop}", {"max_epochs": 20, "when_capped": "drop"}),
        ("{at: 60, sources: {web: {score: 2.5}}}", {"scores": {"web": 2.5}}),
        ("{at: 60, sources: {law: {score: 1, items: 50}}}", {"sources": {"law": LAW}}),
        ("{at: 60, sources: {books: null}}", {"sources": {"books": None}}),
        ("{at: 60, sources: {books: ~}}", {"sources": {"books": None}}),
        ("{at: 60, sources: {web: {items: 1k}}}", {"sources": {"web": Source(score=2.0, items=1000)}}),
        (
            "{at: 60, sources: {books: {max_epochs: 50}, web: {score: 1}}}",
            {
                "sources": {
                    "books": Source(score=3.0, items=90, max_epochs=50),
                    "web": Source(score=1.0, items=800),
                }
            },
        ),
        (
            "{at: 60, sources: {web: {weight: 2}, books: {weight: 1}}}",
            {"sources": {"web": Source(weight=2.0, items=800), "books": Source(weight=1.0, items=90)}},
        ),
        (
            "{at: 60, sources: {web: {score: null}, books: {score: null}}}",
            {"sources": {"web": Source(items=800), "books": Source(items=90)}},
        ),
    ],
)
def test_an_edit_in_a_file_is_the_edit_of_a_plan(written: str, change: dict[str, Any]) -> None:
    edited = base().edit(at_step=60, **change)
    assert plan_of(f"[{written}]") == edited
    assert plan_of(f"[{written}]").fingerprint == edited.fingerprint


def test_edits_build_on_each_other() -> None:
    written = """
  - {at: 40, sources: {law: {score: 1, items: 50}}}
  - {at: 60, sources: {law: {score: 2}, books: {max_epochs: 30}}}
  - {at: 80, sources: {law: null, books: {max_epochs: null}}, steps: 150}
"""
    expected = (
        base()
        .edit(at_step=40, sources={"law": LAW})
        .edit(at_step=60, sources={"law": Source(score=2.0, items=50), "books": Source(3.0, None, 90, 30)})
        .edit(at_step=80, sources={"law": None, "books": BOOKS}, steps=150)
    )
    assert plan_of(written) == expected
    assert plan_of(written).fingerprint == expected.fingerprint


def test_a_limit_can_be_taken_away() -> None:
    text = with_sources("{web: {items: 80, max_epochs: 20}, no: {items: 9}}")
    assert plan_of("[{at: 60, sources: {web: {max_epochs: null}}}]", text).edits == (
        Edit(60, sources={"web": Source(items=80)}),
    )


def test_a_source_that_ended_begins_anew_with_all_its_keys() -> None:
    edits = "[{at: 40, sources: {books: null}}, {at: 60, sources: {books: {score: 1, items: 90}}}]"
    assert plan_of(edits).edits[1].sources == {"books": Source(score=1.0, items=90)}


@pytest.mark.parametrize(
    ("at", "step"),
    [
        ("60", 60),
        ("60 steps", 60),
        ("60%", 60),
        ("59.9%", 60),
        ("479 draws", 60),
        ("480 draws", 60),
        ("1.92k tokens", 60),
        ("1_917 tokens", 60),
    ],
)
def test_an_edit_is_at_the_first_step_from_its_moment_on(at: str, step: int) -> None:
    assert plan_of(f"[{{at: {at}, temperature: 2}}]", TOKENS).edits[0].at_step == step


def test_percent_are_of_the_steps_at_the_top_and_draws_know_batch_sizes() -> None:
    edits = (
        "[{at: 50, batch_size: 16, steps: 200}, {at: 60%, temperature: 2}, {at: 720 draws, temperature: 3}]"
    )
    assert [edit.at_step for edit in plan_of(edits).edits] == [50, 60, 70]


def test_a_later_edit_does_not_move_an_earlier_one() -> None:
    first = "{at: 50%, temperature: {schedule: linear, start: 5, end: 1}}"
    short, long = plan_of(f"[{first}]"), plan_of(f"[{first}, {{at: 90, steps: 1000}}]")
    assert long.edits[:1] == short.edits
    assert (long.counts(range(90)) == short.counts(range(90))).all()


def test_a_size_is_read_anew_only_where_its_keys_change(tmp_path: Path) -> None:
    write_lines(tmp_path / "a.jsonl", 5)
    write_lines(tmp_path / "b.jsonl", 3)
    edits = (
        "edits: [{at: 40, sources: {web: {score: 9}}}, {at: 60, sources: {web: {path: [a.jsonl, b.jsonl]}}}]"
    )
    (tmp_path / "mix.yaml").write_text(with_sources("{web: {score: 1, path: a.jsonl}}", edits), "utf-8")
    plan = load_plan(tmp_path / "mix.yaml")
    assert [edit.sources for edit in plan.edits] == [
        {"web": Source(score=9.0, items=5, unit="document")},
        {"web": Source(score=9.0, items=8, unit="document")},
    ]


ORDER = "Put edits in the order of their steps, and merge those of one step."


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        (
            "[{at: 60, temperature: 2}, {at: 40, temperature: 1}]",
            f"edits[1].at: got 40; the edit before it is at step 60, and the past cannot change. {ORDER}",
        ),
        (
            "[{at: 60, temperature: 2}, {at: 59.5%, temperature: 1}]",
            "edits[1].at: got 59.5%, which is step 60; the edit before it is at step 60, and the past cannot "
            f"change. {ORDER}",
        ),
        (
            "[{at: 0%, temperature: 2}]",
            "edits[0].at: got 0%, which is step 0; an edit is at step 1 or later. Change the top.",
        ),
        (
            "[{at: 60, temperature: 2}, {at: 101, temperature: 2}]",
            "edits[1].at: got 101; the plan ends at step 100. Edit before that, or make it longer with "
            "steps.",
        ),
        (
            "[{at: 60, steps: 50}]",
            "edits[0].steps: got 50; the plan must go on after the edit. To end it here, stop.",
        ),
        (
            "[{at: 60, batch_size: 2e9}]",
            "edits[0].batch_size: got 2000000000; it must be below 2^30 (1,073,741,824).",
        ),
        (
            "[{at: 60, sources: {boks: {score: 1}}}]",
            "edits[0].sources.boks: there is no such source to change, and for a new one it has none of "
            "path, "
            "tokens and items. Did you mean books?",
        ),
        (
            "[{at: 60, sources: {网页: {score: 1}}}]",
            "edits[0].sources.网页: there is no such source to change, and for a new one it has none of "
            "path, "
            "tokens and items. Add one of them.",
        ),
        (
            "[{at: 60, sources: {boks: null}}]",
            "edits[0].sources.boks: it cannot end, there is no such source then; there are web, books. "
            "Did you mean books?",
        ),
        (
            "[{at: 60, sources: {x: null}}]",
            "edits[0].sources.x: it cannot end, there is no such source then; there are web, books. Remove "
            "it.",
        ),
        (
            "[{at: 60, sources: {web: {items: 100}}}]",
            "edits[0].sources.web.items: got 100 after 800; a source may grow, not shrink. "
            "End it and add what is left under another name.",
        ),
        (
            "[{at: 60, sources: {books: {max_epochs: 0.5}}}]",
            "edits[0].sources.books.max_epochs: it allows 45 draws, {drawn} are already drawn; a cap counts "
            "from the "
            "plan's start. Raise it, or end the source.",
        ),
        (
            "[{at: 60, max_epochs: 0.5}]",
            "edits[0]: sources.books.max_epochs: it allows 45 draws, {drawn} are already drawn; a cap "
            "counts from "
            "the plan's start. Raise it, or end the source.",
        ),
        (
            "[{at: 60, sources: {law: {weight: 1, items: 9}}}]",
            "edits[0].sources: mixed kinds of score: 'web' by score, 'law' by weight; all sources say it the "
            "same way. Give every source a score, or every source a weight, or none of them either (then the "
            "size counts).",
        ),
        (
            "[{at: 60, sources: {law: {tokens: 9}}}]",
            "edits[0].sources.law.tokens: got 9, and no sequence_length; tokens are counted in sequences. "
            "Set sequence_length, or write it in steps or draws.",
        ),
        (
            "[{at: 60, alpha: [{schedule: hold, value: 1, until: 80%}, {schedule: hold, value: 2, until: 3 "
            "steps}]}]",
            "edits[0].alpha: pieces overlap: one goes from 80% to 3 steps, which is from step 32 to step 3 "
            "of "
            "this run; a piece must end after it begins. Move one of the two.",
        ),
    ],
)
def test_an_edit_is_refused_at_its_place(edits: str, message: str) -> None:
    told = message.replace("{drawn}", str(base().counts(60)[1]))
    assert refused(f"{SMALL}edits: {edits}\n") == f"mix.yaml: {told}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            with_sources("{'a.b': {items: 8, max_epochs: 0.1}}"),
            'sources."a.b".max_epochs: 0.1 epochs of 8 items is less than one draw. Raise it, or remove the '
            "source.",
        ),
        (
            f"{SMALL}order: multinomial\nmax_epochs: 4",
            "sources.web.max_epochs: a cap with order: multinomial; independent draws cannot keep one "
            "exactly. "
            "Use order: balanced, or remove the cap.",
        ),
        (
            f"{SMALL}temperature: [{{schedule: hold, value: 1, until: 80%}}, "
            f"{{schedule: hold, value: 2, until: 3 steps}}]",
            "temperature: pieces overlap: one goes from 80% to 3 steps, which is from step 80 to step 3 of "
            "this "
            "run; a piece must end after it begins. Move one of the two.",
        ),
        (
            f"{SMALL}alpha: [{{schedule: hold, value: 1, until: 80%}}, "
            f"{{schedule: hold, value: 2, until: 3 steps}}]",
            "alpha: pieces overlap: one goes from 80% to 3 steps, which is from step 80 to step 3 of this "
            "run; "
            "a piece must end after it begins. Move one of the two.",
        ),
        (
            "{steps: 1T, batch_size: 1M, sources: {a: {items: 1}}}",
            "steps, batch_size: 1000000000000 steps of 1000000 draws; a plan has fewer than 2^50 draws.",
        ),
        (
            "{steps: 1e20, batch_size: 1, sources: {a: {items: 1}}}",
            "steps: got 100000000000000000000; it must be below 2^50 (1,125,899,906,842,624).",
        ),
        (
            "{steps: 1, batch_size: 1, sources: {a: {items: 1e20}}}",
            "sources.a.items: got 100000000000000000000; the most is 2^62.",
        ),
    ],
)
def test_a_plan_that_cannot_be_kept_is_refused_at_its_place(text: str, message: str) -> None:
    assert refused(text) == f"mix.yaml: {message}"


def test_budgets_that_do_not_cover_the_plan_are_refused() -> None:
    assert refused(f"{SMALL}max_epochs: 0.5").startswith("mix.yaml: max_epochs: the budgets of all sources")
