"""Rows found by their addresses are those that the sources read, and nothing else is ever touched."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermix import DataError, InvalidInput, Mixture, Plan, Source
from thermix.sources import located, open_source
from thermix.sources.located import RowAddresses, copy_rows, row_addresses
from thermix.sources.reader import BatchReader
from thermix.sources.tokens import TokenShards

LENGTH = 8


def shards(folder: Path, sizes: tuple[int, ...], dtype: str = "uint16", **options: Any) -> TokenShards:
    folder.mkdir(exist_ok=True)
    rng, paths = np.random.default_rng(len(sizes)), []
    for number, size in enumerate(sizes):
        paths.append(folder / f"{number}.npy")
        np.save(paths[-1], rng.integers(0, 250, size).astype(dtype))
    return TokenShards(paths, name=folder.name, sequence_length=LENGTH, **options)


def reading(plan_sources: dict[str, Any], batch: int = 24, steps: int = 40) -> BatchReader:
    named = {name: Source(score=0.0, items=len(source)) for name, source in plan_sources.items()}
    return BatchReader(Plan(Mixture(named), steps=steps, batch_size=batch), plan_sources)


def some_draws(sources: list[TokenShards], many: int = 200) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    source = rng.integers(0, len(sources), (4, many)).astype(np.int32)
    item = rng.integers(0, [len(each) for each in sources], (4, many, len(sources)))
    return source, np.take_along_axis(item, source[..., None].astype(int), 2)[..., 0]


@pytest.fixture
def sources(tmp_path: Path) -> list[TokenShards]:
    """Of one shard, of several with empty ones among them, and of windows that overlap."""
    return [
        shards(tmp_path / "one", (400,)),
        shards(tmp_path / "many", (3, 80, 7, 1, 96, 5)),
        shards(tmp_path / "overlapping", (200, 60), stride=3),
    ]


def test_addresses_are_where_the_rows_are(sources: list[TokenShards]) -> None:
    source, item = some_draws(sources)
    found = RowAddresses(sources).locate(source, item)
    assert found is not None
    assert len(found) == 4
    for own, numbers, items in zip(found, source, item, strict=True):
        for address, number, i in zip(own.addresses.tolist(), numbers, items, strict=True):
            there = np.frombuffer(ctypes.string_at(address, 2 * LENGTH), np.uint16)
            np.testing.assert_array_equal(there, sources[number].read([i])[0])


@pytest.mark.parametrize("stage", [1, 3 * 2 * LENGTH, 1 << 19], ids=["a row", "three", "all"])
@pytest.mark.parametrize("wanted", ["uint16", "int32", "int64"])
def test_rows_of_many_shards_are_copied_by_one_index(
    sources: list[TokenShards], wanted: str, stage: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(located, "STAGE_BYTES", stage)
    source, item = some_draws(sources, many=50)
    out = np.empty((50, LENGTH), wanted)
    for own, numbers, items in zip(
        RowAddresses(sources).locate(source, item) or (), source, item, strict=True
    ):
        copy_rows(np.dtype("uint16"), own.addresses, out)
        expected = [sources[n].read([i])[0] for n, i in zip(numbers, items, strict=True)]
        np.testing.assert_array_equal(out, np.array(expected))


@pytest.mark.parametrize(("name", "most"), [("STAGE_BYTES", 2 * LENGTH - 1), ("_MOST_BYTES", 1000)])
def test_rows_too_long_for_that_are_copied_one_by_one(
    sources: list[TokenShards], name: str, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, item = some_draws(sources, many=50)
    found = RowAddresses(sources).locate(source, item)
    assert found is not None
    one_by_one, by_index = np.empty((2, 50, LENGTH), np.int64)
    copy_rows(np.dtype("uint16"), found[0].addresses, by_index)
    monkeypatch.setattr(located, name, most)
    copy_rows(np.dtype("uint16"), found[0].addresses, one_by_one)
    np.testing.assert_array_equal(one_by_one, by_index)


def test_no_rows_are_copied_from_nowhere() -> None:
    copy_rows(np.dtype("uint16"), np.empty(0, np.int64), np.empty((0, LENGTH), np.int64))


def test_sequences_of_half_a_million_tokens_are_read(tmp_path: Path) -> None:
    long, source = 1 << 19, {}
    for number, name in enumerate(("web", "code")):
        np.save(tmp_path / f"{name}.npy", np.arange(3 * long, dtype=np.uint32) * (number + 1))
        source[name] = TokenShards([tmp_path / f"{name}.npy"], name=name, sequence_length=long)
    for batch in reading(source, batch=2, steps=3).batches(threads=0):
        for row, number, item in zip(batch.rows, batch.source.tolist(), batch.item.tolist(), strict=True):
            expected = np.arange(item * long, (item + 1) * long) * (number + 1)
            np.testing.assert_array_equal(row, expected)


class Pretended:
    """Shards of which only numbers exist."""

    dtype, aligned = np.dtype("uint16"), True

    def __init__(self, counts: list[int], begins: list[int], bytes_apart: int) -> None:
        self.first_items = np.cumsum([0, *counts])
        self.bytes_apart = bytes_apart
        self._begins = begins

    def is_here(self, shard: int) -> bool:
        return True

    def mapped(self, shard: int) -> tuple[int, object]:
        return self._begins[shard], object()


distances = st.integers(1, 1 << 40)
shard_counts = st.lists(st.integers(0, 1 << 55), min_size=1, max_size=5).filter(any)


@given(
    st.data(), st.lists(shard_counts, min_size=1, max_size=4), st.lists(st.integers(1, 1 << 40), min_size=4)
)
def test_sums_past_64_bits_on_the_way_do_no_harm(
    data: st.DataObject, counts: list[list[int]], apart: list[int]
) -> None:
    """The twin is Python's own integers; rows and distances are as large as they can be together."""
    made = [
        Pretended(own, data.draw(st.lists(st.integers(0, 1 << 46), min_size=5, max_size=5)), apart[number])
        for number, own in enumerate(counts)
    ]
    drawn = [data.draw(st.sampled_from(range(len(made)))) for _ in range(5)]
    items = [data.draw(st.integers(0, int(made[number].first_items[-1]) - 1)) for number in drawn]
    found = RowAddresses(made).locate(np.array([drawn], np.int32), np.array([items]))
    assert found is not None
    for address, number, item in zip(found[0].addresses.tolist(), drawn, items, strict=True):
        source = made[number]
        shard = next(s for s in range(len(counts[number])) if item < source.first_items[s + 1])
        expected = source._begins[shard] + (item - int(source.first_items[shard])) * source.bytes_apart
        assert (address - expected) % (1 << 64) == 0


