"""Sources at addresses: what an address means, and that remote shards are as local ones are."""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import uuid
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.sources.contract import Case, SourceContract
from tests.sources.web import Web, web_server
from thermix import Mixture, Plan, Source
from thermix.errors import DataError, InvalidInput, MissingExtra
from thermix.sources import ItemSource, open_source
from thermix.sources.addresses import shown
from thermix.sources.finding import find_remote
from thermix.sources.located import copy_rows, row_addresses
from thermix.sources.reader import BatchReader
from thermix.sources.remote import Checksum, RemoteFile, RemoteFolder
from thermix.sources.shard_writer import TokenShardWriter
from thermix.sources.tokens import TokenShards

fsspec = pytest.importorskip("fsspec")
pytest.importorskip("aiohttp")

DOCUMENTS = ([5, 1, 2, 3], [9], [4, 4, 4, 8, 8, 7, 7], [1000, 65535], list(range(30)))


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THERMIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("THERMIX_CACHE_LIMIT", raising=False)
    monkeypatch.setattr("thermix.sources.stores.WAITS", (0.0, 0.0))


@pytest.fixture
def web() -> Iterator[Web]:
    with web_server() as web:
        yield web


def written(folder: Path, *names: str, repeat: int = 1) -> Path:
    """A folder of shards, each with other tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        with TokenShardWriter(folder / name, dtype="uint16") as shard:
            for document in DOCUMENTS * repeat:
                shard.append(np.array(document, "uint16") ^ number)
    return folder


def manifest(folder: Path, **changed: Any) -> bytes:
    """The manifest of a folder of shards, as `thermix prepare` writes it."""
    shards = []
    for path in sorted(folder.glob("*.bin")):
        files = {ending: path.with_suffix(f".{ending}").read_bytes() for ending in ("bin", "idx")}
        records = {
            ending: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for ending, data in files.items()
        }
        documents = int(np.frombuffer(files["idx"][18:26], "<u8")[0])
        shards.append(
            {"name": path.stem, "documents": documents, "tokens": len(files["bin"]) // 2, **records}
        )
    said: dict[str, Any] = {
        "format": "thermix-shards",
        "version": 1,
        "tokenizer": {"kind": "bytes"},
        "dtype": "uint16",
        "end_of_document": 256,
        "field": "text",
        "split_bytes": 1,
        "documents": sum(shard["documents"] for shard in shards),
        "tokens": sum(shard["tokens"] for shard in shards),
        "skipped": 0,
        "inputs": [],
        "shards": shards,
    }
    return json.dumps(said | changed).encode()


def serve(web: Web, folder: Path, at: str = "shards", *, with_manifest: bool = True) -> str:
    for path in folder.iterdir():
        web.files[f"{at}/{path.name}"] = path.read_bytes()
    if with_manifest:
        web.files[f"{at}/manifest.json"] = manifest(folder)
    return f"{web.url}/{at}"


def remembered(folder: Path) -> str:
    """The files of a folder in fsspec's memory, at an address of their own."""
    store = fsspec.filesystem("memory")
    at = f"/{uuid.uuid4().hex}"
    store.makedirs(at)
    for path in folder.iterdir():
        store.pipe_file(f"{at}/{path.name}", path.read_bytes())
    return f"memory:/{at}"


def rows_of(folder: Path, length: int) -> list[Any]:
    with open_source(str(folder), name="web", sequence_length=length) as source:
        return list(np.asarray(source.read(np.arange(len(source)))))


class TestShardsOnTheWeb(SourceContract):
    @pytest.fixture
    def case(self, tmp_path: Path, web: Web) -> Case:
        folder = written(tmp_path / "shards", "a", "b")
        url = serve(web, folder)

        def reopen() -> ItemSource:
            return open_source(url, name="web", sequence_length=4)

        return Case(reopen(), rows_of(folder, 4), reopen)

    @pytest.fixture
    def empty(self) -> ItemSource:
        return TokenShards([], name="web", sequence_length=4)


