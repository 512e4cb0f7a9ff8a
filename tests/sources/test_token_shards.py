"""Token shards: what Megatron-LM's format says, windows against a brute-force twin, delivery by a plan."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sources.contract import Case, SourceContract
from thermix import DataError, InvalidInput, Mixture, Plan, Source, linear
from thermix.sources import ItemSource, open_source
from thermix.sources.reader import BatchReader
from thermix.sources.shard_writer import TokenShardWriter
from thermix.sources.tokens import TokenShards

DOCUMENTS = ([5, 1, 2, 3], [9], [4, 4, 4, 8, 8, 7, 7], [1000, 65535], list(range(30)))


def write_megatron(path: Path, documents: Any = DOCUMENTS, dtype: str = "uint16") -> list[int]:
    writer = TokenShardWriter(path, dtype=dtype)
    for document in documents:
        writer.append(np.array(document, dtype))
    writer.close()
    return [token for document in documents for token in document]


def windows(tokens: list[int], length: int, stride: int | None = None) -> list[list[int]]:
    starts = range(0, len(tokens) - length + 1, stride or length)
    return [tokens[start : start + length] for start in starts]


def case_of(reopen: Callable[[], ItemSource], rows: list[list[int]], dtype: str = "uint16") -> Case:
    return Case(reopen(), [np.array(row, dtype) for row in rows], reopen)


class TestMegatronShards(SourceContract):
    @pytest.fixture
    def case(self, tmp_path: Path) -> Case:
        tokens = write_megatron(tmp_path / "a")
        write_megatron(tmp_path / "b", DOCUMENTS[::-1])
        reverse = [token for document in DOCUMENTS[::-1] for token in document]
        folder = str(tmp_path)
        return case_of(
            lambda: open_source(folder, name="web", sequence_length=4),
            windows(tokens, 4) + windows(reverse, 4),
        )

    @pytest.fixture
    def empty(self) -> ItemSource:
        return TokenShards([], name="web", sequence_length=4)


class TestAnArrayFile(SourceContract):
    @pytest.fixture
    def case(self, tmp_path: Path) -> Case:
        path = tmp_path / "tokens.npy"
        np.save(path, np.arange(41, dtype=np.int32))
        rows = windows(list(range(41)), 8)
        return case_of(lambda: open_source(str(path), name="web", sequence_length=8), rows, "int32")

    @pytest.fixture
    def empty(self) -> ItemSource:
        return TokenShards([], name="web", sequence_length=8)


class TestAFileWithoutHeader(SourceContract):
    @pytest.fixture
    def case(self, tmp_path: Path) -> Case:
        path = tmp_path / "tokens.bin"
        np.arange(41, dtype="<u2").tofile(path)
        rows = windows(list(range(41)), 8)
        return case_of(lambda: open_source(str(path), name="web", sequence_length=8, dtype="uint16"), rows)

    @pytest.fixture
    def empty(self) -> ItemSource:
        return TokenShards([], name="web", sequence_length=8)


def test_a_shard_is_byte_for_byte_what_the_format_says(tmp_path: Path) -> None:
    write_megatron(tmp_path / "a", ([7, 8, 9], [1]))
    lengths, pointers, documents = [3, 1], [0, 6], [0, 1, 2]
    index = b"MMIDIDX\0\0" + struct.pack("<QBQQ", 1, 8, 2, 3)
    index += struct.pack("<2i", *lengths) + struct.pack("<2q", *pointers) + struct.pack("<3q", *documents)
    assert (tmp_path / "a.idx").read_bytes() == index
    assert (tmp_path / "a.bin").read_bytes() == np.array([7, 8, 9, 1], "<u2").tobytes()


@settings(max_examples=30)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=4),
    st.integers(1, 12),
    st.integers(1, 15),
    st.booleans(),
)
def test_windows_of_any_length_and_stride_are_those_of_each_shard(
    sizes: list[int], length: int, stride: int, target: bool
) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        paths, rows = [], []
        for number, size in enumerate(sizes):
            paths.append(Path(folder) / f"{number}.npy")
            np.save(paths[-1], np.arange(size, dtype=np.int64) + 100 * number)
            tokens = list(range(100 * number, 100 * number + size))
            rows += windows(tokens, length + target, stride)
        if not rows:
            with pytest.raises(InvalidInput, match="sequence_length"):
                TokenShards(paths, name="a", sequence_length=length, stride=stride, with_target=target)
            return
        with TokenShards(
            paths, name="a", sequence_length=length, stride=stride, with_target=target
        ) as source:
            assert source.read(np.arange(len(rows))).tolist() == rows  # type: ignore[union-attr]
            assert len(source) == len(rows)


BAD: dict[str, Callable[[Path], object]] = {
    "foreign index": lambda p: p.with_suffix(".idx").write_bytes(b"GARBAGE!!" * 20),
    "truncated index": lambda p: p.with_suffix(".idx").write_bytes(p.with_suffix(".idx").read_bytes()[:30]),
    "short data": lambda p: p.with_suffix(".bin").write_bytes(p.with_suffix(".bin").read_bytes()[:10]),
    "no data": lambda p: p.with_suffix(".bin").unlink(),
}


@pytest.mark.parametrize("name", BAD)
def test_a_damaged_shard_is_a_data_error_that_names_the_file(name: str, tmp_path: Path) -> None:
    write_megatron(tmp_path / "a")
    BAD[name](tmp_path / "a")
    with pytest.raises(DataError, match=r"a\.(idx|bin)"):
        open_source(str(tmp_path), name="web", sequence_length=4)


def test_a_window_longer_than_every_shard_is_refused(tmp_path: Path) -> None:
    write_megatron(tmp_path / "a")
    with pytest.raises(InvalidInput, match=r"sources\.web\.sequence_length: got 4096"):
        open_source(str(tmp_path), name="web", sequence_length=4096)


def test_token_files_need_a_sequence_length_and_have_no_field(tmp_path: Path) -> None:
    write_megatron(tmp_path / "a")
    with pytest.raises(InvalidInput, match="Set sequence_length"):
        open_source(str(tmp_path), name="web")
    with pytest.raises(InvalidInput, match="only documents have fields"):
        open_source(str(tmp_path), name="web", sequence_length=4, field="text")


def test_another_dtype_than_the_shards_is_refused(tmp_path: Path) -> None:
    write_megatron(tmp_path / "a")
    with pytest.raises((InvalidInput, DataError), match="uint16"):
        open_source(str(tmp_path), name="web", sequence_length=4, dtype="int32")


def plan_and_sources(folder: Path) -> tuple[Plan, dict[str, ItemSource]]:
    sources: dict[str, ItemSource] = {}
    for number, name in enumerate(("web", "books", "code")):
        np.save(folder / f"{name}.npy", (np.arange(400, dtype=np.uint16) + 1000 * number))
        sources[name] = open_source(str(folder / f"{name}.npy"), name=name, sequence_length=8)
    named = {
        name: Source(score=float(i), items=len(source)) for i, (name, source) in enumerate(sources.items())
    }
    return Plan(Mixture(named, temperature=linear(5.0, 1.0)), steps=40, batch_size=12), sources


@pytest.mark.parametrize("world_size", [1, 4])
def test_delivery_gives_the_rows_the_plan_names_however_it_is_asked(tmp_path: Path, world_size: int) -> None:
    plan, sources = plan_and_sources(tmp_path)
    for rank in range(world_size):
        reader = BatchReader(plan, sources, rank=rank, world_size=world_size)
        delivered = list(reader.batches(0, plan.end))
        assert [batch.step for batch in delivered] == list(range(plan.end))
        for batch in delivered:
            drawn = plan.batch(batch.step, rank, world_size)
            wanted = [
                sources[plan.names[source]].read([item])[0].tolist()
                for source, item in zip(drawn.source, drawn.item, strict=True)
            ]
            assert np.asarray(batch.rows).tolist() == wanted
            assert np.asarray(batch.rows).dtype == np.int64
            assert np.asarray(reader.read(batch.step)).tolist() == wanted


def test_delivery_refuses_a_source_that_is_missing(tmp_path: Path) -> None:
    plan, sources = plan_and_sources(tmp_path)
    del sources["books"]
    with pytest.raises(InvalidInput, match="books"):
        BatchReader(plan, sources)