@pytest.mark.parametrize("item", [-1, 50, 1 << 40])
def test_an_item_that_is_not_there_has_no_address(sources: list[TokenShards], item: int) -> None:
    addresses = RowAddresses(sources)
    assert addresses.locate(np.array([[0]], np.int32), np.array([[49]])) is not None
    assert addresses.locate(np.array([[0]], np.int32), np.array([[item]])) is None


def test_nor_has_one_of_a_source_that_is_not_there(sources: list[TokenShards]) -> None:
    addresses = RowAddresses([sources[0], None, sources[1]])
    assert addresses.locate(np.array([[0, 2]], np.int32), np.array([[3, 4]])) is not None
    assert addresses.locate(np.array([[0, 1]], np.int32), np.array([[3, 0]])) is None


def test_which_sources_have_addresses(tmp_path: Path, sources: list[TokenShards]) -> None:
    assert row_addresses([sources[0], None]) is not None
    assert row_addresses([sources[0], shards(tmp_path / "wide", (400,), "int32")]) is None
    assert row_addresses([sources[0], object()]) is None
    assert row_addresses([shards(tmp_path / "swapped", (400,), ">u2")]) is None


def test_nor_do_more_shards_than_a_process_may_hold_open(
    sources: list[TokenShards], monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that live count; what is gone does no more."""
    gc.collect()
    living = sum(other.shards for other in located._LIVING)
    monkeypatch.setattr(located, "map_limit", lambda share: living + 9)
    first = row_addresses(sources)
    assert first is not None
    assert row_addresses(sources[:1]) is None
    del first
    monkeypatch.setattr(located, "map_limit", lambda share: living + 8)
    assert row_addresses(sources) is None
    assert row_addresses(sources[:1]) is not None


def test_a_class_that_reads_in_its_own_way_is_read_so(tmp_path: Path) -> None:
    class Backwards(TokenShards):
        def gather(self, items: Any, out: Any) -> None:
            super().gather(items, out)
            out[...] = out[:, ::-1].copy()

    plain = shards(tmp_path / "web", (400,))
    source = Backwards([tmp_path / "web" / "0.npy"], name="web", sequence_length=LENGTH)
    assert row_addresses([source]) is None
    for batch in reading({"web": source}).batches(threads=0):
        np.testing.assert_array_equal(batch.rows, np.asarray(plain.read(batch.item))[:, ::-1])


def test_where_one_shard_is_not_here_none_is_mapped(
    sources: list[TokenShards], monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = RowAddresses(sources)
    source, item = some_draws(sources)
    monkeypatch.setattr(sources[1], "is_here", lambda shard: shard != 4)
    for own in sources:
        monkeypatch.setattr(own, "mapped", None)  # a call would be an error
    assert addresses.locate(source, item) is None


def test_rows_stay_where_they_are_while_they_are_held(tmp_path: Path) -> None:
    source = shards(tmp_path / "web", (400, 400))
    expected = source.read(np.arange(100))
    found = RowAddresses([source]).locate(np.zeros((1, 100), np.int32), np.arange(100)[None])
    assert found is not None
    source.close()
    for path in (tmp_path / "web").iterdir():
        path.unlink()
    out = np.empty((100, LENGTH), np.int64)
    copy_rows(np.dtype("uint16"), found[0].addresses, out)
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("threads", [0, 2])
def test_the_other_way_gives_the_same_and_says_what_is_wrong_in_its_place(
    tmp_path: Path, threads: int
) -> None:
    sources = {"web": shards(tmp_path / "web", (4000,)), "code": shards(tmp_path / "code", (800, 800))}
    reader = reading(sources)
    expected = [batch.rows for batch in reader.batches(threads=threads)]
    assert reader._sequences is not None
    assert reader._sequences._addresses is not None
    reader._sequences._addresses = None
    for batch, rows in zip(reader.batches(threads=threads), expected, strict=True):
        np.testing.assert_array_equal(batch.rows, rows)

    (tmp_path / "code" / "1.npy").unlink()
    fresh = {"web": sources["web"], "code": shards_again(tmp_path / "code")}
    first = next(
        batch.step for batch in reader.batches(threads=0) if ((batch.source == 1) & (batch.item >= 100)).any()
    )
    batches = reading(fresh).batches(threads=threads)
    assert [next(batches).step for _ in range(first)] == list(range(first))
    with pytest.raises(DataError, match=r"code.*1\.npy"):
        next(batches)


def shards_again(folder: Path) -> TokenShards:
    """A source of two shards of which the second goes away once it is open."""
    np.save(folder / "1.npy", np.zeros(800, np.uint16))
    source = TokenShards([folder / "0.npy", folder / "1.npy"], name="code", sequence_length=LENGTH)
    (folder / "1.npy").unlink()
    return source


def test_a_batch_that_finds_no_file_handle_is_tried_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks in flight may hold so many that one more cannot be had, until they are delivered."""
    source = shards(tmp_path / "web", (4000,))
    reader = reading({"web": source}, batch=400, steps=6)
    monkeypatch.setattr("thermix.sources.reader._BLOCK_BYTES", 1)  # a step a block
    expected = [batch.rows for batch in reader.batches(threads=0)]
    failing = reading({"web": source}, batch=400, steps=6)
    assert failing._sequences is not None
    failing._sequences._addresses = None
    gather = source.gather
    failed: list[Any] = []

    def scarce(items: Any, out: Any) -> None:
        if not failed:
            failed.append(items)
            raise DataError("sources.web: Too many open files.")
        gather(items, out)

    monkeypatch.setattr(source, "gather", scarce)
    for batch, rows in zip(failing.batches(threads=2), expected, strict=True):
        np.testing.assert_array_equal(batch.rows, rows)
    assert failed


def test_a_closed_source_has_no_addresses(sources: list[TokenShards]) -> None:
    addresses = RowAddresses(sources)
    sources[1].close()
    assert addresses.locate(np.array([[0]], np.int32), np.array([[3]])) is not None
    with pytest.raises(InvalidInput, match=r"sources\.many: it is closed"):
        addresses.locate(np.array([[1]], np.int32), np.array([[3]]))


def test_a_source_opened_by_its_glob_is_read_so(tmp_path: Path) -> None:
    shards(tmp_path / "web", (400, 300))
    source = open_source(str(tmp_path / "web" / "*.npy"), name="web", sequence_length=LENGTH)
    reader = reading({"web": source})
    assert reader._sequences is not None
    assert reader._sequences._addresses is not None
    for batch in reader.batches(threads=0):
        np.testing.assert_array_equal(batch.rows, source.read(batch.item))
