"""`manifest.json`: what a folder of prepared shards holds, written last by whoever wrote the shards.

A folder with a manifest is whole; its names stay inside the folder, and no link leads out of it. Knows
nothing of how shards are made.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from thermix.errors import DataError
from thermix.sources.files import MANIFEST

__all__ = [
    "FileRecord",
    "InputRecord",
    "Manifest",
    "ShardRecord",
    "canonical_json",
    "file_record",
    "parse_manifest",
    "read_manifest",
    "shard_files",
]

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_BLOCK = 1 << 20

Count = Annotated[int, Field(ge=0)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class FileRecord(_Record):
    """A file: its size in bytes and its SHA-256."""

    bytes: Count
    sha256: Digest


class ShardRecord(_Record):
    """A shard, `NAME.bin` and `NAME.idx`."""

    name: str
    documents: Count
    tokens: Count
    bin: FileRecord
    idx: FileRecord

    @field_validator("name")
    @classmethod
    def _stays_inside(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError("a shard's name is letters, digits, '.', '_' and '-', and leads nowhere else")
        return name


class InputRecord(_Record):
    """A raw file the shards were made from; `digest` is that of `contents.content_digest`."""

    path: str
    format: str
    bytes: Count
    digest: str


class Manifest(_Record):
    """What a folder of prepared shards holds.

    Attributes:
        tokenizer: what determines the ids, as the encoder states it.
        dtype: of a token in the shards.
        end_of_document: the id behind each document.
        field: of a raw row, that holds its text.
        split_bytes: raw bytes that went into one piece of work.
        documents, tokens, skipped: sums over the shards; raw rows that were left out.
        inputs: the raw files, in order.
        shards: in order.
    """

    format: Literal["thermix-shards"] = "thermix-shards"
    version: Literal[1] = 1
    tokenizer: dict[str, Any]
    dtype: str
    end_of_document: Count
    field: str
    split_bytes: Count
    documents: Count
    tokens: Count
    skipped: Count
    inputs: list[InputRecord]
    shards: list[ShardRecord]


def canonical_json(record: BaseModel) -> bytes:
    """A record as JSON, the same bytes for the same record."""
    return (json.dumps(record.model_dump(), ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def read_manifest(folder: str | os.PathLike[str]) -> Manifest | None:
    """The manifest of a folder; None where it has none.

    Raises:
        DataError: it cannot be read, or is none of thermix.
    """
    path = Path(folder) / MANIFEST
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DataError(f"{path}: it cannot be read: {error.strerror}. Check its permissions.") from error
    return parse_manifest(text, str(path))


def parse_manifest(text: bytes, where: str) -> Manifest:
    """A manifest as it was written.

    Args:
        text: of the file.
        where: it lies, for errors.

    Raises:
        DataError: it is none of thermix.
    """
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"])) or f"byte 0 of {len(text)}"
        raise DataError(
            f"{where}: {key}: {first['msg']}; a manifest is as thermix prepare wrote it. "
            "Prepare the folder again, or take the file away to read the shards without it."
        ) from error


def shard_files(folder: str | os.PathLike[str], manifest: Manifest) -> list[Path]:
    """The `.bin` files a manifest names, each with its `.idx`, there and of the size it says.

    Raises:
        DataError: a file is missing, of another size, or a link out of the folder.
    """
    base = Path(folder)
    found = []
    for shard in manifest.shards:
        for ending, record in ((".bin", shard.bin), (".idx", shard.idx)):
            _check_size(base, base / f"{shard.name}{ending}", record)
        found.append(base / f"{shard.name}.bin")
    return found


def _check_size(folder: Path, path: Path, record: FileRecord) -> None:
    try:
        size = os.stat(path).st_size
    except OSError as error:
        raise DataError(
            f"{path}: {MANIFEST} names it, and it cannot be read: {error.strerror}. "
            "Put it back, or prepare again."
        ) from error
    if path.is_symlink() and folder.resolve() not in path.resolve().parents:
        raise DataError(
            f"{path}: it is a link to {os.readlink(path)}, out of the folder; the files of a manifest lie "
            "beside it. Copy the file here."
        )
    if size != record.bytes:
        raise DataError(
            f"{path}: it is {size:,} bytes long, and {MANIFEST} says {record.bytes:,}. "
            "Copy it again, or prepare again."
        )


def file_record(path: str | os.PathLike[str]) -> FileRecord:
    """Size and SHA-256 of a file as it is now; reads all of it, at 1 to 2 GB/s.

    Raises:
        DataError: it cannot be read.
    """
    digest, size = hashlib.sha256(), 0
    try:
        with open(path, "rb", buffering=0) as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                size += len(block)
    except OSError as error:
        raise DataError(f"{path}: it cannot be read: {error.strerror}. Check its permissions.") from error
    return FileRecord(bytes=size, sha256=digest.hexdigest())
