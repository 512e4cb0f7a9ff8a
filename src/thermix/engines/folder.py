"""The folder that tasks write into: who may write, what is done already, and the end.

    DIR/.thermix-VERB/      while it is being written; gone when it is whole
        lock                held by the one run that writes
        job.json            what was asked for
        00003.json          task 3 is done: its files lie in DIR
    DIR/...                 files of tasks
    DIR/manifest.json       written last

DIR is a folder or an address (`places.py`). Invariant: a record is written after the files it names have
reached the disk or the store, the manifest after all records; whatever a killed run leaves is either named by
a record, or removed or written over by the next run.
"""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from thermix.engines.places import place_at
from thermix.errors import DataError, InvalidInput
from thermix.sources.manifest import canonical_json

__all__ = ["Job", "TaskFolder"]


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
        path: of the folder, or its address.

    Raises:
        InvalidInput: an address that cannot be written to.

    Attributes:
        place: where it lies.
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
        self.place = place_at(path, self.work)

    @abstractmethod
    def files_of(self, record: R) -> Iterable[tuple[str, int]]:
        """The files that a record names, as paths in the folder, and the bytes of each."""

    @contextlib.contextmanager
    def held(self, job: J) -> Iterator[None]:
        """The folder made, held against other runs, and found to belong to this job.

        Raises:
            InvalidInput: another run holds it, it belongs to another job, or holds other data.
            DataError: it cannot be written.
        """
        stranger = self.place.stranger(self.manifest)
        if stranger is not None:
            raise InvalidInput(
                f"{self.place}: it holds other files, such as {stranger}; {self.made} are {self.verb}d "
                "into a folder of their own. Give another --out."
            )
        with self.place.held(self.verb, self.made):
            self._begin(job)
            yield

    def refuse_other(self, before: Job, job: J) -> None:
        """Refuse a job that is not the one this folder was begun for.

        Raises:
            InvalidInput: with what differs.
        """
        differences = list(before.differences(job))
        if differences:
            listed = "; ".join(differences)
            raise InvalidInput(
                f"{self.place}: it holds {self.made} {self.verb}d from something else ({listed}). "
                f"{self.otherwise}: give another --out, or remove the folder."
            )

    def kept(self, tasks: Sequence[int]) -> dict[int, R]:
        """What each of the tasks made that is done, all its files being there, by its number.

        Raises:
            DataError: the folder cannot be read.
        """
        texts = self.place.read([self.record_name(task) for task in tasks])
        parsed = zip(tasks, map(self._parsed, texts), strict=True)
        found = {task: record for task, record in parsed if record is not None}
        due = [(task, *file) for task, record in found.items() for file in self.files_of(record)]
        sizes = self.place.sizes([name for _, name, _ in due]) if due else []
        lacking = {task for (task, _, size), there in zip(due, sizes, strict=True) if there != size}
        return {task: record for task, record in found.items() if task not in lacking}

    def draft(self, task: int, *names: str) -> contextlib.AbstractContextManager[Path]:
        """A folder of this machine for the files of a task, which are at their place after the block.

        Args:
            task: its number; it is not done.
            names: what the names of its files begin with.

        Raises:
            DataError: they cannot be written.
        """
        return self.place.draft([*names, self.record_name(task)])

    def write_record(self, task: int, record: R) -> None:
        """Write down that a task is done; its files are there already.

        Raises:
            DataError: it cannot be written.
        """
        self.place.write(self.record_name(task), canonical_json(record))

    def record_name(self, task: int) -> str:
        """Where the record of a task is."""
        return f"{self.work}/{task:05d}.json"

    def _parsed(self, text: bytes | None) -> R | None:
        with contextlib.suppress(ValidationError):
            return None if text is None else self.record_type.model_validate_json(text)
        return None

    def _begin(self, job: J) -> None:
        name = f"{self.work}/job.json"
        (text,) = self.place.read([name])
        if text is None:
            self.place.write(name, canonical_json(job))
            return
        try:
            before = self.job_type.model_validate_json(text)
        except ValidationError as error:
            raise DataError(
                f"{self.place}/{name}: it is not what thermix {self.verb} wrote. Remove {self.place} and "
                f"{self.verb} again."
            ) from error
        self.refuse_other(before, job)  # type: ignore[arg-type]
