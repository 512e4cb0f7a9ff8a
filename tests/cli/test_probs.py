"""`thermix probs`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import thermix
from tests.cli.conftest import Thermix

SCORES = ("--score", "web=2", "--score", "books=3", "--score", "code=1")
SOME_T = ("-T", "0.5", "-T", "1", "-T", "2", "-T", "10")


def test_the_known_answers(thermix: Thermix) -> None:
    ran = thermix("probs", *SCORES, *SOME_T)
    assert (ran.status, ran.err) == (0, "")
    assert [line.split() for line in ran.out.splitlines()[3:]] == [
        ["0.5", "0.1173", "0.8668", "0.0159", "1.55"],
        ["1", "0.2447", "0.6652", "0.0900", "2.30"],
        ["2", "0.3072", "0.5065", "0.1863", "2.77"],
        ["10", "0.3322", "0.3672", "0.3006", "2.99"],
    ]


def as_json(ran: Any) -> Any:
    assert (ran.status, ran.err) == (0, "")
    return json.loads(ran.out)


def test_json_has_the_exact_values(thermix: Thermix) -> None:
    record = as_json(thermix("probs", *SCORES, *SOME_T, "--json"))
    assert record["sources"] == ["web", "books", "code"]
    assert record["temperatures"] == [0.5, 1.0, 2.0, 10.0]
    assert record["probabilities"] == _library([2.0, 3.0, 1.0], record["temperatures"])


def _library(scores: list[float], temperatures: list[float]) -> Any:
    return thermix.probabilities(scores, temperatures).tolist()


def test_zero_and_infinity_are_temperatures(thermix: Thermix) -> None:
    record = as_json(thermix("probs", *SCORES, "-T", "0", "--temperature", "inf", "--json"))
    assert record["temperatures"] == [0.0, "inf"]
    assert record["probabilities"] == [[0.0, 1.0, 0.0], [1 / 3] * 3]


def test_without_temperatures_six_are_shown(thermix: Thermix) -> None:
    assert as_json(thermix("probs", *SCORES, "--json"))["temperatures"] == [0.5, 1.0, 2.0, 5.0, 10.0, "inf"]


def test_weights_and_sizes_are_scores_by_their_logarithm(thermix: Thermix) -> None:
    for option in ("--weight", "--size"):
        record = as_json(thermix("probs", option, "a=1000", option, "b=3e3", "-T", "1", "--json"))
        assert record["probabilities"] == [pytest.approx([0.25, 0.75])]
    record = as_json(thermix("probs", "--weight", "a=0", "--weight", "b=2", "-T", "inf", "--json"))
    assert record["probabilities"] == [[0.0, 1.0]]


def test_a_name_may_hold_an_equals_sign_and_any_characters(thermix: Thermix) -> None:
    record = as_json(thermix("probs", "--score", "a=b=1", "--score", "网页 文本=-2.5", "-T", "1", "--json"))
    assert record["sources"] == ["a=b", "网页 文本"]


def test_the_sources_of_a_configuration(thermix: Thermix, mix: Path) -> None:
    record = as_json(thermix("probs", "mix.yaml", "-T", "1", "--json"))
    assert record["sources"] == ["web", "books", "网页文本"]
    assert record["probabilities"] == _library([2.0, 3.0, 0.5], [1.0])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            [],
            "probs: got no sources; give at least one, as in --score web=2 --score books=3, "
            "or a configuration.",
        ),
        (
            ["--score", "web=abc"],
            "--score web=abc: got 'abc' for 'web'; it must be a number, as in --score web=2.",
        ),
        (
            ["--score", "web"],
            "--score web: got no name and number; it must be NAME=NUMBER, as in --score web=2.",
        ),
        (
            ["--weight", "=2"],
            "--weight =2: got no name and number; it must be NAME=NUMBER, as in --weight web=0.7.",
        ),
        (
            ["--score", "web=1", "--score", "web=2"],
            "--score web=2: the source 'web' is given twice; a name stands for one source.",
        ),
        (
            ["--score", "web=nan"],
            "--score web=nan: score: got nan; it must be finite. To never draw a source, give it weight 0.",
        ),
        (
            ["--score", "web=-inf"],
            "--score web=-inf: score: got -inf; it must be finite. To never draw a source, give it weight 0.",
        ),
        (
            ["--weight", "web=-1"],
            "--weight web=-1: weight: got -1.0; it must be >= 0. Use 0 to never draw the source.",
        ),
        (
            ["--weight", "web=0"],
            "sources: all weights are 0; at least one source must have a weight > 0.",
        ),
        (
            ["--size", "web=0"],
            "--size web=0: items: got 0; a source needs at least 1 item. Remove the empty source.",
        ),
        (
            ["--size", "web=1.5"],
            "--size web=1.5: size: got 1.5; it must be a whole number. For a fraction use --weight.",
        ),
        (["--size", "web=inf"], "--size web=inf: size: got inf; it must be a finite number."),
        (
            ["--score", "a=1", "--weight", "b=2"],
            "sources: mixed kinds of score: 'a' by score, 'b' by weight; all sources say it the same way. "
            "Give every source a score, or every source a weight, or none of them either "
            "(then the size counts).",
        ),
        *(
            (
                ["--score", "a=1", "-T", text],
                f"-T {text}: it must be a number >= 0, or inf. 0 takes the best source only, "
                "inf draws all sources alike.",
            )
            for text in ("-1", "nan", "hot", "")
        ),
        (
            ["mix.yaml", "--score", "a=1"],
            "probs: got both mix.yaml and --score a=1; the sources come from one of them. Remove the other.",
        ),
        (["--score", "a=1", "-T"], "option '-T' requires an argument. See: thermix --help"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(thermix: Thermix, words: list[str], message: str) -> None:
    ran = thermix("probs", *words)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == f"thermix: {message}\n"
