"""The texts of Parquet and Arrow files that are not as expected."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.prepare.raw_files import good_and_bad, texts_of
from thermix.errors import DataError, InvalidInput
from thermix.prepare.inputs import find_inputs

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

FORMATS = ["parquet", "arrow", "arrow-file", "arrow-packed"]


def written(folder: Path, kind: str, table: Any, rows: int = 5) -> Path:
    """A table as a file, so many rows in a group or batch."""
    path = folder / f"a.{kind.partition('-')[0]}"
    if kind == "parquet":
        parquet.write_table(table, path, row_group_size=rows)
        return path
    options = pa.ipc.IpcWriteOptions(compression="zstd" if kind == "arrow-packed" else None)
    make = pa.ipc.new_file if kind == "arrow-file" else pa.ipc.new_stream
    with make(str(path), table.schema, options=options) as sink:
        sink.write_table(table, max_chunksize=rows)
    return path


@pytest.mark.parametrize("kind", FORMATS)
class TestColumns:
    @pytest.mark.parametrize(
        "type_", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())], ids=str
    )
    def test_every_type_of_text_is_text(self, kind: str, type_: Any, tmp_path: Path) -> None:
        texts = ["a", "文书", "", "a", "\U0001f600"] * 5
        path = written(tmp_path, kind, pa.table({"n": range(25), "text": pa.array(texts).cast(type_)}), 25)
        assert texts_of(find_inputs([str(path)])) == texts

    def test_nulls_are_bad_rows_by_number(self, kind: str, tmp_path: Path) -> None:
        texts = [None if i % 4 == 3 else f"{i}" for i in range(20)]
        path = written(tmp_path, kind, pa.table({"text": texts}))
        for split_bytes in (1, 1 << 30):
            good, bad = good_and_bad(path, split_bytes=split_bytes)
            assert good == [text for text in texts if text]
            assert [(row.place, row.row) for row in bad] == [(f"row {i}", i) for i in (3, 7, 11, 15, 19)]
            assert {row.what for row in bad} == {"field 'text' is null; it must be text"}

    def test_text_that_is_no_utf_8_is_a_bad_row(self, kind: str, tmp_path: Path) -> None:
        spoilt = pa.array([b"a", b"caf\xe9", None, b"b"]).view(pa.string())
        good, bad = good_and_bad(written(tmp_path, kind, pa.table({"text": spoilt})))
        assert good == ["a", "b"]
        assert [(row.place, row.what) for row in bad] == [
            ("row 1", "not UTF-8: unexpected end of data at byte 3 of the text"),
            ("row 2", "field 'text' is null; it must be text"),
        ]

    def test_a_column_of_nulls_has_bad_rows_only(self, kind: str, tmp_path: Path) -> None:
        good, bad = good_and_bad(written(tmp_path, kind, pa.table({"text": pa.nulls(3)})))
        assert (good, [row.row for row in bad]) == ([], [0, 1, 2])

    def test_a_missing_column_is_refused(self, kind: str, tmp_path: Path) -> None:
        path = written(tmp_path, kind, pa.table({"body": ["a"], "id": [1]}))
        with pytest.raises(
            InvalidInput, match=r"it has no column 'text'; its columns are 'body', 'id'\. Name"
        ):
            good_and_bad(path)

    def test_a_column_of_another_type_is_refused(self, kind: str, tmp_path: Path) -> None:
        path = written(tmp_path, kind, pa.table({"text": [1, 2]}))
        with pytest.raises(InvalidInput, match=r"column 'text' is of type int64; it must be text"):
            good_and_bad(path)

    def test_a_row_longer_than_a_batch_is_read(self, kind: str, tmp_path: Path) -> None:
        texts = ["a", "b" * 9_000_000, *map(str, range(50)), "c" * 5_000_000]
        assert texts_of(find_inputs([str(written(tmp_path, kind, pa.table({"text": texts}), 50))])) == texts

    @pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
    def test_a_file_cut_short_is_damage(self, kind: str, kept: float, tmp_path: Path) -> None:
        path = written(tmp_path, kind, pa.table({"text": [str(i) * 99 for i in range(100)]}))
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
        with pytest.raises(DataError, match=r"a\.\w+: it cannot be read: .*Fetch or make the file again"):
            good_and_bad(path)


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], names=["text", "text"])
    with pytest.raises(InvalidInput, match=r"it has 2 columns 'text'"):
        good_and_bad(written(tmp_path, "arrow", table))
