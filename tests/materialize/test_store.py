"""A mixed run written to an object store: the bytes of a local folder, checked where they lie."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.engines.store import RefusingStore, objects_in
from tests.materialize.test_run import LENGTH, Stopped, StopsAfter, content, documents, opened, planned
from thermix.errors import DataError, InvalidInput
from thermix.materialize.check import check_materialization
from thermix.materialize.check_remote import check_remote
from thermix.materialize.run import materialize
from thermix.prepare.check import check_shards
from thermix.prepare.run import prepare
from thermix.sources import open_source
from thermix.sources.files import MATERIALIZING

fsspec = pytest.importorskip("fsspec")


def in_store(out: str) -> Any:
    objects = fsspec.filesystem("s3")
    objects.invalidate_cache()
    return objects


@pytest.mark.parametrize(("layout", "ranks"), [("bin", 0), ("bin", 2), ("jsonl", 0), ("parquet", 0)])
def test_the_bytes_are_those_of_a_local_folder(
    store: RefusingStore, tmp_path: Path, out: str, layout: Any, ranks: int
) -> None:
    if layout == "parquet":
        pytest.importorskip("pyarrow")
    plan, sources = opened(tmp_path)
    for place in (tmp_path / "local", out):
        done = materialize(plan, sources, place, layout=layout, steps_per_file=5, ranks=ranks, processes=1)
        assert done.made == done.tasks == 3 * max(1, ranks)
    assert objects_in(out) == content(tmp_path / "local")
    again = materialize(plan, sources, out, layout=layout, steps_per_file=5, ranks=ranks)
    assert (again.made, again.manifest) == (0, done.manifest)
    assert check_remote(out) == check_materialization(tmp_path / "local")
    for rank in range(ranks):
        own = f"rank-{rank:05d}-of-{ranks:05d}"
        assert check_remote(f"{out}/{own}") == check_materialization(tmp_path / "local" / own)


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["bin", "jsonl", "parquet"])
def test_a_store_that_refuses_every_tenth_request_and_a_stop_change_nothing(
    store: RefusingStore, tmp_path: Path, out: str, layout: Any
) -> None:
    if layout == "parquet":
        pytest.importorskip("pyarrow")
    plan, sources = opened(tmp_path)
    options: dict[str, Any] = {"layout": layout, "steps_per_file": 2, "processes": 1}
    materialize(plan, sources, tmp_path / "local", **options)
    store.every = 10
    with pytest.raises(Stopped):
        materialize(plan, sources, out, **options, watcher=StopsAfter(5))
    store.every = 0
    assert f"{MATERIALIZING}/00000.json" in objects_in(out)
    store.every, before = 10, store.refused
    done = materialize(plan, sources, out, **options)
    assert store.refused - before >= 5, "it hardly refused anything: the test shows nothing"
    store.every = 0
    assert 0 < done.made < done.tasks
    assert objects_in(out) == content(tmp_path / "local")


def test_a_run_is_read_back_and_an_unfinished_one_is_not(
    store: RefusingStore, tmp_path: Path, out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THERMIX_CACHE", str(tmp_path / "cache"))
    plan, sources = opened(tmp_path)
    options: dict[str, Any] = {"layout": "bin", "steps_per_file": 2, "processes": 1}
    with pytest.raises(Stopped):
        materialize(plan, sources, out, **options, watcher=StopsAfter(5))
    with pytest.raises(InvalidInput, match="is not materialized to its end"):
        open_source(out, name="web", sequence_length=LENGTH)
    materialize(plan, sources, out, **options)
    materialize(plan, sources, tmp_path / "local", **options)
    with (
        open_source(out, name="web", sequence_length=LENGTH) as there,
        open_source(str(tmp_path / "local"), name="web", sequence_length=LENGTH) as here,
    ):
        every = range(len(here))
        assert np.array_equal(np.asarray(there.read(every)), np.asarray(here.read(every)))


def test_another_run_in_the_same_folder_is_refused(store: RefusingStore, tmp_path: Path, out: str) -> None:
    plan, sources = opened(tmp_path)
    materialize(plan, sources, out, layout="bin", processes=1)
    before = objects_in(out)
    with pytest.raises(InvalidInput, match=r"layout: 'bin' before, 'jsonl' now.*Two runs do not mix"):
        materialize(plan, sources, out, layout="jsonl", processes=1)
    assert objects_in(out) == before


def test_documents_that_fail_leave_no_half_file(store: RefusingStore, tmp_path: Path, out: str) -> None:
    sources = documents(tmp_path, {"a": [{"text": f"text {i}"} for i in range(9)]}, "text")
    (tmp_path / "a.jsonl").write_text((tmp_path / "a.jsonl").read_text().replace('"text 3"', '"text 3 '))
    with pytest.raises(DataError):
        materialize(planned(sources, 6), sources, out, layout="jsonl", processes=1)
    assert not [name for name in objects_in(out) if name.startswith("train-")]


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (
            "changed",
            r"train-00001-of-00003\.bin: it has 320 bytes, SHA-256 \w+\.\.\., and about/manifest\.json",
        ),
        ("gone", r"train-00001-of-00003\.bin: about/manifest\.json names it, and it is not there"),
        ("more", r"train-00003-of-00003\.bin: about/manifest\.json does not name it"),
        ("no plan", r"about/plan\.json: it is not there"),
        ("plan", r"about/plan\.json: it is another plan than manifest\.json says"),
    ],
)
def test_a_check_sees_what_is_wrong_with_a_run(
    store: RefusingStore, tmp_path: Path, out: str, damage: str, said: str
) -> None:
    plan, sources = opened(tmp_path)
    materialize(plan, sources, out, layout="bin", steps_per_file=4, processes=1)
    objects, file = in_store(out), f"{out}/train-00001-of-00003.bin"
    if damage == "changed":
        objects.pipe_file(file, objects.cat_file(file)[:-1] + b"\1")
    elif damage == "gone":
        objects.rm_file(file)
    elif damage == "more":
        objects.pipe_file(f"{out}/train-00003-of-00003.bin", b"x")
    elif damage == "no plan":
        objects.rm_file(f"{out}/about/plan.json")
    else:
        plan.edit(at_step=9, temperature=9.0).save(tmp_path / "other.json")
        objects.put_file(str(tmp_path / "other.json"), f"{out}/about/plan.json")
    (problem,) = check_remote(out).problems
    assert re.search(said, problem)


def test_shards_are_checked_where_they_lie(store: RefusingStore, tmp_path: Path, out: str) -> None:
    raw = tmp_path / "raw.jsonl"
    raw.write_text("".join(json.dumps({"text": f"text {i}"}) + "\n" for i in range(300)))
    for place in (out, tmp_path / "local"):
        prepare([str(raw)], place, tokenizer="bytes", split_bytes=2048, processes=1)
    shown: list[tuple[int, int]] = []
    found = check_remote(out, show=lambda done, total: shown.append((done, total)))
    assert found == check_shards(tmp_path / "local")
    assert shown[-1] == (shown[-1][1],) * 2
    objects = in_store(out)
    objects.pipe_file(f"{out}/shard-00001-000.idx", b"x")
    objects.rm_file(f"{out}/shard-00002-000.bin")
    objects.pipe_file(f"{out}/more.bin", b"x")
    store.every = 10
    damaged = check_remote(out)
    store.every = 0
    assert (damaged.shards, damaged.checksums) == (found.shards - 2, found.checksums - 2)
    said = "\n".join(damaged.problems)
    assert f"{out}/shard-00001-000.idx: it has 1 bytes" in said
    assert f"{out}/shard-00002-000.bin: manifest.json names it, and it is not there" in said
    assert f"{out}/more.bin: manifest.json does not name it" in said
    assert len(damaged.problems) == 3


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://host/shards", r"^https://host/shards: only s3:// and gs:// are checked where they lie"),
        ("s3://no-such-bucket/x", r"^s3://no-such-bucket/x: no manifest lies there; at an address only"),
    ],
)
def test_what_cannot_be_checked_where_it_lies_is_said(store: RefusingStore, url: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        check_remote(url)
