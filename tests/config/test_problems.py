"""Refusals of keys: each one's whole text, and that independent ones come together."""

from __future__ import annotations

import pytest

from tests.config.texts import SMALL, parsed, refused, with_sources

BEGIN = "Begin with steps: 10000, batch_size: 512 and sources: {web: {items: 100000}}."
SOURCE_KEYS = "path, field, tokens, items, dtype, unit, score, weight, max_epochs"
TOP_KEYS = (
    "seed, steps, batch_size, sequence_length, tokenizer, end_of_document, prepared, temperature, alpha, "
    "sources, edits, max_epochs, when_capped, "
    "order, pick"
)
EDIT_KEYS = "at, temperature, alpha, sources, batch_size, steps, max_epochs, when_capped"


@pytest.mark.parametrize("text", ["", "# only this\n", "\ufeff", "---\n...\n"])
def test_an_empty_file_is_refused(text: str) -> None:
    assert refused(text) == (
        f"mix.yaml: it is empty; a configuration has steps, batch_size and sources. {BEGIN}"
    )


@pytest.mark.parametrize(
    ("text", "what"), [("- web\n- books\n", "a list"), ("web", '"web"'), ("3.2e9", "3.2e9")]
)
def test_a_file_is_keys_and_values(text: str, what: str) -> None:
    assert refused(text) == f"mix.yaml: got {what} at the top; it must be keys and values. {BEGIN}"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "books: {items: 9, max_epochs: 0}",
            "books.max_epochs: got 0; it must be > 0. To leave the source out, remove it or give it weight "
            "0.",
        ),
        ("books: {itmes: 9}", 'books.itmes: got 9; there is no key "itmes" here. Did you mean items?'),
        (
            "网页文本: {max_epoch: 4, items: 9}",
            '网页文本.max_epoch: got 4; there is no key "max_epoch" here. Did you mean max_epochs?',
        ),
        (
            '"a.b: c": {items: 0}',
            '"a.b: c".items: got 0; it must be at least 1.',
        ),
        (
            "books: {colour: red, items: 9}",
            f'books.colour: got "red"; there is no key "colour" here. Known are {SOURCE_KEYS}.',
        ),
        (
            "books: {temperature: 2, items: 9}",
            'books.temperature: got 2; there is no key "temperature" here. temperature is a key of the whole '
            f"file: write it at the top. Here are {SOURCE_KEYS}.",
        ),
        (
            "books: {at: 2, items: 9}",
            f'books.at: got 2; there is no key "at" here. at is a key of an edit. Here are {SOURCE_KEYS}.',
        ),
        ("books:", "books: got nothing; it must be keys and values, such as {path: data/web.jsonl}."),
        (
            "books: data/books",
            'books: got "data/books"; it must be keys and values, such as {path: data/web.jsonl}.',
        ),
        (
            "books: {items: 9, score: }",
            "books.score: got nothing; a key has a value. Give it one, or leave the key out.",
        ),
        (
            "books: {items: 9, unit: page}",
            'books.unit: got "page"; it must be one of sequence, document.',
        ),
        (
            "books: {items: 9, score: .nan}",
            "books.score: got .nan; it must be finite. To never draw a source, give it weight 0.",
        ),
        ("books: {path: [a, 3]}", 'books.path[1]: got 3; it must be text. Put it in quotes: "3".'),
    ],
)
def test_a_wrong_key_of_a_source_is_refused_in_terms_of_the_file(source: str, message: str) -> None:
    assert refused(with_sources(f"{{{source}}}")) == f"mix.yaml: sources.{message}"


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("seed: x", 'seed: got "x"; it must be a whole number, such as 512, 1_000, 3.2e9 or 10B.'),
        (
            "tempereture: 3",
            'tempereture: got 3; there is no key "tempereture" here. Did you mean temperature?',
        ),
        ("zzz: {a: 1}", f'zzz: got {{a: 1}}; there is no key "zzz" here. Known are {TOP_KEYS}.'),
        (
            "score: 3",
            f'score: got 3; there is no key "score" here. score is a key of a source. Here are {TOP_KEYS}.',
        ),
        (
            "when_capped: spred",
            'when_capped: got "spred"; it must be one of spread, drop, stop, error. Did you mean spread?',
        ),
        ("order: no", 'order: got "no"; it must be one of balanced, multinomial.'),
        ("pick: ", "pick: got nothing; it must be one of draw, batch."),
        ("edits: 3", "edits: got 3; it must be a list. Begin each entry with '- '."),
        (
            "edits: [6000]",
            "edits[0]: got 6000; it must be keys and values, such as {at: 6000, temperature: 1.0}.",
        ),
        ("edits: [{steps: 90}]", "edits[0].at: it is missing. Add at: 6000, or what it is to be."),
        (
            "edits: [{at: 9, seed: 4}]",
            'edits[0].seed: got 4; there is no key "seed" here. seed is a key of the whole file: '
            f"write it at the top. Here are {EDIT_KEYS}.",
        ),
        (
            "edits: [{at: 9, steps: }]",
            "edits[0].steps: got nothing; a key has a value. Give it one, or leave the key out.",
        ),
        (
            "edits: [{at: 9, sources: {web: 4}}]",
            "edits[0].sources.web: got 4; it must be keys and values, such as {score: 1.5}, or null to end "
            "the source.",
        ),
        (
            "edits: [{at: 9, sources: {web: {items: }}}]",
            "edits[0].sources.web.items: got nothing; a key has a value. Give it one, or leave the key out.",
        ),
        ("max_epochs:", "max_epochs: got nothing; a key has a value. Give it one, or leave the key out."),
    ],
)
def test_a_wrong_key_is_refused_in_terms_of_the_file(extra: str, message: str) -> None:
    assert refused(SMALL + extra) == f"mix.yaml: {message}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "steps: 1\nbatch_size: 1",
            "sources: it is missing. Add sources: {web: {path: data/web.jsonl}}, or what it is to be.",
        ),
        (
            "steps: 1\nsources: {a: {items: 1}}",
            "batch_size: it is missing. Add batch_size: 512, or what it is to be.",
        ),
        (
            "batch_size: 1\nsources: {a: {items: 1}}",
            "steps: it is missing. Add steps: 10000, or what it is to be.",
        ),
        (
            "steps: 1\nbatch_size: 1\nsources: [web]",
            'sources: got ["web"]; it must be names and what they are. Write web: {...} below it.',
        ),
        ("steps: 1\nbatch_size: 1\nsources: {}", "sources: got none; a mixture needs at least one source."),
    ],
)
def test_what_every_file_has_may_not_be_missing(text: str, message: str) -> None:
    assert refused(text) == f"mix.yaml: {message}"


