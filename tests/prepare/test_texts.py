"""The texts of raw files: all formats, all cuts, all kinds of damage."""

from __future__ import annotations

import json
import os
import re
import struct
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.prepare.raw_files import good_and_bad, packed, refuse, texts_of, texts_of_part, write_raw
from thermix.errors import DataError, InvalidInput, MissingExtra
from thermix.prepare import blocks
from thermix.prepare.batches import TEXT_BATCH
from thermix.prepare.inputs import Part, find_inputs, split_inputs
from thermix.prepare.texts import BadRow, read_texts

TEXTS = ["", "plain", "文书 €", "\U0001f600 " * 50, '"quoted", and\ttabs', "x" * 5000, " spaces ", "NULL"]
LINES = [*TEXTS, "line\nfeed", "carriage\r\nreturn", "\x00"]
COMPRESSIONS = ["", ".gz", ".zst", ".bz2", ".xz"]
NAMES = [
    *(f"a.{base}{packing}" for base in ("jsonl", "json", "csv", "tsv", "txt") for packing in COMPRESSIONS),
    *("a.parquet", "a.arrow"),
]
same_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture(params=["orjson", "json"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the fast parser, and as if it were not installed."""
    if request.param == "orjson":
        pytest.importorskip("orjson")
    else:
        monkeypatch.setitem(sys.modules, "orjson", None)


def needs(name: str) -> None:
    if name.endswith(("parquet", "arrow")):
        pytest.importorskip("pyarrow")
    if name.endswith("zst"):
        pytest.importorskip("zstandard")


@pytest.mark.parametrize("name", NAMES)
def test_every_format_gives_back_the_texts(name: str, tmp_path: Path) -> None:
    needs(name)
    texts = (TEXTS if ".txt" in name else LINES) * 20
    files = find_inputs([str(write_raw(tmp_path / name, texts))])
    for split_bytes in (1 << 40, 10_000, 700):
        assert texts_of(files, split_bytes) == texts


@pytest.mark.parametrize("name", NAMES)
def test_a_file_without_rows_gives_none(name: str, tmp_path: Path) -> None:
    needs(name)
    assert texts_of(find_inputs([str(write_raw(tmp_path / name, []))])) == []


@pytest.mark.parametrize("ending", ["jsonl", "json", "txt", "csv"])
def test_an_empty_file_of_lines_has_no_rows(ending: str, tmp_path: Path) -> None:
    (tmp_path / f"a.{ending}").touch()
    assert texts_of(find_inputs([str(tmp_path)])) == []


def test_batches_are_of_bounded_size(tmp_path: Path) -> None:
    texts = [f"{i} " * 5000 for i in range(1000)]
    for name in ("a.jsonl", "a.csv.gz", "a.json"):
        write_raw(tmp_path / name, texts)
        (part,) = split_inputs(find_inputs([str(tmp_path / name)]), 1 << 40)[0]
        held = [sum(map(len, batch.texts)) for batch in read_texts(part, "text", refuse)]
        assert sum(held) == sum(map(len, texts)) > 3 * TEXT_BATCH
        assert max(held) < 1.2 * TEXT_BATCH


# lines and cuts

line = st.one_of(
    st.sampled_from([b"", b" \t", b"\r", b"x" * 300]),
    st.text(max_size=12).map(lambda text: json.dumps({"text": text}, ensure_ascii=False).encode()),
    st.text(min_size=40, max_size=90).map(lambda text: json.dumps({"n": [1], "text": text}).encode()),
)
contents = st.builds(
    lambda mark, lines, end, last: mark + end.join(lines) + (end if last else b""),
    st.sampled_from([b"", b"\xef\xbb\xbf"]),
    st.lists(line, max_size=15),
    st.sampled_from([b"\n", b"\r\n"]),
    st.booleans(),
)


def plain_rows(data: bytes) -> tuple[list[str], list[int]]:
    """Texts and numbers of bad lines, line by line: the readable twin."""
    texts, bad = [], []
    for number, each in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if each.strip():
            try:
                texts.append(json.loads(each.decode())["text"])
            except ValueError:
                bad.append(number)
    return texts, bad


def cut(path: Path, bounds: list[int], kind: str) -> list[Part]:
    inner = [0, *sorted(bound for bound in set(bounds) if 0 < bound < path.stat().st_size)]
    stops = [*inner[1:], path.stat().st_size]
    return [Part(str(path), kind, a, b) for a, b in zip(inner, stops, strict=True)]


@same_folder
@given(contents, st.lists(st.integers(0, 900), max_size=6), st.integers(1, 40), st.booleans())
def test_json_lines_cut_anywhere_are_each_read_once_in_order(
    tmp_path: Path, data: bytes, bounds: list[int], block: int, fast: bool
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    texts, bad = plain_rows(data)
    found: list[BadRow] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "_BLOCK", block)
        patch.setattr(blocks, "_SEARCH", 7)
        patch.setattr(blocks, "_counted", {})  # two contents within one tick of the clock
        if not fast:
            patch.setitem(sys.modules, "orjson", None)
        batches = [
            batch
            for part in cut(path, bounds, "jsonl")
            if data
            for batch in read_texts(part, "text", found.append)
        ]
    assert [text for batch in batches for text in batch.texts] == texts
    assert [row.row for row in found] == bad
    assert sum(batch.bytes_read for batch in batches) == len(data)
    for row in found:
        assert row.offset is not None
        assert row.place == f"line {row.row} (byte {row.offset})"
        assert data[row.offset :].startswith(b"x" * 300)
        assert data[: row.offset].count(b"\n") == (row.row or 0) - 1


@same_folder
@given(
    st.lists(st.text(st.characters(blacklist_categories=["Cs"]), max_size=9), max_size=9),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
    st.booleans(),
    st.lists(st.integers(0, 120), max_size=5),
    st.integers(1, 30),
)
def test_text_cut_anywhere_is_what_python_reads_in_text_mode(
    tmp_path: Path, lines: list[str], end: bytes, last: bool, bounds: list[int], block: int
) -> None:
    path = tmp_path / "a.txt"
    data = end.join(each.encode() for each in lines) + (end if last and lines else b"")
    path.write_bytes(data)
    with open(path, encoding="utf-8-sig") as file:
        expected = [each.removesuffix("\n") for each in file]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "_BLOCK", block)
        patch.setattr(blocks, "_SEARCH", 3)
        parts = cut(path, bounds, "text") if data else []
        assert [text for part in parts for text in texts_of_part(part)] == expected


@same_folder
@given(contents, st.sampled_from(["gz", "bz2", "xz", "zst"]), st.integers(0, 500))
def test_a_compressed_file_of_several_members_reads_whole(
    tmp_path: Path, data: bytes, compression: str, at: int
) -> None:
    needs(compression)
    path = tmp_path / f"a.jsonl.{compression}"
    path.write_bytes(packed(data[:at], compression) + packed(data[at:], compression))
    found: list[BadRow] = []
    part = Part(str(path), f"jsonl.{compression}", 0, path.stat().st_size)
    batches = list(read_texts(part, "text", found.append))
    assert [text for batch in batches for text in batch.texts] == plain_rows(data)[0]
    assert [row.row for row in found] == plain_rows(data)[1]


def test_frames_of_zstd_that_are_to_be_skipped_are_skipped(tmp_path: Path) -> None:
    pytest.importorskip("zstandard")
    skipped = b"\x50\x2a\x4d\x18" + struct.pack("<I", 4) + b"abcd"
    row = packed(b'{"text": "a"}\n', "zst")
    (tmp_path / "a.jsonl.zst").write_bytes(skipped + row + skipped + row)
    assert texts_of(find_inputs([str(tmp_path)])) == ["a", "a"]


def test_lines_far_longer_than_a_block(tmp_path: Path) -> None:
    texts = ["a", "b" * 3_000_000, "c", "é" * 900_000]
    files = find_inputs([str(write_raw(tmp_path / "a.jsonl", texts))])
    for split_bytes in (1 << 40, 100_000):
        assert texts_of(files, split_bytes) == texts


# damage

GOOD = b'{"text": "fine"}'
DAMAGE: dict[str, tuple[bytes, str]] = {
    "cut": (b'{"text": "half', r"not JSON: Unterminated string starting at \(column 10\)"),
    "no json": (b"hello", r"not JSON: Expecting value \(column 1\)"),
    "two values": (b'{"text": "a"} {"text": "b"}', r"not JSON: Extra data \(column 15\)"),
    "latin-1": (b'{"text": "caf\xe9 "}', r"not UTF-8: invalid continuation byte at byte 13 of the line"),
    "utf-16": ('{"text": "a"}'.encode("utf-16"), r"not UTF-8: invalid start byte at byte 0 of the line"),
    "encoded surrogate": (b'{"text": "\xed\xa0\x80"}', r"not UTF-8: invalid continuation byte"),
    "deep": (b"[" * 200_000, r"not read: maximum recursion depth"),
    "no field": (b'{"body": "a", "id": 1}', r"it has no field 'text'; its fields are 'body', 'id'"),
    "no object": (b'["text"]', r"it is a list, and field 'text' is asked for; rows must be objects"),
    "a string": (b'"text"', r"it is text, and field 'text' is asked for"),
    "null": (b'{"text": null}', r"field 'text' is null; it must be text"),
    "number": (b'{"text": 3}', r"field 'text' is a number; it must be text"),
    "list": (b'{"text": ["a"]}', r"field 'text' is a list; it must be text"),
    "surrogate": (rb'{"text": "\ud83d!"}', r"field 'text' holds half a surrogate pair, \\ud83d,"),
    "control character": (b'{"text": "a\tb"}', r"not JSON: Invalid control character"),
}


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize("packing", ["", ".gz"])
@pytest.mark.parametrize(("bad", "message"), DAMAGE.values(), ids=DAMAGE)
def test_a_bad_line_is_named_and_reading_goes_on(
    bad: bytes, message: str, packing: str, tmp_path: Path
) -> None:
    path = tmp_path / f"a.jsonl{packing}"
    path.write_bytes(packed(b"\n".join([GOOD, b"", bad, GOOD, bad]), packing.removeprefix(".")))
    texts, found = good_and_bad(path)
    assert texts == ["fine", "fine"]
    ends = [18, 18 + len(bad) + 1 + len(GOOD) + 1]
    assert [row[:2] for row in found] == [
        (str(path), f"line {line} (byte {offset})") for line, offset in zip((3, 5), ends, strict=True)
    ]
    assert [(row.row, row.offset) for row in found] == list(zip((3, 5), ends, strict=True))
    for row in found:
        assert re.match(message, row.what)


ODD: dict[str, tuple[bytes, str]] = {
    "NaN": (b'{"n": NaN, "text": "a"}', "a"),
    "infinity": (b'{"n": [-Infinity, 1e999], "text": "a"}', "a"),
    "twice": (b'{"text": "a", "text": "b"}', "b"),
    "large number": (b'{"n": 123456789012345678901234567890, "text": "a"}', "a"),
    "surrogate elsewhere": (rb'{"n": "\ud83d", "text": "a"}', "a"),
    "surrogate pair": (rb'{"text": "\ud83d\ude00"}', "\U0001f600"),
    "indented": (b' \t{"text": "a"} \r', "a"),
    "escapes": (rb'{"te\u0078t": "\u0000\/\n"}', "\0/\n"),
    "deep elsewhere": (b'{"n": ' + b"[" * 600 + b"]" * 600 + b', "text": "a"}', "a"),
}


@pytest.mark.usefixtures("parser")
@pytest.mark.parametrize(("line", "text"), ODD.values(), ids=ODD)
def test_an_odd_line_is_read(line: bytes, text: str, tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(line)
    assert texts_of(find_inputs([str(tmp_path)])) == [text]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@same_folder
@given(
    st.lists(st.fixed_dictionaries({}, optional={"text": st.text() | values, "n": values}) | values),
    st.data(),
)
def test_with_and_without_the_fast_parser_rows_are_the_same(
    tmp_path: Path, rows: list[object], data: st.DataObject
) -> None:
    pytest.importorskip("orjson")
    lines = [
        json.dumps(row, ensure_ascii=data.draw(st.booleans())).encode("utf-8", "replace") for row in rows
    ]
    spoilt = [
        each[: data.draw(st.integers(0, len(each)))] if data.draw(st.booleans()) else each for each in lines
    ]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(spoilt))
    with pytest.MonkeyPatch.context() as patch:
        fast = good_and_bad(path)
        patch.setitem(sys.modules, "orjson", None)
        assert good_and_bad(path) == fast


def test_a_bad_row_may_stop_the_reading(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"\n".join([GOOD, b"{", GOOD]))
    (part,) = split_inputs(find_inputs([str(tmp_path)]), 1 << 40)[0]

    def stop(row: BadRow) -> None:
        raise DataError(f"{row.path}, {row.place}: {row.what}.")

    with pytest.raises(DataError, match=r"a\.jsonl, line 2 \(byte 17\): not JSON: Expecting property name"):
        list(read_texts(part, "text", stop))


def test_many_bad_lines_in_many_pieces_are_named_by_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"".join(b"%d%s\n" % (i, b"x" * (i % 90)) for i in range(20_000)))
    texts, found = good_and_bad(path, split_bytes=5_000)
    assert texts == []
    assert [row.row for row in found] == list(range(1, 20_001))
    data = path.read_bytes()
    assert all(data[row.offset or 0 :].startswith(b"%dx" % i) for i, row in enumerate(found) if i % 90)


def test_text_that_is_no_utf_8_is_named_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\r\ntwo\n\xff\nfour\rfive\n\xe9")
    texts, found = good_and_bad(tmp_path / "a.txt")
    assert texts == ["one", "two", "four", "five"]
    assert [(row.place, row.what) for row in found] == [
        ("line 3 (byte 9)", "not UTF-8: invalid start byte at byte 0 of the line"),
        ("line 5 (byte 21)", "not UTF-8: unexpected end of data at byte 0 of the line"),
    ]


def test_text_has_no_other_field(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one")
    with pytest.raises(InvalidInput, match=r"a\.txt: a text file has one field, 'text', and 'body' is asked"):
        good_and_bad(tmp_path / "a.txt", "body")


def test_bad_rows_of_csv_are_named_by_their_lines(tmp_path: Path) -> None:
    rows = b'id,text\n1,one\n\n2,"two\nlines"\n3\n4,a,b\n5,"x"y\n6,caf\xe9\n7,seven\n'
    (tmp_path / "a.csv").write_bytes(rows)
    texts, found = good_and_bad(tmp_path / "a.csv")
    assert texts == ["one", "two\nlines", "seven"]
    assert [(row.place, row.what.split(":")[0]) for row in found] == [
        ("line 6", "it has 1 fields, and the header 2"),
        ("line 7", "it has 3 fields, and the header 2"),
        ("line 8", "not CSV"),
        ("line 9", "not UTF-8"),
    ]


HEADERS = {
    "missing": (
        b"a,b\n1,2\n",
        r"line 1: the header has no column 'text'; its columns are 'a', 'b'\. Name another",
    ),
    "twice": (b"text,text\n1,2\n", r"line 1: the header has 2 columns 'text'"),
}


@pytest.mark.parametrize(("data", "message"), HEADERS.values(), ids=HEADERS)
def test_a_header_without_the_column_is_refused(data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(InvalidInput, match=message):
        good_and_bad(tmp_path / "a.csv")


def test_a_quote_that_is_never_closed_is_damage(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'text\nfine\n"open\nfine\n')
    with pytest.raises(DataError, match=r"a\.csv, line 3: a row begins here whose quote is not closed"):
        good_and_bad(tmp_path / "a.csv")


def test_a_json_file_may_be_json_lines(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'\n{"text": "a"}\n{}\n')
    texts, found = good_and_bad(tmp_path / "a.json")
    assert (texts, [row.place for row in found]) == (["a"], ["line 3 (byte 15)"])


def test_rows_of_a_json_array_are_named_by_their_number(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf [{"text": "a"}, 3, {"text": null}, {"text": "b"}]')
    texts, found = good_and_bad(tmp_path / "a.json")
    assert texts == ["a", "b"]
    assert [(row.place, row.what) for row in found] == [
        ("row 1", "it is a number, and field 'text' is asked for; rows must be objects"),
        ("row 2", "field 'text' is null; it must be text"),
    ]


ARRAYS = {
    "cut": (b'[{"text": "a"},\n {"te', r"line 2 \(column 3\): not JSON: Unterminated string"),
    "latin-1": (b'["\xe9"]', r"byte 2: not UTF-8: invalid continuation byte"),
    "more": (b"[] []", r"line 1 \(column 4\): not JSON: Extra data"),
}


@pytest.mark.parametrize(("data", "message"), ARRAYS.values(), ids=ARRAYS)
def test_a_damaged_array_is_damage(data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(data)
    with pytest.raises(DataError, match=rf"a\.json, {message}"):
        good_and_bad(tmp_path / "a.json")


def test_an_array_too_large_to_be_read_whole_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from thermix.prepare import json_texts

    monkeypatch.setattr(json_texts, "_LARGEST_ARRAY", 100)
    monkeypatch.setattr(json_texts, "_BLOCK", 50)
    write_raw(tmp_path / "a.json", ["x" * 200])
    with pytest.raises(
        DataError, match=r"a\.json: a JSON array of more than 256 MiB; .*jq -c '\.\[\]' .*a\.json"
    ):
        good_and_bad(tmp_path / "a.json")


@pytest.mark.parametrize("compression", ["gz", "bz2", "xz", "zst"])
class TestDamagedCompression:
    @pytest.fixture
    def path(self, compression: str, tmp_path: Path) -> Path:
        needs(compression)
        path = tmp_path / f"a.jsonl.{compression}"
        path.write_bytes(packed(b"".join(b'{"text": "%d"}\n' % (i * i) for i in range(50_000)), compression))
        return path

    @pytest.mark.parametrize("kept", [0.001, 0.5, 0.999])
    def test_a_file_cut_short_is_damage_though_rows_may_be_bad(self, path: Path, kept: float) -> None:
        os.truncate(path, max(1, int(path.stat().st_size * kept)))
        with pytest.raises(
            DataError, match=r"a\.jsonl\.\w+, byte \d+ \(after \d+ unpacked bytes\): it ends in"
        ):
            good_and_bad(path)

    def test_an_empty_file_is_damage(self, path: Path) -> None:
        os.truncate(path, 0)
        with pytest.raises(DataError, match=r"byte 0 \(after 0 unpacked bytes\): it ends in the middle"):
            good_and_bad(path)

    def test_spoilt_bytes_are_damage(self, path: Path) -> None:
        data = bytearray(path.read_bytes())
        middle = len(data) // 2
        data[middle : middle + 64] = bytes(64)
        path.write_bytes(data)
        with pytest.raises(
            DataError, match=r"a\.jsonl\.\w+, byte \d+ \(after \d+ unpacked bytes\): its compressed"
        ):
            good_and_bad(path)

    def test_another_file_by_that_name_is_damage(self, path: Path) -> None:
        path.write_bytes(b'{"text": "not packed at all"}\n' * 10)
        with pytest.raises(DataError, match=r"byte \d+ \(after 0 unpacked bytes\): its compressed data are"):
            good_and_bad(path)


def test_a_file_that_became_shorter_is_damage(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "a.jsonl", TEXTS * 10)
    parts = [part for piece in split_inputs(find_inputs([str(path)]), 1000) for part in piece]
    os.truncate(path, 100)
    with pytest.raises(
        DataError, match=r"a\.jsonl: it ends before byte \d+, and was longer when it was looked"
    ):
        list(read_texts(parts[-1], "text", refuse))
    path.unlink()
    with pytest.raises(DataError, match=r"a\.jsonl: it cannot be read: No such file .*what is done is kept"):
        list(read_texts(parts[0], "text", refuse))


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "_LONGEST_LINE", 1 << 20)
    (tmp_path / "a.jsonl").write_bytes(GOOD + b"\n" + b"x" * (2 << 20))
    with pytest.raises(DataError, match=r"a\.jsonl, byte 17: a line begins here that is longer than 1 GiB"):
        good_and_bad(tmp_path / "a.jsonl")


@pytest.mark.parametrize("library", ["zstandard", "pyarrow"])
def test_a_missing_library_is_named(library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = {"zstandard": "a.jsonl.zst", "pyarrow": "a.parquet"}[library]
    (tmp_path / name).write_bytes(b"x")
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra, match=rf"needs {library}, .*pip install 'thermix\[data\]'"):
        good_and_bad(tmp_path / name)


# memory

PEAK = """
import resource, sys
from thermix.prepare.inputs import find_inputs, split_inputs
from thermix.prepare.texts import read_texts
if not sys.argv[1].endswith((".gz", "jsonl", ".csv")):
    import pyarrow, pyarrow.parquet
(part,) = split_inputs(find_inputs([sys.argv[1]]), 1 << 40)[0]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
size = sum(len(text) for batch in read_texts(part, "text", print) for text in batch.texts)
print(size, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.csv", "a.txt", "a.parquet"])
def test_memory_does_not_grow_with_the_file(name: str, tmp_path: Path) -> None:
    import subprocess

    needs(name)
    text = "The quick brown fox jumps over the lazy dog. " * 70
    many = 100_000
    _write_large(tmp_path / name, text, many)
    run = subprocess.run(
        [sys.executable, "-c", PEAK, str(tmp_path / name)], capture_output=True, text=True, check=True
    )
    size, kibibytes = map(int, run.stdout.split())
    assert size == many * (len(text) + 5) > 300_000_000
    assert kibibytes < 100 << 10


def _write_large(path: Path, text: str, many: int) -> None:
    rows = (f"{number:05}{text}" for number in range(many))
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as parquet

        parquet.write_table(pa.table({"text": list(rows)}), path, row_group_size=many)
        return
    data = "".join(_as_line(row, path.name) for row in rows).encode()
    header = b"text\n" if path.suffix == ".csv" else b""
    compression = path.name.partition(".")[2].partition(".")[2]
    path.write_bytes(packed(header + data, compression))


def _as_line(row: str, name: str) -> str:
    return f'{{"text": "{row}"}}\n' if "jsonl" in name else f"{row}\n"
