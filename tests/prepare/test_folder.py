"""The folder shards are prepared into: one writer, one job, and nothing half done taken for done."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from thermix.errors import DataError, InvalidInput
from thermix.prepare.folder import SKIPPED, OutputFolder, TaskRecord
from thermix.prepare.job import Job
from thermix.sources.files import MANIFEST, UNFINISHED
from thermix.sources.manifest import (
    FileRecord,
    InputRecord,
    Manifest,
    ShardRecord,
    canonical_json,
    file_record,
    read_manifest,
    shard_files,
)

INPUT = InputRecord(path="raw/a.jsonl", format="jsonl", bytes=10, digest="d0")
JOB = Job(
    tokenizer={"kind": "bytes", "vocabulary": 257},
    dtype="uint16",
    field="text",
    split_bytes=64,
    inputs=[INPUT],
)


def shard_at(folder: Path, name: str) -> ShardRecord:
    for ending in (".bin", ".idx"):
        (folder / f"{name}{ending}").write_bytes(ending.encode())
    return ShardRecord(
        name=name,
        documents=1,
        tokens=2,
        bin=file_record(folder / f"{name}.bin"),
        idx=file_record(folder / f"{name}.idx"),
    )


def manifest_of(shards: list[ShardRecord], **changed: Any) -> Manifest:
    values = JOB.model_dump() | {"end_of_document": 256, "documents": 1, "tokens": 2, "skipped": 0}
    return Manifest(**(values | {"inputs": JOB.inputs, "shards": shards} | changed))


def hold(folder: Path, job: Job) -> None:
    with OutputFolder(folder).held(job):
        pass


def test_a_second_run_is_refused_while_the_first_holds_the_folder(tmp_path: Path) -> None:
    refused = pytest.raises(InvalidInput, match="another run of thermix prepare is writing there")
    with OutputFolder(tmp_path / "out").held(JOB), refused:
        hold(tmp_path / "out", JOB)
    hold(tmp_path / "out", JOB)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"field": "body"}, "field: 'text' before, 'body' now"),
        ({"split_bytes": 65}, "split_bytes: 64 before, 65 now"),
        ({"tokenizer": {"kind": "bytes", "vocabulary": 9}}, "tokenizer.vocabulary: 257 before, 9 now"),
        ({"tokenizer": {"kind": "bytes"}}, "tokenizer.vocabulary: 257 before, None now"),
        ({"inputs": []}, "inputs: 1 files before, 0 now"),
        ({"inputs": [INPUT.model_copy(update={"digest": "d1"})]}, "inputs: raw/a.jsonl: its content"),
        ({"inputs": [INPUT.model_copy(update={"bytes": 11})]}, "inputs: raw/a.jsonl: its content"),
    ],
)
def test_another_job_in_the_same_folder_is_refused(tmp_path: Path, changed: Any, said: str) -> None:
    hold(tmp_path / "out", JOB)
    with pytest.raises(InvalidInput) as refused:
        hold(tmp_path / "out", JOB.model_copy(update=changed))
    assert said in str(refused.value)
    assert "give another --out, or remove the folder" in str(refused.value)


def test_the_same_files_elsewhere_are_the_same_job(tmp_path: Path) -> None:
    hold(tmp_path, JOB)
    hold(tmp_path, JOB.model_copy(update={"inputs": [INPUT.model_copy(update={"path": "/mnt/a.jsonl"})]}))


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InvalidInput, match=r"it holds other files, such as thesis\.tex"):
        hold(tmp_path, JOB)
    assert [child.name for child in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(InvalidInput, match="it is a file, and a folder is due there"):
        hold(tmp_path / "out", JOB)


def test_a_finished_task_is_known_again(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    with folder.held(JOB):
        record = TaskRecord(shards=[shard_at(tmp_path, "shard-00000-000")], skipped=0, raw_bytes=9)
        folder.finish_task(0, record, [])
        assert folder.records([0, 1], skip_bad=False) == {0: record}


@pytest.mark.parametrize("damage", ["bin gone", "idx short", "record cut", "rows left out"])
def test_what_is_not_whole_is_done_again_and_cleared_away(tmp_path: Path, damage: str) -> None:
    folder = OutputFolder(tmp_path)
    with folder.held(JOB):
        skipped = int(damage == "rows left out")
        record = TaskRecord(shards=[shard_at(tmp_path, "shard-00000-000")], skipped=skipped, raw_bytes=9)
        folder.finish_task(0, record, ["{}"] * skipped)
        other = shard_at(tmp_path, "shard-00001-000")
        if damage == "bin gone":
            (tmp_path / "shard-00000-000.bin").unlink()
        elif damage == "idx short":
            (tmp_path / "shard-00000-000.idx").write_bytes(b"")
        elif damage == "record cut":
            file = tmp_path / UNFINISHED / "00000.json"
            file.write_bytes(file.read_bytes()[:-5])
        assert folder.records([0, 1], skip_bad=False) == {}
        with folder.shards_draft(0) as here:
            assert here == tmp_path
        left = {child.name for child in tmp_path.iterdir()} - {UNFINISHED}
        assert left == {f"{other.name}.bin", f"{other.name}.idx"}
        assert not list((tmp_path / UNFINISHED).glob("00000.*"))


def test_rows_left_out_will_do_when_they_may_be(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    with folder.held(JOB):
        record = TaskRecord(shards=[], skipped=2, raw_bytes=9)
        folder.finish_task(0, record, ["a", "b"])
        assert folder.records([0], skip_bad=True) == {0: record}
        assert folder.records([0], skip_bad=False) == {}
        (tmp_path / UNFINISHED / "00000.skipped").unlink()
        assert folder.records([0], skip_bad=True) == {}, "it would not be listed"
        with pytest.raises(DataError, match=r"00000\.skipped: the list of rows left out is gone"):
            folder.finish(manifest_of([]), {0: record})
    assert not (tmp_path / MANIFEST).exists()


def test_the_end_leaves_shards_manifest_and_list(tmp_path: Path) -> None:
    folder = OutputFolder(tmp_path)
    with folder.held(JOB):
        shard = shard_at(tmp_path, "shard-00001-000")
        records = {
            0: TaskRecord(shards=[], skipped=1, raw_bytes=1),
            1: TaskRecord(shards=[shard], skipped=1, raw_bytes=1),
        }
        folder.finish_task(0, records[0], ["first"])
        folder.finish_task(1, records[1], ["second"])
        folder.finish(manifest_of([shard]), records)
    assert {child.name for child in tmp_path.iterdir()} == {
        "shard-00001-000.bin",
        "shard-00001-000.idx",
        MANIFEST,
        SKIPPED,
    }
    assert (tmp_path / SKIPPED).read_text() == "first\nsecond\n"
    assert read_manifest(tmp_path) == manifest_of([shard])
    assert shard_files(tmp_path, manifest_of([shard])) == [tmp_path / "shard-00001-000.bin"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_is_an_error_and_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    folder = OutputFolder(tmp_path)
    with folder.held(JOB):
        before = sorted(map(str, tmp_path.rglob("*")))
        monkeypatch.setattr(os, call, no_space)
        with pytest.raises(DataError, match=r"00000\.json.*No space left.*what is finished is kept"):
            folder.finish_task(0, TaskRecord(shards=[], skipped=0, raw_bytes=0), [])
        assert sorted(map(str, tmp_path.rglob("*"))) == before


def no_space(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("name", ["../x", "a/b", "/etc/passwd", "..", "", ".hidden", "a\\b", "a\nb"])
def test_a_manifest_cannot_name_what_lies_elsewhere(tmp_path: Path, name: str) -> None:
    shard = shard_at(tmp_path, "x")
    text = canonical_json(manifest_of([shard])).replace(b'"x"', repr_json(name))
    (tmp_path / MANIFEST).write_bytes(text)
    with pytest.raises(DataError, match=r"manifest\.json: shards\.0\.name: .* leads nowhere else"):
        read_manifest(tmp_path)


def repr_json(text: str) -> bytes:
    return json.dumps(text).encode()


Change = Callable[[bytes], bytes]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda text: text[:-9], "byte 0"),
        (lambda text: b"", "byte 0"),
        (lambda text: b"[]", "byte 0"),
        (lambda text: text.replace(b"thermix-shards", b"other"), "format"),
        (lambda text: text.replace(b'"version": 1', b'"version": 2'), "version"),
        (lambda text: text.replace(b'"tokens": 2', b'"tokens": -2'), "tokens"),
        (lambda text: text.replace(b'"tokens": 2', b'"tokens": "2"'), "tokens"),
        (lambda text: text.replace(b'"dtype"', b'"dtpye"'), "dtype"),
    ],
)
def test_a_manifest_of_others_or_a_damaged_one_is_refused(tmp_path: Path, change: Change, where: str) -> None:
    (tmp_path / MANIFEST).write_bytes(change(canonical_json(manifest_of([]))))
    with pytest.raises(DataError, match=rf"manifest\.json: {where}"):
        read_manifest(tmp_path)


def test_no_manifest_is_none(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None
    assert read_manifest(tmp_path / "nothing") is None


def test_a_shard_of_another_size_or_gone_or_a_link_out_is_refused(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "outside.bin"
    inside.mkdir()
    manifest = manifest_of([shard_at(inside, "x")])
    outside.write_bytes(b".bin")
    (inside / "x.bin").unlink()
    with pytest.raises(DataError, match=r"x\.bin: manifest\.json names it, and it cannot be read"):
        shard_files(inside, manifest)
    (inside / "x.bin").symlink_to(outside)
    with pytest.raises(DataError, match=r"x\.bin: it is a link to .*outside\.bin, out of the folder"):
        shard_files(inside, manifest)
    (inside / "x.bin").unlink()
    (inside / "x.bin").write_bytes(b"longer")
    with pytest.raises(DataError, match=r"x\.bin: it is 6 bytes long, and manifest\.json says 4"):
        shard_files(inside, manifest)


def test_a_file_record_is_its_size_and_hash(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert file_record(tmp_path / "a") == FileRecord(
        bytes=3, sha256="ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
