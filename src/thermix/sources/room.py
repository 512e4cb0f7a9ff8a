"""Room in the cache: what goes when a file is to come.

Invariant: what is there and what is being fetched stay below the limit together, and some of the disk stays
free. Files used least recently go first. Called with the cache's lock held.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from thermix.errors import DataError, InvalidInput
from thermix.sources.remote import RemoteFile

__all__ = ["make_room"]

_LEFT_FREE = 20
_MOST_LEFT_FREE = 10_000_000_000


class _Kept(NamedTuple):
    """A file in the cache; the least is the one used least recently."""

    used: int
    path: str
    size: int


def make_room(
    folder: Path,
    file: RemoteFile,
    limit: int | None,
    is_free: Callable[[str], bool],
    let_go: Callable[[], None],
) -> None:
    """Evict files until another one fits.

    Args:
        folder: of the cache.
        file: that is to come.
        limit: most bytes in the cache; None for none.
        is_free: whether nobody is fetching the file of a key.
        let_go: lets go of files of this process that were evicted, which frees their space.

    Raises:
        InvalidInput: the limit is below the file's size.
        DataError: the disk has not the space.
    """
    if limit is not None and file.size > limit:
        raise InvalidInput(
            f"THERMIX_CACHE_LIMIT: got {limit:,} bytes, and {file} alone is {file.size:,}. Raise it."
        )
    coming, unwritten = _parts(folder / "parts", is_free)
    kept: Iterator[_Kept] | None = None
    if limit is not None:
        every = _kept(folder / "files")
        kept = iter(every)
        over = sum(each.size for each in every) + coming + file.size - limit
        while over > 0 and (oldest := next(kept, None)):
            _evict(oldest)
            over -= oldest.size
    let_go()
    while (lacking := _lacking(folder, unwritten + file.size)) > 0:
        kept = iter(_kept(folder / "files")) if kept is None else kept
        oldest = next(kept, None)
        if oldest is None:
            raise DataError(
                f"sources.{file.source}: {file}: {file.size:,} bytes do not fit into the cache {folder}: its "
                f"disk lacks {lacking:,}, with what is left free. Free space there, or name another folder "
                "in THERMIX_CACHE."
            )
        _evict(oldest)
        let_go()


def _parts(folder: Path, is_free: Callable[[str], bool]) -> tuple[int, int]:
    """Bytes that are coming, and those of them not yet on the disk; parts of killed processes go."""
    coming = unwritten = 0
    for path in folder.glob("*.part"):
        key, _, size, _ = path.name.rsplit(".", 3)
        with contextlib.suppress(FileNotFoundError):
            if is_free(key):
                path.unlink()
                continue
            coming += int(size)
            unwritten += max(0, int(size) - path.stat().st_size)
    return coming, unwritten


def _kept(folder: Path) -> list[_Kept]:
    found = []
    for entry in os.scandir(folder):
        with contextlib.suppress(FileNotFoundError):
            status = entry.stat()
            if not entry.name.endswith(".sha256"):
                found.append(_Kept(status.st_mtime_ns, entry.path, status.st_size))
    return sorted(found)


def _evict(file: _Kept) -> None:
    for path in (file.path, f"{file.path}.sha256"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _lacking(folder: Path, need: int) -> int:
    """Bytes that the disk has too few, with what is left free."""
    disk = shutil.disk_usage(folder)
    return need + min(disk.total // _LEFT_FREE, _MOST_LEFT_FREE) - disk.free
