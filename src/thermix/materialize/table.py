"""Mixed items as Parquet: one set of columns for all files of a run.

Columns are step, source, item and epoch, and `tokens`, `text` or `row`, as the sources have them. The type
of `row` is found once, from rows spread over each source, and holds for all; a row that it does not hold is
an error, and nothing of a row is dropped.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from thermix.engines.local_place import writing
from thermix.errors import DataError, MissingExtra
from thermix.materialize.writers import WholeFile
from thermix.sources.base import ItemSource
from thermix.sources.manifest import FileRecord, file_record
from thermix.sources.reader import DeliveredBatch

__all__ = ["TableWriter", "schema_bytes", "schema_from", "table_schema"]

_SAMPLES = 512
_ROWS = 2_000  # in a row group: enough to pack well
_BYTES = 64 << 20  # or so much, where rows are long


def _arrow() -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise MissingExtra("pyarrow", "data", "writing Parquet") from error
    return pyarrow


def table_schema(sources: Mapping[str, ItemSource], dtype: str) -> Any:
    """The columns that the items of all the sources fit into.

    Args:
        sources: by name, all of sequences or all of documents.
        dtype: of a token; "" for documents.

    Returns:
        A `pyarrow.Schema`, the same for the same sources.

    Raises:
        DataError: rows of the sources are of types that do not go together.
        MissingExtra: pyarrow is not installed.
    """
    pa = _arrow()
    found = [("step", pa.int64()), ("source", pa.string()), ("item", pa.int64()), ("epoch", pa.int32())]
    if dtype:
        return pa.schema([*found, ("tokens", pa.list_(pa.from_numpy_dtype(np.dtype(dtype))))])
    samples = {name: _sample(source) for name, source in sources.items() if len(source)}
    if any(isinstance(row, str) for rows in samples.values() for row in rows):
        found.append(("text", pa.string()))
    types = {name: _row_type(name, rows) for name, rows in samples.items() if not isinstance(rows[0], str)}
    if types:
        found.append(("row", _common_type(types)))
    return pa.schema(found)


def _sample(source: ItemSource) -> Sequence[Any]:
    spread = np.unique(np.linspace(0, len(source) - 1, _SAMPLES).astype(np.int64))
    return list(source.read(spread))


def _row_type(name: str, rows: Sequence[Any]) -> Any:
    pa = _arrow()
    try:
        return pa.infer_type(rows)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise DataError(
            f"sources.{name}: its rows have no one type that Parquet could hold: {error}. "
            "Take --format jsonl, or name a field: field: text."
        ) from error


def _common_type(types: Mapping[str, Any]) -> Any:
    pa = _arrow()
    schemas = [pa.schema([("row", each)]) for each in types.values()]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").field("row").type
    except pa.ArrowException as error:
        raise DataError(
            f"sources.{', '.join(types)}: their rows have no common type that Parquet could hold: {error}. "
            "Take --format jsonl, or name a field of each."
        ) from error


class TableWriter:
    """Parquet, packed with zstd.

    Args:
        path: of the file, without its ending.
        names: of the plan's sources.
        schema: of the columns.
    """

    def __init__(self, path: Path, names: Sequence[str], schema: Any) -> None:
        self._pa = _arrow()
        self._names = names
        self._schema = schema
        self._out = WholeFile(path.with_name(f"{path.name}.parquet"))
        self._waiting: list[Any] = []
        self._rows = self._bytes = 0
        with writing(self._out.path):
            self._writer = self._pa.parquet.ParquetWriter(self._out.file, schema, compression="zstd")

    def add(self, batch: DeliveredBatch) -> None:
        """A row for each item; a row group now and then."""
        table = self._table(batch)
        self._waiting.append(table)
        self._rows += table.num_rows
        self._bytes += table.nbytes
        if self._rows >= _ROWS or self._bytes >= _BYTES:
            self._write_group()

    def close(self) -> list[tuple[Path, FileRecord]]:
        """Finish; returns the file."""
        self._write_group()
        with writing(self._out.path):
            self._writer.close()
        path = self._out.close()
        return [(path, file_record(path))]

    def discard(self) -> None:
        """Leave nothing behind."""
        with contextlib.suppress(OSError):
            self._writer.close()  # while its file is open: it would close itself later, into nothing
        self._writer.is_open = False
        self._out.discard()

    def _write_group(self) -> None:
        if self._waiting:
            table = self._pa.concat_tables(self._waiting)
            with writing(self._out.path):
                self._writer.write_table(table, row_group_size=table.num_rows)
        self._waiting, self._rows, self._bytes = [], 0, 0

    def _table(self, batch: DeliveredBatch) -> Any:
        pa = self._pa
        found = {
            "step": pa.array(np.full(len(batch.item), batch.step, np.int64)),
            "source": pa.array([self._names[source] for source in batch.source.tolist()], pa.string()),
            "item": pa.array(batch.item),
            "epoch": pa.array(batch.epoch),
        }
        if "tokens" in self._schema.names:
            found["tokens"] = self._tokens(batch.rows)
        if "text" in self._schema.names:
            found["text"] = self._texts(batch)
        if "row" in self._schema.names:
            found["row"] = self._rows_of(batch)
        return pa.table(found, schema=self._schema)

    def _tokens(self, rows: Any) -> Any:
        offsets = np.arange(len(rows) + 1, dtype=np.int32) * rows.shape[1]
        return self._pa.ListArray.from_arrays(offsets, self._pa.array(rows.reshape(-1)))

    def _texts(self, batch: DeliveredBatch) -> Any:
        texts = [row if isinstance(row, str) else None for row in batch.rows]
        try:
            return self._pa.array(texts, self._pa.string())
        except UnicodeEncodeError:
            number = next(i for i, text in enumerate(texts) if text is not None and not _is_utf8(text))
            raise self._misfit(batch, number, "its text holds half of a surrogate pair") from None

    def _rows_of(self, batch: DeliveredBatch) -> Any:
        rows = [None if isinstance(row, str) else row for row in batch.rows]
        kind = self._schema.field("row").type
        for number, row in enumerate(rows):
            if place := self._left_out(row, kind, "row"):
                raise self._misfit(
                    batch, number, f"{place} is in none of the rows the columns were found from"
                )
        try:
            return self._pa.array(rows, kind)
        except (self._pa.ArrowException, TypeError, ValueError, OverflowError):
            for number, row in enumerate(rows):
                try:
                    self._pa.array([row], kind)
                except (self._pa.ArrowException, TypeError, ValueError, OverflowError) as error:
                    raise self._misfit(batch, number, str(error)) from error
            raise

    def _left_out(self, value: Any, kind: Any, place: str) -> str | None:
        """A key of a row that its type has no room for; pyarrow would drop it without a word."""
        types = self._pa.types
        if isinstance(value, dict) and types.is_struct(kind):
            for key, inner in value.items():
                at = kind.get_field_index(key)
                if at < 0:
                    return f"{place}.{key}"
                if found := self._left_out(inner, kind.field(at).type, f"{place}.{key}"):
                    return found
        elif isinstance(value, list) and types.is_list(kind):
            for inner in value:
                if found := self._left_out(inner, kind.value_type, f"{place}[]"):
                    return found
        return None

    def _misfit(self, batch: DeliveredBatch, number: int, what: str) -> DataError:
        kind = self._schema.field("row").type if "row" in self._schema.names else "text"
        return DataError(
            f"sources.{self._names[batch.source[number]]}: item {batch.item[number]}, of step {batch.step}: "
            f"{what}; the column holds {kind}. "
            "Take --format jsonl, which holds any row."
        )


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def schema_bytes(schema: Any) -> bytes:
    """A schema for another process; `schema_from` reads it."""
    return bytes(schema.serialize().to_pybytes())


def schema_from(written: bytes) -> Any:
    """The schema that `schema_bytes` wrote."""
    pa = _arrow()
    import pyarrow.ipc

    return pyarrow.ipc.read_schema(pa.py_buffer(written))