class TestJsonLinesOnTheWeb(SourceContract):
    @pytest.fixture
    def case(self, web: Web) -> Case:
        rows = [{"text": f"row {number}"} for number in range(7)]
        web.files["a.jsonl"] = "".join(json.dumps(row) + "\n" for row in rows[:4]).encode()
        web.files["b.jsonl"] = "".join(json.dumps(row) + "\n" for row in rows[4:]).encode()

        def reopen() -> ItemSource:
            return open_source([f"{web.url}/a.jsonl", f"{web.url}/b.jsonl"], name="web")

        return Case(reopen(), rows, reopen)

    @pytest.fixture
    def empty(self, web: Web) -> ItemSource:
        web.files["empty.jsonl"] = b""
        return open_source(f"{web.url}/empty.jsonl", name="web")


@pytest.mark.parametrize("with_manifest", [True, False])
def test_a_remote_source_is_the_local_one(tmp_path: Path, with_manifest: bool) -> None:
    folder = written(tmp_path / "shards", "a", "b", "c", repeat=900)
    if with_manifest:
        (folder / "manifest.json").write_bytes(manifest(folder))
    with (
        open_source(str(folder), name="web", sequence_length=64) as local,
        open_source(remembered(folder), name="web", sequence_length=64) as remote,
    ):
        items = np.random.default_rng(0).integers(0, len(local), 50)
        assert isinstance(local, TokenShards)
        assert isinstance(remote, TokenShards)
        assert remote.fingerprint == local.fingerprint
        assert len(remote) == len(local)
        assert np.array_equal(remote.read(items), local.read(items))
        ours, theirs = remote.documents(items), local.documents(items)
        assert np.array_equal(ours.positions, theirs.positions)
        assert np.array_equal(ours.cu_seqlens, theirs.cu_seqlens)
        assert remote.fingerprint == local.fingerprint


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("kind", ["npy", "flat", "megatron"])
def test_every_kind_of_shard_is_read_from_any_web_server(
    tmp_path: Path, web: Web, kind: str, ranges: bool
) -> None:
    web.ranges = ranges
    folder, dtype = tmp_path / "shards", None
    if kind == "npy":
        folder.mkdir()
        np.save(folder / "a.npy", np.arange(50_000, dtype=np.int32))
    elif kind == "flat":
        folder.mkdir()
        np.arange(50_000, dtype="<u2").tofile(folder / "a.bin")
        dtype = "uint16"
    else:
        written(folder, "a", repeat=400)
    url = serve(web, folder, with_manifest=False)
    name = "a.npy" if kind == "npy" else "a.bin"
    with (
        open_source(str(folder), name="web", sequence_length=16, dtype=dtype) as local,
        open_source(f"{url}/{name}", name="web", sequence_length=16, dtype=dtype) as remote,
    ):
        assert remote.fingerprint == local.fingerprint
        assert np.array_equal(remote.read([7, 3]), local.read([7, 3]))
    assert web.gets(f"shards/{name}") == 1


def test_opening_with_a_manifest_asks_for_nothing_else(tmp_path: Path, web: Web) -> None:
    url = serve(web, written(tmp_path / "shards", *"abcdef"))
    with open_source(url, name="web", sequence_length=4) as source:
        assert [(method, name) for method, name, _ in web.asked] == [("GET", "shards/manifest.json")]
        source.read([0])
        assert [name for _, name, _ in web.asked[1:]] == ["shards/a.bin"]
        assert isinstance(source, TokenShards)
        source.documents([0])
        assert [name for _, name, _ in web.asked[2:]] == ["shards/a.idx"]


def test_opening_without_a_manifest_reads_headers_only(tmp_path: Path, web: Web) -> None:
    url = serve(web, written(tmp_path / "shards", "a", repeat=1000), with_manifest=False)
    with open_source(f"{url}/a.bin", name="web", sequence_length=4):
        pass
    gets = [asked for method, _, asked in web.asked if method == "GET"]
    assert len(gets) == 3
    assert all(asked is not None for asked in gets)
    lengths = [int(last) - int(first) for first, last in (asked[6:].split("-") for asked in gets if asked)]
    assert sum(lengths) < 100


