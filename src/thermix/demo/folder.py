"""The demo's folder: its data files and `mix.yaml`, and what keeps it from anybody else's files.

`.thermix-demo.json` lists the files written here with their SHA-256. Invariant: a file that is not in
the list, or was changed since, is never overwritten or removed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from thermix.demo.texts import Collection
from thermix.errors import InvalidInput

__all__ = ["BATCH_SIZE", "CONFIG", "STEPS", "add_file", "write_folder"]

STEPS = 200
BATCH_SIZE = 24
CONFIG = "mix.yaml"
_LIST = ".thermix-demo.json"

_CONFIG_TEXT = """\
# Written by `thermix demo`: real text found on this machine, mixed by temperature.
seed: 0
steps: {steps}
batch_size: {batch_size}            # documents in a step, over all ranks
temperature: {{schedule: linear, start: 5.0, end: 1.0}}
sources:
{sources}"""


def write_folder(
    folder: Path, collections: Sequence[Collection], later: Sequence[str] = ()
) -> dict[str, int]:
    """Write a JSON Lines file for each source, and the configuration.

    Args:
        folder: is made if it is not there; other files in it are left alone.
        collections: the sources.
        later: names of files that `add_file` will be asked to write.

    Returns:
        File name -> size in bytes; the configuration is the last.

    Raises:
        InvalidInput: a file of somebody else has the name of one of these, or nothing can be written here.
    """
    files = {f"{collection.name}.jsonl": _json_lines(collection) for collection in collections}
    files[CONFIG] = _config(collections).encode()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        own = _own_files(folder, [*files, *later])
        for name in own:
            (folder / name).unlink(missing_ok=True)
        listed = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
        _write(folder / _LIST, json.dumps({"files": listed}, indent=1).encode() + b"\n")
        for name, data in files.items():
            _write(folder / name, data)
    except OSError as error:
        raise InvalidInput(
            f"{folder}: the demo cannot write here: {error.strerror}. Choose another folder with --out."
        ) from error
    return {name: len(data) for name, data in files.items()}


def add_file(folder: Path, name: str, data: bytes) -> Path:
    """Write one more file of the demo, and return where it is.

    Raises:
        InvalidInput: a file of somebody else has its name, or it cannot be written.
    """
    listed = _listed(folder / _LIST)
    path = folder / name
    try:
        _own_files(folder, [name])
        listed[name] = hashlib.sha256(data).hexdigest()
        _write(folder / _LIST, json.dumps({"files": listed}, indent=1).encode() + b"\n")
        _write(path, data)
    except OSError as error:
        raise InvalidInput(
            f"{path}: it cannot be written: {error.strerror}. Choose another folder with --out."
        ) from error
    return path


def _json_lines(collection: Collection) -> bytes:
    rows = ({"text": row.text, "origin": row.origin} for row in collection.rows)
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def _config(collections: Sequence[Collection]) -> str:
    width = max(len(collection.name) for collection in collections) + 1
    sources = "".join(
        f"  {collection.name + ':':<{width}} {{score: {collection.score}, "
        f"path: {collection.name}.jsonl, field: text}}\n"
        for collection in collections
    )
    return _CONFIG_TEXT.format(steps=STEPS, batch_size=BATCH_SIZE, sources=sources)


def _own_files(folder: Path, files: Iterable[str]) -> list[str]:
    """The files that an earlier demo wrote here and nobody changed.

    Raises:
        InvalidInput: a file to be written is there and is not one of them.
    """
    listed = _listed(folder / _LIST)
    for name in files:
        path = folder / name
        if os.path.lexists(path) and name not in listed:
            raise InvalidInput(
                f"{path}: is there, and not from the demo; it overwrites only its own files. "
                "Move the file, or choose another folder with --out."
            )
    present = [name for name in listed if os.path.lexists(folder / name)]
    for name in present:
        if _digest(folder / name) != listed[name]:
            raise InvalidInput(
                f"{folder / name}: changed since the demo wrote it; the demo does not overwrite your work. "
                "Move the file, or choose another folder with --out."
            )
    return present


def _listed(path: Path) -> dict[str, str]:
    """File name -> SHA-256 in the list; empty where there is no list that can be read as one."""
    try:
        files = json.loads(path.read_bytes())["files"]
        return {name: digest for name, digest in files.items() if name == os.path.basename(name)}
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _write(path: Path, data: bytes) -> None:
    """A file that is whole or not there."""
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(data)
    os.replace(part, path)
