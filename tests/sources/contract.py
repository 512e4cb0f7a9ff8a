"""What every source must do, once for all of them.

A source's own test file subclasses `SourceContract` and gives two fixtures: `case`, an open source of
at least 5 items with the rows it must give in order, and `empty`, an open source without any.
"""

from __future__ import annotations

import multiprocessing
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thermix.errors import InvalidInput, OutOfRange
from thermix.sources.base import ItemSource, Rows

__all__ = ["Case", "SourceContract", "same_rows"]


@dataclass(frozen=True)
class Case:
    """An open source, the rows it must give from first to last, and a way to open it anew."""

    source: ItemSource
    rows: list[Any]
    reopen: Callable[[], ItemSource]


def same_rows(found: Rows, wanted: list[Any]) -> bool:
    """Whether a read gave these rows; a row may be text, an object or an array."""
    return len(found) == len(wanted) and all(
        np.array_equal(row, want) if isinstance(want, np.ndarray) else row == want
        for row, want in zip(found, wanted, strict=True)
    )


_FIXTURE_AND_SUBCLASSES = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors]


class SourceContract:
    """The tests; pytest runs them for every subclass."""

    def test_it_is_an_item_source(self, case: Case) -> None:
        assert isinstance(case.source, ItemSource)
        assert case.source.unit in ("sequence", "document")

    def test_its_length_is_the_number_of_its_items(self, case: Case) -> None:
        assert len(case.source) == len(case.rows) >= 5

    def test_all_items_at_once_are_the_items_in_order(self, case: Case) -> None:
        assert same_rows(case.source.read(np.arange(len(case.rows))), case.rows)

    def test_random_access_equals_sequential(self, case: Case) -> None:
        for item in reversed(range(len(case.rows))):
            assert same_rows(case.source.read([item]), [case.rows[item]])

    @given(data=st.data())
    @settings(max_examples=25, suppress_health_check=_FIXTURE_AND_SUBCLASSES)
    def test_indices_come_in_any_order_and_repeated(self, case: Case, data: st.DataObject) -> None:
        items = data.draw(st.lists(st.integers(0, len(case.rows) - 1), max_size=40))
        assert same_rows(case.source.read(np.array(items, np.int64)), [case.rows[item] for item in items])

    def test_an_item_read_twice_is_not_one_object(self, case: Case) -> None:
        first, second = case.source.read([1, 1])
        assert first is not second or isinstance(first, str | int | float | None)

    @pytest.mark.parametrize("dtype", [np.int32, np.uint16, np.uint64])
    def test_indices_of_any_integer_type_will_do(self, case: Case, dtype: type[np.integer[Any]]) -> None:
        assert same_rows(case.source.read(np.array([3, 0], dtype)), [case.rows[3], case.rows[0]])

    def test_sequences_come_as_one_array_documents_as_a_list(self, case: Case) -> None:
        rows, none = case.source.read([0, 1]), case.source.read([])
        if case.source.unit == "document":
            assert isinstance(rows, list)
            assert none == []
        else:
            assert isinstance(rows, np.ndarray)
            assert isinstance(none, np.ndarray)
            assert rows.dtype.kind in "iu"
            assert none.shape == (0, rows.shape[1])

    def test_an_empty_batch_reads_nothing(self, case: Case) -> None:
        assert len(case.source.read(np.empty(0, np.int64))) == 0

    @pytest.mark.parametrize("beyond", [0, 1, 1 << 40])
    def test_an_item_past_the_end_is_refused_with_the_source(self, case: Case, beyond: int) -> None:
        item = len(case.rows) + beyond
        with pytest.raises(
            OutOfRange, match=rf"^sources\.{case.source.name}: got item {item}; it has items 0 to "
        ):
            case.source.read([0, item])

    def test_a_negative_item_is_refused(self, case: Case) -> None:
        with pytest.raises(OutOfRange, match=rf"^sources\.{case.source.name}: got item -1;"):
            case.source.read([0, -1])

    @pytest.mark.parametrize("items", [[0.5], [[0]], 0, ["0"], [True]])
    def test_what_is_no_list_of_whole_numbers_is_refused(self, case: Case, items: Any) -> None:
        with pytest.raises(InvalidInput, match=r"items: got .*; they are whole numbers \(n,\)"):
            case.source.read(items)

    def test_the_fingerprint_is_the_same_for_the_same_content(self, case: Case) -> None:
        with case.reopen() as again:
            assert again.fingerprint == case.source.fingerprint
        assert len(bytes.fromhex(case.source.fingerprint)) >= 16

    def test_tokens_are_those_of_all_items(self, case: Case) -> None:
        expected = None if case.source.unit == "document" else sum(len(row) for row in case.rows)
        assert case.source.tokens == expected

    def test_an_empty_source_has_length_0_and_reads_an_empty_batch(self, empty: ItemSource) -> None:
        assert len(empty) == 0
        assert len(empty.read([])) == 0
        assert empty.fingerprint

    def test_an_item_of_an_empty_source_is_refused(self, empty: ItemSource) -> None:
        with pytest.raises(OutOfRange, match="the source is empty"):
            empty.read([0])

    def test_it_pickles_before_and_after_it_was_read(self, case: Case) -> None:
        for _ in range(2):
            with pickle.loads(pickle.dumps(case.source)) as copy:
                assert same_rows(copy.read([4, 2]), [case.rows[4], case.rows[2]])
                assert copy.fingerprint == case.source.fingerprint
            case.source.read([0])

    @pytest.mark.parametrize("method", ["fork", "spawn"])
    @pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
    def test_another_process_reads_the_same_while_this_one_reads(self, case: Case, method: str) -> None:
        if method not in multiprocessing.get_all_start_methods():
            pytest.skip(f"this platform cannot {method}")
        case.source.read([0])
        items = [len(case.rows) - 1, 0, 2] * 50
        wanted = [case.rows[item] for item in items]
        assert same_rows(_read_elsewhere(case.source, items, method), wanted)

    def test_closing_twice_is_fine(self, case: Case) -> None:
        case.source.close()
        case.source.close()

    def test_a_closed_source_reads_nothing(self, case: Case) -> None:
        with case.source as same:
            same.read([0])
        with pytest.raises(InvalidInput, match=rf"^sources\.{case.source.name}: it is closed"):
            case.source.read([0])


def _read_elsewhere(source: ItemSource, items: list[int], method: str) -> Rows:
    """What a process started by `method` reads, while this one reads other items."""
    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    process = context.Process(target=_read_and_send, args=(source, items, theirs))  # type: ignore[attr-defined]
    process.start()
    theirs.close()
    for item in range(len(source)):
        source.read([item])
    try:
        assert ours.poll(60), "the other process sent nothing"
        rows: Rows = ours.recv()
    finally:
        process.join()
        ours.close()
    return rows


def _read_and_send(source: ItemSource, items: list[int], pipe: Connection) -> None:
    pipe.send([source.read([item])[0] for item in items])
    pipe.close()
