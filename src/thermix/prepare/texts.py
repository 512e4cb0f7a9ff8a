"""The texts of a piece of the raw input, in order, a few MiB at a time.

Every format has a reader of its own; what they share is what they hand out (`batches.py`). Memory does not
depend on the size of a file: a batch, a block of the file, and the longest row.
"""

from __future__ import annotations

from collections.abc import Iterator

from thermix.prepare.batches import BadRow, OnBad, Texts
from thermix.prepare.formats import base_of, compression_of
from thermix.prepare.inputs import Part

__all__ = ["BadRow", "OnBad", "Texts", "read_texts"]


def read_texts(part: Part, field: str, on_bad: OnBad) -> Iterator[Texts]:
    """The texts of a part, in order.

    Args:
        part: of a raw file.
        field: of a row, that holds its text; "text" for plain text.
        on_bad: is called with each row that has no text. It raises, or reading goes on behind the row.

    Returns:
        Batches of about 4 MiB of text; their `bytes_read` add up to the part's bytes. Only the last may
        hold no texts.

    Raises:
        InvalidInput: a column that is not there, or not of text.
        DataError: the file cannot be read, or is damaged so that no next row can be found.
        MissingExtra: pyarrow, zstandard or fsspec is not installed and the file needs it.
    """
    base, compression = base_of(part.format), compression_of(part.format)
    size = part.stop - part.start
    if base == "jsonl":
        from thermix.prepare.line_texts import read_json_lines

        return read_json_lines(part.path, compression, part.start, part.stop, field, on_bad)
    if base == "text":
        from thermix.prepare.line_texts import read_plain_text

        return read_plain_text(part.path, compression, part.start, part.stop, field, on_bad)
    if base == "json":
        from thermix.prepare.json_texts import read_json

        return read_json(part.path, compression, size, field, on_bad)
    if base in ("csv", "tsv"):
        from thermix.prepare.csv_texts import read_csv

        return read_csv(part.path, compression, size, field, on_bad, "\t" if base == "tsv" else ",")
    from thermix.prepare.column_texts import read_arrow, read_parquet

    read = read_parquet if base == "parquet" else read_arrow
    return read(part.path, part.start, part.stop, field, on_bad)
