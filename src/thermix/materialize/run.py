"""`materialize`: a mixed run to a folder of files, from where it was left to its manifest."""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np

from thermix.engines import Engine, Progress, Watcher
from thermix.engines.local import LocalEngine
from thermix.engines.places import Room
from thermix.errors import DataError, InvalidInput, OutOfRange
from thermix.materialize.folder import ABOUT, PLAN, MaterializeFolder, span_name
from thermix.materialize.job import FORMATS, Format, Materialization, MaterializeJob, SpanRecord
from thermix.materialize.lines import contents_of, json_lines
from thermix.materialize.task import Span, forget_runs, write_span
from thermix.plan.checks import check_choice, checked_whole
from thermix.plan.plan import Plan, rank_slice
from thermix.sources.base import ItemSource
from thermix.sources.files import is_remote
from thermix.sources.reader import BatchReader

__all__ = ["Materialized", "materialize"]

_FILE_BYTES = 256 << 20  # of tokens in a file, about
_FILE_DOCUMENTS = 50_000
_MOST_TASKS = 100_000  # five digits in a file's name keep the order of names
_MOST_PROCESSES = 1 << 10
_INDEX_BYTES = 20  # a sequence in an .idx: its length, its place, its document
_SAMPLE = 64  # items
_SURELY = 2  # times the room there is, where a sample says it
_WRITABLE = ("uint8", "uint16", "int8", "int16", "int32", "int64")


class Materialized(NamedTuple):
    """What became of a run.

    Attributes:
        manifest: of the folder, which is whole.
        made: spans written by this run; 0 where all had been before.
        tasks: spans in all.
    """

    manifest: Materialization
    made: int
    tasks: int


def materialize(
    plan: Plan,
    sources: Mapping[str, ItemSource],
    out: str | os.PathLike[str],
    *,
    layout: Format,
    start: int = 0,
    stop: int | None = None,
    ranks: int = 0,
    steps_per_file: int | None = None,
    processes: int | None = None,
    engine: Engine | None = None,
    watcher: Watcher | None = None,
) -> Materialized:
    """Write the items of steps [start, stop) in training order.

    A run that was killed goes on where it was, with the same call, and ends with the same bytes.

    Args:
        plan: what the batches are.
        sources: by name, open; they stay the caller's to close. They must pickle.
        out: the folder, made if need be; or its address in an object store, such as "s3://bucket/run".
        layout: "jsonl", the lines of `thermix stream`; "parquet"; "bin", token sequences as Megatron-LM's
            `.bin` and `.idx`, one sequence a document.
        start: the first step.
        stop: one past the last; left out, the end of the plan.
        ranks: one folder a rank, for so many; 0 for whole batches in one folder.
        steps_per_file: left out, about 256 MB of tokens or 50,000 documents. It is part of what is asked for.
        processes: left out, one for each processor. They change nothing in the output.
        engine: runs the tasks; left out, processes of this machine.
        watcher: is told how it goes, in items.

    Returns:
        The manifest, and how much of it this run did.

    Raises:
        InvalidInput: sources that are not the plan's or do not suit the layout, a folder of another run or
            held by one, a wrong value.
        DataError: a damaged item, a folder that cannot be written, a disk too small. What is done is kept.
        MissingExtra: a library is not installed.
    """
    watch = watcher or Watcher()
    check_choice("format", layout, FORMATS)
    start, stop = _steps(plan, start, plan.end if stop is None else stop)
    workers = checked_whole(
        "processes", (os.cpu_count() or 1) if processes is None else processes, 1, _MOST_PROCESSES
    )
    ranks = checked_whole("ranks", ranks, 0)
    if ranks:
        rank_slice(0, ranks, min(s.batch_size for s in plan.segments if s.start < stop and start < s.end))
    reader = BatchReader(plan, sources)
    dtype, row_length = _tokens_of(reader, layout, sources)
    schema = _schema(layout, sources, dtype)
    job = MaterializeJob(
        fingerprint=plan.fingerprint,
        start=start,
        stop=stop,
        layout=layout,
        ranks=ranks,
        steps_per_file=_steps_per_file(plan, start, ranks, steps_per_file, dtype, row_length),
        dtype=dtype,
        row_length=row_length,
        columns={} if schema is None else {each.name: str(each.type) for each in schema},
        sources={name: source.fingerprint for name, source in sources.items()},
    )
    folder = MaterializeFolder(out)
    done = folder.finished()
    if done is not None:
        folder.refuse_other(done.job, job)
        return Materialized(done, 0, len(done.spans))
    spans = _spans(plan, sources, folder, job, schema)
    with folder.held(job):
        try:
            records = folder.kept([span.number for span in spans])
            left = _items_before(plan, job.stop) - _items_before(plan, job.start)
            left -= _progress_of(records.values()).documents
            need = int(left * _bytes_of_item(plan, sources, job))
            room = folder.place.room(need, len(spans) - len(records), 0 if engine else workers)
            _check_room(room, job, watch)
            return _to_the_end(plan, folder, job, spans, records, watch, engine or LocalEngine(workers, 1))
        finally:
            forget_runs()


