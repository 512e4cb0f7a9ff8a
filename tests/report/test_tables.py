"""The tables of `probs` and `batch`."""

from __future__ import annotations

import numpy as np
import pytest
from rich.cells import cell_len

from tests.report.plans import printed
from thermix.core.temperature import effective_sources, probabilities
from thermix.report.tables import batch_table, probability_tables
from thermix.report.text import ASCII, UNICODE


def tables(names: list[str], temperatures: list[float], width: int = 80) -> list[list[str]]:
    rows = probabilities(np.linspace(3.0, 1.0, len(names)), temperatures)
    effective = effective_sources(rows)
    made = probability_tables(names, temperatures, rows, effective, width, UNICODE)
    return [printed(table, 200) for table in made]


def test_the_known_answers_are_a_row_a_temperature() -> None:
    temperatures = [0.5, 1.0, 2.0, 10.0]
    rows = probabilities([2.0, 3.0, 1.0], temperatures)
    (table,) = probability_tables(
        ["web", "books", "code"], temperatures, rows, effective_sources(rows), 80, UNICODE
    )
    assert printed(table) == [
        "                             effective",
        "  T     web   books    code    sources",
        "──────────────────────────────────────",
        "0.5  0.1173  0.8668  0.0159       1.55",
        "  1  0.2447  0.6652  0.0900       2.30",
        "  2  0.3072  0.5065  0.1863       2.77",
        " 10  0.3322  0.3672  0.3006       2.99",
    ]


def test_many_sources_are_a_row_each() -> None:
    names = [f"source-{i}" for i in range(20)]
    (lines,) = tables(names, [1.0, 5.0, np.inf])
    assert lines[0].split() == ["source", "T=1", "T=5", "T=inf"]
    assert [line.split()[0] for line in lines[2:22]] == names
    assert lines[-1].startswith("effective sources ")
    assert lines[-1].endswith("20.00")
    assert set(lines[-2]) == {"─"}


def test_many_sources_and_temperatures_are_several_tables_that_fit() -> None:
    names = ["网页文本" * 9, *(f"a-source-with-a-long-name-{i}" for i in range(30))]
    made = tables(names, [float(t) for t in range(1, 41)])
    assert len(made) > 1
    heads = [title for lines in made for title in lines[0].split()[1:]]
    assert heads == [f"T={t}" for t in range(1, 41)]
    for lines in made:
        (width,) = {cell_len(line) for line in lines}
        assert width <= 80
        assert len(lines) == 2 + 31 + 2


@pytest.mark.parametrize("count", [1, 5, 8, 9, 40])
def test_any_number_of_sources_fits_eighty_columns(count: int) -> None:
    for lines in tables([f"s{i}" for i in range(count)], [0.5, 1.0, 2.0, 5.0, 10.0, np.inf]):
        assert len({cell_len(line) for line in lines}) == 1
        assert cell_len(lines[0]) <= 80


def test_a_batch_is_a_row_a_draw() -> None:
    table = batch_table([128, 129], ["web", "网页"], [4_186_699, 7], [0, 12], 80, ASCII)
    assert printed(table) == [
        "slot  source             item  epoch",
        "------------------------------------",
        " 128  web           4,186,699      0",
        " 129  \\u7f51\\u9875          7     12",
    ]
