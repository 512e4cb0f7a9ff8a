"""A folder of an object store: whole objects, what is there, and a folder of this machine on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.engines.store import objects_in
from tests.engines.test_local import wait_until
from thermix.engines.object_place import ObjectPlace
from thermix.engines.places import place_at
from thermix.engines.scratch import scratch_folder
from thermix.errors import DataError, InvalidInput, MissingExtra

fsspec = pytest.importorskip("fsspec")

WORK = ".thermix-prepare"


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setattr("thermix.sources.stores.WAITS", (0.0, 0.0))
    return folder


@pytest.fixture
def url() -> str:
    """An address of its own in fsspec's memory."""
    return f"memory://{uuid.uuid4().hex}/out"


@pytest.fixture
def place(url: str) -> ObjectPlace:
    return ObjectPlace(url, WORK)


def test_files_of_a_draft_are_there_after_the_block_and_nothing_is_left_here(
    place: ObjectPlace, url: str, scratch: Path
) -> None:
    with place.draft(["a", "b"]) as here:
        (here / "a.bin").write_bytes(b"aa")
        (here / "rank").mkdir()
        (here / "rank" / "b.bin").write_bytes(b"bbb")
        assert objects_in(url) == {}
    assert place.read(["a.bin", "rank/b.bin", "c"]) == [b"aa", b"bbb", None]
    assert place.sizes(["rank/b.bin", "c", "a.bin"]) == [3, None, 2]
    assert list(scratch.iterdir()) == []


def test_nothing_of_a_draft_that_failed_is_there(place: ObjectPlace, url: str, scratch: Path) -> None:
    def fail() -> None:
        with place.draft([]) as here:
            (here / "a.bin").write_bytes(b"aa")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert objects_in(url) == {}
    assert list(scratch.iterdir()) == []


def test_a_file_is_written_over_and_created_once(place: ObjectPlace) -> None:
    place.write("a", b"1")
    place.write("a", b"2")
    assert not place.create("a", b"3")
    assert place.create("b", b"4")
    assert place.read(["a", "b"]) == [b"2", b"4"]
    place.remove("a")
    place.remove("a")
    assert place.read(["a"]) == [None]