def _steps(plan: Plan, start: int, stop: int) -> tuple[int, int]:
    start, stop = checked_whole("start", start), checked_whole("stop", stop)
    if not 0 <= start < stop <= plan.end:
        raise OutOfRange(
            f"steps: got {start}:{stop}; the plan has steps 0 to {plan.end}, and a span [A, B) of it at "
            f"least one. Ask for 0:{plan.end}, or a part of it."
        )
    return start, stop


def _tokens_of(reader: BatchReader, layout: Format, sources: Mapping[str, ItemSource]) -> tuple[str, int]:
    """The type of a token in the files and the length of a sequence; "" and 0 for documents."""
    if reader.unit == "document":
        if layout == "bin":
            raise InvalidInput(
                "format: got 'bin', and the sources are documents; .bin holds token sequences. Prepare the "
                "sources (thermix prepare), or take jsonl or parquet."
            )
        return "", 0
    first = np.asarray(next(iter(sources.values())).read([0]))
    if layout == "jsonl":
        return "int64", first.shape[1]
    types = {np.asarray(source.read([0])).dtype for source in sources.values() if len(source)}
    common = np.result_type(*types)
    if len(types) == 1 and common.name in _WRITABLE:
        return common.name, first.shape[1]
    return ("int32" if np.can_cast(common, np.int32, "safe") else "int64"), first.shape[1]


def _schema(layout: Format, sources: Mapping[str, ItemSource], dtype: str) -> Any:
    if layout != "parquet":
        return None
    from thermix.materialize.table import table_schema

    return table_schema(sources, dtype)


def _steps_per_file(
    plan: Plan, start: int, ranks: int, given: int | None, dtype: str, row_length: int
) -> int:
    if given is not None:
        return checked_whole("steps_per_file", given, 1)
    batch = next(s.batch_size for s in reversed(plan.segments) if s.start <= start) / max(1, ranks)
    if not dtype:
        return max(1, int(_FILE_DOCUMENTS / batch))
    return max(1, int(_FILE_BYTES / (batch * row_length * np.dtype(dtype).itemsize)))


def _spans(
    plan: Plan, sources: Mapping[str, ItemSource], folder: MaterializeFolder, job: MaterializeJob, schema: Any
) -> list[Span]:
    """The tasks: of one rank after the other, in the order of steps."""
    starts = range(job.start, job.stop, job.steps_per_file)
    if len(starts) * max(1, job.ranks) > _MOST_TASKS:
        raise InvalidInput(
            f"steps_per_file: got {job.steps_per_file:,}, which makes {len(starts) * max(1, job.ranks):,} "
            f"files; at most {_MOST_TASKS:,} are numbered. Take a larger one: --steps-per-file."
        )
    columns = b""
    if schema is not None:
        from thermix.materialize.table import schema_bytes

        columns = schema_bytes(schema)
    run = pickle.dumps((plan, dict(sources)))
    reads = tuple(_local_folders(sources))
    return [
        Span(
            number=len(starts) * (rank or 0) + number,
            name=span_name(rank, job.ranks, number, len(starts)),
            start=first,
            stop=min(first + job.steps_per_file, job.stop),
            rank=rank or 0,
            ranks=job.ranks or 1,
            folder=folder.place.address,
            layout=job.layout,
            dtype=job.dtype,
            columns=columns,
            run=run,
            reads=reads,
        )
        for rank in (range(job.ranks) if job.ranks else [None])
        for number, first in enumerate(starts)
    ]


