"""Raw files that are not on this machine: found through fsspec, or named by the Hugging Face hub.

Credentials are found by fsspec's own libraries; code that comes with data is never run.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Callable
from typing import Any, NamedTuple

from thermix.errors import DataError, InvalidInput, MissingExtra

__all__ = ["RemoteFile", "hub_files", "remote_files"]

_STATED = ("ETag", "etag", "mtime", "LastModified", "last_modified", "updated", "md5Hash", "crc32c", "sha256")


class RemoteFile(NamedTuple):
    """A file at an address: its size, and a hash of all that its server says of its content."""

    path: str
    bytes: int
    digest: str


def remote_files(address: str, name: str, is_known: Callable[[str], bool]) -> list[RemoteFile]:
    """The files at an address: of a file, a folder (one level deep), or a glob; sorted.

    Args:
        address: such as s3://bucket/folder/*.jsonl.
        name: what errors call it.
        is_known: whether a file of a folder or a glob is read; others are passed over.

    Raises:
        InvalidInput: nothing lies there, or its size is not told.
        DataError: the server cannot be reached.
        MissingExtra: the library for such addresses is not installed.
    """
    system, path = _system(address)
    try:
        infos = _infos(system, path, is_known)
    except FileNotFoundError:
        infos = []
    except Exception as error:
        raise DataError(
            f"{address}: it cannot be listed: {str(error) or type(error).__name__}. Check the address, the "
            "connection and the credentials."
        ) from error
    if not infos:
        raise InvalidInput(f"{name}: no file to read lies at {address}. Correct the address.")
    return [_remote_file(system, info, name) for info in infos]


def _system(address: str) -> tuple[Any, str]:
    try:
        import fsspec

        system, path = fsspec.core.url_to_fs(address)
    except ImportError as error:
        raise MissingExtra(error.name or "fsspec", "data", f"reading {address}") from error
    except ValueError as error:
        raise InvalidInput(f"{address}: {error}. Write s3://, gs://, https:// or a local path.") from error
    return system, path


def _infos(system: Any, path: str, is_known: Callable[[str], bool]) -> list[dict[str, Any]]:
    if any(character in path for character in "*[") and not system.exists(path):
        found = system.glob(path, detail=True)
        infos = [found[each] for each in sorted(found)]
    else:
        info = system.info(path)
        if info["type"] != "directory":
            return [info]
        infos = sorted(system.ls(path, detail=True), key=lambda each: str(each["name"]))
    return [info for info in infos if info["type"] == "file" and is_known(str(info["name"]))]


def _remote_file(system: Any, info: dict[str, Any], name: str) -> RemoteFile:
    path = str(system.unstrip_protocol(info["name"]))
    size = info.get("size")
    if size is None:
        raise InvalidInput(f"{name}: {path}: its server does not say how long it is. Copy it here first.")
    stated = {key: str(info[key]) for key in _STATED if info.get(key) is not None}
    digest = hashlib.sha256(json.dumps({"bytes": size, **stated}, sort_keys=True).encode()).hexdigest()
    return RemoteFile(path, int(size), digest)


def hub_files(dataset: str, name: str) -> list[str]:
    """The files of one split of a dataset of the hub, or of a local folder laid out like one.

    Args:
        dataset: `OWNER/NAME`, `OWNER/NAME:CONFIG` or `OWNER/NAME:CONFIG:SPLIT`, with `@REVISION` behind the
            name if need be; the default configuration and the split "train" where they are left out or empty.
        name: what errors call it.

    Raises:
        InvalidInput: no such dataset, configuration or split, or one whose files need code to read.
        DataError: the hub cannot be reached.
        MissingExtra: datasets is not installed.
    """
    what, config, split = [*dataset.split(":", 2), "", ""][:3]
    files = _splits(what, config, dataset, name)
    split = split or "train"
    if split not in files:
        near = difflib.get_close_matches(split, list(files), n=1)
        raise InvalidInput(
            f"{name}: hf:{dataset}: it has no split {split!r}; its splits are {', '.join(files) or 'none'}. "
            + (f"Did you mean {near[0]}?" if near else "Name one of them: hf:OWNER/NAME:CONFIG:SPLIT.")
        )
    return files[split]


def _splits(what: str, config: str, dataset: str, name: str) -> dict[str, list[str]]:
    """The files of each split."""
    try:
        from datasets import load_dataset_builder
    except ImportError as error:
        raise MissingExtra("datasets", "data", f"reading hf:{dataset}") from error
    repository, _, revision = what.partition("@")
    try:
        builder = load_dataset_builder(repository, config or None, revision=revision or None)
    except FileNotFoundError as error:
        raise InvalidInput(f"{name}: hf:{dataset}: {error}. Correct the name.") from error
    except OSError as error:
        raise DataError(
            f"hf:{dataset}: it cannot be fetched: {error}. Check the name and the connection."
        ) from error
    except (ValueError, RuntimeError) as error:
        raise InvalidInput(
            f"{name}: hf:{dataset}: {error}. Correct the name, or give its files by address: hf://datasets/.."
        ) from error
    found = builder.config.data_files or {}
    return {str(split): [str(file) for file in found[split]] for split in found}
