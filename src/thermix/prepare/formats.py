"""Which formats raw text comes in, by the ending of a file's name."""

from __future__ import annotations

import posixpath

__all__ = ["ENDINGS", "base_of", "compression_of", "format_of"]

_BASES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".txt": "text",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".arrow": "arrow",
}
_COMPRESSIONS = {".gz": "gz", ".zst": "zst", ".bz2": "bz2", ".xz": "xz"}
_OWN_COMPRESSION = ("parquet", "arrow")

ENDINGS = f"{', '.join(_BASES)}, and all but the last two with {', '.join(_COMPRESSIONS)} behind"


def format_of(name: str) -> str | None:
    """The format that a file's name says: "jsonl", "csv.gz"; None where it says none that is read.

    >>> format_of("a.jsonl"), format_of("web/A.NDJSON.ZST"), format_of("b.parquet.gz"), format_of("c.gz")
    ('jsonl', 'jsonl.zst', None, None)
    """
    stem, ending = posixpath.splitext(name.lower())
    if ending in _BASES:
        return _BASES[ending]
    base = _BASES.get(posixpath.splitext(stem)[1])
    if ending not in _COMPRESSIONS or base is None or base in _OWN_COMPRESSION:
        return None
    return f"{base}.{_COMPRESSIONS[ending]}"


def base_of(format: str) -> str:
    """The format without its compression: "csv" of "csv.gz"."""
    return format.partition(".")[0]


def compression_of(format: str) -> str:
    """The compression of a format: "gz" of "csv.gz", and "" of "csv"."""
    return format.partition(".")[2]
