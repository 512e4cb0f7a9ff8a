"""The folder that shards are prepared into.

DIR/.thermix-prepare/   while it is being prepared (`engines/folder.py`)
00003.skipped       rows that task 3 left out
DIR/shard-00003-000.bin and .idx
DIR/skipped.jsonl       rows left out, where there are any
DIR/manifest.json       written last
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from thermix.engines.folder import TaskFolder
from thermix.errors import DataError
from thermix.prepare.job import Job
from thermix.sources.files import MANIFEST, UNFINISHED
from thermix.sources.manifest import Manifest, ShardRecord, canonical_json, parse_manifest

__all__ = ["SKIPPED", "OutputFolder", "TaskRecord", "shard_name"]

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
        path: of the folder, or its address.
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

    def finished(self) -> Manifest | None:
        """The manifest, where the folder is whole."""
        (text,) = self.place.read([MANIFEST])
        return None if text is None else parse_manifest(text, f"{self.place}/{MANIFEST}")

    def records(self, tasks: Sequence[int], *, skip_bad: bool) -> dict[int, TaskRecord]:
        """What those of the tasks made that need not be done again.

        Args:
            tasks: their numbers.
            skip_bad: whether a record of a task that left rows out will do.

        Raises:
            DataError: the folder cannot be read.
        """
        kept = self.kept(tasks)
        left_out = [task for task, record in kept.items() if record.skipped]
        lists = self.place.sizes([self._skipped_name(task) for task in left_out]) if left_out else []
        unfit = {task for task, size in zip(left_out, lists, strict=True) if size is None or not skip_bad}
        return {task: record for task, record in kept.items() if task not in unfit}

    def shards_draft(self, task: int) -> AbstractContextManager[Path]:
        """A folder for the shards of a task, as `TaskFolder.draft`."""
        return self.draft(task, f"shard-{task:05d}-", self._skipped_name(task))

    def finish_task(self, task: int, record: TaskRecord, skipped: Sequence[str]) -> None:
        """Write down that a task is done; its shards are there already.

        Args:
            task: its number.
            record: what it made.
            skipped: lines for the list of rows left out.

        Raises:
            DataError: it cannot be written.
        """
        if skipped:
            self.place.write(self._skipped_name(task), "".join(f"{line}\n" for line in skipped).encode())
        self.write_record(task, record)

    def finish(self, manifest: Manifest, records: Mapping[int, TaskRecord]) -> None:
        """Write the manifest, then remove the records.

        Raises:
            DataError: it cannot be written.
        """
        lists = [self._skipped_name(task) for task in sorted(records) if records[task].skipped]
        if lists:
            self.place.write(SKIPPED, b"".join(self._lists(lists)))
        self.place.confirm()
        self.place.write(MANIFEST, canonical_json(manifest))
        self.place.clear()

    def _lists(self, names: Sequence[str]) -> Iterator[bytes]:
        for name, text in zip(names, self.place.read(names), strict=True):
            if text is None:
                raise DataError(
                    f"{self.place}/{name}: the list of rows left out is gone, as when another run has ended "
                    "here. Run the same command again."
                )
            yield text

    def _skipped_name(self, task: int) -> str:
        return f"{self.work}/{task:05d}.skipped"


def shard_name(task: int, number: int) -> str:
    """Of a shard of a task, without an ending."""
    return f"shard-{task:05d}-{number:03d}"
