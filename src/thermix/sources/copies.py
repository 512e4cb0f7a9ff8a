"""Local copies of files that cannot be read where they are: packed, remote, or one JSON value with all rows.

A copy is made once, in `copies_folder()`, and found again by what its original holds, not by its name. It is
written to a temporary name, flushed to disk and renamed; of processes that want it at the same time one
makes it. Invariant: a copy that can be found is whole. Copies may be deleted when nothing reads them.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from thermix.errors import DataError, ThermixError
from thermix.sources.contents import content_digest
from thermix.sources.files import ending_of
from thermix.sources.json_rows import BadJsonError, json_rows
from thermix.sources.packing import packed_blocks
from thermix.sources.remote import RemoteFile

__all__ = ["Original", "content_key", "copies_folder", "local_copy"]

Original = Path | RemoteFile
"""A file as it was named. Its `name` says what it is; as text it is what errors call it."""


def copies_folder() -> Path:
    """The folder `copies` in the cache of remote files: in `THERMIX_CACHE`, else in `~/.cache/thermix`."""
    from thermix.sources.cache import default_cache

    return default_cache().folder / "copies"


def local_copy(original: Original, name: str) -> Path:
    """A file as plain rows on this machine: itself, where it is that already.

    Args:
        original: what ends in .gz, .zst, .bz2 or .xz is unpacked; of a .json file each row becomes a line.
        name: of the source, for errors.

    Raises:
        DataError: it cannot be fetched, read or unpacked, or the copy cannot be written.
        MissingExtra: the library that reads or unpacks it is not installed.
    """
    ending, packing = ending_of(original.name)
    if isinstance(original, Path) and not packing and ending != ".json":
        return original
    plain = ".jsonl" if ending == ".json" else ending
    copy = copies_folder() / f"{content_key(original)}{plain}"
    if not copy.exists():
        with _one_at_a_time(copy, original, name):
            if not copy.exists():
                _write(copy, _blocks(original, name), original, name)
    return copy


def content_key(original: Original) -> str:
    """Hex text that another content changes, as far as can be told without reading it all.

    Of a local file: its `content_digest`, its time, its ending. Of a remote one: its `key`.
    """
    if isinstance(original, RemoteFile):
        return hashlib.sha256(original.key.encode()).hexdigest()[:32]
    digest = hashlib.sha256(content_digest(original))
    digest.update(f"{os.stat(original).st_mtime_ns} {''.join(ending_of(original.name))}".encode())
    return digest.hexdigest()[:32]


def _blocks(original: Original, name: str) -> Iterator[bytes]:
    """What the copy holds, in pieces; what goes wrong with the original becomes an error that names it."""
    ending, packing = ending_of(original.name)
    try:
        with _opened(original) as file:
            blocks = packed_blocks(file, packing)
            yield from json_rows(blocks) if ending == ".json" else blocks
    except ThermixError:
        raise
    except BadJsonError as error:
        raise DataError(
            f"sources.{name}: {original}, line {error.line}: {error}. Mend it: a .json file is one list of "
            "rows, or rows one after the other, in UTF-8."
        ) from error
    except Exception as error:  # each packing has errors of its own
        what = (str(error) or type(error).__name__).rstrip(".")
        raise DataError(
            f"sources.{name}: {original}: it cannot be {'unpacked' if packing else 'read'}: {what}. "
            "Mend it, or take it out."
        ) from error


def _opened(original: Original) -> IO[bytes]:
    return open(original.descriptor() if isinstance(original, RemoteFile) else original, "rb")


@contextmanager
def _one_at_a_time(copy: Path, original: Original, name: str) -> Iterator[None]:
    from filelock import FileLock

    with _writing(copy, original, name):
        copy.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{copy}.lock")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _write(copy: Path, blocks: Iterable[bytes], original: Original, name: str) -> None:
    part = copy.with_name(f"{copy.name}.part")  # of a killed process: written over by the next
    try:
        with _writing(copy, original, name), open(part, "wb") as file:
            for block in blocks:
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
        with _writing(copy, original, name):
            os.replace(part, copy)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


@contextmanager
def _writing(copy: Path, original: Original, name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DataError(
            f"sources.{name}: {original}: its copy in {copy.parent} cannot be written: "
            f"{error.strerror or error}. Make room there, or name another folder in THERMIX_CACHE."
        ) from error
