"""Where documents begin inside windows, against a twin that walks every token."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thermix.errors import DataError, InvalidInput
from thermix.sources.boundaries import Documents, IndexArrays, documents_at, starts_after, starts_from_index
from thermix.sources.megatron import HEADER
from thermix.sources.shard_writer import TokenShardWriter
from thermix.sources.tokens import TokenShards

END = 0
LENGTHS = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=12), min_size=1, max_size=3)


def starts_of(lengths: Sequence[int]) -> set[int]:
    """The tokens at which documents begin; an empty one begins where the next does."""
    starts, at = set(), 0
    for length in lengths:
        if length:
            starts.add(at)
        at += length
    return starts


def twin(windows: Sequence[tuple[set[int], int]], length: int) -> tuple[list[list[int]], list[int]]:
    """Positions and cu_seqlens of windows, each given by its shard's document starts and its first token."""
    positions, bounds = [], []
    for number, (starts, first) in enumerate(windows):
        row: list[int] = []
        for place in range(length):
            new = place == 0 or first + place in starts
            row.append(0 if new else row[-1] + 1)
            bounds += [number * length + place] if new else []
        positions.append(row)
    return positions, [*bounds, len(windows) * length]


def windows_of(
    shards: Sequence[Sequence[int]], length: int, stride: int, row: int
) -> list[tuple[set[int], int]]:
    """All windows of shards whose documents have these lengths."""
    return [
        (starts_of(lengths), first)
        for lengths in shards
        for first in range(0, sum(lengths) - row + 1, stride)
    ]


def check(found: Documents, wanted: tuple[list[list[int]], list[int]]) -> None:
    assert found.positions.tolist() == wanted[0]
    assert found.cu_seqlens.tolist() == wanted[1]
    assert found.positions.dtype == np.int64
    assert found.cu_seqlens.dtype == np.int32


@settings(max_examples=60)
@given(LENGTHS, st.integers(1, 9), st.integers(1, 12), st.booleans(), st.data())
def test_an_index_says_where_documents_begin_in_any_windows(
    shards: list[list[int]], length: int, stride: int, target: bool, data: st.DataObject
) -> None:
    shards = [[*lengths, 1] for lengths in shards]  # no shard without tokens
    windows = windows_of(shards, length, stride, length + target)
    if not windows:
        return
    asked = data.draw(st.lists(st.integers(0, len(windows) - 1), max_size=8))
    with tempfile.TemporaryDirectory() as folder:
        for number, lengths in enumerate(shards):
            with TokenShardWriter(Path(folder) / str(number), dtype="int32") as shard:
                shard.extend(np.arange(sum(lengths), dtype=np.int32), lengths)
        paths = [Path(folder) / f"{number}.bin" for number in range(len(shards))]
        with TokenShards(
            paths, name="web", sequence_length=length, stride=stride, with_target=target
        ) as source:
            assert len(source) == len(windows)
            check(source.documents(np.array(asked, np.int64)), twin([windows[i] for i in asked], length))


@settings(max_examples=60)
@given(LENGTHS, st.integers(1, 9), st.integers(1, 12), st.booleans(), st.data())
def test_a_token_that_ends_documents_says_where_they_begin_in_flat_files(
    shards: list[list[int]], length: int, stride: int, target: bool, data: st.DataObject
) -> None:
    ended = [[size + 1 for size in lengths] for lengths in shards]
    windows = windows_of(ended, length, stride, length + target)
    if not windows:
        return
    asked = data.draw(st.lists(st.integers(0, len(windows) - 1), max_size=8))
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number, lengths in enumerate(shards):
            tokens = [token for size in lengths for token in [*range(1, size + 1), END]]
            paths.append(Path(folder) / f"{number}.npy")
            np.save(paths[-1], np.array(tokens, np.uint16))
        with TokenShards(
            paths, name="web", sequence_length=length, stride=stride, with_target=target, end_of_document=END
        ) as source:
            check(source.documents(np.array(asked, np.int64)), twin([windows[i] for i in asked], length))


def write(folder: Path, lengths: Sequence[int], name: str = "a") -> Path:
    with TokenShardWriter(folder / name, dtype="uint16") as shard:
        shard.extend(np.ones(sum(lengths), np.uint16), lengths)
    return folder / f"{name}.bin"


def test_a_window_that_begins_inside_a_document_counts_from_its_own_start(tmp_path: Path) -> None:
    with TokenShards([write(tmp_path, [6, 4])], name="web", sequence_length=4) as source:
        found = source.documents([1])
    assert found.positions.tolist() == [[0, 1, 0, 1]]
    assert found.cu_seqlens.tolist() == [0, 2, 4]


