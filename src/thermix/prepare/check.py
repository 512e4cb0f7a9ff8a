"""`check`: whether shards are what they say they are, byte by byte."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from thermix.errors import DataError, InvalidInput
from thermix.sources.files import MANIFEST
from thermix.sources.manifest import FileRecord, Manifest, file_record, read_manifest
from thermix.sources.megatron import HEADER
from thermix.sources.shards import Shard, open_shards

__all__ = ["Checked", "check_shards"]

_ENDINGS = (".bin", ".npy")
_BLOCK = 1 << 20


class Checked(NamedTuple):
    """What a check found.

    Attributes:
        shards, documents, tokens: looked at and sound; documents of flat files are not known, and count 0.
        checksums: files whose SHA-256 was compared with a manifest's.
        problems: one message each.
    """

    shards: int
    documents: int
    tokens: int
    checksums: int
    problems: tuple[str, ...]


def check_shards(
    path: str | os.PathLike[str], *, dtype: str | None = None, show: Callable[[int, int], None] | None = None
) -> Checked:
    """Check a folder of shards, or one shard.

    With a manifest: every file it names is there, of its size and SHA-256, and no shard lies there that it
    does not name. With an index: header, sizes, and that its sequences follow one another without a gap. The
    tokens are compared with the vocabulary of the manifest.

    Args:
        path: a folder, or a `.bin`, `.idx` or `.npy` file.
        dtype: of files without a header.
        show: is told bytes checked, and bytes in all.

    Returns:
        What was found; every problem, not only the first.

    Raises:
        InvalidInput: nothing lies there, or no shards.
        DataError: a manifest that is none.

    Cost: reads every file, once; memory does not depend on sizes.
    """
    folder, files = _files(Path(path))
    manifest = read_manifest(folder)
    check = _Check(folder, manifest, dtype, show or _say_nothing)
    if Path(path).is_dir():
        check.names(files)
    check.begin(files)
    for file in files:
        check.shard(file)
    return check.result()


def _say_nothing(done: int, total: int) -> None:
    pass


def _files(path: Path) -> tuple[Path, list[Path]]:
    """The folder, and the files with tokens in it or the one that is meant."""
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in _ENDINGS)
        if not files and read_manifest(path) is None:
            raise InvalidInput(f"{path}: the folder holds no shards (.bin, .npy). Name the folder that does.")
        return path, files
    if path.suffix.lower() == ".idx":
        path = path.with_suffix(".bin")
    if path.suffix.lower() not in _ENDINGS:
        raise InvalidInput(f"{path}: a shard ends in .bin, .idx or .npy. Name one, or a folder of them.")
    if not path.exists():
        raise InvalidInput(f"{path}: there is no such file. Correct the path.")
    return path.parent, [path]


class _Check:
    """The shards of one folder, one after the other."""

    def __init__(
        self, folder: Path, manifest: Manifest | None, dtype: str | None, show: Callable[[int, int], None]
    ) -> None:
        self._folder = folder
        self._dtype = dtype
        self._show = show
        self._records = {} if manifest is None else {shard.name: shard for shard in manifest.shards}
        self._vocabulary = None if manifest is None else manifest.tokenizer.get("vocabulary")
        self._done = self._total = self._shards = self._documents = self._tokens = self._checksums = 0
        self._problems: list[str] = []

    def names(self, files: list[Path]) -> None:
        """That the shards there are those the manifest names."""
        if not self._records:
            return
        there = {file.stem for file in files}
        for name in self._records.keys() - there:
            self._problems.append(
                f"{self._folder / name}.bin: {MANIFEST} names it, and it is not there. "
                "Put it back, or prepare again."
            )
        for name in there - self._records.keys():
            self._problems.append(
                f"{self._folder / name}.bin: {MANIFEST} does not name it. "
                "Move it away, it is not part of these shards."
            )

    def begin(self, files: list[Path]) -> None:
        """Count the bytes to be read."""
        self._total = sum(file.stat().st_size for file in files if file.exists())
        self._show(0, self._total)

    def shard(self, file: Path) -> None:
        """Check one shard; its problems are noted."""
        try:
            shard = open_shards([file], self._folder.name, self._dtype)[0]
            self._check_sums(file)
            if shard.header is not None:
                _check_index(shard)
            self._check_tokens(shard)
        except (DataError, InvalidInput) as error:
            self._problems.append(str(error))
            return
        finally:
            self._done += file.stat().st_size if file.exists() else 0
            self._show(self._done, self._total)
        self._shards += 1
        self._tokens += shard.tokens
        self._documents += shard.header.documents - 1 if shard.header is not None else 0

    def result(self) -> Checked:
        return Checked(self._shards, self._documents, self._tokens, self._checksums, tuple(self._problems))

    def _check_sums(self, file: Path) -> None:
        record = self._records.get(file.stem)
        if record is None:
            return
        for ending, due in ((".bin", record.bin), (".idx", record.idx)):
            self._check_sum(file.with_suffix(ending), due)

    def _check_sum(self, file: Path, due: FileRecord) -> None:
        found = file_record(file)
        if found != due:
            raise DataError(
                f"{file}: it has {found.bytes:,} bytes, SHA-256 {found.sha256[:12]}..., and {MANIFEST} says "
                f"{due.bytes:,} bytes, {due.sha256[:12]}... Copy it again, or prepare again."
            )
        self._checksums += 1

    def _check_tokens(self, shard: Shard) -> None:
        """That every token is below the vocabulary."""
        if self._vocabulary is None:
            return
        for first, block in _blocks(shard):
            if block.max() >= self._vocabulary:
                at = first + int(np.argmax(block >= self._vocabulary))
                raise DataError(
                    f"{shard.path}, byte {shard.offset + at * shard.dtype.itemsize}: token "
                    f"{block[at - first]}; the tokenizer of {MANIFEST} has {self._vocabulary:,}. The shards "
                    "are of another one: prepare again."
                )


def _blocks(shard: Shard) -> Iterator[tuple[int, np.ndarray]]:
    """The tokens of a shard, a block at a time, each with the number of its first."""
    with open(shard.path, "rb") as file:
        file.seek(shard.offset)
        for first in range(0, shard.tokens, _BLOCK):
            yield first, np.fromfile(file, shard.dtype, min(_BLOCK, shard.tokens - first))


def _check_index(shard: Shard) -> None:
    """That the sequences of an index follow one another, and its documents are in order.

    Raises:
        DataError: at which byte of the index they do not.
    """
    header = shard.header
    assert header is not None, "only shards with an index come here"
    index = np.memmap(shard.index_path, np.uint8, "r")
    lengths = _array(index, HEADER.size, "<i4", header.sequences)
    pointers = _array(index, header.pointers_at, "<i8", header.sequences)
    documents = _array(index, header.documents_at, "<i8", header.documents)
    due = 0
    for first in range(0, header.sequences, _BLOCK):
        block = slice(first, first + _BLOCK)
        sizes = lengths[block].astype(np.int64) * shard.dtype.itemsize
        wrong = np.flatnonzero((pointers[block] != due + np.cumsum(sizes) - sizes) | (sizes < 0))
        if wrong.size:
            at = header.pointers_at + 8 * (first + int(wrong[0]))
            raise DataError(
                f"{shard.index_path}, byte {at}: sequence {first + int(wrong[0])} does not begin where the "
                "one before it ends. The index is damaged: write the shard again."
            )
        due += int(sizes.sum())
    wrong = np.flatnonzero(np.diff(documents) < 0)
    if wrong.size or (documents.size and (documents[0] < 0 or documents[-1] > header.sequences)):
        at = header.documents_at + 8 * int(wrong[0] + 1 if wrong.size else 0)
        raise DataError(
            f"{shard.index_path}, byte {at}: its documents are not in the order of their sequences. The "
            "index is damaged: write the shard again."
        )


def _array(index: np.memmap, start: int, dtype: str, count: int) -> np.ndarray:
    return np.ndarray((count,), dtype, index, start)
