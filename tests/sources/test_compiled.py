"""The compiled loop gives what NumPy gives, byte for byte, and is never waited for."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thermix import Mixture, Plan, Source
from thermix.sources import compiled, located, open_source, rows
from thermix.sources.compiled import Loops
from thermix.sources.reader import BatchReader
from thermix.sources.tokens import TokenShards

NEVER = 1 << 62


def never() -> Loops:
    return Loops(worth_bytes=NEVER)


@pytest.fixture(scope="module")
def ready() -> Loops:
    """Loops for all that the tests read, compiled beforehand."""
    pytest.importorskip("numba")
    loops = never()
    for stored in ("uint8", "uint16", "int32", "int64"):
        for wanted in ("int32", "int64"):
            if np.can_cast(stored, wanted, "safe"):
                loops.compile(np.dtype(stored), np.dtype(wanted))
    loops.compile(np.dtype("uint16"), np.dtype("uint16"))
    return loops


def written(folder: Path, stored: str, sizes: tuple[int, ...] = (3000, 500, 1700)) -> list[str]:
    rng, paths = np.random.default_rng(1), []
    for number, size in enumerate(sizes):
        bounds = np.iinfo(stored)
        tokens = rng.integers(bounds.min, bounds.max, size, np.dtype(stored), endpoint=True)
        np.save(folder / f"{number}.npy", tokens)
        paths.append(str(folder / f"{number}.npy"))
    return paths


def reader_over(folder: Path, stored: str, dtype: Any, **options: Any) -> BatchReader:
    """Two sources, one of three shards, under a plan that passes over both of them several times."""
    paths = written(folder, stored)
    sources = {
        "many": TokenShards(paths, name="many", sequence_length=16, **options),
        "one": TokenShards(paths[:1], name="one", sequence_length=16, **options),
    }
    mixture = Mixture({name: Source(score=0.0, items=len(source)) for name, source in sources.items()})
    return BatchReader(Plan(mixture, steps=60, batch_size=24), sources, dtype=dtype)


def digest(reader: BatchReader, **options: Any) -> str:
    found = hashlib.sha256()
    for batch in reader.batches(**options):
        assert isinstance(batch.rows, np.ndarray)
        found.update(batch.rows.tobytes())
    return found.hexdigest()


@pytest.mark.parametrize("options", [{}, {"stride": 5}, {"with_target": True}], ids=str)
@pytest.mark.parametrize(
    ("stored", "dtype"),
    [
        ("uint8", "int64"),
        ("uint16", "int64"),
        ("uint16", "int32"),
        ("uint16", "storage"),
        ("int32", "int64"),
        ("int32", "int32"),
        ("int64", "int64"),
    ],
)
def test_both_ways_give_the_same_rows(
    tmp_path: Path,
    ready: Loops,
    monkeypatch: pytest.MonkeyPatch,
    stored: str,
    dtype: Any,
    options: dict[str, Any],
) -> None:
    reader = reader_over(tmp_path, stored, dtype, **options)
    monkeypatch.setattr(rows, "LOOPS", never())
    by_numpy = digest(reader, threads=0)
    counted = Counted(ready)
    monkeypatch.setattr(rows, "LOOPS", counted)
    for threads in (0, 2):
        assert digest(reader, threads=threads) == by_numpy
    assert counted.given, "the loop was not used"


class Counted:
    """Loops that say whether they were given out."""

    def __init__(self, loops: Loops) -> None:
        self.loops, self.given = loops, 0

    def widen(self, tokens: np.dtype[Any], rows: np.dtype[Any], nbytes: int) -> Any:
        found = self.loops.widen(tokens, rows, nbytes)
        self.given += found is not None
        return found


def test_what_it_is_not_compiled_for_goes_numpys_way(tmp_path: Path, ready: Loops) -> None:
    whole = np.dtype("int64")
    assert ready.widen(np.dtype(">u2"), whole, 32) is None
    assert ready.widen(np.dtype("uint64"), whole, 32) is None
    assert not compiled._can_compile(np.dtype(">u2"), whole)
    assert not compiled._can_compile(np.dtype("int64"), np.dtype("int32"))


def test_tokens_that_do_not_fit_are_refused_as_by_numpy(
    tmp_path: Path, ready: Loops, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "LOOPS", ready)
    with pytest.raises(Exception, match="int32 holds"):
        digest(reader_over(tmp_path, "int64", "int32"), threads=0)


def test_sources_of_two_types_go_numpys_way(tmp_path: Path, ready: Loops, monkeypatch: Any) -> None:
    names = {"a": "uint16", "b": "int32"}
    sources = {}
    for name, stored in names.items():
        (tmp_path / name).mkdir()
        sources[name] = open_source(written(tmp_path / name, stored), name=name, sequence_length=16)
    mixture = Mixture({name: Source(score=0.0, items=len(source)) for name, source in sources.items()})
    reader = BatchReader(Plan(mixture, steps=20, batch_size=24), sources)
    counted = Counted(ready)
    monkeypatch.setattr(rows, "LOOPS", counted)
    batch = next(reader.batches(threads=0))
    assert counted.given == 0
    for row, number, item in zip(batch.rows, batch.source, batch.item, strict=True):
        np.testing.assert_array_equal(row, sources["ab"[number]].read([item])[0])


def test_too_many_shards_go_the_way_that_holds_one_of_them(
    tmp_path: Path, ready: Loops, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = written(tmp_path, "uint16", (40,) * 300)
    source = TokenShards(paths, name="web", sequence_length=8)
    plan = Plan(Mixture({"web": Source(score=0.0, items=len(source))}), steps=10, batch_size=150)
    counted = Counted(ready)
    monkeypatch.setattr(rows, "LOOPS", counted)
    expected = digest(BatchReader(plan, {"web": source}), threads=0)
    assert counted.given
    counted.given = 0
    monkeypatch.setattr(located, "map_limit", lambda share: 299)
    assert digest(BatchReader(plan, {"web": source}), threads=0) == expected
    assert not counted.given


class TestWhenItIsCompiled:
    def test_not_before_it_is_worth_it_and_then_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("numba")
        compiled_for = []
        done = threading.Event()

        def compile_(*types: np.dtype[Any]) -> Any:
            compiled_for.append(types)
            done.set()
            return lambda *_: 0

        monkeypatch.setattr(compiled, "_compiled", compile_)
        loops, types = Loops(worth_bytes=1000), (np.dtype("uint16"), np.dtype("int64"))
        assert loops.widen(*types, 512) is None
        assert not compiled_for
        for _ in range(9):
            loops.widen(*types, 512)
        assert done.wait(10)
        assert compiled_for == [types]
        for thread in threading.enumerate():
            if thread.name == "thermix-compile":
                thread.join(30)
        assert loops.widen(*types, 512) is not None

    def test_python_does_not_end_meanwhile(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A thread takes after the one that starts it, and those that read ahead are daemons."""
        pytest.importorskip("numba")
        daemon: list[bool] = []

        def compile_(*_: np.dtype[Any]) -> Any:
            daemon.append(threading.current_thread().daemon)
            raise ImportError

        monkeypatch.setattr(compiled, "_compiled", compile_)
        types = np.dtype("uint16"), np.dtype("int64")
        reading = threading.Thread(target=Loops(worth_bytes=0).widen, args=(*types, 1), daemon=True)
        reading.start()
        reading.join(30)
        for thread in threading.enumerate():
            if thread.name == "thermix-compile":
                thread.join(30)
        assert daemon == [False]

    def test_never_without_numba(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compiled, "find_spec", lambda _: None)
        monkeypatch.setattr(compiled, "Thread", None)  # one would be an error
        loops = Loops(worth_bytes=0)
        for _ in range(3):
            assert loops.widen(np.dtype("uint16"), np.dtype("int64"), 32) is None

    def test_never_where_numba_does_not_work(self, monkeypatch: pytest.MonkeyPatch) -> None:
        numba = pytest.importorskip("numba")
        loops = never()
        monkeypatch.setattr(numba.config, "DISABLE_JIT", True)
        loops.compile(np.dtype("uint16"), np.dtype("int64"))
        assert loops.widen(np.dtype("uint16"), np.dtype("int64"), 32) is None

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
    @pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
    def test_never_in_a_forked_process(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(compiled, "Thread", None)
        loops = Loops(worth_bytes=0)
        child = os.fork()
        if child == 0:
            try:
                loops.widen(np.dtype("uint16"), np.dtype("int64"), 32)
                os._exit(0)
            except BaseException:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

    def test_rows_stay_the_same_while_it_takes_over(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pytest.importorskip("numba")
        reader = reader_over(tmp_path, "uint16", "int64")
        monkeypatch.setattr(rows, "LOOPS", never())
        by_numpy = digest(reader)
        counted = Counted(Loops(worth_bytes=1 << 12))
        monkeypatch.setattr(rows, "LOOPS", counted)
        for _ in range(400):
            assert digest(reader) == by_numpy
            if counted.given > 20:
                return
        pytest.fail("the loop was never compiled")
