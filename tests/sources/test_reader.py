"""Delivery against a twin that asks each source for one item at a time; what threads may and may not do."""

from __future__ import annotations

import gc
import os
import pickle
import re
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from thermix import DataError, InvalidInput, Mixture, OutOfRange, Plan, Source, linear
from thermix.plan.mixture import Unit
from thermix.sources.base import Items, ItemSource, Rows, checked_items
from thermix.sources.objects import ObjectSource
from thermix.sources.reader import BatchReader, DeliveredBatch
from thermix.sources.tokens import TokenShards

LENGTH = 6
NAMES = ("web", "网页 text", "code")
TYPES = ("uint16", "int32", "uint8")


def shards(folder: Path, number: int, dtype: str) -> TokenShards:
    """Three shards of their own tokens, of unequal length."""
    paths = []
    for part, items in enumerate((5 + 9 * number, 1, 12)):
        paths.append(folder / f"{number}-{part}.npy")
        np.save(paths[-1], (np.arange(items * LENGTH) * 7 + number * 31 + part).astype(dtype))
    return TokenShards(paths, name=NAMES[number], sequence_length=LENGTH)


def opened(folder: Path, types: tuple[str, ...] = TYPES) -> dict[str, ItemSource]:
    return {name: shards(folder, i, types[i]) for i, name in enumerate(NAMES)}


def plan_of(sources: dict[str, Any], steps: int = 30, batch_size: int = 12) -> Plan:
    named = {n: Source(score=float(i), items=len(s)) for i, (n, s) in enumerate(sources.items())}
    return Plan(Mixture(named, temperature=linear(5.0, 1.0)), steps=steps, batch_size=batch_size)


def twin(plan: Plan, sources: dict[str, Any], step: int, rank: int = 0, world_size: int = 1) -> list[Any]:
    batch = plan.batch(step, rank, world_size)
    rows = [
        sources[plan.names[source]].read([item])[0]
        for source, item in zip(batch.source.tolist(), batch.item.tolist(), strict=True)
    ]
    return [row.tolist() if isinstance(row, np.ndarray) else row for row in rows]


def listed(rows: Rows) -> list[Any]:
    return rows.tolist() if isinstance(rows, np.ndarray) else rows


def reader_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("thermix-reader")]


