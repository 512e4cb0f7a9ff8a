"""JSON Lines: rows by place, and damage found where it is."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.sources.contract import Case, SourceContract
from thermix.errors import DataError, InvalidInput
from thermix.sources import ItemSource, contents
from thermix.sources.jsonlines import JsonLines

ROWS = [{"text": f"文书 {i}", "n": i} for i in range(12)]


def written(path: Path, *lines: str | bytes, end: bytes = b"\n") -> Path:
    """A file of these lines."""
    path.write_bytes(b"".join((line.encode() if isinstance(line, str) else line) + end for line in lines))
    return path


def opened(path: Path, field: str | None = None) -> JsonLines:
    return JsonLines([path], name="web", field=field)


class TestOneFile(SourceContract):
    @pytest.fixture
    def case(self, tmp_path: Path) -> Case:
        path = written(tmp_path / "a.jsonl", *map(json.dumps, ROWS))

        def reopen() -> ItemSource:
            return opened(path)

        return Case(reopen(), ROWS, reopen)

    @pytest.fixture
    def empty(self, tmp_path: Path) -> ItemSource:
        return opened(written(tmp_path / "b.jsonl"))


class TestSeveralFilesAndAField(SourceContract):
    """With an empty file between, and all that may differ from file to file."""

    @pytest.fixture
    def case(self, tmp_path: Path) -> Case:
        lines = [json.dumps(row) for row in ROWS]
        paths = [
            written(tmp_path / "a.jsonl", *lines[:4], "", " \t ", end=b"\r\n"),
            written(tmp_path / "b.jsonl"),
            written(tmp_path / "c.jsonl", b"\xef\xbb\xbf" + lines[4].encode(), "", *lines[5:9]),
            written(tmp_path / "d.jsonl", "\n".join(lines[9:]), end=b""),
        ]

        def reopen() -> ItemSource:
            return JsonLines(paths, name="web", field="text")

        return Case(reopen(), [row["text"] for row in ROWS], reopen)

    @pytest.fixture
    def empty(self, tmp_path: Path) -> ItemSource:
        return JsonLines([written(tmp_path / f"{i}.jsonl", "", " ") for i in "ef"], name="web", field="text")


class TestManyFiles(SourceContract):
    """More files than are open at once."""

    @pytest.fixture
    def case(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
        monkeypatch.setattr(contents, "_OPEN_FILES", 2)
        paths = [written(tmp_path / f"{i}.jsonl", json.dumps(row)) for i, row in enumerate(ROWS)]

        def reopen() -> ItemSource:
            return JsonLines(paths, name="web")

        return Case(reopen(), ROWS, reopen)

    @pytest.fixture
    def empty(self) -> ItemSource:
        return JsonLines([], name="web")


class TestWithoutPread(TestSeveralFilesAndAField):
    """As on Windows."""

    @pytest.fixture(autouse=True)
    def no_pread(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delattr(os, "pread")


GOOD = '{"text": "fine"}'
DAMAGE: dict[str, tuple[bytes, str]] = {
    "cut": (b'{"text": "half', r"not JSON: Unterminated string starting at \(column 10\)"),
    "no json": (b"hello", r"not JSON: Expecting value \(column 1\)"),
    "two values": (b'{"text": "a"} {"text": "b"}', r"not JSON: Extra data \(column 15\)"),
    "latin-1": (b'{"text": "caf\xe9 "}', r"not UTF-8: invalid continuation byte at byte 33"),
    "utf-16": ('{"text": "a"}'.encode("utf-16"), r"not UTF-8: invalid start byte at byte 20"),
    "deep": (b"[" * 200_000, r"not read: maximum recursion depth"),
    "long number": (
        b'{"text": ' + b"9" * 5000 + b"}",
        r"not read: Exceeds the limit|field 'text' is a number",
    ),
    "no field": (b'{"body": "a", "id": 1}', r"it has no field 'text'; its fields are 'body', 'id'"),
    "no fields": (b"{}", r"it has no field 'text'; its fields are none"),
    "no object": (b'["text"]', r"it is a list, and field 'text' is asked for; rows must be objects"),
    "null": (b'{"text": null}', r"field 'text' is null; it must be text"),
    "number": (b'{"text": 3}', r"field 'text' is a number; it must be text"),
    "surrogate": (rb'{"text": "\ud83d!"}', r"field 'text' holds half a surrogate pair, \\ud83d,"),
}


@pytest.mark.parametrize(("line", "message"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_row_is_named_by_file_line_and_byte(line: bytes, message: str, tmp_path: Path) -> None:
    source = opened(written(tmp_path / "a.jsonl", GOOD, "", b" ", line, GOOD), "text")
    assert len(source) == 3
    with pytest.raises(
        DataError, match=rf"^sources\.web: .*a\.jsonl, line 4 \(byte 20\): ({message})"
    ) as caught:
        source.read([0, 1])
    assert caught.value.exit_code == 3


def test_damage_is_found_only_where_it_is_read(tmp_path: Path) -> None:
    source = opened(written(tmp_path / "a.jsonl", GOOD, "{", GOOD), "text")
    assert source.read([2, 0]) == ["fine", "fine"]


def test_without_a_field_a_row_is_any_json_value(tmp_path: Path) -> None:
    rows: list[Any] = [{"a": [1]}, [1, 2], "text", 3, None, True]
    assert opened(written(tmp_path / "a.jsonl", *map(json.dumps, rows))).read(range(6)) == rows


def test_an_indented_row_is_a_row(tmp_path: Path) -> None:
    assert opened(written(tmp_path / "a.jsonl", '  {"text": "a"}  ', "\t[]")).read([0, 1]) == [
        {"text": "a"},
        [],
    ]


def test_a_surrogate_pair_is_a_character(tmp_path: Path) -> None:
    assert opened(written(tmp_path / "a.jsonl", r'{"text": "\ud83d\ude00"}'), "text").read([0]) == [
        "\U0001f600"
    ]


def test_the_place_of_an_item_is_file_line_and_byte(tmp_path: Path) -> None:
    paths = [written(tmp_path / "a.jsonl", GOOD), written(tmp_path / "b.jsonl", "", GOOD, GOOD)]
    source = JsonLines(paths, name="web")
    assert [source.place(item) for item in range(3)] == [
        (paths[0], 1, 0),
        (paths[1], 2, 1),
        (paths[1], 3, 18),
    ]
    source.close()
    with pytest.raises(InvalidInput, match="it is closed"):
        source.place(0)
    with pytest.raises(InvalidInput, match="it is closed"):
        _ = source.fingerprint


@pytest.mark.parametrize("change", ["grown", "cut", "gone"])
def test_a_file_that_changed_since_it_was_opened_is_refused(change: str, tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", GOOD, GOOD)
    source = opened(path)
    if change == "gone":
        path.unlink()
    else:
        written(path, *[GOOD] * (3 if change == "grown" else 1))
    message = (
        "it cannot be read: No such file" if change == "gone" else "and was 34 when the source was opened|is "
    )
    with pytest.raises(DataError, match=rf"^sources\.web: .*a\.jsonl.*({message})"):
        source.read([0])


def test_a_file_cut_while_it_is_open_is_an_error_and_not_a_crash(tmp_path: Path) -> None:
    path = written(tmp_path / "a.jsonl", GOOD, GOOD)
    source = opened(path)
    source.read([0])
    os.truncate(path, 20)
    with pytest.raises(DataError, match=r"a\.jsonl is 20 bytes long, and was 34"):
        source.read([1])


def test_the_fingerprint_sees_content_field_and_order_and_not_names(tmp_path: Path) -> None:
    a, b = written(tmp_path / "a.jsonl", GOOD), written(tmp_path / "b.jsonl", GOOD, GOOD)
    same = written(tmp_path / "z.jsonl", GOOD)

    def of(*paths: Path, field: str | None = None) -> str:
        return JsonLines(paths, name="web", field=field).fingerprint

    assert of(a, b) == of(same, b)
    different = [
        of(a),
        of(b),
        of(a, b),
        of(b, a),
        of(a, field="text"),
        of(written(tmp_path / "c", '{"text": "Fine"}')),
    ]
    assert len(set(different)) == len(different)


def test_the_fingerprint_of_a_large_file_sees_any_move_of_its_lines(tmp_path: Path) -> None:
    lines = [json.dumps({"text": "x" * (i % 97)}) for i in range(20_000)]
    before = opened(written(tmp_path / "a.jsonl", *lines)).fingerprint
    middle = next(i for i in range(10_000, 10_097) if len(lines[i]) != len(lines[i + 1]))
    lines[middle], lines[middle + 1] = lines[middle + 1], lines[middle]
    assert opened(written(tmp_path / "b.jsonl", *lines)).fingerprint != before


def open_in(folder: Path) -> int:
    """Files of a folder that this process has open."""
    mine = Path("/proc/self/fd")
    if not mine.is_dir():
        pytest.skip("this system does not list the files of a process")
    return sum(os.path.realpath(fd).startswith(f"{folder}/") for fd in mine.iterdir())


def test_at_most_64_files_are_open(tmp_path: Path) -> None:
    paths = [written(tmp_path / f"{i}.jsonl", GOOD) for i in range(100)]
    with JsonLines(paths, name="web") as source:
        for _ in range(2):
            source.read(range(100))
            assert 0 < open_in(tmp_path) <= 64
    assert open_in(tmp_path) == 0
