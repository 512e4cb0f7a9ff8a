"""Where a picture or a page is written: checked before the work, and whole or not there after it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from thermix.errors import InvalidInput

__all__ = ["checked_output", "write_whole"]


def checked_output(path: Path, suffixes: Sequence[str]) -> str:
    """Return the suffix of a file to be written, without its dot and in lower case.

    Raises:
        InvalidInput: a suffix that says no known kind, a folder that is not there, a folder in its place.
    """
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in suffixes:
        known = ", ".join(f".{known}" for known in suffixes)
        raise InvalidInput(
            f"--out: got {str(path)!r}; its suffix says what is written: {known}. Name such a file."
        )
    if not path.parent.is_dir():
        raise InvalidInput(
            f"--out: got {str(path)!r}; there is no folder {str(path.parent)!r}. Make it, or write elsewhere."
        )
    if path.is_dir():
        raise InvalidInput(f"--out: got {str(path)!r}, which is a folder. Name a file in it.")
    return suffix


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is never there in part; what it replaces stays until then."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
