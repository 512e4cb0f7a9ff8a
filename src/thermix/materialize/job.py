"""What a mixed run is written out as, and what the folder says it holds: models of the JSON files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = ["FORMATS", "Format", "Materialization", "MaterializeJob", "SpanFile", "SpanRecord"]

Format = Literal["jsonl", "parquet", "bin"]
FORMATS: tuple[Format, ...] = ("jsonl", "parquet", "bin")

_FILE = re.compile(r"(rank-\d{5}-of-\d{5}/)?train-\d{5}-of-\d{5}\.[a-z]+")

Count = Annotated[int, Field(ge=0)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class MaterializeJob(_Model):
    """What decides the bytes of a mixed run written out; the number of processes does not.

    Attributes:
        fingerprint: of the plan.
        start, stop: steps [start, stop) of it.
        layout: "jsonl", "parquet" or "bin".
        ranks: folders, one a rank; 0 for one folder of whole batches.
        steps_per_file: steps in one file; the last file may have fewer.
        dtype: of a token; "" for documents.
        row_length: tokens in a sequence; 0 for documents.
        columns: of Parquet, as pyarrow writes their types.
        sources: name and content fingerprint of every source.
    """

    fingerprint: str
    start: Count
    stop: Count
    layout: Format
    ranks: Count
    steps_per_file: Count
    dtype: str
    row_length: Count
    columns: dict[str, str]
    sources: dict[str, str]

    def differences(self, other: Any) -> Iterator[str]:
        """In what another job differs, one line each."""
        if self.fingerprint != other.fingerprint:
            yield f"plan: fingerprint {self.fingerprint[:12]}... before, {other.fingerprint[:12]}... now"
        for key in ("start", "stop", "layout", "ranks", "steps_per_file", "dtype", "row_length"):
            before, now = getattr(self, key), getattr(other, key)
            if before != now:
                yield f"{key}: {before!r} before, {now!r} now"
        for name in sorted({*self.sources, *other.sources}):
            if self.sources.get(name) != other.sources.get(name):
                yield f"sources.{name}: its content is not what it was"
        for name in sorted({*self.columns, *other.columns}):
            if self.columns.get(name) != other.columns.get(name):
                yield f"column {name}: {self.columns.get(name)} before, {other.columns.get(name)} now"


class SpanFile(_Model):
    """A file in the folder: its path there, size in bytes and SHA-256."""

    name: str
    bytes: Count
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

    @field_validator("name")
    @classmethod
    def _stays_inside(cls, name: str) -> str:
        if not _FILE.fullmatch(name):
            raise ValueError("a file's name is train-00000-of-00001.ENDING, in no folder but that of a rank")
        return name


class SpanRecord(_Model):
    """What one task wrote.

    Attributes:
        files: one, or a `.bin` and its `.idx`.
        start, stop: steps in them.
        items: in them, in training order.
        tokens: in them; 0 for documents.
    """

    files: list[SpanFile]
    start: Count
    stop: Count
    items: Count
    tokens: Count


class Materialization(_Model):
    """`about/manifest.json`: what a folder of a mixed run holds, written last.

    Attributes:
        job: what was asked for.
        rank: whose share it is; None for all.
        items, tokens: sums over the spans.
        spans: in training order, of one rank after the other.
    """

    format: Literal["thermix-materialized"] = "thermix-materialized"
    version: Literal[1] = 1
    job: MaterializeJob
    rank: int | None
    items: Count
    tokens: Count
    spans: list[SpanRecord]