@pytest.fixture(autouse=True, scope="module")
def small_blocks() -> Iterator[None]:
    """Blocks of some 30 batches, so that short plans have many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("thermix.sources.reader._BLOCK_BYTES", 1 << 14)
        patch.setattr("thermix.sources.reader._GROUPED", 1 << 10)
        yield


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, ItemSource]:
    return opened(tmp_path)


@settings(max_examples=40)
@given(
    batch_size=st.integers(1, 40),
    world_size=st.integers(1, 5),
    threads=st.integers(0, 3),
    dtype=st.sampled_from(["int64", "int32", "storage"]),
    data=st.data(),
)
def test_every_rank_gets_its_share_whatever_the_type_and_the_threads(
    tmp_path_factory: pytest.TempPathFactory,
    batch_size: int,
    world_size: int,
    threads: int,
    dtype: Any,
    data: st.DataObject,
) -> None:
    world_size = min(world_size, batch_size)
    types = ("uint16",) * 3 if dtype == "storage" else TYPES
    sources = opened(tmp_path_factory.mktemp("shards"), types)
    plan = plan_of(sources, batch_size=batch_size)
    start = data.draw(st.integers(0, plan.end))
    stop = data.draw(st.integers(start, plan.end))
    for rank in range(world_size):
        reader = BatchReader(plan, sources, rank=rank, world_size=world_size, dtype=dtype)
        batches = list(reader.batches(start, stop, threads=threads))
        assert [batch.step for batch in batches] == list(range(start, stop))
        for batch in batches:
            drawn = plan.batch(batch.step, rank, world_size)
            for field in ("source", "item", "epoch"):
                assert np.array_equal(getattr(batch, field), getattr(drawn, field))
            assert isinstance(batch.rows, np.ndarray)
            assert batch.rows.dtype == np.dtype("uint16" if dtype == "storage" else dtype)
            assert batch.rows.tolist() == twin(plan, sources, batch.step, rank, world_size)


@pytest.mark.parametrize("stage_rows", [1, 3, 7])
@pytest.mark.parametrize("block_rows", [1, 50, 10_000])
def test_rows_are_the_same_in_blocks_and_stages_of_any_size(
    sources: dict[str, ItemSource], stage_rows: int, block_rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thermix.sources.rows.STAGE_BYTES", stage_rows * LENGTH * 2)
    monkeypatch.setattr("thermix.sources.reader._BLOCK_BYTES", block_rows * LENGTH * 8)
    monkeypatch.setattr("thermix.sources.reader._GROUPED", 100)
    plan = plan_of(sources)
    for batch in BatchReader(plan, sources).batches(3, threads=0):
        assert listed(batch.rows) == twin(plan, sources, batch.step)


def test_a_step_a_span_and_an_iterator_give_the_same(sources: dict[str, ItemSource]) -> None:
    plan = plan_of(sources)
    reader = BatchReader(plan, sources)
    iterated = np.stack([batch.rows for batch in reader.batches()])
    assert np.array_equal(reader.read_steps(0, plan.end), iterated)
    for step in (29, 0, 13, 12, 14):
        assert np.array_equal(reader.read(step), iterated[step])
    assert np.array_equal(reader.read_steps(4, 9), iterated[4:9])


def test_the_callers_buffer_is_filled_and_given_back(sources: dict[str, ItemSource]) -> None:
    reader = BatchReader(plan_of(sources), sources, dtype="int32")
    out, span = np.empty((12, LENGTH), np.int32), np.empty((5, 12, LENGTH), np.int32)
    assert reader.read(3, out) is out
    assert np.array_equal(out, reader.read(3))
    assert reader.read_steps(3, 8, span) is span
    assert np.array_equal(span, reader.read_steps(3, 8))


@pytest.mark.parametrize(
    ("out", "said"),
    [
        (np.empty((11, LENGTH), np.int64), "out: got int64 of shape"),
        (np.empty((12, LENGTH), np.int32), "out: got int32 of shape"),
        (np.empty((LENGTH, 12), np.int64).T, "out: it is read-only or not contiguous"),
    ],
)
def test_a_buffer_that_does_not_fit_is_refused(
    sources: dict[str, ItemSource], out: NDArray[Any], said: str
) -> None:
    with pytest.raises(InvalidInput, match=f"^{said}"):
        BatchReader(plan_of(sources), sources).read(0, out)


def test_edits_change_batch_sizes_and_sources_in_the_middle(sources: dict[str, ItemSource]) -> None:
    plan = plan_of(sources).edit(at_step=11, batch_size=5).edit(at_step=20, temperature=0.5)
    for threads in (0, 2):
        batches = list(BatchReader(plan, sources).batches(threads=threads))
        assert [len(batch.rows) for batch in batches] == [12] * 11 + [5] * 19
        for batch in batches:
            assert listed(batch.rows) == twin(plan, sources, batch.step)


@pytest.mark.parametrize("threads", [0, 2])
def test_documents_come_as_lists(threads: int) -> None:
    sources = {name: ObjectSource([f"{name} {i}" for i in range(20)], name=name) for name in NAMES}
    plan = plan_of(sources)
    for batch in BatchReader(plan, sources).batches(threads=threads):
        assert batch.rows == twin(plan, sources, batch.step)


def test_batches_that_were_kept_stay_as_they_were(sources: dict[str, ItemSource]) -> None:
    plan = plan_of(sources, steps=400)
    kept: list[DeliveredBatch] = []
    rows: list[NDArray[Any]] = []
    for batch in BatchReader(plan, sources).batches():
        if batch.step % 7 == 0:
            kept.append(batch)
        elif batch.step % 11 == 0:
            rows.append(np.asarray(batch.rows)[3:4])  # a view keeps the memory too
    assert len(kept) == 58
    for batch in kept:
        assert listed(batch.rows) == twin(plan, sources, batch.step)
    steps = [step for step in range(400) if step % 7 and step % 11 == 0]
    assert [row[0].tolist() for row in rows] == [twin(plan, sources, step)[3] for step in steps]


class Broken:
    """A source of sequences that fails at one item, with whatever error it is given."""

    unit: Unit = "sequence"
    tokens: int | None = None
    fingerprint = "00"

    def __init__(self, name: str, items: int, bad: int, error: Exception) -> None:
        self.name, self._items, self._bad, self._error = name, items, bad, error

    def __len__(self) -> int:
        return self._items

    def read(self, items: ArrayLike) -> Rows:
        checked: Items = checked_items(items, self._items, self.name)
        if self._bad in checked:
            raise self._error
        return np.repeat(checked[:, np.newaxis], LENGTH, axis=1)

    def close(self) -> None: ...

    def __enter__(self) -> ItemSource:
        return self

    def __exit__(self, *_: object) -> None: ...


def first_draw_of(plan: Plan, source: int, item: int) -> int:
    draws = plan.batches(0, plan.end)
    return int(np.flatnonzero(((draws.source == source) & (draws.item == item)).any(axis=1))[0])


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_an_exception_comes_in_place_of_its_batch_with_the_name_of_the_source(
    sources: dict[str, ItemSource], threads: int
) -> None:
    sources["code"] = Broken("code", 40, 17, OSError("the disk is on fire"))
    plan = plan_of(sources)
    bad = first_draw_of(plan, 2, 17)
    assert 0 < bad < plan.end
    batches = BatchReader(plan, sources).batches(threads=threads)
    assert [batch.step for batch in islice(batches, bad)] == list(range(bad))
    with pytest.raises(OSError, match="the disk is on fire") as error:
        next(batches)
    said = [str(error.value), *getattr(error.value, "__notes__", [])]
    assert any("while reading source 'code'" in line for line in said)
    assert not reader_threads()


def test_an_error_that_names_the_source_itself_is_not_told_twice(sources: dict[str, ItemSource]) -> None:
    sources["code"] = Broken("code", 40, 17, DataError("sources.code: item 17 is damaged."))
    plan = plan_of(sources)
    with pytest.raises(DataError) as error:
        list(BatchReader(plan, sources).batches(threads=2))
    assert str(error.value) == "sources.code: item 17 is damaged."
    assert not getattr(error.value, "__notes__", [])


@pytest.mark.parametrize("threads", [0, 2])
def test_a_file_that_went_away_is_named(tmp_path: Path, threads: int) -> None:
    sources = opened(tmp_path)
    plan = plan_of(sources)
    (tmp_path / "1-2.npy").unlink()
    with pytest.raises(DataError, match=r"sources\.网页 text: .*1-2\.npy: it cannot be read: No such file"):
        list(BatchReader(plan, sources).batches(threads=threads))


def test_a_source_closed_while_it_is_read_is_an_error(sources: dict[str, ItemSource]) -> None:
    plan = plan_of(sources, steps=4000)
    batches = BatchReader(plan, sources).batches()
    next(batches)
    sources["web"].close()
    with pytest.raises(InvalidInput, match=r"sources\.web: it is closed"):
        list(batches)


@pytest.mark.parametrize("how", ["closed", "dropped", "read to its end"])
def test_an_iterator_ends_its_threads_when_it_is(how: str, sources: dict[str, ItemSource]) -> None:
    batches = BatchReader(plan_of(sources, steps=2000), sources).batches(threads=3)
    next(batches)
    assert reader_threads()
    if how == "closed":
        batches.close()
        assert list(batches) == []
    elif how == "dropped":
        del batches
        gc.collect()
    else:
        for _ in batches:
            pass
    assert not reader_threads()


def test_a_process_that_leaves_an_iterator_half_way_ends(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from tests.sources import test_reader as t\n"
        "s = t.opened(Path(sys.argv[1]))\n"
        "b = t.BatchReader(t.plan_of(s, steps=40_000), s).batches(threads=3)\n"
        "print(next(b).step, flush=True)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this platform cannot fork")
def test_an_iterator_with_threads_belongs_to_its_process(sources: dict[str, ItemSource]) -> None:
    batches = BatchReader(plan_of(sources, steps=2000), sources).batches(threads=2)
    next(batches)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 1
        try:
            list(batches)
        except InvalidInput as error:
            code = 0 if "before this process was forked" in str(error) else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert next(batches).step == 1


def test_iterators_of_one_reader_do_not_disturb_each_other(sources: dict[str, ItemSource]) -> None:
    plan = plan_of(sources, steps=200)
    reader = BatchReader(plan, sources)
    pair = zip(reader.batches(threads=2), reader.batches(50, threads=2), strict=False)
    for one, other in pair:
        assert other.step == one.step + 50
        assert listed(one.rows) == twin(plan, sources, one.step)
        assert listed(other.rows) == twin(plan, sources, other.step)


def test_a_pickled_reader_reads_the_same(sources: dict[str, ItemSource]) -> None:
    reader = BatchReader(plan_of(sources), sources, rank=1, world_size=3, dtype="int32")
    reader.read(0)
    copy = pickle.loads(pickle.dumps(reader))
    assert np.array_equal(copy.read_steps(0, 30), reader.read_steps(0, 30))


def test_a_token_an_int32_does_not_hold_is_a_data_error(tmp_path: Path) -> None:
    tokens = np.arange(60 * LENGTH)
    tokens[9 * LENGTH + 2] = 1 << 31
    np.save(tmp_path / "a.npy", tokens)
    sources = {"web": TokenShards([tmp_path / "a.npy"], name="web", sequence_length=LENGTH)}
    plan = plan_of(sources, steps=5)
    with pytest.raises(DataError, match=r"sources\.web: item 9 holds token 2147483648; int32 holds .* int64"):
        list(BatchReader(plan, sources, dtype="int32").batches(threads=0))
    assert len(list(BatchReader(plan, sources).batches(threads=0))) == 5


def test_what_a_reader_refuses(sources: dict[str, ItemSource], tmp_path: Path) -> None:
    plan = plan_of(sources)
    np.save(tmp_path / "short.npy", np.arange(30 * 4))
    short = TokenShards([tmp_path / "short.npy"], name="web", sequence_length=4)
    for given_sources, said in [
        ({}, "sources: got none"),
        ({**sources, "wep": sources["web"]}, "sources.wep: the plan has no such source. Did you mean 'web'?"),
        ({name: sources[name] for name in NAMES[1:]}, "sources.web: the plan draws from it, and it was not"),
        ({**sources, "web": short}, "sources.web: it has 30 items, and the plan says 18"),
    ]:
        with pytest.raises(InvalidInput, match=re.escape(said)):
            BatchReader(plan, given_sources)
    with pytest.raises(InvalidInput, match=r"dtype: got 'storage', and 'web' stores uint16 where"):
        BatchReader(plan, sources, dtype="storage")
    with pytest.raises(InvalidInput, match=r"its rows have 6 tokens, those of 'web' 4; .*Open both"):
        BatchReader(plan_of({**sources, "web": short}), {**sources, "web": short})
    reader = BatchReader(plan, sources)
    for step in (-1, 30):
        with pytest.raises(OutOfRange, match=f"^step: got {step}; the plan has 30 steps"):
            reader.read(step)
    with pytest.raises(OutOfRange, match=r"^stop: got 3, and start 3"):
        reader.read_steps(3, 3)
    assert list(reader.batches(30)) == []


def test_sequences_and_documents_do_not_mix(sources: dict[str, ItemSource]) -> None:
    sources["code"] = ObjectSource(["text"] * 9, name="code")
    with pytest.raises(InvalidInput, match=r"sources\.code: its items are documents, those of 'web' seq"):
        BatchReader(plan_of(sources), sources)


def own_megabytes() -> float:
    found = re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) / 1024


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("threads", [0, 2])
def test_memory_stays_flat_over_a_long_run(tmp_path: Path, threads: int) -> None:
    np.save(tmp_path / "a.npy", np.arange(2000 * 256, dtype=np.uint32))
    sources = {"web": TokenShards([tmp_path / "a.npy"], name="web", sequence_length=256)}
    plan = plan_of(sources, steps=60_000, batch_size=64)
    measured = [
        own_megabytes()
        for batch in BatchReader(plan, sources).batches(threads=threads)
        if batch.step % 10_000 == 9_999
    ]
    assert max(measured[1:]) - measured[0] < 8


@pytest.fixture
def many_shards(tmp_path: Path) -> Iterator[TokenShards]:
    for number in range(3000):
        np.full(LENGTH * 2, number, "<u2").tofile(tmp_path / f"{number:04}.bin")
    paths = sorted(tmp_path.glob("*.bin"))
    with TokenShards(paths, name="web", sequence_length=LENGTH, dtype="uint16") as source:
        yield source


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="files are counted in /proc")
@pytest.mark.parametrize(
    ("may_hold", "least", "most"), [(3000, 1100, 3000), (2999, 1000, 1024)], ids=["each once", "one by one"]
)
def test_file_handles_and_maps_are_bounded_for_thousands_of_shards(
    many_shards: TokenShards,
    tmp_path: Path,
    may_hold: int,
    least: int,
    most: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resource = pytest.importorskip("resource")
    if len(os.listdir("/proc/self/fd")) + 3100 > resource.getrlimit(resource.RLIMIT_NOFILE)[0]:
        pytest.skip("needs 3,100 files open at once")
    monkeypatch.setattr("thermix.sources.located.map_limit", lambda share: may_hold)
    plan = plan_of({"web": many_shards}, steps=1000, batch_size=16)
    files = maps = 0
    before = len(os.listdir("/proc/self/fd"))
    for batch in BatchReader(plan, {"web": many_shards}).batches():
        assert listed(batch.rows) == [[item // 2] * LENGTH for item in batch.item.tolist()]
        if batch.step % 50 == 0:
            files = max(files, len(os.listdir("/proc/self/fd")) - before)
            maps = max(maps, Path("/proc/self/maps").read_text().count(f"{tmp_path}/"))
    assert files <= most + 8
    assert least < maps <= most + 8


LITTLE_ROOM = """
import resource, sys
import numpy as np
from thermix.sources.compiled import LOOPS
if sys.argv[2:]:
    LOOPS.compile(np.dtype("uint16"), np.dtype("int64"))
    assert LOOPS.widen(np.dtype("uint16"), np.dtype("int64"), 0) is not None
resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))
from pathlib import Path
from tests.sources import test_reader as t
paths = sorted(Path(sys.argv[1]).glob("*.bin"))
source = t.TokenShards(paths, name="web", sequence_length=t.LENGTH, dtype="uint16")
plan = t.plan_of({"web": source}, steps=200, batch_size=16)
for batch in t.BatchReader(plan, {"web": source}).batches():
    assert t.listed(batch.rows) == [[item // 2] * t.LENGTH for item in batch.item.tolist()]
print("read")
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no such limit")
@pytest.mark.parametrize("way", [[], ["compiled"]], ids=["NumPy", "compiled"])
def test_thousands_of_shards_are_read_by_a_process_that_may_open_forty_files(
    many_shards: TokenShards, tmp_path: Path, way: list[str]
) -> None:
    if way:
        pytest.importorskip("numba")
    command = [sys.executable, "-c", LITTLE_ROOM, str(tmp_path), *way]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.stdout, done.returncode) == ("read\n", 0), done.stderr


def test_the_next_batches_are_read_while_the_caller_works(sources: dict[str, ItemSource]) -> None:
    class Counted(Broken):
        reads = 0

        def read(self, items: ArrayLike) -> Rows:
            Counted.reads += 1
            return super().read(items)

    sources["code"] = Counted("code", 40, -1, OSError())
    plan = plan_of(sources, steps=2000)
    batches = BatchReader(plan, sources).batches(threads=1)
    next(batches)
    deadline = time.monotonic() + 30
    while Counted.reads < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert Counted.reads >= 3
    batches.close()
