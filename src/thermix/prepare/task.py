"""One task of a preparation: a piece of the input to its shards. The same bytes wherever it runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from thermix.engines import Report
from thermix.errors import DataError
from thermix.prepare.encoders import Encoder
from thermix.prepare.folder import OutputFolder, TaskRecord, shard_name
from thermix.prepare.inputs import Part
from thermix.prepare.texts import BadRow, read_texts
from thermix.sources.files import is_remote
from thermix.sources.manifest import ShardRecord
from thermix.sources.shard_writer import TokenShardWriter

__all__ = ["Task", "run_task"]


@dataclass(frozen=True)
class Task:
    """A piece of the input, and all that is needed to make its shards.

    Attributes:
        number: of the task, from 0.
        parts: of raw files, in order.
        folder: that is prepared into, or its address.
        field: of a row, that holds its text.
        encoder: from text to tokens.
        shard_bytes: text in a shard after which the next one begins, in bytes.
        skip_bad: whether broken rows are left out, or stop the run.
    """

    number: int
    parts: tuple[Part, ...]
    folder: str
    field: str
    encoder: Encoder
    shard_bytes: int
    skip_bad: bool

    @property
    def title(self) -> str:
        """What errors call it."""
        first, more = self.parts[0], len(self.parts) - 1
        others = f" and {more} more" if more else ""
        return f"piece {self.number} ({first.path}, bytes {first.start:,} to {first.stop:,}{others})"

    @property
    def paths(self) -> tuple[str, ...]:
        """The files it reads and the folder it writes to, but for remote ones."""
        every = (*(part.path for part in self.parts), self.folder)
        return tuple(path for path in every if not is_remote(path))


def run_task(task: Task, report: Report) -> TaskRecord:
    """Make the shards of a task, and its record; what was made before is taken as it is.

    Args:
        task: which.
        report: is told what was done.

    Raises:
        DataError: a broken row, without `skip_bad`; a damaged file; a folder that cannot be written.
    """
    folder = OutputFolder(task.folder)
    with folder.place.alone(task.number):
        made = folder.records([task.number], skip_bad=task.skip_bad)
        if made:
            return made[task.number]
        rows_left_out = _Skipped(task)
        with folder.shards_draft(task.number) as here:
            shards, raw_bytes = _write_shards(task, here, rows_left_out, report)
        record = TaskRecord(shards=shards, skipped=len(rows_left_out.lines), raw_bytes=raw_bytes)
        folder.finish_task(task.number, record, rows_left_out.lines)
        return record


class _Skipped:
    """Broken rows: the first is an error, or they are listed."""

    def __init__(self, task: Task) -> None:
        self._skip = task.skip_bad
        self.lines: list[str] = []

    def __call__(self, row: BadRow) -> None:
        if not self._skip:
            raise DataError(
                f"{row.path}, {row.place}: {row.what}. Mend the row, or leave such rows out: --skip-bad."
            )
        record = {"path": row.path, "place": row.place, "what": row.what}
        self.lines.append(json.dumps(record, ensure_ascii=False))


def _write_shards(task: Task, here: Path, on_bad: _Skipped, report: Report) -> tuple[list[ShardRecord], int]:
    """The shards of a task and the raw bytes read; a task without documents has none."""
    output = _Output(task, here)
    raw_bytes = 0
    try:
        for tokens, lengths, read, size in _encoded(task, on_bad):
            output.add(tokens, lengths, size)
            raw_bytes += read
            report(len(lengths), len(tokens), read)
        output.close()
    except BaseException:
        output.discard()
        raise
    return output.shards, raw_bytes


def _encoded(task: Task, on_bad: _Skipped) -> Iterator[tuple[NDArray[Any], NDArray[Any], int, int]]:
    """Tokens, lengths, raw bytes and characters of text, batch by batch."""
    for part in task.parts:
        for texts, read in read_texts(part, task.field, on_bad):
            tokens, lengths = task.encoder.encode(texts)
            yield tokens, lengths, read, sum(map(len, texts))


class _Output:
    """The shards of a task, one after the other; the next one begins when the last is full."""

    def __init__(self, task: Task, here: Path) -> None:
        self._task = task
        self._here = here
        self._writer: TokenShardWriter | None = None
        self._size = 0
        self.shards: list[ShardRecord] = []

    def add(self, tokens: NDArray[Any], lengths: NDArray[Any], size: int) -> None:
        if not len(lengths):
            return
        if self._writer is None:
            self._writer = TokenShardWriter(self._here / self._name(), dtype=self._task.encoder.dtype)
        self._writer.extend(tokens, lengths)
        self._size += size
        if self._size >= self._task.shard_bytes:
            self.close()

    def close(self) -> None:
        writer = self._writer
        if writer is None:
            return
        writer.close()
        data, index = writer.records
        self.shards.append(
            ShardRecord(
                name=self._name(),
                documents=writer.documents,
                tokens=writer.tokens,
                bin=data,
                idx=index,
            )
        )
        self._writer, self._size = None, 0

    def discard(self) -> None:
        if self._writer is not None:
            self._writer.discard()

    def _name(self) -> str:
        return shard_name(self._task.number, len(self.shards))
