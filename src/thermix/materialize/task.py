"""One task: a span of steps to its file. The same bytes wherever it runs."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from thermix.engines import Report
from thermix.materialize.folder import MaterializeFolder
from thermix.materialize.job import Format, SpanFile, SpanRecord
from thermix.materialize.lines import contents_of
from thermix.materialize.writers import LineWriter, SpanWriter, WindowWriter
from thermix.plan.plan import Plan
from thermix.sources.base import ItemSource
from thermix.sources.files import is_remote
from thermix.sources.reader import BatchReader, DeliveredBatch

__all__ = ["Span", "forget_runs", "write_span"]


@dataclass(frozen=True)
class Span:
    """Steps of a run, and all that is needed to write them.

    Attributes:
        number: of the task, from 0.
        name: path of its file in the folder, without the ending.
        start, stop: steps [start, stop).
        rank: whose share it is, of `ranks`; (0, 1) for whole batches.
        ranks: how many there are.
        folder: that is written to, or its address.
        layout: of the file.
        dtype: of a token; "" for documents.
        columns: of Parquet, serialised; else empty.
        run: plan and sources, pickled once.
        reads: local files that the sources lie in.
    """

    number: int
    name: str
    start: int
    stop: int
    rank: int
    ranks: int
    folder: str
    layout: Format
    dtype: str
    columns: bytes = field(repr=False)
    run: bytes = field(repr=False)
    reads: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What errors call it."""
        rank = f" of rank {self.rank}" if self.ranks > 1 else ""
        return f"span {self.number} (steps {self.start:,} to {self.stop:,}{rank}, {self.name})"

    @property
    def paths(self) -> tuple[str, ...]:
        """What it reads, and the folder it writes to, but for a remote one."""
        return self.reads if is_remote(self.folder) else (*self.reads, self.folder)


def write_span(span: Span, report: Report) -> SpanRecord:
    """Write the file of a span, and its record; what was written before is taken as it is.

    Args:
        span: which.
        report: is told of items, tokens and bytes written.

    Raises:
        DataError: an item is damaged, or the folder cannot be written.
    """
    folder = MaterializeFolder(span.folder)
    with folder.place.alone(span.number):
        done = folder.kept([span.number])
        if done:
            return done[span.number]
        with folder.span_draft(span.number, span.name) as here:
            (here / span.name).parent.mkdir(exist_ok=True)
            record = _written(span, here, report)
        folder.write_record(span.number, record)
        return record


def _written(span: Span, here: Path, report: Report) -> SpanRecord:
    plan, sources = opened_run(span.run)
    reader = BatchReader(
        plan, sources, rank=span.rank, world_size=span.ranks, dtype="int64" if not span.dtype else _kind(span)
    )
    writer = _writer(span, here / span.name, plan, sources)
    items = tokens = 0
    try:
        with closing(reader.batches(span.start, span.stop, threads=1)) as batches:
            for batch in batches:
                writer.add(batch)
                made, size = len(batch.item), _tokens(batch)
                items, tokens = items + made, tokens + size
                report(made, size, 0)
        written = writer.close()
    except BaseException:
        writer.discard()
        raise
    files = [
        SpanFile(name=path.relative_to(here).as_posix(), bytes=found.bytes, sha256=found.sha256)
        for path, found in written
    ]
    report(0, 0, sum(file.bytes for file in files))
    return SpanRecord(files=files, start=span.start, stop=span.stop, items=items, tokens=tokens)


def _kind(span: Span) -> Any:
    return span.dtype if span.dtype in ("int32", "int64") else "storage"


def _tokens(batch: DeliveredBatch) -> int:
    rows: Any = batch.rows
    return 0 if isinstance(rows, list) else int(rows.size)


def _writer(span: Span, path: Path, plan: Plan, sources: Mapping[str, ItemSource]) -> SpanWriter:
    if span.layout == "bin":
        return WindowWriter(path, span.dtype)
    if span.layout == "jsonl":
        return LineWriter(path, plan.names, contents_of(sources))
    from thermix.materialize.table import TableWriter, schema_from

    return TableWriter(path, plan.names, schema_from(span.columns))


@lru_cache(maxsize=2)
def opened_run(run: bytes) -> tuple[Plan, dict[str, ItemSource]]:
    """Plan and sources of a run; opened once in each process."""
    plan, sources = pickle.loads(run)
    return plan, sources


def forget_runs() -> None:
    """Let go of the sources that spans of this process have opened."""
    opened_run.cache_clear()