def _local_folders(sources: Mapping[str, ItemSource]) -> Iterable[str]:
    """Folders that sources lie in, as far as they say."""
    for source in sources.values():
        yield from (folder for folder in getattr(source, "folders", ()) if not is_remote(folder))


def _to_the_end(
    plan: Plan,
    folder: MaterializeFolder,
    job: MaterializeJob,
    spans: Sequence[Span],
    records: dict[int, SpanRecord],
    watch: Watcher,
    engine: Engine,
) -> Materialized:
    """Do what is still to be done, and write the manifests; the folder is held."""
    todo = [span for span in spans if span.number not in records]
    before = _progress_of(records.values())
    with folder.place.draft([]) as here:
        (here / ABOUT).mkdir(exist_ok=True)
        plan.save(here / ABOUT / PLAN)
    watch.begin(_items_before(plan, job.stop) - _items_before(plan, job.start), before)

    def show(done: Progress) -> None:
        watch.show(Progress(*(a + b for a, b in zip(before, done, strict=True))))

    for span, record in engine.run(write_span, todo, show):
        records[span.number] = record
        folder.place.confirm()
    whole = _manifest(job, None, [records[span.number] for span in spans])
    each = len(spans) // max(1, job.ranks)
    ranks = [
        _manifest(job, rank, [_own_names(records[rank * each + i]) for i in range(each)])
        for rank in range(job.ranks)
    ]
    folder.finish(whole, ranks)
    return Materialized(whole, len(todo), len(spans))


def _items_before(plan: Plan, step: int) -> int:
    return int(plan.counts(step).sum())


def _progress_of(records: Iterable[SpanRecord]) -> Progress:
    items = tokens = size = 0
    for record in records:
        items += record.items
        tokens += record.tokens
        size += sum(file.bytes for file in record.files)
    return Progress(items, tokens, size)


def _check_room(room: Room, job: MaterializeJob, watch: Watcher) -> None:
    """Refuse a disk too small for what is to be written: exactly for `.bin`, by a sample for lines."""
    need, free, where, fate, instead = room
    exact = job.layout == "bin"
    about = "" if exact else "about "
    said = f"{where}: {about}{need:,} bytes {fate}, and its disk has {free:,} free."
    if need > free * (1 if exact else _SURELY):
        raise DataError(f"{said} Free {need - free:,} more, write fewer steps (--steps), or {instead}.")
    if need > free:
        watch.notice(said)


def _bytes_of_item(plan: Plan, sources: Mapping[str, ItemSource], job: MaterializeJob) -> float:
    """Of the files, for one item: exactly for `.bin`, by the first items for lines, else not known: 0."""
    if job.layout == "bin":
        return job.row_length * np.dtype(job.dtype).itemsize + _INDEX_BYTES
    if job.layout == "parquet":
        return 0.0
    batch_size = next(s.batch_size for s in reversed(plan.segments) if s.start <= job.start)
    reader = BatchReader(plan, sources, world_size=max(1, batch_size // _SAMPLE))
    with closing(reader.batches(job.start, job.start + 1, threads=0)) as batches:
        lines = list(json_lines(next(batches), plan.names, contents_of(sources)))
    return sum(len(line.encode()) for line in lines) / len(lines)


def _manifest(job: MaterializeJob, rank: int | None, spans: list[SpanRecord]) -> Materialization:
    done = _progress_of(spans)
    return Materialization(job=job, rank=rank, items=done.documents, tokens=done.tokens, spans=spans)


def _own_names(record: SpanRecord) -> SpanRecord:
    """A record of a rank as the manifest in the rank's own folder has it."""
    files = [file.model_copy(update={"name": file.name.partition("/")[2]}) for file in record.files]
    return record.model_copy(update={"files": files})
