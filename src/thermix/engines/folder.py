"""The folder that tasks write into: who may write, what is done already, and the end.

    DIR/.thermix-VERB/      while it is being written; gone when it is whole
        lock                held by the one run that writes
        job.json            what was asked for
        00003.json          task 3 is done: its files lie in DIR
    DIR/...                 files of tasks
    DIR/manifest.json       written last

Invariant: a record is written after the files it names have reached the disk, the manifest after all
records; whatever a killed run leaves is either named by a record, or removed by the next run.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from filelock import FileLock, Timeout
from pydantic import BaseModel, ValidationError

from thermix.errors import DataError, InvalidInput
from thermix.sources.manifest import canonical_json

__all__ = ["Job", "TaskFolder", "refuse_address", "write_whole", "writing"]

_ADDRESS = re.compile("[A-Za-z][A-Za-z0-9+.-]+:/")  # C:/ is a drive


class Job(Protocol):
    """What was asked for: a pydantic model that can say in what another one differs."""

    def differences(self, other: Any) -> Iterator[str]:
        """In what another job differs, one line each."""
        ...


J = TypeVar("J", bound=BaseModel)
R = TypeVar("R", bound=BaseModel)


class TaskFolder(ABC, Generic[J, R]):
    """A folder that tasks write into.

    A subclass says what it is called, what its models are, and which files a task has.

    Args:
        path: of the folder.

    Raises:
        InvalidInput: the path is an address.

    Attributes:
        verb: of the command that writes it.
        work: name of the folder for what is not finished.
        manifest: path in the folder that is written last.
        made: what it holds, in words, such as "shards".
        otherwise: how two jobs do not go together, in words, after the differences.
        job_type: model of a job.
        record_type: model of what a task made.
    """

    verb: ClassVar[str]
    work: ClassVar[str]
    manifest: ClassVar[str]
    made: ClassVar[str]
    otherwise: ClassVar[str]
    job_type: type[J]
    record_type: type[R]

    def __init__(self, path: str | os.PathLike[str]) -> None:
        refuse_address(path)
        self.path = Path(path)
        self._work = self.path / self.work

    @abstractmethod
    def files_of(self, record: R) -> Iterable[tuple[str, int]]:
        """The files that a record names, as paths in the folder, and the bytes of each."""

    @abstractmethod
    def remains_of(self, task: int) -> Iterable[Path]:
        """All that a task may have left in the folder, finished or not."""

    @contextlib.contextmanager
    def held(self, job: J) -> Iterator[None]:
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
                f"{self.path}: another run of thermix {self.verb} is writing there; two would spoil each "
                f"other's {self.made}. Wait for it, or give another --out."
            ) from None
        try:
            self._begin(job)
            yield
        finally:
            lock.release()

    def refuse_other(self, before: Job, job: J) -> None:
        """Refuse a job that is not the one this folder was begun for.

        Raises:
            InvalidInput: with what differs.
        """
        differences = list(before.differences(job))
        if differences:
            listed = "; ".join(differences)
            raise InvalidInput(
                f"{self.path}: it holds {self.made} {self.verb}d from something else ({listed}). "
                f"{self.otherwise}: give another --out, or remove the folder."
            )

    def kept(self, task: int) -> R | None:
        """What a task made, all its files being there; None where it is still to be done.

        Raises:
            DataError: the folder cannot be read.
        """
        file = self.record_file(task)
        with writing(file):
            text = file.read_bytes() if file.exists() else b""
        with contextlib.suppress(ValidationError):
            record = self.record_type.model_validate_json(text)
            if all(self._is_there(name, size) for name, size in self.files_of(record)):
                return record
        return None

    def remove_remains(self, task: int) -> None:
        """Remove all that a task left behind, so that it can be done.

        Raises:
            DataError: it cannot be removed.
        """
        with writing(self.path):
            for file in (*self.remains_of(task), self.record_file(task)):
                file.unlink(missing_ok=True)

    def lock_of(self, task: int) -> FileLock:
        """Held while a task is worked on, also by a process whose driver was killed."""
        return FileLock(self._work / f"{task:05d}.lock")

    def write_record(self, task: int, record: R) -> None:
        """Write down that a task is done; its files are on disk already.

        Raises:
            DataError: it cannot be written.
        """
        write_whole(self.record_file(task), canonical_json(record))

    def record_file(self, task: int) -> Path:
        """Where the record of a task is."""
        return self._work / f"{task:05d}.json"

    def clear_work(self) -> None:
        """Remove the records of a folder that is whole."""
        shutil.rmtree(self._work, ignore_errors=True)

    def _begin(self, job: J) -> None:
        file = self._work / "job.json"
        with writing(file):
            text = file.read_bytes() if file.exists() else None
        if text is None:
            write_whole(file, canonical_json(job))
            return
        try:
            before = self.job_type.model_validate_json(text)
        except ValidationError as error:
            raise DataError(
                f"{file}: it is not what thermix {self.verb} wrote. Remove {self.path} and {self.verb} again."
            ) from error
        self.refuse_other(before, job)  # type: ignore[arg-type]

    def _refuse_foreign(self) -> None:
        """A folder with data of others in it is not ours to write to."""
        if not self.path.exists() and not self.path.is_symlink():
            return
        if not self.path.is_dir():
            raise InvalidInput(
                f"{self.path}: it is a file; {self.made} go into a folder. Give another --out."
            )
        with writing(self.path):
            names = {child.name for child in self.path.iterdir()}
        if names and self.work not in names and not (self.path / self.manifest).exists():
            raise InvalidInput(
                f"{self.path}: it holds other files, such as {min(names)}; {self.made} are {self.verb}d "
                "into a folder of their own. Give another --out."
            )

    def _is_there(self, name: str, size: int) -> bool:
        with contextlib.suppress(OSError):
            return os.stat(self.path / name).st_size == size
        return False


def refuse_address(path: str | os.PathLike[str]) -> None:
    """Refuse an address where a folder is to be written: an object store has no lock and no rename.

    Raises:
        InvalidInput: it is one, such as "s3://bucket/shards"; also as `Path` writes it, with one slash.
    """
    if _ADDRESS.match(os.fspath(path)):
        raise InvalidInput(
            f"{path}: it is an address; files are written to a folder, which may lie on a file system that "
            "all nodes see. Give a folder as --out, and copy it afterwards, manifest.json last: aws s3 cp "
            "--recursive, or gcloud storage cp. Shards are read from s3:// and gs:// as they are."
        )


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, through a power cut too.

    Raises:
        DataError: it cannot be written; nothing of it is left.
    """
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
