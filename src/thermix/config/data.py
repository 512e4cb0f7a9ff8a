"""The data that a configuration names: found, opened once, closed by whoever asked for it.

Paths are relative to the folder of the file. Invariant: what is opened is closed, or handed out.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from thermix.config.place import Place
from thermix.errors import InvalidInput

if TYPE_CHECKING:
    from thermix.sources import ItemSource

__all__ = ["Data", "SourceFiles"]


@dataclass(frozen=True)
class SourceFiles:
    """Where a source's items are, as the file says it.

    Attributes:
        path: files, folders or globs, as written; empty for a source that has only a size.
        field: of documents: the field with the text.
        dtype: of token files without a header: the type of a token.
        tokens: the size in tokens, where the file gives it.
        items: the size in items, where the file gives it.
    """

    path: tuple[str, ...] = ()
    field: str | None = None
    dtype: str | None = None
    tokens: int | None = None
    items: int | None = None


class Data:
    """The sources of one configuration, each opened when it is first asked for.

    Args:
        folder: what paths are relative to.
        sequence_length: tokens of an item of a token file.
    """

    def __init__(self, folder: Path, sequence_length: int | None) -> None:
        self._folder = folder
        self._sequence_length = sequence_length
        self._opened: dict[tuple[str, SourceFiles], ItemSource] = {}

    def missing(self, files: SourceFiles) -> list[str]:
        """Those of its paths at which nothing lies, as written."""
        return [path for path in files.path if not _lies_at(self.absolute(path))]

    def open(self, name: str, files: SourceFiles, place: Place) -> ItemSource:
        """The opened source.

        Raises:
            ConfigError: what lies there is not what a source can be read from.
            DataError: it is damaged.
        """
        key = (name, files)
        if key not in self._opened:
            self._opened[key] = self._open_new(name, files, place)
        return self._opened[key]

    def _open_new(self, name: str, files: SourceFiles, place: Place) -> ItemSource:
        from thermix.sources import open_source

        paths = [self.absolute(path) for path in files.path]
        try:
            return open_source(
                paths[0] if len(paths) == 1 else paths,
                name=name,
                field=files.field,
                sequence_length=self._sequence_length,
                dtype=files.dtype,
            )
        except InvalidInput as error:
            raise _placed(error, name, place) from error

    def close(self, keep: Iterable[ItemSource] = ()) -> None:
        """Close what was opened, but for some."""
        kept = {id(source) for source in keep}
        for source in self._opened.values():
            if id(source) not in kept:
                source.close()
        self._opened = {}

    def absolute(self, path: str) -> str:
        """A path as written, from the folder of the file; an address stays as it is."""
        if "://" in path:
            return path
        return os.path.join(self._folder, os.path.expanduser(path))


def _placed(error: InvalidInput, name: str, place: Place) -> InvalidInput:
    """The error at its place in the file: below the source if it says where, else at its path."""
    message = str(error)
    rest = message.removeprefix(f"sources.{name}")
    if rest != message and rest[:1] in (":", "."):
        return place.error(rest)
    return (place / "path").error(message)


def _lies_at(path: str) -> bool:
    """Whether there is something at a path: a file, a folder, a match, the prefix of a .bin or .idx."""
    if "://" in path or os.path.lexists(path):
        return True
    if glob.has_magic(path):
        return next(glob.iglob(path, recursive=True), None) is not None
    return os.path.exists(f"{path}.bin") or os.path.exists(f"{path}.idx")
