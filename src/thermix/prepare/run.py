"""`prepare`: raw text to a folder of token shards, from where it was left to its manifest."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from thermix.engines import Engine, Progress, Watcher
from thermix.engines.local import LocalEngine
from thermix.errors import DataError, InvalidInput
from thermix.plan.checks import checked_whole
from thermix.prepare.encoders import Encoder, open_encoder
from thermix.prepare.folder import OutputFolder, TaskRecord
from thermix.prepare.inputs import InputFile, find_inputs, split_inputs
from thermix.prepare.job import Job
from thermix.prepare.task import Task, run_task
from thermix.prepare.texts import BadRow, Texts, read_texts
from thermix.sources.manifest import InputRecord, Manifest

__all__ = ["SPLIT_BYTES", "Prepared", "Watcher", "prepare"]

SPLIT_BYTES = 64 << 20

_LEAST_SPLIT = 1 << 10
_MOST_SPLIT = 1 << 40
_SAMPLE = 64  # documents
_INDEX_BYTES = 20  # a document in an .idx: its length, its place, its number
_SURELY = 2  # times the room there is: later documents may be others than the first
_MOST_PROCESSES = 1 << 10
_MOST_TASKS = 100_000  # five digits in a shard's name keep the order of names


class Prepared(NamedTuple):
    """What became of a preparation.

    Attributes:
        manifest: of the folder, which is whole.
        made: tasks done by this run; 0 where all had been done before.
        tasks: in all.
    """

    manifest: Manifest
    made: int
    tasks: int


def prepare(
    inputs: Sequence[str],
    out: str | os.PathLike[str],
    *,
    tokenizer: str | Encoder,
    field: str = "text",
    end_of_document: str | None = None,
    split_bytes: int = SPLIT_BYTES,
    processes: int | None = None,
    skip_bad: bool = False,
    watcher: Watcher | None = None,
    engine: Engine | None = None,
    name: str = "INPUT",
) -> Prepared:
    """Write the token shards of raw text, as Megatron-LM reads them, and a manifest.

    A run that was killed goes on where it was, with the same call, and ends with the same bytes.

    Args:
        inputs: files, folders and globs of JSON Lines (plain or compressed), Parquet, CSV, text, Arrow.
        out: the folder, made if need be; or its address in an object store, such as "s3://bucket/shards".
        tokenizer: "bytes", the path of a tokenizer.json, "tiktoken:NAME" or "hf:NAME"; or an encoder.
        field: of a row, that holds its text.
        end_of_document: the token put behind each document, where the tokenizer leaves that open.
        split_bytes: raw bytes of one piece of work, and about so much text in one shard; from 1 KiB.
        processes: left out, one for each processor. They change nothing in the output.
        skip_bad: leave broken rows out and list them in `skipped.jsonl`; else the first one is an error.
        watcher: is told how it goes.
        engine: runs the tasks; left out, processes of this machine.
        name: what errors call the inputs.

    Returns:
        The manifest, and how much of it this run did.

    Raises:
        InvalidInput: nothing to read, a folder of another job or held by another run, a wrong value.
        DataError: a broken row, a damaged file, a folder that cannot be written, a disk
            too small. What is done is kept.
        MissingExtra: a library that reads the input, or the tokenizer, or writes to the store, is not
            installed.
    """
    watch = watcher or Watcher()
    split_bytes = checked_whole("split_bytes", split_bytes, _LEAST_SPLIT, _MOST_SPLIT)
    workers = checked_whole(
        "processes", (os.cpu_count() or 1) if processes is None else processes, 1, _MOST_PROCESSES
    )
    files = find_inputs(inputs, name)
    encoder = (
        open_encoder(tokenizer, end_of_document=end_of_document) if isinstance(tokenizer, str) else tokenizer
    )
    folder, job = OutputFolder(out), _job(files, encoder, field, split_bytes)
    tasks = _tasks(files, folder, job, encoder, skip_bad)
    if (manifest := folder.finished()) is not None:
        folder.refuse_other(Job.of(manifest), job)
        return Prepared(manifest, 0, len(tasks))
    with folder.held(job):
        sample = _sample(tasks)
        _compare_ids(encoder, sample, watch)
        found = folder.records([task.number for task in tasks], skip_bad=skip_bad)
        _check_room(folder, job, tasks, found, sample, 0 if engine else workers, watch)
        here = engine or LocalEngine(workers, _threads_each(workers))
        return _to_the_end(folder, job, tasks, found, watch, here)


def _job(files: Sequence[InputFile], encoder: Encoder, field: str, split_bytes: int) -> Job:
    return Job(
        tokenizer=encoder.identity,
        dtype=encoder.dtype,
        field=field,
        split_bytes=split_bytes,
        inputs=[InputRecord(path=f.path, format=f.format, bytes=f.bytes, digest=f.digest) for f in files],
    )


def _tasks(
    files: Sequence[InputFile], folder: OutputFolder, job: Job, encoder: Encoder, skip_bad: bool
) -> list[Task]:
    splits = split_inputs(files, job.split_bytes)
    if len(splits) > _MOST_TASKS:
        raise InvalidInput(
            f"split_bytes: got {job.split_bytes:,}, which cuts the input into {len(splits):,} pieces; at "
            f"most {_MOST_TASKS:,} are numbered. Take a larger one: --shard-size."
        )
    return [
        Task(number, parts, folder.place.address, job.field, encoder, job.split_bytes, skip_bad)
        for number, parts in enumerate(splits)
    ]


def _threads_each(processes: int) -> int:
    return max(1, (os.cpu_count() or 1) // processes)


def _sample(tasks: Sequence[Task]) -> Texts | None:
    """The first documents; None where there are none."""

    def pass_over(row: BadRow) -> None:
        """A broken row is the business of its task."""

    for task in tasks[:1]:
        batches = (batch for part in task.parts for batch in read_texts(part, task.field, pass_over))
        return next(batches, None)
    return None


def _compare_ids(encoder: Encoder, sample: Texts | None, watch: Watcher) -> None:
    """Let the encoder try the first documents, and pass on what it has to say."""
    if sample is not None:
        encoder.check(sample.texts[:_SAMPLE])
    for notice in encoder.notices:
        watch.notice(notice)


def _check_room(
    folder: OutputFolder,
    job: Job,
    tasks: Sequence[Task],
    found: Mapping[int, TaskRecord],
    sample: Texts | None,
    at_once: int,
    watch: Watcher,
) -> None:
    """Refuse a disk that is surely too small for the shards, by the first documents; say when it may be."""
    some = [] if sample is None else sample.texts[:_SAMPLE]
    if sample is None or not sample.bytes_read or not some:
        return
    tokens, _ = tasks[0].encoder.encode(some)
    part = max(1, sum(map(len, some))) / max(1, sum(map(len, sample.texts)))  # of the raw bytes read
    each = (tokens.nbytes + _INDEX_BYTES * len(some)) / (sample.bytes_read * part)
    done = sum(record.raw_bytes for record in found.values())
    whole = int((sum(file.bytes for file in job.inputs) - done) * each)
    need, free, where, fate, instead = folder.place.room(whole, len(tasks) - len(found), at_once)
    said = (
        f"{where}: about {need:,} bytes of shards {fate}, as far as the first documents show, and its disk "
        f"has {free:,} free."
    )
    if need > _SURELY * free:
        raise DataError(f"{said} Free {need - free:,} more, prepare less, or {instead}.")
    if need > free:
        watch.notice(said)


def _to_the_end(
    folder: OutputFolder,
    job: Job,
    tasks: Sequence[Task],
    found: Mapping[int, TaskRecord],
    watch: Watcher,
    engine: Engine,
) -> Prepared:
    """Do what is still to be done, and write the manifest; the folder is held."""
    records = dict(found)
    todo = [task for task in tasks if task.number not in records]
    before = _progress_of(records.values())
    watch.begin(sum(file.bytes for file in job.inputs), before)

    def show(done: Progress) -> None:
        watch.show(Progress(*(a + b for a, b in zip(before, done, strict=True))))

    for task, record in engine.run(run_task, todo, show):
        records[task.number] = record
        folder.place.confirm()
    manifest = _manifest(job, [records[task.number] for task in tasks])
    if tasks:
        with folder.place.draft([]) as here:
            tasks[0].encoder.save(here)
    folder.finish(manifest, records)
    return Prepared(manifest, len(todo), len(tasks))


def _progress_of(records: Iterable[TaskRecord]) -> Progress:
    documents = tokens = raw_bytes = 0
    for record in records:
        documents += sum(shard.documents for shard in record.shards)
        tokens += sum(shard.tokens for shard in record.shards)
        raw_bytes += record.raw_bytes
    return Progress(documents, tokens, raw_bytes)


def _manifest(job: Job, records: Sequence[TaskRecord]) -> Manifest:
    done = _progress_of(records)
    return Manifest(
        tokenizer=job.tokenizer,
        dtype=job.dtype,
        end_of_document=job.tokenizer["end_of_document"],
        field=job.field,
        split_bytes=job.split_bytes,
        documents=done.documents,
        tokens=done.tokens,
        skipped=sum(record.skipped for record in records),
        inputs=job.inputs,
        shards=[shard for record in records for shard in record.shards],
    )