@pytest.mark.parametrize("lacking", [TypeError("mode"), NotImplementedError("If-None-Match")])
def test_a_store_that_knows_no_condition_is_written_to(
    place: ObjectPlace, lacking: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = type(fsspec.filesystem("memory"))
    inner = kind.pipe_file

    def pipe_file(self: Any, path: str, value: bytes, **options: Any) -> None:
        if options:
            raise lacking
        inner(self, path, value)

    monkeypatch.setattr(kind, "pipe_file", pipe_file)
    assert place.create("a", b"1")
    assert place.read(["a"]) == [b"1"]


@pytest.mark.parametrize(
    ("files", "stranger"),
    [
        ([], None),
        (["thesis.tex"], "thesis.tex"),
        (["b/x", "b/y", "c"], "b"),
        ([f"{WORK}/job.json", "shard-00000-000.bin"], None),
        ([f"{WORK}/lock"], None),
        (["manifest.json", "shard-00000-000.bin"], None),
    ],
)
def test_a_folder_with_other_files_is_known(
    place: ObjectPlace, files: list[str], stranger: str | None
) -> None:
    for name in files:
        place.write(name, b"x")
    assert place.stranger("manifest.json") == stranger


def test_a_file_in_place_of_the_folder_is_refused(place: ObjectPlace, url: str) -> None:
    place.write("a", b"x")
    with pytest.raises(InvalidInput, match=rf"^{url}/a: it is a file, and a folder is due there"):
        ObjectPlace(f"{url}/a", WORK).stranger("manifest.json")


def test_clearing_removes_what_is_not_finished_and_nothing_else(place: ObjectPlace, url: str) -> None:
    for name in ("a.bin", "manifest.json", f"{WORK}/00000.json", f"{WORK}/job.json", f"{WORK}/lock"):
        place.write(name, b"x")
    place.clear()
    assert set(objects_in(url)) == {"a.bin", "manifest.json", f"{WORK}/lock"}


def test_room_is_that_of_the_tasks_at_work_on_the_disk_they_write_to(
    place: ObjectPlace, url: str, scratch: Path
) -> None:
    room = place.room(1_000, tasks=10, at_once=4)
    assert (room.need, room.folder) == (400, str(scratch))
    assert room.fate == f"are on their way to {url} at a time"
    assert place.room(1_001, tasks=2, at_once=4).need == 1_001
    assert place.room(0, tasks=0, at_once=4).need == 0
    assert place.room(1_000, tasks=10, at_once=0).need == 0


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> list[Exception]:
    """Errors that the store's next writes end with."""
    errors: list[Exception] = []
    kind = type(fsspec.filesystem("memory"))
    inner = kind.pipe_file

    def pipe_file(self: Any, path: str, value: bytes, **options: Any) -> None:
        if errors:
            raise errors.pop(0)
        inner(self, path, value, **options)

    monkeypatch.setattr(kind, "pipe_file", pipe_file)
    return errors


def test_what_may_pass_is_tried_again(place: ObjectPlace, broken: list[Exception]) -> None:
    broken += [ConnectionResetError("reset"), TimeoutError()]
    place.write("a", b"1")
    assert place.read(["a"]) == [b"1"]


def test_a_store_that_cannot_be_written_to_is_said_to_be_so(
    place: ObjectPlace, url: str, broken: list[Exception]
) -> None:
    broken += [ConnectionResetError("reset")] * 3
    with pytest.raises(
        DataError,
        match=rf"^{url}/a: it cannot be written, 3 times: ConnectionResetError: reset\. Run the same command "
        "again when the store can be reached: what is finished is kept",
    ):
        place.write("a", b"1")


def test_a_store_that_refuses_says_what_may_help(
    place: ObjectPlace, url: str, broken: list[Exception]
) -> None:
    broken += [PermissionError("Access Denied")]
    with pytest.raises(
        DataError,
        match=rf"^{url}/a: the store refuses to take it \(no permission\): Access Denied\. Check the "
        "credentials, and that they may list, read, write and delete there",
    ):
        place.write("a", b"1")


def test_a_missing_library_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, "s3", raising=False)
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingExtra, match=r"^writing to s3://b/out needs s3fs, .*thermix\[remote\]"):
        place_at("s3://b/out", WORK)


SCRATCH = """
import sys, tempfile, time
tempfile.tempdir = sys.argv[1]
from thermix.engines.scratch import scratch_folder
with scratch_folder() as here:
    (here / "large").write_bytes(bytes(10))
    print(here, flush=True)
    time.sleep(60)
"""


def test_the_folder_of_a_killed_process_goes_with_the_next_and_not_before(
    scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thermix.engines.scratch._YOUNG", -1)
    process = subprocess.Popen([sys.executable, "-c", SCRATCH, str(scratch)], stdout=subprocess.PIPE)
    wait_until(lambda: bool(list(scratch.glob("*/files/large"))))
    (other,) = scratch.glob("*/files/large")
    with scratch_folder():
        assert other.exists(), "its process is alive"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert other.exists()
    with scratch_folder() as here:
        assert not other.exists()
        assert [here.parent] == list(scratch.iterdir())


def test_one_without_a_place_for_its_files_is_said_to_be_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "not there"))
    with pytest.raises(DataError, match=r"not there.*it cannot be written: No such file"), scratch_folder():
        pass


def test_an_address_is_kept_as_it_was_given_and_shown_without_secrets() -> None:
    place = place_at("memory://user:word@bucket/out/", WORK)
    assert (place.address, str(place)) == ("memory://user:word@bucket/out", "memory://bucket/out")


def test_a_path_is_a_folder_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    place = place_at("out", WORK)
    assert (place.address, str(place)) == (os.path.join(tmp_path, "out"), "out")