def test_independent_problems_are_told_together() -> None:
    text = "steps: 0\nsources: {web: {score: a, items: 9}, books: {max_epoch: 1}}\nmax_epochs:\n"
    assert refused(text).splitlines() == [
        "mix.yaml: steps: got 0; it must be at least 1.",
        "mix.yaml: batch_size: it is missing. Add batch_size: 512, or what it is to be.",
        'mix.yaml: sources.web.score: got "a"; it must be a number.',
        'mix.yaml: sources.books.max_epoch: got 1; there is no key "max_epoch" here. Did you mean '
        "max_epochs?",
        "mix.yaml: max_epochs: got nothing; a key has a value. Give it one, or leave the key out.",
    ]


def test_a_name_of_nothing_is_refused() -> None:
    assert refused(with_sources('{" ": {items: 9}}')).startswith(
        "mix.yaml: sources: got the name ' '; a name"
    )


def test_a_duplicate_source_is_refused_with_both_lines() -> None:
    text = "steps: 1\nbatch_size: 1\nsources:\n  网页: {items: 1}\n  no: {items: 1}\n  网页: {items: 2}\n"
    assert refused(text) == (
        'mix.yaml: line 6, column 3: the key "网页" stands here and in line 4 already; a key stands once. '
        "Remove or rename one."
    )


@pytest.mark.parametrize("name", ["no", "on", "123", "1.5", "null", "网页文本", "نص", "🙂", "a.b: c", " x "])
def test_any_text_is_a_name(name: str) -> None:
    plan = parsed(text=with_sources(f'{{"{name}": {{items: 9}}}}')).plan
    assert plan.names == (name,)


@pytest.mark.parametrize("name", ["no", "on", "123", "1.50", "null", "~", "true", "010", "网页文本"])
def test_plain_names_are_as_written(name: str) -> None:
    assert parsed(text=with_sources(f"{{{name}: {{items: 9}}}}")).plan.names == (name,)
