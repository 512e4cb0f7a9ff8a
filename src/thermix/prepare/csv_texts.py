"""The texts of CSV and TSV files, whose first row names the columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING

from thermix.errors import DataError, InvalidInput
from thermix.prepare.batches import BadRow, OnBad, Texts, counted, gathered
from thermix.prepare.blocks import BlockReader
from thermix.prepare.rawfile import RawFile

if TYPE_CHECKING:
    from _csv import Reader

__all__ = ["read_csv"]

_LONGEST_FIELD = 1 << 28
"""Characters; what is longer began with a quote that is never closed."""


def read_csv(
    path: str, compression: str, size: int, field: str, on_bad: OnBad, delimiter: str
) -> Iterator[Texts]:
    """The texts of one column, in order.

    Fields may be quoted, and quoted ones hold line ends; blank lines are skipped. A row with more or fewer
    fields than the header, or with a stray quote, is a bad row.

    Args:
        path: of the file.
        compression: of it, or "".
        size: of the file in bytes, as it lies there.
        field: the column.
        on_bad: is told of bad rows.
        delimiter: between fields.

    Raises:
        InvalidInput: no such column, or two of that name.
        DataError: the file cannot be read, or ends inside a quote.
    """
    csv.field_size_limit(max(_LONGEST_FIELD, csv.field_size_limit()))
    with RawFile(path, compression) as file:
        rows = csv.reader(_lines(BlockReader(file, path)), delimiter=delimiter, strict=True)
        yield from counted(gathered(_texts(rows, path, field, on_bad)), file.consumed, size)


def _lines(reader: BlockReader) -> Iterator[str]:
    """The lines as `csv` wants them; bytes that are no UTF-8 become half surrogates, found in the row."""
    for block in reader.blocks():
        yield from io.StringIO(block.data.decode("utf-8", "surrogateescape"), newline="")


def _texts(rows: Reader, path: str, field: str, on_bad: OnBad) -> Iterator[str]:
    columns: list[str] | None = None
    column = 0
    for line in _line_numbers(rows):
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            _refuse_open_quote(error, path, line)
            on_bad(BadRow(path, f"line {line}", f"not CSV: {error}", line, None))
            continue
        if columns is None:
            columns, column = row, _column(row, path, field)
        elif row:
            what = _misfit(row, columns, column)
            if what:
                on_bad(BadRow(path, f"line {line}", what, line, None))
            else:
                yield row[column]


def _line_numbers(rows: Reader) -> Iterator[int]:
    """For each row the line, from 1, at which it begins."""
    for _ in count():
        yield rows.line_num + 1


def _misfit(row: list[str], columns: list[str], column: int) -> str:
    """What is wrong with a row; nothing for most."""
    if len(row) != len(columns):
        return f"it has {len(row)} fields, and the header {len(columns)}"
    if not row[column].isascii():
        try:
            row[column].encode("utf-8")
        except UnicodeEncodeError:
            return f"not UTF-8: field {columns[column]!r} holds bytes that are no character"
    return ""


def _column(header: list[str], path: str, field: str) -> int:
    if header.count(field) != 1:
        columns = ", ".join(map(repr, header[:8])) or "none"
        problem = (
            f"has {header.count(field)} columns {field!r}" if field in header else f"has no column {field!r}"
        )
        raise InvalidInput(
            f"{path}, line 1: the header {problem}; its columns are {columns}. Name another with --field, or "
            "write a header."
        )
    return header.index(field)


def _refuse_open_quote(error: csv.Error, path: str, line: int) -> None:
    text = str(error)
    if "unexpected end of data" in text or "field larger than" in text:
        raise DataError(
            f"{path}, line {line}: a row begins here whose quote is not closed ({text}); where the next row "
            "begins cannot be known. Mend the file."
        )
