"""The folder that shards are prepared into.

DIR/.thermix-prepare/   while it is being prepared (`engines/folder.py`)
00003.skipped       rows that task 3 left out
DIR/shard-00003-000.bin and .idx
DIR/skipped.jsonl       rows left out, where there are any
DIR/manifest.json       written last
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from thermix.engines.folder import TaskFolder, write_whole, writing
from thermix.prepare.job import Job
from thermix.sources.files import MANIFEST, UNFINISHED
from thermix.sources.manifest import Manifest, ShardRecord, canonical_json, read_manifest

__all__ = ["SKIPPED", "OutputFolder", "TaskRecord", "writing"]

SKIPPED = "skipped.jsonl"


class TaskRecord(BaseModel):
    """What one task made.

    Attributes:
        shards: in order.
        skipped: rows left out.
        raw_bytes: of input that were read.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    shards: list[ShardRecord]
    skipped: int
    raw_bytes: int


class OutputFolder(TaskFolder[Job, TaskRecord]):
    """A folder being prepared.

    Args:
        path: of the folder.
    """

    verb: ClassVar[str] = "prepare"
    work: ClassVar[str] = UNFINISHED
    manifest: ClassVar[str] = MANIFEST
    made: ClassVar[str] = "shards"
    otherwise: ClassVar[str] = "Shards of two preparations do not mix"
    job_type = Job
    record_type = TaskRecord

    def files_of(self, record: TaskRecord) -> Iterator[tuple[str, int]]:
        """Two files a shard."""
        for shard in record.shards:
            yield f"{shard.name}.bin", shard.bin.bytes
            yield f"{shard.name}.idx", shard.idx.bytes

    def remains_of(self, task: int) -> Iterable[Path]:
        """Its shards, and its list of rows left out."""
        return [*self.path.glob(f"shard-{task:05d}-*"), self._skipped_file(task)]

    def finished(self) -> Manifest | None:
        """The manifest, where the folder is whole."""
        return read_manifest(self.path)

    def record(self, task: int, *, skip_bad: bool) -> TaskRecord | None:
        """What a task made; None where it is still to be done, all it left behind being removed.

        Args:
            task: its number.
            skip_bad: whether a record of a task that left rows out will do.

        Raises:
            DataError: the folder cannot be read or written.
        """
        record = self.kept(task)
        if record is not None and (skip_bad or not record.skipped):
            return record
        self.remove_remains(task)
        return None

    def finish_task(self, task: int, record: TaskRecord, skipped: Sequence[str]) -> None:
        """Write down that a task is done; its shards are on disk already.

        Args:
            task: its number.
            record: what it made.
            skipped: lines for the list of rows left out.

        Raises:
            DataError: it cannot be written.
        """
        if skipped:
            write_whole(self._skipped_file(task), "".join(f"{line}\n" for line in skipped).encode())
        self.write_record(task, record)

    def shard_path(self, task: int, number: int) -> Path:
        """Of a shard of a task, without an ending."""
        return self.path / f"shard-{task:05d}-{number:03d}"

    def finish(self, manifest: Manifest, tasks: int) -> None:
        """Write the manifest, then remove the records.

        Raises:
            DataError: it cannot be written.
        """
        lists = [file.read_bytes() for task in range(tasks) if (file := self._skipped_file(task)).exists()]
        if lists:
            write_whole(self.path / SKIPPED, b"".join(lists))
        write_whole(self.path / MANIFEST, canonical_json(manifest))
        self.clear_work()

    def _skipped_file(self, task: int) -> Path:
        return self._work / f"{task:05d}.skipped"
