"""The texts of one column of a Parquet or an Arrow file, in bounded batches; no other column is read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from thermix.errors import DataError, InvalidInput, MissingExtra
from thermix.prepare.batches import TEXT_BATCH, BadRow, OnBad, Texts, counted
from thermix.prepare.rawfile import open_raw
from thermix.sources.files import is_remote

__all__ = ["arrow_cuts", "parquet_cuts", "read_arrow", "read_parquet"]

_MOST_ROWS = 1 << 14
_ARROW_FILE = b"ARROW1"


def parquet_cuts(path: str) -> list[int]:
    """The bytes of a Parquet file at which its row groups begin, increasing; none where they are in disorder.

    Raises:
        DataError: it is no Parquet file.
    """
    with _reading(path) as file:
        begins = _group_begins(_parquet(file).metadata)
    return begins if begins == sorted(set(begins)) else []


def read_parquet(path: str, start: int, stop: int, field: str, on_bad: OnBad) -> Iterator[Texts]:
    """The texts of one column of the row groups that begin in [start, stop).

    Raises:
        InvalidInput: no such column, or not of text.
        DataError: the file is damaged.
    """
    with _reading(path) as file:
        parquet = _parquet(file)
        metadata = parquet.metadata
        _check_column(parquet.schema_arrow, path, field)
        begins = _group_begins(metadata)
        groups = [number for number, begin in enumerate(begins) if start <= begin < stop]
        if not groups:
            yield from counted([], lambda: 0, stop - start)
            return
        row = sum(metadata.row_group(number).num_rows for number in range(groups[0]))
        rows = _Rows(path, field, on_bad, row)
        many = max(sum(metadata.row_group(number).num_rows for number in groups), 1)
        batches = parquet.iter_batches(
            _batch_rows(metadata, groups, field), row_groups=groups, columns=[field], use_threads=False
        )
        lists = (texts for batch in batches for texts in rows.texts(batch.column(0)))
        yield from counted(lists, lambda: (stop - start) * (rows.row - row) // many, stop - start)


def _parquet(file: Any) -> Any:
    import pyarrow.parquet

    # pages are read as they are needed; a whole column of a row group may be larger than memory
    return pyarrow.parquet.ParquetFile(file, pre_buffer=False, buffer_size=1 << 20)


def _group_begins(metadata: Any) -> list[int]:
    groups = map(metadata.row_group, range(metadata.num_row_groups))
    return [group.column(0).data_page_offset if group.num_columns else 0 for group in groups]


def _batch_rows(metadata: Any, groups: list[int], field: str) -> int:
    """Rows that hold about `TEXT_BATCH` of text."""
    most = 1.0
    for group in map(metadata.row_group, groups):
        columns = map(group.column, range(group.num_columns))
        size = sum(c.total_uncompressed_size for c in columns if c.path_in_schema == field)
        most = max(most, size / max(group.num_rows, 1))
    return max(1, min(_MOST_ROWS, int(TEXT_BATCH / most)))


def arrow_cuts(path: str) -> list[int]:
    """The bytes of an Arrow file at which its record batches begin, increasing.

    Raises:
        DataError: it is no Arrow file.
    """
    with _reading(path) as file:
        return [begin for begin, _ in _record_batches(file, [])]


def read_arrow(path: str, start: int, stop: int, field: str, on_bad: OnBad) -> Iterator[Texts]:
    """The texts of one column of the record batches that begin in [start, stop), of a stream or a file.

    Raises:
        InvalidInput: no such column, or not of text.
        DataError: the file is damaged.
    """
    with _reading(path) as file:
        schema = _arrow_schema(file)
        _check_column(schema, path, field)
        rows = _Rows(path, field, on_bad, 0)
        lists = _arrow_lists(file, schema.get_field_index(field), start, stop, rows)
        yield from counted(lists, lambda: file.tell() - start, stop - start)


def _arrow_lists(file: Any, column: int, start: int, stop: int, rows: _Rows) -> Iterator[list[str]]:
    for begin, batch in _record_batches(file, [column]):
        if begin >= stop:
            return
        if begin < start:
            rows.row += batch.num_rows
        else:
            yield from rows.texts(batch.column(0))


def _record_batches(file: Any, columns: list[int]) -> Iterator[tuple[int, Any]]:
    """Each record batch of a stream or a file, and the byte at which it begins."""
    import pyarrow

    stream = _arrow_stream(file, pyarrow.ipc.IpcReadOptions(included_fields=columns))
    while True:
        begin = file.tell()
        try:
            batch = stream.read_next_batch()
        except StopIteration:
            return
        yield begin, batch


def _arrow_schema(file: Any) -> Any:
    import pyarrow

    return _arrow_stream(file, pyarrow.ipc.IpcReadOptions()).schema


def _arrow_stream(file: Any, options: Any) -> Any:
    """The stream that an Arrow stream is, and that an Arrow file holds behind its first 8 bytes."""
    import pyarrow

    file.seek(0)
    if file.read(len(_ARROW_FILE)) == _ARROW_FILE:
        file.seek(8)
    else:
        file.seek(0)
    return pyarrow.ipc.open_stream(file, options=options)


@contextmanager
def _reading(path: str) -> Iterator[Any]:
    """The file as pyarrow reads it; what it finds damaged becomes a DataError."""
    try:
        import pyarrow
    except ImportError as error:
        raise MissingExtra("pyarrow", "data", "reading Parquet and Arrow files") from error
    file = pyarrow.PythonFile(open_raw(path), "r") if is_remote(path) else None
    try:
        file = file or pyarrow.memory_map(path)
        yield file
    except (pyarrow.ArrowException, OSError, EOFError) as error:
        what = str(error).strip().rstrip(".")
        raise DataError(f"{path}: it cannot be read: {what}. Fetch or make the file again.") from error
    finally:
        if file is not None:
            file.close()


def _check_column(schema: Any, path: str, field: str) -> None:
    import pyarrow.types

    found = schema.get_all_field_indices(field)
    if len(found) != 1:
        columns = ", ".join(map(repr, schema.names[:8])) or "none"
        problem = f"it has {len(found)} columns {field!r}" if found else f"it has no column {field!r}"
        raise InvalidInput(f"{path}: {problem}; its columns are {columns}. Name another with --field.")
    kind = schema.field(found[0]).type
    while pyarrow.types.is_dictionary(kind):
        kind = kind.value_type
    if not any(is_text(kind) for is_text in _text_kinds()):
        raise InvalidInput(
            f"{path}: column {field!r} is of type {kind}; it must be text. Name another with --field."
        )


def _text_kinds() -> list[Any]:
    import pyarrow.types as types

    return [types.is_string, types.is_large_string, types.is_string_view, types.is_null]


class _Rows:
    """Texts of the rows of one column, counted from the file's first.

    Attributes:
        row: the next one, from 0.
    """

    def __init__(self, path: str, field: str, on_bad: OnBad, row: int) -> None:
        self._path = path
        self._field = field
        self._on_bad = on_bad
        self.row = row

    def texts(self, column: Any) -> Iterator[list[str]]:
        """The texts of an array, in lists of about `TEXT_BATCH`."""
        if hasattr(column, "dictionary_decode"):
            column = column.dictionary_decode()
        step = max(1, len(column) * TEXT_BATCH // max(column.nbytes, 1))
        for first in range(0, len(column), step):
            piece = column.slice(first, step)
            texts = self._good(piece)
            self.row += len(piece)
            yield texts

    def _good(self, column: Any) -> list[str]:
        try:
            texts = column.to_pylist()
            if not column.null_count:
                return list(texts)
        except UnicodeDecodeError:
            texts = _cast_to_bytes(column)
        good: list[str] = []
        for row, value in enumerate(texts, self.row):
            if value is None:
                self._on_bad(self._bad(row, f"field {self._field!r} is null; it must be text"))
                continue
            try:
                good.append(value if isinstance(value, str) else value.decode("utf-8"))
            except UnicodeDecodeError as error:
                self._on_bad(self._bad(row, f"not UTF-8: {error.reason} at byte {error.start} of the text"))
        return good

    def _bad(self, row: int, what: str) -> BadRow:
        return BadRow(self._path, f"row {row}", what, row, None)


def _cast_to_bytes(column: Any) -> list[bytes | None]:
    import pyarrow

    values: list[bytes | None] = column.cast(pyarrow.large_binary()).to_pylist()
    return values
