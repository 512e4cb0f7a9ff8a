"""The folder that shards are prepared into: who may write, what is done already, and the end.

    DIR/.thermix-prepare/   while it is being prepared; gone when it is whole
        lock                held by the one run that writes
        job.json            what was asked for
        00003.json          task 3 is done: its shards lie in DIR
        00003.skipped       rows that task 3 left out
    DIR/shard-00003-000.bin and .idx
    DIR/manifest.json       written last

Invariant: a record is written after the files it names have reached the disk, the manifest after all
records; whatever a killed run leaves is either named by a record, or removed by the next run.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, ValidationError

from thermix.errors import DataError, InvalidInput
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


class OutputFolder:
    """A folder being prepared.

    Args:
        path: of the folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._work = self.path / UNFINISHED

    @contextlib.contextmanager
    def held(self, job: Job) -> Iterator[None]:
        """The folder made, held against other runs, and found to belong to this job.

        Raises:
            InvalidInput: another run holds it, it belongs to another job, or holds other data.
            DataError: it cannot be written.
        """
        self._refuse_foreign()
        with writing(self._work):
            self._work.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self._work / "lock")
        try:
            with writing(self._work):
                lock.acquire(timeout=0)
        except Timeout:
            raise InvalidInput(
                f"{self.path}: another run of thermix prepare is writing there; two would spoil each other's "
                "shards. Wait for it, or give another --out."
            ) from None
        try:
            self._begin(job)
            yield
        finally:
            lock.release()

    def finished(self) -> Manifest | None:
        """The manifest, where the folder is whole."""
        return read_manifest(self.path)

    def refuse_other(self, before: Job, job: Job) -> None:
        """Refuse a job that is not the one this folder was begun for.

        Raises:
            InvalidInput: with what differs.
        """
        differences = list(before.differences(job))
        if differences:
            listed = "; ".join(differences)
            raise InvalidInput(
                f"{self.path}: it holds shards prepared from something else ({listed}). Shards of two "
                "preparations do not mix: give another --out, or remove the folder."
            )

    def record(self, task: int, *, skip_bad: bool) -> TaskRecord | None:
        """What a task made; None where it is still to be done, all it left behind being removed.

        Args:
            task: its number.
            skip_bad: whether a record of a task that left rows out will do.

        Raises:
            DataError: the folder cannot be read or written.
        """
        file = self._record_file(task)
        with writing(file):
            text = file.read_bytes() if file.exists() else b""
        with contextlib.suppress(ValidationError):
            record = TaskRecord.model_validate_json(text)
            if (skip_bad or not record.skipped) and all(map(self._is_there, record.shards)):
                return record
        self._remove_leftovers(task)
        return None

    def lock_of(self, task: int) -> FileLock:
        """Held while a task is worked on, also by a process whose driver was killed."""
        return FileLock(self._work / f"{task:05d}.lock")

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
            _write_whole(self._skipped_file(task), "".join(f"{line}\n" for line in skipped).encode())
        _write_whole(self._record_file(task), canonical_json(record))

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
            _write_whole(self.path / SKIPPED, b"".join(lists))
        _write_whole(self.path / MANIFEST, canonical_json(manifest))
        shutil.rmtree(self._work, ignore_errors=True)

    def clear_work(self) -> None:
        """Remove the records of a folder that is whole."""
        shutil.rmtree(self._work, ignore_errors=True)

    def _begin(self, job: Job) -> None:
        file = self._work / "job.json"
        with writing(file):
            text = file.read_bytes() if file.exists() else None
        if text is None:
            _write_whole(file, canonical_json(job))
            return
        try:
            before = Job.model_validate_json(text)
        except ValidationError as error:
            raise DataError(
                f"{file}: it is not what thermix prepare wrote. Remove {self.path} and prepare again."
            ) from error
        self.refuse_other(before, job)

    def _refuse_foreign(self) -> None:
        """A folder with data of others in it is not ours to write to."""
        if not self.path.exists() and not self.path.is_symlink():
            return
        if not self.path.is_dir():
            raise InvalidInput(f"{self.path}: it is a file; shards go into a folder. Give another --out.")
        with writing(self.path):
            names = {child.name for child in self.path.iterdir()}
        if names and UNFINISHED not in names and MANIFEST not in names:
            raise InvalidInput(
                f"{self.path}: it holds other files, such as {min(names)}; shards are prepared into a folder "
                "of their own. Give another --out."
            )

    def _record_file(self, task: int) -> Path:
        return self._work / f"{task:05d}.json"

    def _skipped_file(self, task: int) -> Path:
        return self._work / f"{task:05d}.skipped"

    def _is_there(self, shard: ShardRecord) -> bool:
        files = ((shard.bin, ".bin"), (shard.idx, ".idx"))
        with contextlib.suppress(OSError):
            return all(
                os.stat(self.path / f"{shard.name}{ending}").st_size == record.bytes
                for record, ending in files
            )
        return False

    def _remove_leftovers(self, task: int) -> None:
        with writing(self.path):
            for file in self.path.glob(f"shard-{task:05d}-*"):
                file.unlink()
            for file in (self._record_file(task), self._skipped_file(task)):
                file.unlink(missing_ok=True)


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, through a power cut too."""
    part = path.with_name(f"{path.name}.part")
    with writing(path):
        try:
            with open(part, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what the system says of a write into an error that names the file.

    Raises:
        DataError: in place of an OSError.
    """
    try:
        yield
    except Timeout:  # an OSError too, and not about a write
        raise
    except OSError as error:
        raise DataError(
            f"{error.filename or path}: it cannot be written: {error.strerror or error}. Mend that and run "
            "the same command again: what is finished is kept."
        ) from error
