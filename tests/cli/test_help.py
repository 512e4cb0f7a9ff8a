"""Help and version: what is printed before anything is done."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

import thermix as package
from tests.cli.conftest import Thermix

VERBS = (
    "demo",
    "probs",
    "plan",
    "plot",
    "report",
    "studio",
    "batch",
    "prepare",
    "check",
    "stream",
    "materialize",
    "export",
    "schema",
)


def test_the_version(thermix: Thermix) -> None:
    assert thermix("--version") == (0, f"thermix {package.__version__}\n", "")
    assert thermix("--version", "plan") == (0, f"thermix {package.__version__}\n", "")


@pytest.mark.parametrize("word", ["-h", "--help"])
def test_help_names_every_verb_whole(thermix: Thermix, word: str) -> None:
    ran = thermix(word)
    assert (ran.status, ran.err) == (0, "")
    verbs = ran.out.partition("Commands:\n")[2].splitlines()
    assert tuple(line.split()[0] for line in verbs) == VERBS
    assert all(line.endswith(".") and not line.endswith("...") for line in verbs)
    assert max(map(len, ran.out.splitlines())) <= 80


def test_no_words_at_all_show_the_help_and_are_no_success(thermix: Thermix) -> None:
    ran = thermix()
    assert ran == (2, thermix("--help").out, "")


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_begins_with_a_sentence_and_an_example(thermix: Thermix, verb: str) -> None:
    ran = thermix(verb, "--help")
    assert (ran.status, ran.err) == (0, "")
    usage, sentence, example = ran.out.split("\n\n")[:3]
    assert usage.startswith(f"Usage: thermix {verb}")
    assert re.fullmatch(r"  [A-Z].*\.", sentence)
    assert example.strip().startswith(f"thermix {verb}")
    assert max(map(len, ran.out.splitlines())) <= 80


@pytest.mark.parametrize("verb", ["probs", "plan", "batch", "schema"])
def test_the_example_runs(thermix: Thermix, mix: Path, verb: str) -> None:
    words = shlex.split(thermix(verb, "--help").out.split("\n\n")[2])[1:]
    if ">" in words:
        words = words[: words.index(">")]
    ran = thermix(*words)
    assert (ran.status, ran.err) == (0, "")


def test_the_schema_is_json_in_ascii(thermix: Thermix) -> None:
    import json

    from thermix.config.schema import json_schema

    out = thermix("schema").out
    assert out.isascii()
    assert json.loads(out) == json_schema()
