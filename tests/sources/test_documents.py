"""What HF datasets reads, and JSON that is packed: the same rows as a plain reader, and damage by name."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import logging
import lzma
import multiprocessing
import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.sources.contract import Case, SourceContract, same_rows
from thermix.errors import DataError, InvalidInput, MissingExtra
from thermix.sources import ItemSource, ObjectSource, open_source

datasets = pytest.importorskip("datasets")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
zstandard = pytest.importorskip("zstandard")

ROWS: list[dict[str, Any]] = [
    {
        "text": f"文书 {i} \u2028 \U0001f600 “NA”, 2020-01-0{i}",
        "when": "2020-01-02T00:00:00Z",
        "n": 2**40 + i,
        "meta": {"tags": ["a", None], "score": i / 3},
    }
    for i in range(9)
]
FLAT = [
    {"text": text, "n": str(i)}
    for i, text in enumerate(["NA", "", "007", 'a "q", b', "x\ny", " 文 ", "null", "1e5", "a\tb"])
]
LINES = ["文书", "", "  indented", "a,b", "last", "{}", "\u2028", "x"]


@pytest.fixture(autouse=True)
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cache = tmp_path / "cache"
    monkeypatch.setenv("THERMIX_CACHE", str(cache))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(cache / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", cache / "hf")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    return cache


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data [1] 文"
    made.mkdir()
    return made


PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda data: zstandard.ZstdCompressor().compress(data),
}


def json_lines(rows: list[Any]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def comma(rows: list[dict[str, Any]], delimiter: str = ",") -> bytes:
    import io

    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, ["text", "n"], delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def write_arrow(path: Path, rows: list[Any], *, stream: bool) -> None:
    table = pa.Table.from_pylist(rows, schema=pa.Table.from_pylist(ROWS).schema)
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    with pa.OSFile(str(path), "wb") as file, new(file, table.schema) as writer:
        if rows:
            writer.write_table(table)


def write_parquet(path: Path, rows: list[Any]) -> None:
    pq.write_table(
        pa.Table.from_pylist(rows, schema=pa.Table.from_pylist(ROWS).schema), path, row_group_size=4
    )


def write_saved(path: Path, rows: list[Any]) -> None:
    table = pa.Table.from_pylist(rows, schema=pa.Table.from_pylist(ROWS).schema)
    datasets.disable_progress_bars()
    datasets.Dataset(table).save_to_disk(path)
    datasets.enable_progress_bars()


def bytes_of(make: Callable[[list[Any]], bytes], packing: str) -> Callable[[Path, list[Any]], None]:
    def write(path: Path, rows: list[Any]) -> None:
        path.write_bytes(PACK[packing](make(rows)))

    return write


FORMATS: dict[str, tuple[list[Any], Callable[[Path, list[Any]], None]]] = {
    **{f".jsonl{packing}": (ROWS, bytes_of(json_lines, packing)) for packing in PACK if packing},
    ".json": (ROWS, bytes_of(lambda rows: json.dumps(rows, indent=1).encode(), "")),
    ".json.gz": (
        ROWS,
        bytes_of(lambda rows: b"".join(json.dumps(r, indent=2).encode() for r in rows), ".gz"),
    ),
    **{f".csv{packing}": (FLAT, bytes_of(comma, packing)) for packing in PACK},
    ".tsv": (FLAT, bytes_of(lambda rows: comma(rows, "\t"), "")),
    ".txt": (
        [{"text": line} for line in LINES],
        bytes_of(lambda rows: "\n".join(r["text"] for r in rows).encode(), ""),
    ),
    ".txt.zst": (
        [{"text": line} for line in LINES],
        bytes_of(lambda rows: "\r\n".join(r["text"] for r in rows).encode(), ".zst"),
    ),
    ".parquet": (ROWS, write_parquet),
    ".arrow": (ROWS, lambda path, rows: write_arrow(path, rows, stream=False)),
    "stream.arrow": (ROWS, lambda path, rows: write_arrow(path, rows, stream=True)),
    "saved": (ROWS, write_saved),
}


class TestEveryFormat(SourceContract):
    @pytest.fixture(params=[".jsonl.zst", ".json", ".csv", ".tsv", ".txt", ".parquet", ".arrow", "saved"])
    def format(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def case(self, format: str, folder: Path) -> Case:
        rows, write = FORMATS[format]
        write(folder / f"a{format}", rows)

        def reopen() -> ItemSource:
            return open_source(f"{folder}/a{format}", name="web")

        return Case(reopen(), rows, reopen)

    @pytest.fixture
    def empty(self, format: str, folder: Path) -> ItemSource:
        FORMATS[format][1](folder / f"e{format}", [])
        return open_source(f"{folder}/e{format}", name="web", field="text")


class TestTheTextOfSeveralFiles(SourceContract):
    """In the order of their names, one of them empty."""

    @pytest.fixture(params=[".jsonl.gz", ".csv", ".txt", ".parquet", "stream.arrow"])
    def format(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def case(self, format: str, folder: Path) -> Case:
        rows, write = FORMATS[format]
        for i, part in enumerate((rows[:3], [], rows[3:4], rows[4:])):
            write(folder / f"{i}{format}", part)

        def reopen() -> ItemSource:
            return open_source(str(folder), name="web", field="text")

        return Case(reopen(), [row["text"] for row in rows], reopen)

    @pytest.fixture
    def empty(self, format: str, folder: Path) -> ItemSource:
        for i in range(2):
            FORMATS[format][1](folder / f"e{i}{format}", [])
        return open_source([f"{folder}/e{i}{format}" for i in range(2)], name="web")


def written(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def test_json_rows_are_what_the_json_module_reads(folder: Path) -> None:
    rows: list[Any] = [{"a": 1}, {"b": {"c": []}}, [1, 2], "text", 3.5e-300, None, True, 10**30, "\ud83d", {}]
    path = written(
        folder / "a.jsonl.gz", gzip.compress(b"".join(json.dumps(r).encode() + b"\n" for r in rows))
    )
    assert open_source(path, name="web").read(range(len(rows))) == rows
    path = written(folder / "b.json", json.dumps(rows).encode())
    assert open_source(path, name="web").read(range(len(rows))) == rows


def test_packed_and_plain_json_are_one_format_and_one_content(folder: Path) -> None:
    plain = open_source(written(folder / "a.jsonl", json_lines(ROWS)), name="web")
    packed = open_source(written(folder / "b.jsonl.gz", gzip.compress(json_lines(ROWS))), name="web")
    as_list = open_source(
        written(folder / "c.json", json.dumps(ROWS, ensure_ascii=False).encode()), name="web"
    )
    assert plain.fingerprint == packed.fingerprint
    assert as_list.read([0, 8]) == plain.read([0, 8])
    with open_source([f"{folder}/{file}" for file in ("a.jsonl", "b.jsonl.gz")], name="web") as both:
        assert same_rows(both.read(range(18)), [*ROWS, *ROWS])


@pytest.mark.parametrize("format", FORMATS)
def test_every_packing_of_every_format_holds_its_rows(format: str, folder: Path) -> None:
    rows, write = FORMATS[format]
    write(folder / f"a{format}", rows)
    with open_source(f"{folder}/a{format}", name="web") as source:
        assert same_rows(source.read(range(len(rows))), rows)


def test_packed_files_of_several_members_are_read_to_their_end(folder: Path) -> None:
    for packing in (".gz", ".zst", ".bz2", ".xz"):
        data = PACK[packing](json_lines(ROWS[:4])) + PACK[packing](json_lines(ROWS[4:]))
        source = open_source(written(folder / f"a.jsonl{packing}", data), name="web")
        assert same_rows(source.read(range(9)), ROWS)


def test_parquet_rows_are_what_pyarrow_reads_in_every_type(folder: Path) -> None:
    table = pa.table(
        {
            "text": pa.array(["a", None, "文"], pa.large_string()),
            "raw": pa.array([b"\xff", b"", None]),
            "half": pa.array(np.array([1, 2, 3], np.float16)),
            "list": pa.array([[{"x": 1}], [], None]),
            "kind": pa.array(["u", "v", "u"]).dictionary_encode(),
        }
    )
    pq.write_table(table, folder / "a.parquet")
    source = open_source(f"{folder}/a.parquet", name="web")
    assert [row["text"] for row in source.read([0, 1, 2])] == ["a", None, "文"]
    assert [row["raw"] for row in source.read([0, 1, 2])] == [b"\xff", b"", None]
    assert [row["list"] for row in source.read([0, 1, 2])] == [[{"x": 1}], [], None]


def test_a_csv_row_of_too_few_cells_ends_in_empty_ones(folder: Path) -> None:
    path = written(folder / "a.csv", b"\xef\xbb\xbftext,n,m\na,1\nb\n")
    assert open_source(path, name="web").read([0, 1]) == [
        {"text": "a", "n": "1", "m": ""},
        {"text": "b", "n": "", "m": ""},
    ]


def test_only_the_field_of_a_parquet_file_is_copied(folder: Path, caches: Path) -> None:
    write_parquet(folder / "a.parquet", ROWS)
    open_source(f"{folder}/a.parquet", name="web", field="text").close()
    (copy,) = caches.rglob("*.arrow")
    assert pa.ipc.open_stream(copy.read_bytes()).schema.names == ["text"]


BROKEN: dict[str, tuple[str, bytes, str]] = {
    "no gzip": ("a.jsonl.gz", b"hello", r"a\.jsonl\.gz: it cannot be unpacked: Not a gzipped file"),
    "cut gzip": (
        "a.csv.gz",
        gzip.compress(comma(FLAT))[:-9],
        r"a\.csv\.gz: it cannot be unpacked: Compressed file",
    ),
    "cut zstd": (
        "a.jsonl.zst",
        PACK[".zst"](json_lines(ROWS))[:-5],
        r"cannot be unpacked: Compressed file ended",
    ),
    "no zstd": ("a.txt.zst", b"hello", r"a\.txt\.zst: it cannot be unpacked: zstd decompress"),
    "cut bz2": (
        "a.jsonl.bz2",
        bz2.compress(json_lines(ROWS))[:-9],
        r"cannot be unpacked: Compressed file ended",
    ),
    "cut xz": (
        "a.jsonl.xz",
        lzma.compress(json_lines(ROWS))[:-9],
        r"cannot be unpacked: Compressed file ended",
    ),
    "bad list": (
        "a.json",
        b'[{"text": 1},\n{"text" 2}]',
        r"a\.json, line 2: not JSON: Expecting ':' delimiter",
    ),
    "cut list": (
        "a.json",
        b'[{"text": 1},\n{"text": 2}',
        r"line 2: not JSON: Expecting ',' or '\]' after a row",
    ),
    "two lists": ("a.json", b"[1]\n\n[2]", r"a\.json, line 3: not JSON: Extra data after the list"),
    "latin json": ("a.json", b'[1,\n"caf\xe9"]', r"a\.json, line 2: not UTF-8: invalid continuation byte"),
    "no parquet": (
        "a.parquet",
        b"hello, parquet",
        r"a\.parquet: no parquet file, or damaged: Parquet magic bytes",
    ),
    "empty parquet": ("a.parquet", b"", r"a\.parquet: no parquet file, or damaged: Parquet file size is 0"),
    "no arrow": (
        "a.arrow",
        b"hello, this is no arrow",
        r"a\.arrow: no arrow file, or damaged: Not an Arrow file",
    ),
    "long row": (
        "a.csv",
        b"text,n\na,1\nb,2,3\n",
        r"a\.csv: no csv file, or damaged: .*fields in line 3, saw 3",
    ),
    "long rows": ("a.csv", b"text,n\na,1,2\nb,2,3\n", r"a\.csv: no csv file, or damaged: Length of header"),
    "open quote": ("a.csv", b'text,n\n"a,1\n', r"a\.csv: no csv file, or damaged: .*EOF inside string"),
    "latin text": ("a.txt", b"caf\xe9\n", r"a\.txt: no text file, or damaged: 'utf-8' codec can't decode"),
    "other field": (
        "a.csv",
        b"body,id\n1,2\n",
        r"a\.csv: it has no field 'text'; its fields are 'body', 'id'",
    ),
}


@pytest.mark.parametrize(("file", "data", "message"), BROKEN.values(), ids=BROKEN)
def test_a_damaged_file_is_named(file: str, data: bytes, message: str, folder: Path, caches: Path) -> None:
    path = written(folder / file, data)
    with pytest.raises(DataError, match=rf"^sources\.web: .*{message}") as caught:
        open_source(path, name="web", field="text")
    assert caught.value.exit_code == 3
    assert not [left for left in caches.rglob("*") if left.suffix in (".part", ".incomplete")]


@pytest.mark.parametrize(("file", "data", "message"), BROKEN.values(), ids=BROKEN)
def test_a_damaged_file_is_named_among_sound_ones(file: str, data: bytes, message: str, folder: Path) -> None:
    ending = "".join(Path(file).suffixes)
    rows, write = FORMATS[ending]
    write(folder / f"0{ending}", rows)
    path = written(folder / file, data)
    write(folder / f"z{ending}", rows)
    with pytest.raises(DataError, match=rf"^sources\.web: .*{message}"):
        open_source([f"{folder}/0{ending}", path, f"{folder}/z{ending}"], name="web", field="text")


def test_a_cut_parquet_file_is_damage_and_nothing_is_left_in_the_cache(folder: Path, caches: Path) -> None:
    write_parquet(folder / "a.parquet", ROWS * 1000)
    data = bytearray((folder / "a.parquet").read_bytes())
    data[1000:3000] = bytes(2000)
    path = written(folder / "a.parquet", bytes(data))
    with pytest.raises(DataError, match=r"a\.parquet: no parquet file, or damaged"):
        open_source(path, name="web")
    assert not list(caches.rglob("*.arrow"))


@pytest.mark.parametrize("ending", [".parquet", ".arrow", "saved"])
def test_a_field_that_no_row_has_is_refused_at_once(ending: str, folder: Path) -> None:
    FORMATS[ending][1](folder / f"a{ending}", ROWS)
    with pytest.raises(
        DataError,
        match=r"^sources\.web: .*: it has no field 'body'; its fields are 'text', 'when', 'n', 'meta'\. Name",
    ):
        open_source(f"{folder}/a{ending}", name="web", field="body")


def test_a_row_without_text_is_named(folder: Path) -> None:
    pq.write_table(pa.table({"text": ["a", None], "n": [1, 2], "raw": [b"a", b"b"]}), folder / "a.parquet")
    for field, what in {"text": "null", "n": "a number", "raw": "bytes"}.items():
        source = open_source(f"{folder}/a.parquet", name="web", field=field)
        with pytest.raises(
            DataError,
            match=rf"^sources\.web: .*a\.parquet, item 1: field '{field}' is {what}; it must be text",
        ):
            source.read([1])


def test_a_damaged_row_of_packed_json_is_named_by_its_own_file(folder: Path) -> None:
    path = written(folder / "a.jsonl.gz", gzip.compress(b'{"text": "a"}\n\n{"text": 3}\n{\n'))
    source = open_source(path, name="web", field="text")
    with pytest.raises(
        DataError, match=r"a\.jsonl\.gz, line 3 \(byte 15 unpacked\): field 'text' is a number"
    ):
        source.read([1])
    with pytest.raises(DataError, match=r"a\.jsonl\.gz, line 4 .*: not JSON"):
        source.read([2])
    source = open_source(
        written(folder / "b.json", b'[{"text": "a"},\n\n{"text":\n3}]'), name="web", field="text"
    )
    with pytest.raises(DataError, match=r"b\.json, row 2: field 'text' is a number"):
        source.read([1])


def test_csv_files_of_other_columns_are_refused_but_for_a_field_of_all(folder: Path) -> None:
    a, b = written(folder / "a.csv", b"text,n\n1,2\n"), written(folder / "b.csv", b"text\n1\n")
    with pytest.raises(
        DataError, match=r"b\.csv has the columns 'text', and .*a\.csv 'text', 'n'; files of one"
    ):
        open_source([a, b], name="web")
    assert open_source([a, b], name="web", field="text").read([0, 1]) == ["1", "1"]


def test_a_folder_of_several_splits_is_refused_with_their_names(folder: Path) -> None:
    split = datasets.Dataset.from_list([{"text": "a"}])
    datasets.disable_progress_bars()
    datasets.DatasetDict({"train": split, "test": split}).save_to_disk(folder / "all")
    datasets.enable_progress_bars()
    with pytest.raises(
        InvalidInput, match=r"holds the splits test, train; a source is one of them\. Name its f"
    ):
        open_source(f"{folder}/all", name="web")
    with open_source(f"{folder}/all/train", name="web", field="text") as source:
        assert source.read([0]) == ["a"]


def test_a_saved_folder_that_lost_a_file_is_damage(folder: Path) -> None:
    write_saved(folder / "a", ROWS)
    next((folder / "a").glob("*.arrow")).unlink()
    with pytest.raises(DataError, match=r"^sources\.web: .*/a: saved by HF datasets, and it cannot be read"):
        open_source(f"{folder}/a", name="web")


@pytest.mark.parametrize("ending", [".parquet", ".csv", ".jsonl.gz", ".json"])
def test_a_file_of_new_content_and_old_time_and_size_is_read_anew(ending: str, folder: Path) -> None:
    rows, write = FORMATS[ending]
    path = folder / f"a{ending}"
    write(path, rows)
    time = os.stat(path).st_mtime_ns
    before = open_source(str(path), name="web")
    write(path, rows[::-1])
    os.utime(path, ns=(time, time))
    after = open_source(str(path), name="web")
    assert after.read([0]) == [rows[-1]]
    assert before.fingerprint != after.fingerprint


def test_the_fingerprint_goes_by_rows_not_by_format_or_place(folder: Path) -> None:
    write_parquet(folder / "a.parquet", ROWS)
    write_arrow(folder / "b.arrow", ROWS, stream=True)
    a, b = (open_source(f"{folder}/{file}", name="web") for file in ("a.parquet", "b.arrow"))
    text = open_source(f"{folder}/a.parquet", name="web", field="text")
    assert a.fingerprint == b.fingerprint != text.fingerprint


def test_a_second_opening_uses_the_copies(folder: Path, caches: Path) -> None:
    paths = [folder / "a.parquet", folder / "b.jsonl.zst", folder / "c.csv.gz"]
    for path in paths:
        FORMATS["".join(path.suffixes)][1](path, FORMATS["".join(path.suffixes)][0])
        open_source(str(path), name="web").close()
    before = {
        copy: copy.stat().st_mtime_ns for copy in caches.rglob("*") if copy.suffix in (".arrow", ".jsonl")
    }
    assert len(before) == 3
    for path in paths:
        open_source(str(path), name="web").close()
    assert before == {copy: copy.stat().st_mtime_ns for copy in before}


OPEN = "import sys; from thermix.sources import open_source; print(len(open_source(sys.argv[1], name='web')))"


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".parquet", ".jsonl.gz"])
def test_processes_that_open_the_same_at_once_make_one_copy(ending: str, folder: Path, caches: Path) -> None:
    rows, write = FORMATS[ending]
    path = folder / f"a{ending}"
    write(path, rows * 2000)
    command = [sys.executable, "-W", "error", "-c", OPEN, str(path)]
    ran = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(3)
    ]
    assert [process.communicate(timeout=120) for process in ran] == [(f"{len(rows) * 2000}\n", "")] * 3
    assert len([copy for copy in caches.rglob("*") if copy.suffix in (".arrow", ".jsonl")]) == 1


def test_a_copy_that_a_killed_process_left_half_is_made_anew(folder: Path, caches: Path) -> None:
    path = written(folder / "a.jsonl.gz", gzip.compress(json_lines(ROWS)))
    open_source(path, name="web").close()
    (copy,) = caches.rglob("*.jsonl")
    copy.rename(f"{copy}.part")
    Path(f"{copy}.part").write_bytes(b'{"te')
    assert same_rows(open_source(path, name="web").read(range(9)), ROWS)


def test_a_full_disk_is_named_and_leaves_nothing(
    folder: Path, caches: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    path = written(folder / "a.jsonl.gz", gzip.compress(json_lines(ROWS)))
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(
            DataError, match=r"its copy in .*copies cannot be written: No space left.*THERMIX_CA"
        ):
            open_source(path, name="web")
    assert not [left for left in caches.rglob("*") if left.is_file() and left.suffix != ".lock"]
    assert len(open_source(path, name="web")) == len(ROWS)


def test_a_full_disk_under_the_arrow_copy_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from thermix.sources import hf_tables

    def full(builder: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(hf_tables, "_built", full)
    path = written(folder / "a.csv", comma(FLAT))
    with pytest.raises(
        DataError, match=r"a\.csv: the Arrow copy cannot be written: no space left.*HF_DATASETS_CACHE"
    ):
        open_source(path, name="web")


@pytest.mark.parametrize(
    ("library", "file", "message"),
    [
        (
            "datasets",
            "a.csv",
            r"reading Parquet, CSV, text, Arrow and hub data needs datasets.*thermix\[data\]",
        ),
        ("zstandard", "a.jsonl.zst", r"reading \.zst files needs zstandard, .*pip install 'thermix\[data\]'"),
    ],
)
def test_a_missing_library_is_named(
    library: str, file: str, message: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = "".join(Path(file).suffixes)
    FORMATS[ending][1](folder / file, FORMATS[ending][0])
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra, match=message):
        open_source(f"{folder}/{file}", name="web")


def test_datasets_stays_quiet_and_as_it_was(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_parquet(folder / "a.parquet", ROWS)
    logger = logging.getLogger("datasets")
    before = (logger.level, datasets.are_progress_bars_disabled(), list(warnings.filters))
    open_source(f"{folder}/a.parquet", name="web").close()
    with pytest.raises(DataError):
        open_source(written(folder / "b.parquet", b"x" * 99), name="web")
    assert capfd.readouterr() == ("", "")
    assert before == (logger.level, datasets.are_progress_bars_disabled(), list(warnings.filters))


def test_rows_are_mapped_and_pickled_by_name(folder: Path) -> None:
    rows = [{"text": "x" * 10_000} for _ in range(2_000)]
    pq.write_table(pa.Table.from_pylist(rows), folder / "a.parquet")
    source = open_source(f"{folder}/a.parquet", name="web", field="text")
    assert len(pickle.dumps(source)) < 20_000
    before = pa.total_allocated_bytes()
    assert source.read([1999, 0]) == ["x" * 10_000] * 2
    assert pa.total_allocated_bytes() - before < 1_000_000


class TestOnTheHub:
    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        asked: list[Any] = []

        def load_dataset(path: str, name: str | None = None, *, split: str, revision: str | None) -> Any:
            asked.append((path, name, split, revision))
            return datasets.Dataset.from_list(ROWS)

        monkeypatch.setattr(datasets, "load_dataset", load_dataset)
        return asked

    @pytest.mark.parametrize(
        ("address", "call"),
        {
            "hf:lab/corpus": ("lab/corpus", None, "train", None),
            "hf:lab/corpus:en": ("lab/corpus", "en", "train", None),
            "hf:lab/corpus::test": ("lab/corpus", None, "test", None),
            "hf:lab/corpus:en:train[:10%]": ("lab/corpus", "en", "train[:10%]", None),
            "hf:lab/corpus@v1:en": ("lab/corpus", "en", "train", "v1"),
        }.items(),
    )
    def test_a_name_means_a_data_set_a_configuration_and_a_split(
        self, address: str, call: tuple[Any, ...], asked: list[Any]
    ) -> None:
        with open_source(address, name="web", field="text") as source:
            assert source.read([8, 0]) == [ROWS[8]["text"], ROWS[0]["text"]]
        assert asked == [call]

    def test_code_is_never_trusted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        told: list[object] = []

        def load_dataset(path: str, name: str | None, trust_remote_code: bool = True, **how: Any) -> Any:
            told.append(trust_remote_code)
            return datasets.Dataset.from_list(ROWS)

        monkeypatch.setattr(datasets, "load_dataset", load_dataset)
        open_source("hf:lab/corpus", name="web").close()
        assert told == [False]

    @pytest.mark.parametrize("address", ["hf:", "hf:squad", "hf:a/b/c", "hf:/b", "hf:a/"])
    def test_a_name_of_another_form_is_refused(self, address: str) -> None:
        with pytest.raises(
            InvalidInput, match=r"on the hub is written hf:OWNER/NAME, hf:OWNER/NAME:CONFIG or"
        ):
            open_source(address, name="web")

    def test_a_folder_of_the_same_name_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "lab" / "corpus").mkdir(parents=True)
        monkeypatch.chdir(tmp_path)
        with pytest.raises(
            InvalidInput, match=r"lab/corpus lies here, which HF datasets would read in its stead"
        ):
            open_source("hf:lab/corpus", name="web")

    @pytest.mark.parametrize("path", [["hf:a/b", "hf:a/c"], ["hf:a/b", "x.jsonl"]])
    def test_one_is_a_source(self, path: list[str]) -> None:
        with pytest.raises(InvalidInput, match="got a list with a data set on the hub in it"):
            open_source(path, name="web")

    @pytest.mark.parametrize(
        ("error", "kind", "message"),
        [
            (
                datasets.exceptions.DatasetNotFoundError("no 'lab/corpus'"),
                InvalidInput,
                r"no 'lab/corpus'\. Correct",
            ),
            (
                ValueError("Unknown split 'x'. Should be one of"),
                InvalidInput,
                r"Unknown split 'x'.*hf:OWNER/NAME",
            ),
            (
                ConnectionError("Couldn't reach the Hub"),
                DataError,
                r"fetched or read: Couldn't reach.*network",
            ),
            (UnicodeDecodeError("utf-8", b"x", 0, 1, "odd"), DataError, r"fetched or read: 'utf-8' codec"),
        ],
    )
    def test_what_goes_wrong_is_said(
        self, error: Exception, kind: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def load_dataset(*args: object, **keys: object) -> None:
            raise error

        monkeypatch.setattr(datasets, "load_dataset", load_dataset)
        with pytest.raises(kind, match=rf"^sources\.web.*: hf:lab/corpus: .*{message}"):
            open_source("hf:lab/corpus", name="web")


class TestRemote:
    """Through a memory file system of fsspec."""

    @pytest.fixture
    def bucket(self) -> Iterator[Any]:
        fsspec = pytest.importorskip("fsspec")
        memory = fsspec.filesystem("memory")
        yield memory
        if memory.exists("/docs"):
            memory.rm("/docs", recursive=True)

    @pytest.mark.parametrize("ending", [".jsonl", ".jsonl.gz", ".json", ".csv", ".txt", ".parquet", ".arrow"])
    def test_files_at_addresses_are_read_as_local_ones(self, ending: str, folder: Path, bucket: Any) -> None:
        rows, write = FORMATS.get(ending, (ROWS, bytes_of(json_lines, "")))
        for i, part in enumerate((rows[:4], rows[4:])):
            write(folder / f"{i}{ending}", part)
            bucket.pipe_file(f"/docs/{i}{ending}", (folder / f"{i}{ending}").read_bytes())
        local = open_source(str(folder), name="web")
        for path in ([f"memory://docs/{i}{ending}" for i in range(2)], f"memory://docs/*{ending}"):
            with open_source(path, name="web") as source:
                assert same_rows(source.read(range(len(rows))), rows)
                assert source.fingerprint == local.fingerprint

    def test_damage_there_is_named_by_the_address(self, bucket: Any) -> None:
        bucket.pipe_file("/docs/a.jsonl.gz", b"no gzip")
        with pytest.raises(
            DataError, match=r"^sources\.web: memory://.*docs/a\.jsonl\.gz: it cannot be unpacked"
        ):
            open_source("memory://docs/a.jsonl.gz", name="web")
        bucket.pipe_file("/docs/a.parquet", b"no parquet at all")
        with pytest.raises(DataError, match=r"^sources\.web: memory://.*docs/a\.parquet: no parquet file"):
            open_source("memory://docs/a.parquet", name="web")

    def test_what_is_not_there_is_refused(self, bucket: Any) -> None:
        with pytest.raises(InvalidInput, match=r"nothing lies at memory://docs/a\.csv"):
            open_source("memory://docs/a.csv", name="web")


def _rows_of(source: ItemSource, items: list[int]) -> Any:
    return source.read(items)


class TestUsersOwnDatasets:
    """Objects of other libraries that `ObjectSource` takes as they are."""

    def test_a_hugging_face_dataset(self) -> None:
        with ObjectSource(datasets.Dataset.from_list(ROWS), name="mine") as source:
            assert same_rows(source.read([8, 0, 8]), [ROWS[8], ROWS[0], ROWS[8]])
            assert same_rows(pickle.loads(pickle.dumps(source)).read([3]), [ROWS[3]])
            assert source.read([]) == []
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                assert same_rows(pool.apply(_rows_of, (source, [1])), [ROWS[1]])

    def test_a_hugging_face_dataset_of_tokens(self) -> None:
        data = datasets.Dataset.from_dict({"ids": [[1, 2], [3, 4]]})["ids"]
        source = ObjectSource(data, name="mine", sequence_length=2)
        assert np.array_equal(source.read([1, 0]), [[3, 4], [1, 2]])

    def test_a_torch_dataset_and_a_subset_of_it(self) -> None:
        data = pytest.importorskip("torch.utils.data")
        torch = pytest.importorskip("torch")
        tensors = data.TensorDataset(torch.arange(12).reshape(6, 2))
        with ObjectSource(tensors, name="mine") as source:
            assert [row[0].tolist() for row in source.read([5, 0])] == [[10, 11], [0, 1]]
        subset = ObjectSource(data.Subset(ROWS, [4, 2, 0]), name="mine")
        assert same_rows(subset.read([2, 0]), [ROWS[0], ROWS[4]])
        assert len(subset) == 3
        of_tokens = ObjectSource(
            data.Subset(list(torch.arange(12).reshape(6, 2)), [5, 1]), name="m", sequence_length=2
        )
        assert np.array_equal(of_tokens.read([0, 1]), [[10, 11], [2, 3]])