def test_the_target_is_no_part_of_the_positions(tmp_path: Path) -> None:
    path = write(tmp_path, [4, 6])
    with TokenShards([path], name="web", sequence_length=4, with_target=True) as source:
        found = source.documents([0])
    assert found.positions.tolist() == [[0, 1, 2, 3]]
    assert found.cu_seqlens.tolist() == [0, 4]


def test_no_items_have_no_documents(tmp_path: Path) -> None:
    with TokenShards([write(tmp_path, [4, 6])], name="web", sequence_length=4) as source:
        found = source.documents([])
    assert found.positions.shape == (0, 4)
    assert found.cu_seqlens.tolist() == [0]


def test_rows_keep_the_order_asked_for_across_shards(tmp_path: Path) -> None:
    paths = [write(tmp_path, [2, 2]), write(tmp_path, [3, 1], "b"), write(tmp_path, [1, 3], "c")]
    with TokenShards(paths, name="web", sequence_length=4) as source:
        found = source.documents([2, 0, 1, 2])
    assert found.positions.tolist() == [[0, 0, 1, 2], [0, 1, 0, 1], [0, 1, 2, 0], [0, 0, 1, 2]]


def test_an_index_made_by_others_may_join_sequences_into_documents(tmp_path: Path) -> None:
    path = write(tmp_path, [2, 2, 2, 2])
    documents = np.array([0, 1, 3, 4], "<i8")  # sequences 1 and 2 are one document
    index = path.with_suffix(".idx")
    head = bytearray(index.read_bytes()[: HEADER.size + 12 * 4])
    head[26:34] = len(documents).to_bytes(8, "little")
    index.write_bytes(bytes(head) + documents.tobytes())
    with TokenShards([path], name="web", sequence_length=8) as source:
        assert source.documents([0]).positions.tolist() == [[0, 1, 0, 1, 2, 3, 0, 1]]


def test_flat_files_without_an_end_of_document_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(8, dtype=np.uint16))
    with (
        TokenShards([tmp_path / "a.npy"], name="web", sequence_length=4) as source,
        pytest.raises(InvalidInput, match=r"^sources\.web: .*a\.npy has no index .* Give end_of_document"),
    ):
        source.documents([0])


def test_a_document_behind_the_last_sequence_is_a_data_error(tmp_path: Path) -> None:
    path = write(tmp_path, [3, 3, 3, 3])
    index = path.with_suffix(".idx")
    content = bytearray(index.read_bytes())
    content[-24:-16] = (99).to_bytes(8, "little")
    index.write_bytes(content)
    with TokenShards([path], name="web", sequence_length=12) as source:
        with pytest.raises(DataError, match=r"a\.idx: document 2 begins at sequence 99, and") as e:
            source.documents([0])
        assert source.read([0]).shape == (1, 12)  # type: ignore[union-attr]
    assert e.value.exit_code == 3


def test_documents_out_of_the_order_of_their_tokens_are_a_data_error(tmp_path: Path) -> None:
    path = write(tmp_path, [3, 3, 3, 3])
    index = path.with_suffix(".idx")
    content = bytearray(index.read_bytes())
    pointers = HEADER.size + 4 * 4
    content[pointers + 8 : pointers + 16] = (200).to_bytes(8, "little")
    index.write_bytes(content)
    with (
        TokenShards([path], name="web", sequence_length=12) as source,
        pytest.raises(DataError, match=r"a\.idx: its documents are not in the order of their tokens"),
    ):
        source.documents([0])


@given(st.lists(st.integers(1, 6), min_size=1, max_size=200), st.integers(2, 20), st.data())
def test_bisection_finds_what_a_walk_finds(lengths: list[int], length: int, data: st.DataObject) -> None:
    tokens = sum(lengths)
    starts = np.cumsum([0, *lengths])
    index = IndexArrays(starts[:-1] * 2, np.arange(len(lengths) + 1))
    firsts = np.array(data.draw(st.lists(st.integers(0, tokens), min_size=1, max_size=5)), np.int64)
    window, place = starts_from_index(index, firsts, length, 2, tokens)
    wanted = [
        (number, start - first)
        for number, first in enumerate(firsts.tolist())
        for start in starts.tolist()
        if 1 <= start - first < length
    ]
    assert list(zip(window.tolist(), place.tolist(), strict=True)) == wanted


def test_documents_begin_behind_each_end_even_the_last_of_a_row() -> None:
    rows = np.array([[5, END, 7], [7, 7, END]])
    starts = starts_after(rows, END)
    assert starts.tolist() == [2, 6]
    assert documents_at(starts, 2, 3).cu_seqlens.tolist() == [0, 2, 3, 6]
