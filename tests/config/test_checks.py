"""Refusals of keys that do not go together."""

from __future__ import annotations

import pytest

from tests.config.texts import SMALL, refused, with_sources

BOTH = [
    (
        "temperature: 2\nalpha: 0.5",
        "got both temperature and alpha; alpha is 1/temperature. Remove one.",
    ),
    (
        "edits: [{at: 9, temperature: 2, alpha: 0.5}]",
        "edits[0]: got both temperature and alpha; alpha is 1/temperature. Remove one.",
    ),
    ("edits: [{at: 9}]", "edits[0]: it changes nothing. Give what is to change, or remove it."),
    ("edits: [{at: 9, sources: {}}]", "edits[0]: it changes nothing. Give what is to change, or remove it."),
    (
        "edits: [{at: 9, sources: {web: {}}}]",
        "edits[0].sources.web: it changes nothing. Give what is to change, or remove it; null ends a source.",
    ),
    (
        "edits: [{at: 9, sources: {web: {score: 1, weight: 1}}}]",
        "edits[0].sources.web: got both score and weight; a score is a log weight. Remove one.",
    ),
    (
        "temperature: {schedule: linear, start: 5, end: 1, until: 10B tokens}",
        "temperature: got 10B tokens, and no sequence_length; tokens are counted in sequences. "
        "Set sequence_length, or write it in steps or draws.",
    ),
    (
        "alpha: {schedule: linear, start: 0.2, end: 1, until: 10B tokens}",
        "alpha: got 10B tokens, and no sequence_length; tokens are counted in sequences. "
        "Set sequence_length, or write it in steps or draws.",
    ),
    (
        "edits: [{at: 1000 tokens, temperature: 2}]",
        "edits[0].at: got 1000 tokens, and no sequence_length; tokens are counted in sequences. "
        "Set sequence_length, or write it in steps or draws.",
    ),
    (
        "edits: [{at: 9, steps: 1000 tokens}]",
        "edits[0].steps: got 1000 tokens, and no sequence_length; tokens are counted in sequences. "
        "Set sequence_length, or write it in steps or draws.",
    ),
]


@pytest.mark.parametrize(("extra", "message"), BOTH)
def test_keys_that_do_not_go_together_are_refused(extra: str, message: str) -> None:
    assert refused(SMALL + extra) == f"mix.yaml: {message}"


NO_LENGTH = "Set sequence_length, or write it in steps or draws."


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{}", "got none of path, tokens and items; a source must have a size. Add one of them."),
        (
            "{items: 9, score: 1, weight: 2}",
            "got both score and weight; a score is a log weight. Remove one.",
        ),
        ("{items: 9, tokens: 99}", "got both tokens and items; each of them is the size. Remove one."),
    ],
)
def test_a_source_says_each_thing_once(source: str, message: str) -> None:
    text = with_sources(f"{{web: {source}}}", "sequence_length: 9\n")
    assert refused(text) == f"mix.yaml: sources.web: {message}"


@pytest.mark.parametrize(
    ("source", "extra", "message"),
    [
        (
            "{tokens: 100}",
            "",
            f"tokens: got 100, and no sequence_length; tokens are counted in sequences. {NO_LENGTH}",
        ),
        (
            "{tokens: 100}",
            "sequence_length: 101",
            "tokens: got 100, less than one sequence (sequence_length: 101); a source needs at least one "
            "item. "
            "Remove it, or shorten the sequences.",
        ),
        (
            "{tokens: 100, unit: document}",
            "sequence_length: 10",
            "tokens: got 100 for documents, which have no fixed number of tokens. Write items:.",
        ),
        (
            "{items: 9, field: text}",
            "",
            "field: got it without a path; field is about files. Add path, or remove it.",
        ),
        (
            "{items: 9, dtype: uint16}",
            "",
            "dtype: got it without a path; dtype is about files. Add path, or remove it.",
        ),
    ],
)
def test_a_size_is_one_that_can_be_counted(source: str, extra: str, message: str) -> None:
    assert refused(with_sources(f"{{web: {source}}}", extra)) == f"mix.yaml: sources.web.{message}"


def test_mixed_kinds_of_score_are_refused() -> None:
    text = with_sources("{web: {score: 2, items: 9}, law: {weight: 3, items: 9}, no: {items: 4}}")
    assert refused(text) == (
        "mix.yaml: sources: mixed kinds of score: 'web' by score, 'law' by weight, 'no' by size; all "
        "sources say "
        "it the same way. Give every source a score, or every source a weight, or none of them either (then "
        "the "
        "size counts)."
    )


def test_weights_that_are_all_zero_are_refused() -> None:
    text = with_sources("{web: {weight: 0, items: 9}}")
    assert (
        refused(text) == "mix.yaml: sources: all weights are 0; at least one source must have a weight > 0."
    )
