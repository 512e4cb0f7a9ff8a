"""Which files and folders a path means.

Knows nothing of what is in them. Invariant: the same path on the same files gives the same list in the same
order, whatever order the file system lists them in.
"""

from __future__ import annotations

import difflib
import glob
import os
from collections.abc import Sequence
from pathlib import Path

from thermix.errors import InvalidInput

__all__ = ["find_paths"]


def find_paths(path: str | Sequence[str], name: str) -> list[Path]:
    """The files and folders a path means.

    Args:
        path: a file, a folder, a glob (`*`, `?`, `[..]`, `**`), or a list of these. What a glob matches is
            sorted by name; a list keeps its order.
        name: of the source, for errors.

    Raises:
        InvalidInput: nothing lies there, a glob matches nothing, a remote address, or a file named twice.
    """
    entries = [path] if isinstance(path, str | os.PathLike) else list(path)
    if not entries:
        raise InvalidInput(
            f"sources.{name}.path: got an empty list; it must name at least one file or folder."
        )
    found = [each for entry in entries for each in _matches(entry, name)]
    _refuse_twice(found, name)
    return found


def _matches(entry: object, name: str) -> list[Path]:
    if not isinstance(entry, str | os.PathLike) or not os.fspath(entry):
        raise InvalidInput(f"sources.{name}.path: got {entry!r}; a path is text that is not empty.")
    text = os.path.expanduser(os.fspath(entry))
    if "://" in text:
        raise InvalidInput(
            f"sources.{name}.path: got {text!r}; this version reads local files only. Copy the data here."
        )
    if os.path.lexists(text) or not glob.has_magic(text):
        return [_existing(Path(text), name)]
    matches = sorted(glob.glob(text, recursive=True))
    if not matches:
        raise InvalidInput(
            f"sources.{name}.path: {text!r} matches no file (from folder {os.getcwd()}). "
            f"{_way_out(Path(text))}"
        )
    return [_existing(Path(match), name) for match in matches]


def _existing(path: Path, name: str) -> Path:
    if path.exists():
        return path
    if path.is_symlink():
        target = os.readlink(path)
        raise InvalidInput(
            f"sources.{name}.path: {path} is a link to {target}, which does not exist. Mend the link."
        )
    raise InvalidInput(
        f"sources.{name}.path: nothing lies at {path} (from folder {os.getcwd()}). {_way_out(path)}"
    )


def _way_out(path: Path) -> str:
    """The nearest name beside a path that does not exist, or how far up the path does exist."""
    folder = path.parent
    while not folder.is_dir():
        folder, path = folder.parent, folder
    near = difflib.get_close_matches(path.name, sorted(os.listdir(folder)), n=1)
    if near:
        return f"Did you mean {folder / near[0]}?"
    return f"Folder {folder} holds no such name: correct the path, or make the data first."


def _refuse_twice(paths: Sequence[Path], name: str) -> None:
    seen = set()
    for path in paths:
        real = os.path.realpath(path)
        if real in seen:
            raise InvalidInput(
                f"sources.{name}.path: {path} is named twice; its items would count twice. Name it once, "
                "or raise the source's score to draw it more often."
            )
        seen.add(real)
