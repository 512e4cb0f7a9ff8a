"""The cache of remote files: whole or not there, fetched once, within its limit, under every accident."""

from __future__ import annotations

import errno
import hashlib
import io
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.sources.web import Web, web_server
from thermix.errors import DataError, InvalidInput
from thermix.sources import open_source
from thermix.sources.cache import FileCache, default_cache
from thermix.sources.finding import find_remote
from thermix.sources.remote import Checksum, RemoteFile
from thermix.sources.tokens import TokenShards

pytest.importorskip("fsspec")
pytest.importorskip("aiohttp")

QUICK = (0.0, 0.0, 0.0)


@pytest.fixture
def web() -> Iterator[Web]:
    with web_server() as web:
        yield web


@pytest.fixture
def cache(tmp_path: Path) -> FileCache:
    return FileCache(tmp_path / "cache", waits=QUICK)


def served(web: Web, name: str, data: bytes, **more: Any) -> RemoteFile:
    web.files[name] = data
    return RemoteFile(f"{web.url}/{name}", len(data), "web", **more)


def kept(cache: FileCache) -> list[str]:
    """Everything in the cache but locks, without its keys."""
    folders = (cache.folder / "files", cache.folder / "parts")
    return sorted(
        path.name.partition("-")[2] for folder in folders if folder.is_dir() for path in folder.iterdir()
    )


def test_a_file_is_fetched_once_and_then_read_here(web: Web, cache: FileCache) -> None:
    file = served(web, "a.bin", b"tokens")
    for _ in range(3):
        assert cache.fetch(file).read_bytes() == b"tokens"
    assert web.gets("a.bin") == 1
    assert kept(cache) == ["a.bin", "a.bin.sha256"]


def test_the_hash_beside_a_file_is_what_sha256sum_checks(web: Web, cache: FileCache) -> None:
    path = cache.fetch(served(web, "a.bin", b"tokens"))
    sums = path.with_name(f"{path.name}.sha256")
    assert sums.read_text() == f"{hashlib.sha256(b'tokens').hexdigest()}  {path.name}\n"
    assert list(cache.verify()) == []
    path.write_bytes(b"tokenz")
    assert list(cache.verify()) == [path]


@pytest.mark.parametrize("more", [{"version": "ETag=2"}, {"checksum": Checksum("sha256", "0" * 64)}])
def test_a_file_that_changed_at_the_store_is_another_one(web: Web, more: dict[str, Any]) -> None:
    one = served(web, "a.bin", b"tokens")
    assert served(web, "a.bin", b"tokens").key == one.key
    assert served(web, "a.bin", b"tokens", **more).key != one.key
    assert served(web, "a.bin", b"tokens!").key != one.key


@pytest.mark.parametrize("fault", [500, 502, 503, 429, 408, "cut", "short"])
def test_what_may_pass_is_tried_again(web: Web, cache: FileCache, fault: int | str) -> None:
    file = served(web, "a.bin", bytes(100_000))
    web.faults["a.bin"] = [fault, fault]
    assert cache.fetch(file).read_bytes() == bytes(100_000)
    assert web.gets("a.bin") == 3


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (404, r"a\.bin: nothing lies there any more; it did when the source was opened\. Put it back"),
        (403, r"a\.bin: the store refuses to give it \(403\).*Check the credentials"),
        (400, r"a\.bin: it cannot be read: ClientResponseError: 400.*Try again when"),
    ],
)
def test_what_will_not_pass_is_not_tried_again(web: Web, cache: FileCache, fault: int, message: str) -> None:
    file = served(web, "a.bin", b"tokens")
    web.faults["a.bin"] = [fault]
    with pytest.raises(DataError, match=rf"^sources\.web: {web.url}/{message}"):
        cache.fetch(file)
    assert web.gets("a.bin") == 1
    assert kept(cache) == []


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("short", r"it came with 5 bytes, and 6 were due, 4 times\. The file at the store is damaged"),
        ("other", r"it came with sha256 [0-9a-f]{64}, and [0-9a-f]{64} was due, 4 times\. The file at the"),
        (500, r"it cannot be read, 4 times: ClientResponseError: 500"),
        ("cut", r"it cannot be read, 4 times: (ContentLengthError|ClientPayloadError|Transfer\w+)"),
    ],
)
def test_what_does_not_pass_is_an_error_that_leaves_nothing(
    web: Web, cache: FileCache, fault: int | str, message: str
) -> None:
    file = served(web, "a.bin", b"tokens", checksum=Checksum("sha256", hashlib.sha256(b"tokens").hexdigest()))
    web.faults["a.bin"], web.forever = [fault], True
    with pytest.raises(DataError, match=rf"^sources\.web: {web.url}/a\.bin: {message}"):
        cache.fetch(file)
    assert web.gets("a.bin") == 4
    assert kept(cache) == []


