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

__all__ = [
    "HUB",
    "MANIFEST",
    "MATERIALIZING",
    "PACKINGS",
    "UNFINISHED",
    "ending_of",
    "find_paths",
    "is_hub",
    "is_remote",
    "is_saved",
]

MANIFEST = "manifest.json"
"""In a folder of prepared shards: what it holds."""

UNFINISHED = ".thermix-prepare"
"""In a folder that is being prepared."""

MATERIALIZING = ".thermix-materialize"
"""In a folder that a mixed run is being written to."""

HUB = "hf:"
"""What the name of a data set on the Hugging Face hub begins with."""

PACKINGS = (".gz", ".zst", ".bz2", ".xz")
"""Endings of packed files that are read."""


def is_hub(address: str) -> bool:
    """Whether it names a data set on the hub; `hf://` is the URL of a file there."""
    return address.startswith(HUB) and "://" not in address


def is_remote(path: object) -> bool:
    """Whether a path is an address, such as "s3://bucket/shards"."""
    return isinstance(path, str) and "://" in path


def is_saved(folder: Path) -> bool:
    """Whether HF datasets' `save_to_disk` wrote a folder: one data set, or several splits."""
    parts = ("state.json", "dataset_info.json")
    return (folder / "dataset_dict.json").is_file() or all((folder / part).is_file() for part in parts)


def ending_of(name: str) -> tuple[str, str]:
    """What a file's name ends in, in lower case: the ending that says the format, and the packing.

    >>> ending_of("a.b/web.JSONL.gz"), ending_of("web.csv"), ending_of("web.xz")
    (('.jsonl', '.gz'), ('.csv', ''), ('', '.xz'))
    """
    suffixes = Path(name).suffixes
    packing = suffixes.pop().lower() if suffixes and suffixes[-1].lower() in PACKINGS else ""
    return (suffixes[-1].lower() if suffixes else ""), packing


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
