"""Files of a span in the making: each format takes batches and ends in files that are whole.

Invariant: the bytes are a function of the batches alone; a file has its name only when it is whole and on
the disk.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from thermix.engines.local_place import writing
from thermix.materialize.digest import SideDigest
from thermix.materialize.lines import Content, json_lines
from thermix.sources.manifest import FileRecord
from thermix.sources.reader import DeliveredBatch
from thermix.sources.shard_writer import TokenShardWriter

__all__ = ["LineWriter", "SpanWriter", "WholeFile", "WindowWriter"]

_BUFFER = 1 << 20


class SpanWriter(Protocol):
    """Writes the batches of a span."""

    def add(self, batch: DeliveredBatch) -> None:
        """Write a batch, after those before it."""
        ...

    def close(self) -> list[tuple[Path, FileRecord]]:
        """Finish; returns the files, with the size and SHA-256 of each."""
        ...

    def discard(self) -> None:
        """Leave nothing behind; after `close` it does nothing."""
        ...


class WholeFile:
    """A file that is there whole or not at all.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._part = path.with_name(f"{path.name}.part")
        with writing(path):
            self.file: BinaryIO = open(self._part, "wb", _BUFFER)  # noqa: SIM115

    def close(self) -> Path:
        """Give it its name, once it is on the disk.

        Raises:
            DataError: it cannot be written.
        """
        with writing(self.path):
            self.file.flush()
            os.fsync(self.file.fileno())
            self.file.close()
            os.replace(self._part, self.path)
        return self.path

    def discard(self) -> None:
        """Leave nothing behind; after `close` it does nothing."""
        with contextlib.suppress(OSError):  # what cannot be flushed need not be
            self.file.close()
        with contextlib.suppress(OSError):
            self._part.unlink()


class LineWriter:
    """JSON Lines in UTF-8, as `thermix stream` prints them.

    Args:
        path: of the file, without its ending.
        names: of the plan's sources.
        contents: how the rows of each source are given.
    """

    def __init__(self, path: Path, names: Sequence[str], contents: Mapping[str, Content]) -> None:
        self._names = names
        self._contents = contents
        self._out = WholeFile(path.with_name(f"{path.name}.jsonl"))
        self._digest, self._bytes = hashlib.sha256(), 0

    def add(self, batch: DeliveredBatch) -> None:
        """A line for each item."""
        text = "".join(json_lines(batch, self._names, self._contents)).encode()
        with writing(self._out.path):
            self._out.file.write(text)
        self._digest.update(text)
        self._bytes += len(text)

    def close(self) -> list[tuple[Path, FileRecord]]:
        """Finish; returns the file."""
        path = self._out.close()
        return [(path, FileRecord(bytes=self._bytes, sha256=self._digest.hexdigest()))]

    def discard(self) -> None:
        """Leave nothing behind."""
        self._out.discard()


class WindowWriter:
    """Token sequences as `.bin` and `.idx` of Megatron-LM, one sequence a document.

    Read front to back, the file is the run: no sampler, no shuffle.

    Args:
        path: of the files, without ending.
        dtype: of a token.
    """

    def __init__(self, path: Path, dtype: str) -> None:
        self._path = path
        self._writer = TokenShardWriter(path, dtype=dtype, digest=SideDigest())

    def add(self, batch: DeliveredBatch) -> None:
        """A document for each sequence."""
        rows: Any = batch.rows
        self._writer.extend(rows.reshape(-1), np.full(len(rows), rows.shape[1], np.int64))

    def close(self) -> list[tuple[Path, FileRecord]]:
        """Finish; returns both files."""
        self._writer.close()
        paths = [self._path.with_name(f"{self._path.name}{ending}") for ending in (".bin", ".idx")]
        return list(zip(paths, self._writer.records, strict=True))

    def discard(self) -> None:
        """Leave nothing behind."""
        self._writer.discard()