def test_tries_are_further_and_further_apart(
    web: Web, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("thermix.sources.stores.time.sleep", waited.append)
    web.faults["a.bin"], web.forever = [503], True
    with pytest.raises(DataError, match="7 times"):
        FileCache(tmp_path).fetch(served(web, "a.bin", b"tokens"))
    assert waited == [0.5, 1, 2, 4, 8, 16]


def test_a_tag_that_is_no_md5_is_believed_after_the_same_bytes_twice(web: Web, cache: FileCache) -> None:
    tag = Checksum("md5", "0" * 32, firm=False)
    assert cache.fetch(served(web, "a.bin", b"tokens", checksum=tag)).read_bytes() == b"tokens"
    assert web.gets("a.bin") == 2
    cache.fetch(served(web, "b.bin", b"others", checksum=tag))  # now it is known of this store
    assert web.gets("b.bin") == 1


def test_a_tag_that_is_an_md5_catches_bytes_that_changed_on_the_way(web: Web, cache: FileCache) -> None:
    tag = Checksum("md5", hashlib.md5(b"tokens").hexdigest(), firm=False)
    file = served(web, "a.bin", b"tokens", checksum=tag)
    web.faults["a.bin"] = ["other"]
    assert cache.fetch(file).read_bytes() == b"tokens"


def test_threads_that_want_one_file_fetch_it_once(web: Web, cache: FileCache) -> None:
    file, web.delay = served(web, "a.bin", b"tokens"), 0.2
    with ThreadPoolExecutor(8) as pool:
        assert {path.read_bytes() for path in pool.map(cache.fetch, [file] * 8)} == {b"tokens"}
    assert web.gets("a.bin") == 1


def test_threads_that_want_several_files_fetch_them_side_by_side(web: Web, cache: FileCache) -> None:
    files = [served(web, f"{number}.bin", b"tokens") for number in range(4)]
    web.together = threading.Barrier(4)  # no body comes before all four are asked for
    with ThreadPoolExecutor(4) as pool:
        assert [path.read_bytes() for path in pool.map(cache.fetch, files)] == [b"tokens"] * 4


def _fetch(folder: str, file: RemoteFile, results: Any) -> None:
    results.put(FileCache(folder).fetch(file).read_bytes())


@pytest.mark.slow
def test_eight_processes_that_want_one_file_fetch_it_once(web: Web, cache: FileCache) -> None:
    file, web.delay = served(web, "a.bin", b"tokens"), 0.5
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    processes = [context.Process(target=_fetch, args=(str(cache.folder), file, results)) for _ in range(8)]
    for process in processes:
        process.start()
    assert [results.get(timeout=60) for _ in processes] == [b"tokens"] * 8
    for process in processes:
        process.join()
    assert web.gets("a.bin") == 1


KILLED = """
import sys
from thermix.sources.cache import FileCache
from thermix.sources.finding import find_remote
from thermix.sources.remote import RemoteFile
FileCache(sys.argv[1]).fetch(RemoteFile(sys.argv[2], int(sys.argv[3]), "web"))
"""


@pytest.mark.slow
@pytest.mark.parametrize("same", [True, False])
def test_after_a_kill_in_mid_fetch_the_next_fetches_cleanly(web: Web, cache: FileCache, same: bool) -> None:
    file = served(web, "a.bin", bytes(range(256)) * 4000)
    web.rate = 400_000
    command = [sys.executable, "-c", KILLED, str(cache.folder), file.url, str(file.size)]
    process = subprocess.Popen(command)
    parts = cache.folder / "parts"
    deadline = time.monotonic() + 30
    while not any(path.stat().st_size for path in parts.glob("*")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert len(list(parts.iterdir())) == 1
    assert cache.held(file) is None
    web.rate = None
    if not same:  # another file's fetch removes the part, where the limit makes it look
        cache.limit = 10_000_000
        cache.fetch(served(web, "b.bin", b"tokens"))
        assert list(parts.iterdir()) == []
    assert cache.fetch(file).read_bytes() == web.files["a.bin"]
    assert list(parts.iterdir()) == []


def test_the_files_used_least_recently_go_first(web: Web, tmp_path: Path) -> None:
    cache = FileCache(tmp_path, limit=300)
    files = [served(web, f"{number}.bin", bytes(100)) for number in range(4)]
    for used, file in enumerate(files[:3]):
        os.utime(cache.fetch(file), (used, used))
    os.close(cache.open(files[0]))  # used again: now the second is the oldest
    cache.fetch(files[3])
    assert [cache.holds(file) for file in files] == [True, False, True, True]
    assert sum(path.stat().st_size for path in (tmp_path / "files").iterdir() if path.suffix == ".bin") == 300


def test_an_open_file_outlives_its_eviction(web: Web, tmp_path: Path) -> None:
    cache = FileCache(tmp_path, limit=6)
    descriptor = cache.open(served(web, "a.bin", b"tokens"))
    cache.fetch(served(web, "b.bin", b"others"))
    assert kept(cache) == ["b.bin", "b.bin.sha256"]
    assert os.pread(descriptor, 10, 0) == b"tokens"
    os.close(descriptor)


def test_a_file_over_the_limit_is_refused_before_it_is_fetched(web: Web, tmp_path: Path) -> None:
    cache = FileCache(tmp_path, limit=5)
    with pytest.raises(
        InvalidInput, match=r"^THERMIX_CACHE_LIMIT: got 5 bytes, and http.*a\.bin alone is 6\. Raise it"
    ):
        cache.fetch(served(web, "a.bin", b"tokens"))
    assert web.asked == []


@pytest.mark.slow
def test_reading_more_than_the_limit_gives_the_right_rows_and_keeps_the_limit(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THERMIX_CACHE", str(tmp_path))
    monkeypatch.setenv("THERMIX_CACHE_LIMIT", "3 kB")
    monkeypatch.setattr("thermix.sources.cache._LET_GO_SECONDS", 0.0)
    every = np.arange(6 * 512, dtype="<u2")
    for number in range(6):
        web.files[f"{number}.bin"] = every[512 * number : 512 * (number + 1)].tobytes()
    files = find_remote([f"{web.url}/{number}.bin" for number in range(6)], "web")
    rows = every.reshape(-1, 8)
    with TokenShards(files, name="web", sequence_length=8, dtype="uint16") as source:  # type: ignore[arg-type]

        def reads(seed: int) -> None:
            for items in np.random.default_rng(seed).integers(0, len(rows), (8, 12)):
                assert np.array_equal(source.read(items), rows[items])

        with ThreadPoolExecutor(3) as pool:
            list(pool.map(reads, range(3)))
        source.let_go()
        assert len(source._views._kept) <= 2  # what was evicted is not kept mapped
    sizes = [path.stat().st_size for path in (tmp_path / "files").iterdir() if path.suffix == ".bin"]
    assert sum(sizes) <= 3000
    assert sum(web.gets(f"{number}.bin") for number in range(6)) > 6


LITTLE_ROOM = """
import resource, sys
from thermix.errors import DataError
from thermix.sources.cache import FileCache
from thermix.sources.finding import find_remote
from thermix.sources.remote import RemoteFile
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
try:
    FileCache(sys.argv[1]).fetch(RemoteFile(sys.argv[2], int(sys.argv[3]), "web"))
except DataError as error:
    print(error)
"""


def test_a_write_that_the_system_refuses_leaves_nothing(web: Web, cache: FileCache) -> None:
    pytest.importorskip("resource")
    file = served(web, "a.bin", bytes(100_000))
    command = [sys.executable, "-c", LITTLE_ROOM, str(cache.folder), file.url, str(file.size)]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert said.startswith(
        f"sources.web: {file.url}: it cannot be written to the cache: File too large. Free space"
    )
    assert web.gets("a.bin") == 1
    assert kept(cache) == []


def test_a_disk_that_is_full_at_the_last_step_leaves_nothing(
    web: Web, cache: FileCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match=r"it cannot be written to the cache .*: No space left"):
        cache.fetch(served(web, "a.bin", b"tokens"))
    assert kept(cache) == []


def test_some_of_the_disk_is_always_left_free(
    web: Web, cache: FileCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = served(web, "a.bin", bytes(100))
    cache.fetch(first)
    free = {"now": 1000}

    def usage(path: object) -> Any:
        there = sum(each.stat().st_size for each in (cache.folder / "files").glob("*.bin"))
        return shutil._ntuple_diskusage(2000, 0, free["now"] - there)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    cache.fetch(served(web, "b.bin", bytes(850)))  # 100 of 2,000 stay free: the first has to go
    assert kept(cache) == ["b.bin", "b.bin.sha256"]
    free["now"] = 200
    with pytest.raises(DataError, match=r"c\.bin: 150 bytes do not fit into the cache .*its disk lacks 50"):
        cache.fetch(served(web, "c.bin", bytes(150)))


def test_a_folder_that_cannot_be_used_is_named(web: Web, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(
        InvalidInput, match=r"^THERMIX_CACHE: .*/file.*cannot be used: .*Name a folder in THERMIX_CACHE"
    ):
        FileCache(tmp_path / "file").fetch(served(web, "a.bin", b"tokens"))


def test_a_cached_file_that_was_cut_is_fetched_again(web: Web, cache: FileCache) -> None:
    file = served(web, "a.bin", b"tokens")
    cache.fetch(file).write_bytes(b"tok")
    assert cache.fetch(file).read_bytes() == b"tokens"


def test_the_environment_says_where_and_how_much(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("THERMIX_CACHE", "THERMIX_CACHE_LIMIT", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/ada")
    assert default_cache().folder == Path("/home/ada/.cache/thermix")
    assert default_cache().limit is None
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")  # which the standard says to pass over
    assert default_cache().folder == Path("/home/ada/.cache/thermix")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/ada")
    assert default_cache().folder == Path("/var/cache/ada/thermix")
    monkeypatch.setenv("THERMIX_CACHE", "~/shards")
    monkeypatch.setenv("THERMIX_CACHE_LIMIT", "200GB")
    assert default_cache().folder == Path("/home/ada/shards")
    assert default_cache().limit == 200_000_000_000
    monkeypatch.setenv("THERMIX_CACHE_LIMIT", "much")
    with pytest.raises(InvalidInput, match=r"^THERMIX_CACHE_LIMIT: got 'much'; it must be a size"):
        default_cache()


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("slow", [True, False])
def test_a_bar_shows_on_a_terminal_where_a_fetch_takes_long(
    web: Web, cache: FileCache, monkeypatch: pytest.MonkeyPatch, terminal: bool, slow: bool
) -> None:
    written = _Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr("thermix.sources.fetch_bar._QUIET_SECONDS", 0.1)
    files = [served(web, f"{name}.bin", bytes(100_000)) for name in "ab"]
    web.rate = 200_000 if slow else None
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(cache.fetch, files))
    assert ("fetching" in written.getvalue() and "a.bin" in written.getvalue()) == (terminal and slow)


def test_remote_json_lines_are_read_from_the_cache_even_when_evicted(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THERMIX_CACHE", str(tmp_path))
    monkeypatch.setenv("THERMIX_CACHE_LIMIT", "30")
    for name in "abc":
        web.files[f"{name}.jsonl"] = b'{"text": "%s"}\n' % name.encode()
    urls = [f"{web.url}/{name}.jsonl" for name in "abc"]
    with open_source(urls, name="web", field="text") as source:
        for _ in range(3):
            assert source.read([2, 0, 1]) == ["c", "a", "b"]
