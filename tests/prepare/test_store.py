"""Shards prepared into an object store: the bytes of a local folder, however the store behaves."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.engines.store import RefusingStore, objects_in
from tests.engines.test_local import wait_until
from thermix.engines import Progress, Watcher
from thermix.errors import DataError, InvalidInput
from thermix.prepare.folder import SKIPPED
from thermix.prepare.run import Prepared, prepare
from thermix.sources import open_source

pytest.importorskip("s3fs")
pytest.importorskip("moto.server")
fsspec = pytest.importorskip("fsspec")

WORK = ".thermix-prepare"
ROOT = Path(__file__).parents[2]
DOCUMENTS = 500


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return write_raw(tmp_path / "raw.jsonl", DOCUMENTS)


def write_raw(path: Path, documents: int) -> Path:
    lines = (json.dumps({"text": f"document {i}: " + "naïve 文本 🙂\n" * (i % 70)}) for i in range(documents))
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


def content(folder: Path) -> dict[str, str]:
    return {
        file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


def prepared(raw: Path, out: str | Path, **options: Any) -> Prepared:
    given: dict[str, Any] = {"tokenizer": "bytes", "split_bytes": 32_768, "processes": 1}
    return prepare([str(raw)], out, **(given | options))


class Stopped(Exception):
    """Raised in the middle of a run."""


class StopsAfter(Watcher):
    """Ends a run when so many batches have been done."""

    def __init__(self, reports: int) -> None:
        self.left = reports

    def show(self, done: Progress) -> None:
        self.left -= 1
        if self.left == 0:
            raise Stopped


@pytest.mark.parametrize("every", [0, pytest.param(10, marks=pytest.mark.slow)])
def test_the_bytes_are_those_of_a_local_folder_also_where_every_tenth_request_is_refused(
    store: RefusingStore, raw: Path, tmp_path: Path, out: str, every: int
) -> None:
    local = prepared(raw, tmp_path / "local")
    store.every, before = every, store.refused
    there = prepared(raw, out)
    if every:
        assert store.refused - before >= 10, "it hardly refused anything: the test shows nothing"
    store.every = 0
    assert there == local
    assert there.tasks > 5
    assert objects_in(out) == content(tmp_path / "local")


def test_shards_are_read_back_from_where_they_were_written(
    store: RefusingStore, raw: Path, tmp_path: Path, out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THERMIX_CACHE", str(tmp_path / "cache"))
    prepared(raw, tmp_path / "local")
    prepared(raw, out)
    with (
        open_source(str(tmp_path / "local"), name="web", sequence_length=64) as local,
        open_source(out, name="web", sequence_length=64) as there,
    ):
        assert there.fingerprint == local.fingerprint
        assert (there.read([0, len(there) - 1]) == local.read([0, len(local) - 1])).all()  # type: ignore[union-attr]


def test_a_finished_folder_is_only_asked_for_its_manifest(store: RefusingStore, raw: Path, out: str) -> None:
    first = prepared(raw, out)
    store.requests.clear()
    again = prepared(raw, out)
    assert (again.made, again.manifest) == (0, first.manifest)
    assert {path.rpartition("/")[2] for _, path in store.requests} == {"manifest.json"}


@pytest.mark.slow
def test_a_stopped_run_does_only_what_is_missing(
    store: RefusingStore, raw: Path, tmp_path: Path, out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THERMIX_CACHE", str(tmp_path / "cache"))
    prepared(raw, tmp_path / "local")
    with pytest.raises(Stopped):
        prepared(raw, out, watcher=StopsAfter(5))
    with pytest.raises(InvalidInput, match=r"some/folder is not prepared to its end\. Run the same"):
        open_source(out, name="web", sequence_length=64)
    written = {name for name in objects_in(out) if name.startswith("shard-")}
    assert {name[6:11] for name in written} == {"00000", "00001", "00002", "00003"}
    objects = fsspec.filesystem("s3")
    objects.rm_file(f"{out}/shard-00001-000.bin")
    objects.pipe_file(f"{out}/shard-00002-000.idx", b"short")
    objects.pipe_file(f"{out}/{WORK}/00003.json", b'{"shards": [')
    store.requests.clear()
    done = prepared(raw, out)
    assert done.made == done.tasks - 1
    put = {path.rpartition("/")[2] for method, path in store.requests if method == "PUT"}
    assert "shard-00001-000.bin" in put
    assert "shard-00000-000.bin" not in put
    bucket = f"/{out.split('/')[2]}"
    listings = [path for method, path in store.requests if (method, path) == ("GET", bucket)]
    assert len(listings) < 2 * done.tasks + 20, "files were looked for one by one"
    assert objects_in(out) == content(tmp_path / "local")


def test_a_second_run_is_refused_while_the_first_writes(store: RefusingStore, raw: Path, out: str) -> None:
    class Second(Watcher):
        refused = ""

        def begin(self, total: int, done: Progress) -> None:
            with pytest.raises(InvalidInput) as refused:
                prepared(raw, out)
            self.refused = str(refused.value)

    watcher = Second()
    done = prepared(raw, out, watcher=watcher)
    assert f"{out}: another run of thermix prepare is writing there: process " in watcher.refused
    assert done.made == done.tasks


def test_a_run_whose_lock_was_taken_over_stops_before_its_manifest(
    store: RefusingStore, raw: Path, out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thermix.engines.object_lock.BEAT", 0.01)

    class Robbed(Watcher):
        def begin(self, total: int, done: Progress) -> None:
            objects = fsspec.filesystem("s3")
            text = objects.cat_file(f"{out}/{WORK}/lock")
            other = json.dumps(json.loads(text) | {"token": "another", "host": "node-7"}).encode()
            for _ in range(50):  # a renewal on its way while it is written is written over it
                objects.pipe_file(f"{out}/{WORK}/lock", other)
                time.sleep(0.3)
                if objects.cat_file(f"{out}/{WORK}/lock") == other:
                    return

    with pytest.raises(InvalidInput, match=r"this run has lost its lock: process \d+ on node-7"):
        prepared(raw, out, watcher=Robbed(), split_bytes=8_192)
    assert "manifest.json" not in objects_in(out)
    assert f"{WORK}/lock" in objects_in(out)


@pytest.mark.slow
def test_another_job_in_the_same_folder_is_refused(store: RefusingStore, raw: Path, out: str) -> None:
    with pytest.raises(Stopped):
        prepared(raw, out, watcher=StopsAfter(3))
    before = objects_in(out)
    with pytest.raises(
        InvalidInput, match=rf"^{out}: it holds shards prepared from .*split_bytes: 32768 bef"
    ):
        prepared(raw, out, split_bytes=16_384)
    assert objects_in(out) == before
    prepared(raw, out)
    with pytest.raises(InvalidInput, match=rf"^{out}: it holds shards prepared from .*give another --out"):
        prepared(raw, out, split_bytes=16_384)


def test_a_damaged_job_is_an_error(store: RefusingStore, raw: Path, out: str) -> None:
    fsspec.filesystem("s3").pipe_file(f"{out}/{WORK}/job.json", b"{")
    with pytest.raises(DataError, match=rf"^{out}/{WORK}/job\.json: it is not what thermix prepare wrote"):
        prepared(raw, out)


def test_a_folder_with_other_objects_is_refused_and_left_alone(
    store: RefusingStore, raw: Path, out: str
) -> None:
    fsspec.filesystem("s3").pipe_file(f"{out}/deep/thesis.tex", b"mine")
    with pytest.raises(
        InvalidInput, match=rf"^{out}: it holds other files, such as deep; shards are prepared"
    ):
        prepared(raw, out)
    with pytest.raises(InvalidInput, match=r"^s3://bucket-\w+: it holds other files, such as some; shards"):
        prepared(raw, out.removesuffix("/some/folder"))
    assert set(objects_in(out)) == {"deep/thesis.tex"}


def test_a_folder_that_a_console_has_made_is_empty(store: RefusingStore, raw: Path, out: str) -> None:
    fsspec.filesystem("s3").call_s3(
        "put_object", Bucket=out.split("/")[2], Key="some/folder/", Body=b""
    )  # a mark with a name of its own
    assert prepared(raw, out).made


def test_a_bucket_that_is_not_there_is_named(store: RefusingStore, raw: Path) -> None:
    with pytest.raises(
        InvalidInput, match=r"^s3://no-such-bucket/x: there is no bucket no-such-bucket. Make it, or correct"
    ):
        prepared(raw, "s3://no-such-bucket/x")


@pytest.mark.parametrize(
    ("forbidden", "said"),
    [
        (
            {"PUT"},
            r"/\.thermix-prepare/lock: the store refuses to take it \(403\): .*may list, read, write and",
        ),
        ({"GET", "HEAD"}, r"/manifest\.json: the store refuses to give it \(403\)"),
    ],
)
def test_a_store_that_permits_too_little_says_what_it_must_permit(
    store: RefusingStore, raw: Path, out: str, forbidden: set[str], said: str
) -> None:
    store.forbidden = forbidden
    with pytest.raises(DataError, match=rf"^{out}{said}"):
        prepared(raw, out)


@pytest.mark.slow
def test_a_store_that_lets_nothing_be_removed_keeps_a_whole_folder(
    store: RefusingStore, raw: Path, tmp_path: Path, out: str
) -> None:
    store.forbidden = {"DELETE"}
    prepared(raw, out)
    prepared(raw, tmp_path / "local")
    found = objects_in(out)
    assert {name: found[name] for name in found if not name.startswith(WORK)} == content(tmp_path / "local")
    assert prepared(raw, out).made == 0


@pytest.mark.slow
def test_rows_left_out_are_listed_there_too(
    store: RefusingStore, raw: Path, tmp_path: Path, out: str
) -> None:
    with raw.open("a") as file:
        file.write('{"text": 7}\n')
    for place in (out, tmp_path / "local"):
        with pytest.raises(DataError, match="line 501"):
            prepared(raw, place)
        assert prepared(raw, place, skip_bad=True).manifest.skipped == 1
    assert SKIPPED in objects_in(out)
    assert objects_in(out) == content(tmp_path / "local")


@pytest.mark.slow
def test_the_tokenizer_lies_beside_the_shards(
    store: RefusingStore, raw: Path, tmp_path: Path, out: str, unigram_file: Path
) -> None:
    pytest.importorskip("tokenizers")
    for place in (out, tmp_path / "local"):
        prepared(raw, place, tokenizer=str(unigram_file), end_of_document="</s>")
    assert "tokenizer.json" in objects_in(out)
    assert objects_in(out) == content(tmp_path / "local")


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_the_disk_that_files_pass_over_is_looked_at(
    store: RefusingStore, raw: Path, tmp_path: Path, out: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(10**6, 0, 100))
    with pytest.raises(
        DataError,
        match=rf"^{tmp_path}/scratch: about [\d,]+ bytes of shards are on their way to {out} at a time, as "
        r"far as .* has 100 free\. Free [\d,]+ more, prepare less, or name another folder in TMPDIR",
    ):
        prepared(raw, out)
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(10**6, 0, 200_000))
    assert prepared(raw, out).made > 5, "it asked for room for the whole"


COMMAND = """
import sys
from thermix.prepare.run import prepare
if __name__ == "__main__":
    prepare([sys.argv[1]], sys.argv[2], tokenizer="bytes", split_bytes=32768, processes=int(sys.argv[3]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_a_killed_run_is_started_again_at_once_to_the_same_bytes(
    store: RefusingStore, tmp_path: Path, out: str, processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    raw = write_raw(tmp_path / "raw.jsonl", 2_500)
    (tmp_path / "command.py").write_text(COMMAND)
    words = [sys.executable, str(tmp_path / "command.py"), str(raw), out, str(processes)]
    kills = done = 0
    for _ in range(3):
        process = subprocess.Popen(words)
        wait_until(
            lambda process=process, done=done: process.poll() is not None or records_in(out) >= done + 3
        )
        kills += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert records_in(out) >= done
        done = records_in(out)
    assert kills >= 2, "it was hardly ever killed: the test shows nothing"
    subprocess.run(words, check=True, timeout=120)
    prepared(raw, tmp_path / "local")
    assert objects_in(out) == content(tmp_path / "local")


def records_in(out: str) -> int:
    objects = fsspec.filesystem("s3")
    objects.invalidate_cache()
    return len([name for name in objects.find(f"{out}/{WORK}") if name.rpartition("/")[2].startswith("0")])
