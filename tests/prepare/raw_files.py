"""Raw files of every format with the same texts, and a reader's whole output; nothing here is a test."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
import lzma
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from thermix.prepare.inputs import InputFile, Part, find_inputs, split_inputs
from thermix.prepare.texts import BadRow, read_texts

WHOLE = 1 << 40


def packed(data: bytes, compression: str) -> bytes:
    """The bytes as a compressed file holds them."""
    if compression == "zst":
        import zstandard

        return bytes(zstandard.compress(data))
    if compression == "bz2":
        return bz2.compress(data)
    if compression == "xz":
        return lzma.compress(data)
    return gzip.compress(data) if compression else data


def write_raw(path: Path, texts: Sequence[str]) -> Path:
    """A file of these texts in a field `text` beside others, in the format its name says."""
    base, _, compression = path.name.partition(".")[2].partition(".")
    if base == "parquet":
        import pyarrow.parquet as parquet

        parquet.write_table(_table(texts), path, row_group_size=max(1, len(texts) // 7), compression="none")
    elif base == "arrow":
        import pyarrow as pa

        with pa.ipc.new_stream(str(path), _table(texts).schema) as sink:
            sink.write_table(_table(texts), max_chunksize=max(1, len(texts) // 7))
    else:
        path.write_bytes(packed(_plain(base, texts, path).encode(), compression))
    return path


def _plain(base: str, texts: Sequence[str], path: Path) -> str:
    rows = [{"id": number, "text": text} for number, text in enumerate(texts)]
    if base in ("jsonl", "ndjson"):
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if base == "json":
        return json.dumps(rows, indent=1)
    if base == "txt":
        return "".join(text + "\n" for text in texts)
    with open(path, "w+", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter="\t" if base == "tsv" else ",")
        writer.writerows([["id", "text"], *([row["id"], row["text"]] for row in rows)])
        file.seek(0)
        return file.read()


def _table(texts: Sequence[str]) -> Any:
    import pyarrow as pa

    return pa.table({"id": pa.array(range(len(texts)), pa.int64()), "text": pa.array(texts, pa.string())})


def refuse(row: BadRow) -> None:
    """For files that hold no bad row."""
    raise AssertionError(row)


def texts_of_part(part: Part, field: str = "text") -> list[str]:
    """Every text of a part; checks that the bytes add up and that only the last batch may be empty."""
    batches = list(read_texts(part, field, refuse))
    assert sum(batch.bytes_read for batch in batches) == part.stop - part.start
    assert all(batch.bytes_read >= 0 for batch in batches)
    assert all(batch.texts for batch in batches[:-1])
    return [text for batch in batches for text in batch.texts]


def texts_of(files: Sequence[InputFile], split_bytes: int = WHOLE) -> list[str]:
    """Every text of some files, cut into pieces."""
    pieces = split_inputs(files, split_bytes)
    return [text for piece in pieces for part in piece for text in texts_of_part(part)]


def good_and_bad(path: Path, field: str = "text", split_bytes: int = WHOLE) -> tuple[list[str], list[BadRow]]:
    """The texts of a file, and its bad rows."""
    bad: list[BadRow] = []
    pieces = split_inputs(find_inputs([str(path)]), split_bytes)
    parts = [part for piece in pieces for part in piece]
    return [t for part in parts for batch in read_texts(part, field, bad.append) for t in batch.texts], bad
