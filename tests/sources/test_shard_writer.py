"""Writing a shard: whole or not at all, whatever the disk does; and what is refused."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermix.errors import DataError, InvalidInput
from thermix.sources import shard_writer
from thermix.sources.shard_writer import TokenShardWriter
from thermix.sources.tokens import TokenShards

DOCUMENTS: tuple[Sequence[int], ...] = (range(5), [], range(100, 103), [65535])


def write(folder: Path, name: str = "new") -> None:
    with TokenShardWriter(folder / name, dtype="uint16") as shard:
        for document in DOCUMENTS:
            shard.append(np.array(document, np.uint16))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


class FullAt:
    """A disk on which the n-th write, flush, open or rename fails, and `good` of them succeed."""

    def __init__(self, fails_at: int) -> None:
        self.calls = 0
        self.fails_at = fails_at

    def call(self, work: Callable[..., Any], *args: Any) -> Any:
        self.calls += 1
        if self.calls == self.fails_at:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return work(*args)

    def wrap(self, work: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args: self.call(work, *args)


class WritesTo:
    """An open file whose writes and flushes go through a `FullAt`."""

    def __init__(self, file: BinaryIO, disk: FullAt) -> None:
        self._file = file
        self.write = disk.wrap(file.write)
        self.flush = disk.wrap(file.flush)
        self.close, self.fileno = file.close, file.fileno

    def __enter__(self) -> WritesTo:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


@pytest.fixture
def full_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int], FullAt]]:
    def install(fails_at: int) -> FullAt:
        disk = FullAt(fails_at)
        monkeypatch.setattr(os, "fsync", disk.wrap(os.fsync))
        monkeypatch.setattr(os, "replace", disk.wrap(os.replace))
        opens = disk.wrap(open)
        monkeypatch.setattr(shard_writer, "open", lambda *args: WritesTo(opens(*args), disk), raising=False)
        return disk

    yield install
    monkeypatch.undo()


def failure(folder: Path) -> str | None:
    try:
        write(folder)
    except DataError as error:
        return str(error)
    return None


def count_of_calls(folder: Path, full_at: Callable[[int], FullAt]) -> int:
    folder.mkdir()
    disk = full_at(0)
    write(folder)
    return disk.calls


def test_a_disk_that_is_full_at_any_call_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, full_at: Callable[[int], FullAt], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = count_of_calls(tmp_path / "counted", full_at)
    assert calls >= 12  # opens, writes, flushes, renames
    for fails_at in range(1, calls + 1):
        monkeypatch.undo()
        folder = tmp_path / str(fails_at)
        folder.mkdir()
        write(folder, "good")
        before = contents(folder)
        disk = full_at(fails_at)
        said = failure(folder)
        if said is None:  # the folder's own flush is a courtesy
            assert fails_at == calls
            assert set(contents(folder)) == {*before, "new.bin", "new.idx"}
        else:
            assert contents(folder) == before, f"call {fails_at}"
            assert "new." in said
            assert "it cannot be written: No space left on device. Mend that and write" in said
        assert disk.calls >= fails_at


def test_after_a_full_disk_the_same_shard_can_be_written(
    tmp_path: Path, full_at: Callable[[int], FullAt], monkeypatch: pytest.MonkeyPatch
) -> None:
    full_at(5)
    with pytest.raises(DataError, match="No space left"):
        write(tmp_path)
    monkeypatch.undo()
    write(tmp_path)
    with TokenShards([tmp_path / "new.bin"], name="web", sequence_length=9) as source:
        assert source.read([0]).tolist() == [[0, 1, 2, 3, 4, 100, 101, 102, 65535]]  # type: ignore[union-attr]


LIMITED = """
import resource, signal, sys
import numpy as np
from thermix import DataError
from thermix.sources.shard_writer import TokenShardWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    with TokenShardWriter(sys.argv[1], dtype="uint16") as shard:
        for _ in range(int(sys.argv[3])):
            shard.append(np.zeros(int(sys.argv[4]), np.uint16))
except DataError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="this platform limits no file sizes")
@pytest.mark.parametrize(
    ("documents", "tokens", "file"),
    [(40, 100_000, "bin"), (1, 1_000, "bin"), (40_000, 0, "idx")],
    ids=["while it is written", "at the last flush", "in the index"],
)
def test_a_file_the_system_lets_grow_no_more_is_not_left_behind(
    tmp_path: Path, documents: int, tokens: int, file: str
) -> None:
    (tmp_path / "good.bin").write_bytes(b"good")
    limit = 1_500 if documents == 1 else 100_000
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "new"), str(limit), str(documents), str(tokens)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert f"new.{file}, byte " in said
    assert "it cannot be written: File too large" in said
    assert contents(tmp_path) == {"good.bin": b"good"}


KILLED = """
import sys
import numpy as np
from thermix.sources.shard_writer import TokenShardWriter
for number in range(1000):
    with TokenShardWriter(f"{sys.argv[1]}/{number:03}", dtype="uint16") as shard:
        for document in range(50):
            shard.append(np.full(1000, number, np.uint16))
    print(number, flush=True)
"""