@pytest.mark.parametrize("name", ["", "/", "/*.bin", "/[ab].idx"])
def test_a_folder_that_a_web_server_lists_is_read(tmp_path: Path, name: str) -> None:
    folder = written(tmp_path / "shards", "a", "b")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/shards{name}"
        with open_source(url, name="web", sequence_length=4) as source:
            assert np.array_equal(source.read(np.arange(len(source))), rows_of(folder, 4))
    finally:
        server.shutdown()
        server.server_close()


def test_a_changed_remote_file_is_read_anew(tmp_path: Path, web: Web) -> None:
    for fill in (1, 2):
        web.files["a.bin"] = np.full(8, fill, "<u2").tobytes()
        web.headers["a.bin"] = {"ETag": f'"{fill}"'}
        with open_source(f"{web.url}/a.bin", name="web", sequence_length=4, dtype="uint16") as source:
            assert np.asarray(source.read([0])).tolist() == [[fill] * 4]


def test_what_an_address_means(tmp_path: Path) -> None:
    url = remembered(written(tmp_path / "shards", "a", "b1", "b2"))
    for name, found in {
        "a.bin": ["a.bin"],
        "a.idx": ["a.bin"],
        "b*.bin": ["b1.bin", "b2.bin"],
        "b?.idx": ["b1.bin", "b2.bin"],
        "[!a]*": ["b1.bin", "b2.bin"],
        "**/*.bin": ["a.bin", "b1.bin", "b2.bin"],
    }.items():
        files = find_remote([f"{url}/{name}"], "web")
        assert [file.name for file in files if isinstance(file, RemoteFile)] == found
        assert all(isinstance(file, RemoteFile) and file.index is not None for file in files)
    (folder,) = find_remote([f"{url}/"], "web")
    assert isinstance(folder, RemoteFolder)
    assert [file.name for file in folder.files] == ["a.bin", "b1.bin", "b2.bin"]
    assert len(find_remote([f"{url}/a.bin", f"{url}/a.idx"], "web")) == 1


