"""Any Python object as a source."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

from tests.sources.contract import Case, SourceContract
from thermix.errors import DataError, InvalidInput
from thermix.sources import ItemSource, ObjectSource


class Rows:
    """A user's dataset that builds its rows when asked."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, item: int) -> dict[str, Any]:
        return {"text": f"行 {item}", "place": item}


class Batched(Rows):
    """The same, with PyTorch's batched read."""

    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.asked: list[list[int]] = []

    def __getitems__(self, items: list[int]) -> list[dict[str, Any]]:
        self.asked.append(items)
        return [self[item] for item in items]


class Windows(Rows):
    """Sequences of 3 tokens."""

    def __getitem__(self, item: int) -> Any:
        return np.arange(item, item + 3, dtype=np.uint16)


class Broken(Rows):
    """A dataset with a defect of its own."""

    def __getitem__(self, item: int) -> Any:
        raise KeyError(f"row {item} is lost")


class TestAnObject(SourceContract):
    @pytest.fixture
    def case(self) -> Case:
        def reopen() -> ItemSource:
            return ObjectSource(Rows(9), name="mine")

        return Case(reopen(), [Rows(9)[i] for i in range(9)], reopen)

    @pytest.fixture
    def empty(self) -> ItemSource:
        return ObjectSource([], name="mine")


class TestAnObjectWithABatchedRead(SourceContract):
    @pytest.fixture
    def case(self) -> Case:
        def reopen() -> ItemSource:
            return ObjectSource(Batched(9), name="mine")

        return Case(reopen(), [Rows(9)[i] for i in range(9)], reopen)

    @pytest.fixture
    def empty(self) -> ItemSource:
        return ObjectSource(Batched(0), name="mine")


class TestAnObjectOfSequences(SourceContract):
    @pytest.fixture
    def case(self) -> Case:
        def reopen() -> ItemSource:
            return ObjectSource(Windows(9), name="mine", sequence_length=3)

        return Case(reopen(), [Windows(9)[i] for i in range(9)], reopen)

    @pytest.fixture
    def empty(self) -> ItemSource:
        return ObjectSource(Windows(0), name="mine", sequence_length=3)


def test_a_batched_read_is_one_call_with_plain_ints() -> None:
    data = Batched(9)
    ObjectSource(data, name="mine").read(np.array([8, 1, 8]))
    assert data.asked == [[8, 1, 8]]
    assert {type(item) for item in data.asked[0]} == {int}


def test_a_batched_read_of_the_wrong_length_is_refused() -> None:
    data = Batched(9)
    data.__dict__["__getitems__"] = lambda items: items[1:]
    with pytest.raises(DataError, match=r"^sources\.mine: Batched\.__getitems__ returned 1 items for 2;"):
        ObjectSource(data, name="mine").read([0, 1])


def test_the_users_own_exception_stays_what_it_is_and_names_the_source() -> None:
    with pytest.raises(KeyError, match="row 3 is lost") as caught:
        ObjectSource(Broken(9), name="mine").read([3])
    if sys.version_info >= (3, 11):
        assert caught.value.__notes__ == ["while reading source 'mine'"]


@pytest.mark.parametrize("data", [iter([1]), 5, {"a": 1}, "rows.jsonl", b"rows", list])
def test_what_has_no_items_by_index_is_refused(data: Any) -> None:
    with pytest.raises(
        InvalidInput, match=r"^sources\.mine: got a \w+; an object that is a source has __len__"
    ):
        ObjectSource(data, name="mine")


@pytest.mark.parametrize("row", [[1, 2], [1.0, 2.0, 3.0], "abc", [[1, 2, 3]]])
def test_a_row_that_is_no_sequence_of_the_length_is_refused(row: Any) -> None:
    source = ObjectSource([[1, 2, 3], row], name="mine", sequence_length=3)
    with pytest.raises(
        DataError, match=r"^sources\.mine: item 1 is .*; a sequence is whole numbers of shape \(3,\)"
    ):
        source.read([0, 1])


def test_the_fingerprint_sees_the_rows_it_looks_at_and_the_length() -> None:
    def of(*rows: Any) -> str:
        return ObjectSource(rows, name="mine").fingerprint

    rows = [{"a": 1}, [1, 2], "text", b"text", None, 1.5, np.arange(3), np.arange(4)]
    prints = [of(row) for row in rows] + [of(), of("text", "text"), of(["te", "xt"]), of(np.arange(3.0))]
    assert len(set(prints)) == len(prints)
    assert of(object()) == of(object())


def test_the_fingerprint_is_as_given_where_one_is_given() -> None:
    assert ObjectSource(Broken(9), name="mine", fingerprint="abc").fingerprint == "abc"


def test_a_long_object_is_fingerprinted_by_16_items() -> None:
    data = Batched(1_000_000)
    assert ObjectSource(data, name="mine").fingerprint
    assert [len(items) for items in data.asked] == [16]
    assert (data.asked[0][0], data.asked[0][-1]) == (0, 999_999)


def test_closing_lets_go_of_the_object_and_leaves_it_alone() -> None:
    data = Rows(9)
    source = ObjectSource(data, name="mine")
    before = sys.getrefcount(data)
    source.close()
    assert sys.getrefcount(data) == before - 1
    assert data[0]
