"""Where a raw source's shards are once `thermix prepare` has made them, and whether they still fit.

    mix.yaml, prepared/NAME/manifest.json    NAME is the source's, with what no folder can be called as %XX

Invariant: shards are taken in place of raw files only while those are what they were, or are gone.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from thermix.errors import DataError, InvalidInput

if TYPE_CHECKING:
    from thermix.sources.manifest import Manifest

__all__ = ["PREPARED", "TEXT", "RawText", "Tokenizing", "folder_name", "is_prepared", "stale"]

PREPARED = "prepared"
TEXT = "text"


@dataclass(frozen=True)
class Tokenizing:
    """How a configuration's raw sources become sequences.

    Attributes:
        tokenizer: as written; None where the file names none.
        end_of_document: the token behind each document; None leaves it to the tokenizer.
        prepared: the folder for the shards, as written.
    """

    tokenizer: str | None = None
    end_of_document: str | None = None
    prepared: str = PREPARED


@dataclass(frozen=True)
class RawText:
    """A raw source of a configuration, as `thermix prepare` needs it.

    Attributes:
        name: of the source.
        paths: files, folders and globs, absolute.
        field: of a row, that holds its text.
        tokenizer: with an absolute path; None where the file names none.
        end_of_document: the token behind each document; None leaves it to the tokenizer.
        folder: for its shards.
    """

    name: str
    paths: tuple[str, ...]
    field: str
    tokenizer: str | None
    end_of_document: str | None
    folder: str


def folder_name(source: str) -> str:
    """What the folder of a source is called; different for different names.

    >>> folder_name("网页 text"), folder_name("a/b"), folder_name("..")
    ('网页 text', 'a%2Fb', '%2E%2E')
    """
    kept = "".join(c if c.isalnum() or c in " _-.," else quote(c, safe="") for c in source)
    if not kept.strip(". ") or kept != kept.strip(" "):
        kept = kept.replace(".", "%2E").replace(" ", "%20")
    return kept


def is_prepared(folder: str) -> bool:
    """Whether shards lie there, all of them.

    Raises:
        InvalidInput: a preparation was begun there and not finished.
    """
    from thermix.sources.files import MANIFEST, UNFINISHED

    if os.path.exists(os.path.join(folder, MANIFEST)):
        return True
    if os.path.exists(os.path.join(folder, UNFINISHED)):
        raise InvalidInput(
            f"{folder} is not prepared to its end. Run the same thermix prepare again: it goes on where "
            "it was."
        )
    return False


def stale(manifest: Manifest, files: Sequence[Path], tokenizer: str | None) -> str | None:
    """Why shards are not those of these raw files and this tokenizer; None where they seem to be.

    Args:
        manifest: of the shards.
        files: raw files, in order; none where they are gone. Only their sizes are compared.
        tokenizer: path of a tokenizer.json, or None.
    """
    found, due = [_size(file) for file in files], [file.bytes for file in manifest.inputs]
    if files and len(found) != len(due):
        return f"they were made from {len(due)} raw files, and there are {len(found)} now"
    for file, now, then in zip(files, found, due, strict=False):
        if now != then:
            return f"{file} is {now:,} bytes long, and was {then:,} when they were made"
    if tokenizer is not None and "sha256" in manifest.tokenizer:
        digest = hashlib.sha256(Path(tokenizer).read_bytes()).hexdigest()
        if digest != manifest.tokenizer["sha256"]:
            return f"they were made with another tokenizer than {tokenizer} is now"
    return None


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError as error:
        raise DataError(f"{file}: it cannot be read: {error.strerror}. Check its permissions.") from error