@pytest.mark.slow
def test_a_killed_writer_leaves_whole_shards_and_parts_that_nothing_reads(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for turn in range(5):
        folder = tmp_path / str(turn)
        folder.mkdir()
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(folder)], stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            time.sleep(float(rng.uniform(0, 0.3)))
            process.kill()
        indices = sorted(folder.glob("*.idx"))
        assert indices
        with TokenShards(indices, name="web", sequence_length=50_000) as source:
            assert source.read(np.arange(len(source)))[:, 0].tolist() == [  # type: ignore[call-overload]
                int(path.stem) for path in indices
            ]


def test_an_exception_in_the_block_discards_the_shard(tmp_path: Path) -> None:
    def interrupted() -> None:
        with TokenShardWriter(tmp_path / "a", dtype="uint16") as shard:
            shard.append([1, 2])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert contents(tmp_path) == {}


def test_nothing_has_its_own_name_until_the_shard_is_whole(tmp_path: Path) -> None:
    shard = TokenShardWriter(tmp_path / "a", dtype="uint16")
    shard.append([1, 2])
    assert set(contents(tmp_path)) == {"a.bin.part"}
    shard.close()
    assert set(contents(tmp_path)) == {"a.bin", "a.idx"}
    before = contents(tmp_path)
    shard.close()
    shard.discard()
    assert contents(tmp_path) == before


@pytest.mark.parametrize("ending", ["bin", "idx"])
def test_a_shard_that_is_there_is_not_written_over(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"a.{ending}").write_bytes(b"good")
    with pytest.raises(InvalidInput, match=rf"a\.{ending}: a file of that name is there; it is not written"):
        TokenShardWriter(tmp_path / "a", dtype="uint16")
    assert contents(tmp_path) == {f"a.{ending}": b"good"}


def test_a_folder_that_is_not_there_is_a_data_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.bin, byte 0: it cannot be written: No such file or directory"):
        TokenShardWriter(tmp_path / "none" / "a", dtype="uint16")


@pytest.mark.parametrize("dtype", ["float32", "uint32", "text"])
def test_a_type_megatron_does_not_know_is_refused(tmp_path: Path, dtype: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^dtype: got '{dtype}'; a Megatron-LM shard holds uint8, int8,"):
        TokenShardWriter(tmp_path / "a", dtype=dtype)


@pytest.mark.parametrize(
    ("tokens", "said"),
    [
        ([65536], "document 1 or after: got token 65536; uint16 holds 0 to 65535. Take a larger dtype"),
        ([-1], "document 1 or after: got token -1; uint16 holds 0 to 65535"),
        ([0.5], "document 1: got float64 of shape (1,); tokens are whole numbers of shape (n,)"),
        ([[1]], "document 1: got int64 of shape (1, 1); tokens are whole numbers of shape (n,)"),
    ],
)
def test_what_the_type_cannot_hold_is_refused_and_the_shard_goes_on(
    tmp_path: Path, tokens: Any, said: str
) -> None:
    with TokenShardWriter(tmp_path / "a", dtype="uint16") as shard:
        shard.append([7])
        with pytest.raises(InvalidInput) as error:
            shard.append(tokens)
        assert said in str(error.value)
        shard.append([8])
        assert (shard.documents, shard.tokens) == (2, 2)
    assert (tmp_path / "a.bin").read_bytes() == np.array([7, 8], "<u2").tobytes()


@pytest.mark.parametrize("lengths", [[3], [5, -1], [2.0, 2.0], [[4]]])
def test_lengths_are_those_of_the_tokens(tmp_path: Path, lengths: Any) -> None:
    with TokenShardWriter(tmp_path / "a", dtype="uint16") as shard:
        with pytest.raises(InvalidInput, match=r"document 0: lengths: got .* for 4 tokens; they are whole"):
            shard.extend([1, 2, 3, 4], lengths)
        shard.append([1])


def test_a_closed_writer_takes_nothing_more(tmp_path: Path) -> None:
    shard = TokenShardWriter(tmp_path / "a", dtype="uint16")
    shard.close()
    with pytest.raises(InvalidInput, match=r"a\.bin: it is closed; open another writer"):
        shard.append([1])


@given(st.lists(st.lists(st.integers(0, 99), max_size=6), max_size=8), st.integers(1, 5))
def test_documents_added_together_are_those_added_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, documents: list[list[int]], together: int
) -> None:
    folder = tmp_path_factory.mktemp("shards")
    with TokenShardWriter(folder / "one", dtype="int32") as shard:
        for document in documents:
            shard.append(np.array(document, np.int64))
    with TokenShardWriter(folder / "many", dtype="int32") as shard:
        for start in range(0, len(documents), together):
            some = documents[start : start + together]
            shard.extend(np.array(list(chain(*some)), np.int64), [len(document) for document in some])
    for ending in ("bin", "idx"):
        assert (folder / f"one.{ending}").read_bytes() == (folder / f"many.{ending}").read_bytes()
