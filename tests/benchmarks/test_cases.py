"""The cases: their rows, and the measures of accuracy against a count by hand."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import contenders
from benchmarks.cases import CASES, Size, accuracy
from benchmarks.chart import SHOWN, values_of
from benchmarks.checks import WrongBatch
from benchmarks.contenders import OWN_FORMAT, PLAIN, TITLES
from benchmarks.harness import Group
from benchmarks.settings import Settings, zipf

FOLDER = Path(contenders.__file__).parent
SIZES: tuple[Size, ...] = get_args(Size)


def groups(size: Size) -> list[Group]:
    return [group for name in CASES for group in import_module(f"benchmarks.cases.{name}").groups(size)]


def test_every_contender_has_a_title_and_a_file_that_names_a_page_or_is_our_own() -> None:
    files = {path.stem: path.read_text("utf-8") for path in FOLDER.glob("*.py") if path.stem != "__init__"}
    assert set(files) == set(TITLES)
    assert set(OWN_FORMAT) | set(PLAIN) <= set(files)
    own = {"thermix", "thermix_fast", "thermix_no_threads", "limit", "formula"}
    for name in set(files) - own:
        assert "https://" in files[name].split('"""')[1], name
    for name in OWN_FORMAT:
        assert "\ndef prepare(" in files[name], name


@pytest.mark.parametrize("size", SIZES)
def test_rows_have_labels_of_their_own_and_contenders_that_exist(size: Size) -> None:
    found = groups(size)
    labels = [(group.case, row.label) for group in found for row in group.rows]
    assert len(labels) == len(set(labels))
    assert {group.case for group in found} == set(CASES)
    for group in found:
        assert set(group.contenders) <= set(TITLES)
        assert group.contenders[0] == "thermix"
        assert len(set(group.contenders)) == len(group.contenders)


@pytest.mark.parametrize("size", SIZES)
def test_weights_sum_to_one(size: Size) -> None:
    for group in groups(size):
        for row in group.rows:
            assert sum(row.weights) == pytest.approx(1.0)


@pytest.mark.parametrize("size", SIZES)
def test_settings_survive_the_way_to_the_process(size: Size) -> None:
    import json

    for group in groups(size):
        for row in group.rows:
            assert Settings.from_plain(json.loads(json.dumps(row.plain()))) == row


def test_the_full_run_has_every_row_of_the_chart() -> None:
    labels = {row.label for group in groups("full") for row in group.rows}
    assert set(SHOWN) == set(CASES)
    assert {label.removesuffix(": deviation") for label in SHOWN.values()} <= labels


def test_the_chart_takes_the_first_row_where_its_own_is_missing_and_moves_zero() -> None:
    rows = [
        {"row": "3 sources", "contender": "thermix", "median": 0.0},
        {"row": "3 sources", "contender": "pytorch", "median": 5.0},
        {"row": "64 sources", "contender": "pytorch", "median": 9.0},
        {"row": "3 sources", "contender": "mosaic", "reason": "not installed"},
    ]
    label, values = values_of("accuracy", {"rows": rows})
    assert label == "3 sources"
    assert [(value["contender"], value["median"]) for value in values] == [
        ("thermix", pytest.approx(5e-9)),
        ("PyTorch", 5.0),
    ]


SOURCES = st.integers(2, 5)


@given(SOURCES.flatmap(lambda n: st.tuples(st.just(n), st.lists(st.integers(0, n - 1), min_size=3))))
@pytest.mark.parametrize("batch", [1, 3])
def test_deviation_and_starved_agree_with_a_count_by_hand(batch: int, case: tuple[int, list[int]]) -> None:
    sources, drawn = case
    expected = np.asarray(zipf(sources))
    worst, counts = 0.0, [0] * sources
    for number, which in enumerate(drawn, 1):
        counts[which] += 1
        if number % batch == 0:
            worst = max(worst, *(abs(c - p * number) for c, p in zip(counts, expected, strict=True)))
    assert accuracy.deviation(np.array(drawn), expected, batch) == pytest.approx(worst)
    owed = sum(c == 0 and p * len(drawn) >= 1 for c, p in zip(counts, expected, strict=True))
    assert accuracy.starved(np.array(drawn), expected) == owed


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3))))
@pytest.mark.parametrize("batch", [1, 3])
def test_repeats_are_items_drawn_again_in_the_batches_before_the_source_is_exhausted(
    batch: int, draws: list[tuple[int, int]]
) -> None:
    found = 0
    for which in range(3):
        seen: list[int] = []
        for start in range(0, len(draws) - batch + 1, batch):
            new = [item for source, item in draws[start : start + batch] if source == which]
            if len(seen) + len(new) > 4:
                break
            seen += new
        found += len(seen) - len(set(seen))
    pairs = np.array(draws, np.int64).reshape(-1, 2)
    settings = Settings("row", items=4, batch=batch)
    assert accuracy.repeats(pairs[:, 0], pairs[:, 1], settings) == found


def test_too_few_draws_have_no_accuracy() -> None:
    def some(settings: Settings) -> tuple[Any, Any]:
        return np.zeros(3, np.int64), np.zeros(3, np.int64)

    contender: Any = SimpleNamespace(accuracy=some)
    with pytest.raises(WrongBatch, match="gave 3 of 10 draws"):
        accuracy.measure(contender, Settings("row", draws=10))


@pytest.mark.parametrize("kind", accuracy.KINDS)
@pytest.mark.parametrize("sources", [3, 32, 128])
def test_weights_of_each_kind_are_what_their_name_says(kind: str, sources: int) -> None:
    weights = accuracy.weights_of(kind, sources)
    assert len(weights) == sources
    assert sum(weights) == pytest.approx(1.0)
    if kind == "equal":
        assert len(set(weights)) == 1
    if kind == "one heavy":
        assert max(weights) == 0.9
    if kind == "one of 1e-6":
        assert min(weights) == 1e-6