class _Counted:
    """Counts the listings of fsspec's memory."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.listings = 0
        kind = type(fsspec.filesystem("memory"))
        listed = kind.ls

        def ls(store: Any, path: str, **more: Any) -> Any:
            self.listings += 1
            return listed(store, path, **more)

        monkeypatch.setattr(kind, "ls", ls)


@pytest.mark.parametrize("name", ["", "/*.bin"])
def test_a_folder_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    url = remembered(written(tmp_path / "shards", *"abcdef"))
    counted = _Counted(monkeypatch)
    find_remote([f"{url}{name}"], "web")
    assert counted.listings == 1


def test_signed_addresses_of_a_shard_and_its_index_are_one_shard(tmp_path: Path, web: Web) -> None:
    folder = written(tmp_path / "shards", "a")
    for ending in ("bin", "idx"):
        web.files[f"a.{ending}?signature=secret-{ending}"] = (folder / f"a.{ending}").read_bytes()
    urls = [f"{web.url}/{name}" for name in web.files]
    with open_source(urls, name="web", sequence_length=4) as source:
        assert np.array_equal(source.read([0, 1]), rows_of(folder, 4)[:2])
    web.files.clear()
    with pytest.raises(InvalidInput, match=r"nothing lies at .*/a\.bin\?\.\.\.\.") as error:
        open_source(urls, name="web", sequence_length=4)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("s3://bucket/a.bin", "s3://bucket/a.bin"),
        ("https://ada:word@host/a.bin?key=1", "https://host/a.bin?..."),
        ("ftp://ada:word@host/a.bin", "ftp://host/a.bin"),
        ("abfs://container@account/a.bin", "abfs://container@account/a.bin"),
        ("memory://a?b.bin", "memory://a?b.bin"),
    ],
)
def test_messages_show_addresses_without_secrets(url: str, text: str) -> None:
    assert shown(url) == text


NAMES = ["../a", "/etc/a", "b/a", "..", ".a", "a\\b", "a?b", ""]


@pytest.mark.parametrize("name", NAMES)
def test_a_manifest_whose_names_lead_elsewhere_is_refused(tmp_path: Path, web: Web, name: str) -> None:
    url = serve(web, written(tmp_path / "shards", "a"))
    said = json.loads(web.files["shards/manifest.json"])
    said["shards"][0]["name"] = name
    web.files["shards/manifest.json"] = json.dumps(said).encode()
    with pytest.raises(DataError, match=r"manifest\.json: shards\.0\.name: .*leads nowhere else"):
        open_source(url, name="web", sequence_length=4)


def changed_manifest(part: str, key: str, value: Any) -> Any:
    def change(said: dict[str, Any]) -> None:
        (said["shards"][0] if part == "shard" else said["shards"][0][part] if part else said)[key] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            changed_manifest("shard", "tokens", 7),
            r"a: 5 documents of 7 tokens of uint16 are 142 and 14 bytes",
        ),
        (changed_manifest("bin", "bytes", 90), r"and it says 142 and 90\. Prepare the folder again"),
        (changed_manifest("", "dtype", "text"), r"dtype: got 'text', which is no type of token"),
        (changed_manifest("", "dtype", "float16"), r"tokens of float16 are"),
        (changed_manifest("", "format", "other"), r"format: Input should be 'thermix-shards'"),
        (changed_manifest("shard", "name", "z"), r"it names memory://.*/z\.idx, and nothing lies there"),
    ],
)
def test_a_manifest_that_contradicts_itself_or_the_folder_is_refused(
    tmp_path: Path, change: Any, message: str
) -> None:
    folder = written(tmp_path / "shards", "a")
    said = json.loads(manifest(folder))
    change(said)
    (folder / "manifest.json").write_text(json.dumps(said))
    with pytest.raises(DataError, match=rf"^sources\.web: memory://.*manifest\.json: .*{message}"):
        open_source(remembered(folder), name="web", sequence_length=4)


def test_a_file_of_another_size_than_its_manifest_says_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "shards", "a")
    (folder / "manifest.json").write_bytes(manifest(folder))
    (folder / "a.bin").write_bytes(b"12")
    with pytest.raises(DataError, match=r"it says 88 bytes of memory://.*/a\.bin, and 2 lie there"):
        open_source(remembered(folder), name="web", sequence_length=4)


def test_a_file_of_another_hash_than_its_manifest_says_is_refused(tmp_path: Path, web: Web) -> None:
    url = serve(web, written(tmp_path / "shards", "a"))
    web.files["shards/a.bin"] = bytes(88)
    with (
        open_source(url, name="web", sequence_length=4) as source,
        pytest.raises(
            DataError, match=rf"^sources\.web: {url}/a\.bin: it came with sha256 .*was due, 3 times"
        ),
    ):
        source.read([0])


DAMAGED: dict[str, tuple[str, bytes, str]] = {
    "foreign index": ("a.idx", b"GARBAGE!!" * 20, r"a\.idx, byte 0: got b'GARBAGE!!'"),
    "short index": ("a.idx", b"MMIDIDX\0\0", r"a\.idx: the file ends at byte 9"),
    "short data": ("a.bin", b"12", r"a\.bin is 2 bytes long, shorter than the 88 bytes its index memory://"),
}


@pytest.mark.parametrize(("name", "data", "message"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_remote_shard_is_refused_as_a_local_one_is(
    tmp_path: Path, name: str, data: bytes, message: str
) -> None:
    folder = written(tmp_path / "shards", "a")
    (folder / name).write_bytes(data)
    with pytest.raises(DataError, match=rf"^sources\.web: memory://.*{message}"):
        open_source(remembered(folder), name="web", sequence_length=4)


REFUSED: dict[str, tuple[str | list[str], str]] = {
    "nothing": ("memory://no/a.bin", r"nothing lies at memory://no/a\.bin\. Correct the address"),
    "no folder": ("memory://no/folder", r"nothing lies at memory://no/folder"),
    "no match": ("memory://no/*.bin", r"memory://no/\*\.bin matches no file; memory://no holds 0 files"),
    "protocol": ("s4://bucket/a.bin", r"s4:// is no protocol that fsspec knows.*Did you mean s3://\?"),
    "mixed": (
        ["memory://a.bin", "/tmp/a.bin"],
        r"got '/tmp/a\.bin' beside addresses; .* all remote or all on",
    ),
    "no library": ("adl://a/b.bin", r"got adl://a/b\.bin: .*[iI]nstall"),
}


@pytest.mark.parametrize(("path", "message"), REFUSED.values(), ids=REFUSED)
def test_an_address_that_means_nothing_is_refused(path: str | list[str], message: str) -> None:
    with pytest.raises(InvalidInput, match=rf"^sources\.web\.path: .*{message}"):
        open_source(path, name="web", sequence_length=4)


def test_a_file_named_twice_is_refused(tmp_path: Path) -> None:
    url = remembered(written(tmp_path / "shards", "a"))
    with pytest.raises(InvalidInput, match=r"a\.bin is named twice; its items would count twice"):
        open_source([f"{url}/a.bin", f"{url}/*.bin"], name="web", sequence_length=4)


def test_an_index_without_its_data_is_refused(tmp_path: Path) -> None:
    folder = written(tmp_path / "shards", "a", "b")
    (folder / "a.bin").unlink()
    with pytest.raises(DataError, match=r"/a\.bin: nothing lies there, and its \.idx is there"):
        open_source(remembered(folder), name="web", sequence_length=4)


def test_a_folder_without_data_is_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("no data")
    with pytest.raises(InvalidInput, match=r"folder memory://.* holds 1 files, none of them data"):
        open_source(remembered(tmp_path), name="web")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "ftp://127.0.0.1:9"])
def test_a_server_that_cannot_be_reached_is_tried_again_and_named(url: str) -> None:
    with pytest.raises(
        DataError, match=rf"^sources\.web: {url}/a\.bin: it cannot be read, 3 times: ConnectionRef"
    ):
        open_source(f"{url}/a.bin", name="web", sequence_length=4)


def test_a_server_that_recovers_is_waited_for(tmp_path: Path, web: Web) -> None:
    url = serve(web, written(tmp_path / "shards", "a"))
    web.faults["shards/manifest.json"] = [503, 500]
    assert len(open_source(url, name="web", sequence_length=4)) == 11


def test_a_server_that_does_not_say_how_long_a_file_is_is_refused(web: Web) -> None:
    web.files["a.bin"], web.says_length = b"tokens", False
    with pytest.raises(DataError, match=r"a\.bin: the server does not say how long it is.*Content-Length"):
        open_source(f"{web.url}/a.bin", name="web", sequence_length=1, dtype="uint16")


@pytest.mark.parametrize(
    ("url", "library"),
    [("s3://bucket/a.bin", "s3fs"), ("gs://bucket/a.bin", "gcsfs"), ("https://a/b.bin", "fsspec")],
)
def test_a_missing_library_is_named_with_the_command_that_installs_it(
    url: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules["fsspec.registry"]._registry, url.partition(":")[0], raising=False)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(
        MissingExtra, match=rf"^reading {url} needs {library}, which is not installed.*thermix\[remote\]"
    ):
        open_source(url, name="web", sequence_length=4)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    pytest.importorskip("s3fs")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


class TestS3:
    """Against the server of moto, over HTTP on loopback."""

    @pytest.fixture
    def bucket(self, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
        import s3fs

        for key, value in {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "ada",
            "AWS_SECRET_ACCESS_KEY": "word",
            "AWS_DEFAULT_REGION": "us-east-1",
        }.items():
            monkeypatch.setenv(key, value)
        s3fs.S3FileSystem.clear_instance_cache()
        name = f"bucket-{uuid.uuid4().hex}"
        s3fs.S3FileSystem().mkdir(name)
        yield f"s3://{name}"
        s3fs.S3FileSystem.clear_instance_cache()

    def put(self, folder: Path, bucket: str) -> str:
        store = fsspec.filesystem("s3")
        for path in folder.iterdir():
            store.pipe_file(f"{bucket}/shards/{path.name}", path.read_bytes())
        return f"{bucket}/shards"

    @pytest.mark.slow
    @pytest.mark.parametrize("with_manifest", [True, False])
    @pytest.mark.parametrize("name", ["", "/", "/*.bin", "/b.bin"])
    def test_shards_are_as_they_are_on_this_machine(
        self, bucket: str, tmp_path: Path, name: str, with_manifest: bool
    ) -> None:
        folder = written(tmp_path / "shards", "a", "b", repeat=300)
        if with_manifest:
            (folder / "manifest.json").write_bytes(manifest(folder))
        url = self.put(folder, bucket)
        with (
            open_source(f"{folder}{name}", name="web", sequence_length=32) as local,
            open_source(f"{url}{name}", name="web", sequence_length=32) as remote,
        ):
            items = np.arange(len(local))[::-7]
            assert np.array_equal(remote.read(items), local.read(items))
            assert remote.fingerprint == local.fingerprint

    @pytest.mark.slow
    def test_an_object_has_the_md5_of_its_tag_and_is_refused_when_it_has_changed(
        self, bucket: str, tmp_path: Path
    ) -> None:
        url = self.put(written(tmp_path / "shards", "a"), bucket)
        data = (tmp_path / "shards" / "a.bin").read_bytes()
        with open_source(url, name="web", sequence_length=4) as source:
            assert isinstance(source, TokenShards)
            file = source._shards[0].remote
            assert file is not None
            assert file.checksum == Checksum("md5", hashlib.md5(data).hexdigest(), firm=False)
            fsspec.filesystem("s3").pipe_file(f"{url}/a.bin", bytes(len(data)))
            with pytest.raises(DataError, match=rf"{url}/a\.bin: it has changed since the source was opened"):
                source.read([0])

    @pytest.mark.slow
    def test_missing_credentials_are_said_to_be_missing(
        self, bucket: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        import s3fs

        for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(key)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
        monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
        s3fs.S3FileSystem.clear_instance_cache()
        with pytest.raises(
            InvalidInput,
            match=rf"^sources\.web: {bucket}/a\.bin: no credentials for it were found.*FSSPEC_S3_ANON",
        ):
            open_source(f"{bucket}/a.bin", name="web", sequence_length=4)

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["a.bin", "shards", "*.bin"])
    def test_what_is_not_there_is_said_to_be_missing(self, bucket: str, name: str) -> None:
        with pytest.raises(InvalidInput, match=rf"^sources\.web\.path: .*{bucket}"):
            open_source(f"{bucket}/{name}", name="web", sequence_length=4)
        with pytest.raises(InvalidInput, match="nothing lies at s3://no-such-bucket"):
            open_source("s3://no-such-bucket/a.bin", name="web", sequence_length=4)


def test_only_what_is_drawn_next_is_fetched_and_what_is_here_is_copied_from_where_it_lies(
    tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("thermix.sources.reader._BLOCK_BYTES", 1)  # a step a block
    folder = written(tmp_path / "shards", *"abcdefgh")
    with open_source(serve(web, folder), name="web", sequence_length=4) as source:
        assert isinstance(source, TokenShards)
        addresses = row_addresses([source])
        assert addresses is not None
        all_items = np.arange(len(source))[np.newaxis]
        sources = np.zeros_like(all_items, np.int32)
        assert addresses.locate(sources, all_items) is None

        plan = Plan(Mixture({"web": Source(score=0.0, items=len(source))}), steps=100, batch_size=1)
        first = next(BatchReader(plan, {"web": source}).batches(threads=0))
        np.testing.assert_array_equal(first.rows, source.read(first.item))
        assert sum(web.gets(f"shards/{name}.bin") for name in "abcdefgh") == 1

        expected = source.read(all_items[0])
        found = addresses.locate(sources, all_items)
        assert found is not None
        out = np.empty((len(source), 4), np.int64)
        copy_rows(source.dtype, found[0].addresses, out)
        np.testing.assert_array_equal(out, expected)
