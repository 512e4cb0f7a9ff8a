"""Where the files of tasks lie: a folder of a file system, or one of an object store.

`Place` is all that a `TaskFolder` asks of either (`local_place.py`, `object_place.py`). Names in it are paths
with "/". Invariant: a name is there with all of its bytes, or not at all.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple, Protocol

from thermix.errors import InvalidInput
from thermix.sources.files import is_remote

__all__ = ["LOCK", "Place", "Room", "place_at"]

LOCK = "lock"
"""In the folder for what is not finished: held by the one run that writes."""

_MANGLED = re.compile("[A-Za-z][A-Za-z0-9+.-]+:/")  # C:/ is a drive


class Room(NamedTuple):
    """Room on a disk for files that are to be written.

    Attributes:
        need, free: bytes.
        folder: on that disk.
        fate: what becomes of the files, in words after their bytes.
        instead: what else can be done than to free some, in words.
    """

    need: int
    free: int
    folder: str
    fate: str
    instead: str


class Place(Protocol):
    """A folder somewhere; as text, what errors call it."""

    @property
    def address(self) -> str:
        """What opens it from any folder, on any machine that sees it."""
        ...

    def stranger(self, manifest: str) -> str | None:
        """A name of others in a folder that was not begun here, and has no manifest; None for any other.

        Raises:
            InvalidInput: it is a file.
            DataError: it cannot be looked at.
        """
        ...

    def held(self, verb: str, made: str) -> AbstractContextManager[None]:
        """It, ready to be written to, and held against other runs.

        Args:
            verb: of the command that writes, for errors.
            made: what it makes, in words.

        Raises:
            InvalidInput: another run holds it.
            DataError: it cannot be written.
        """
        ...

    def confirm(self) -> None:
        """See that this run still holds it.

        Raises:
            InvalidInput: another run has taken it over.
        """
        ...

    def alone(self, task: int) -> AbstractContextManager[None]:
        """Keeps others off the files of a task, where two at once would harm."""
        ...

    def draft(self, names: Sequence[str]) -> AbstractContextManager[Path]:
        """A folder of this machine for files to be written into; after the block they are at the place.

        Args:
            names: what the files' names begin with; nothing of an earlier try is left of them.

        Raises:
            DataError: they cannot be written.
        """
        ...

    def read(self, names: Sequence[str]) -> list[bytes | None]:
        """What lies under each name; None where nothing does.

        Raises:
            DataError: it cannot be read.
        """
        ...

    def sizes(self, names: Sequence[str]) -> list[int | None]:
        """Bytes of each file; None where there is none."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write a file.

        Raises:
            DataError: it cannot be written; what was there before is still there.
        """
        ...

    def clear(self) -> None:
        """Remove the folder for what is not finished, as far as that can be done."""
        ...

    def room(self, need: int, tasks: int, at_once: int) -> Room:
        """The room there is on the disk that files are written to.

        Args:
            need: bytes of all that is still to be written.
            tasks: that write it.
            at_once: so many of them on this machine at a time.
        """
        ...


def place_at(path: str | os.PathLike[str], work: str) -> Place:
    """The place that a path or an address names.

    Args:
        path: a folder, or an address such as "s3://bucket/shards".
        work: name in it of the folder for what is not finished.

    Raises:
        InvalidInput: an address that cannot be written to.
    """
    from thermix.engines.local_place import LocalPlace

    text = os.fspath(path)
    if is_remote(text):
        from thermix.engines.object_place import ObjectPlace

        return ObjectPlace(text, work)
    if _MANGLED.match(text):
        raise InvalidInput(
            f"--out: got {text!r}; an address is text, and has two slashes. Write "
            f"{text.replace(':/', '://', 1)!r}, not a Path of it."
        )
    return LocalPlace(Path(path), work)
