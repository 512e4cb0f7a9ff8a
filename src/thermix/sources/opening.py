"""From a path to an opened source: looks at what lies there and picks the class that reads it.

`_OPENERS` says which ending is read by what. A new format is one line there and one opener.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thermix.errors import InvalidInput
from thermix.sources.base import ItemSource
from thermix.sources.files import (
    MANIFEST,
    MATERIALIZING,
    UNFINISHED,
    ending_of,
    find_paths,
    is_hub,
    is_remote,
    is_saved,
)

if TYPE_CHECKING:
    from thermix.sources.copies import Original
    from thermix.sources.hf_tables import FileFormat
    from thermix.sources.remote import RemoteFile, RemoteFolder

__all__ = ["files_at", "holds_tokens", "open_source"]


@dataclass(frozen=True)
class _Request:
    """What is to be opened: files of one format, and all that was said about them."""

    name: str
    paths: Sequence[Original]
    field: str | None
    sequence_length: int | None
    dtype: str | None


_Opener = Callable[[_Request], ItemSource]


def open_source(
    path: str | Sequence[str],
    *,
    name: str,
    field: str | None = None,
    sequence_length: int | None = None,
    dtype: str | None = None,
) -> ItemSource:
    """Open what lies at a path.

    Args:
        path: a file, a folder of files of one format, a glob, or a list of these. Folders are read one
            level deep, sorted by name; files in them that are no data are passed over. Also a folder that
            HF datasets saved, a data set on the hub (`hf:OWNER/NAME:CONFIG:SPLIT`, see `open_hub`), and
            addresses of files, folders and globs (`s3://`, `gs://`, `https://`, `hf://`, any of fsspec).
        name: of the source, for errors.
        field: of documents: the field that holds the text; rows are then that text.
        sequence_length: of token files: tokens in an item. Documents pass it over.
        dtype: of token files without a header: the type of a token.

    Returns:
        The opened source; close it, or use it in `with`.

    Raises:
        InvalidInput: nothing lies there, or nothing this version can read, or formats are mixed.
        DataError: a file cannot be read, or is not what its name says.
    """
    opener, paths = _found(path, name)
    return opener(_Request(name, paths, field, sequence_length, dtype))


def files_at(path: str | Sequence[str], name: str) -> list[Path]:
    """The data files that a path means, in order.

    Args:
        path: as for `open_source`.
        name: of the source, for errors.

    Raises:
        InvalidInput: nothing lies there, or a folder without data files.
    """
    return [file for found in find_paths(path, name) for file in _files_of(found, name)]


def holds_tokens(path: str | Sequence[str], name: str) -> bool:
    """Whether what lies at a path are files of tokens, not of documents.

    Raises:
        InvalidInput: as for `open_source`, where it is neither.
    """
    return _found(path, name)[0] is _open_tokens


def _found(path: str | Sequence[str], name: str) -> tuple[_Opener, Sequence[Original]]:
    """What a path means, and what opens it."""
    entries: list[Any] = [path] if isinstance(path, str | os.PathLike) else list(path)
    if any(isinstance(entry, str) and is_hub(entry) for entry in entries):
        return _open_hub, [_alone(entries, name)]
    if any(map(is_remote, entries)):
        files = _remote_files(entries, name)
        return _one_opener(files, name), files
    paths = files_at(path, name)
    return _one_opener(paths, name), paths


def _alone(entries: Sequence[str], name: str) -> Path:
    if len(entries) > 1:
        raise InvalidInput(
            f"sources.{name}.path: got a list with a data set on the hub in it; a source is one such data "
            "set, or files. Make several sources of them."
        )
    return Path(entries[0])


def _remote_files(entries: Sequence[str], name: str) -> list[RemoteFile]:
    """The data files that addresses mean; of a folder, those with an ending that is known."""
    from thermix.sources.finding import find_remote

    here = [entry for entry in entries if not is_remote(entry)]
    if here:
        raise InvalidInput(
            f"sources.{name}.path: got {here[0]!r} beside addresses; the files of a source are all remote or "
            "all on this machine. Make two sources of them."
        )
    return [file for each in find_remote(entries, name) for file in _data_in(each, name)]


def _data_in(found: RemoteFile | RemoteFolder, name: str) -> list[RemoteFile]:
    from thermix.sources.remote import RemoteFile

    if isinstance(found, RemoteFile):
        return [found]
    known = [file for file in found.files if _opener_for(file.name) is not None]
    if not known:
        raise InvalidInput(
            f"sources.{name}.path: folder {found} holds {len(found.files)} files, none of them data, "
            f"which end in .bin, .idx, .npy, {_READABLE}. Correct the address, or give a glob."
        )
    return known


def _open_jsonlines(request: _Request) -> ItemSource:
    _refuse_dtype(request, "JSON Lines")
    if any(ending_of(path.name)[1] for path in request.paths):
        return _open_json(request)
    from thermix.sources.jsonlines import JsonLines

    return JsonLines(request.paths, name=request.name, field=request.field)


def _open_json(request: _Request) -> ItemSource:
    from thermix.sources.packed_lines import PackedLines

    _refuse_dtype(request, "JSON")
    return PackedLines(request.paths, name=request.name, field=request.field)


def _documents(kind: FileFormat) -> _Opener:
    """An opener of files that HF datasets reads."""

    def open_documents(request: _Request) -> ItemSource:
        from thermix.sources.documents import open_document_files

        _refuse_dtype(request, "documents")
        return open_document_files(kind, request.paths, name=request.name, field=request.field)

    return open_documents


def _open_saved(request: _Request) -> ItemSource:
    from thermix.sources.documents import open_saved

    _refuse_dtype(request, "documents")
    if len(request.paths) > 1:
        raise InvalidInput(
            f"sources.{request.name}.path: got {len(request.paths)} folders that HF datasets saved; a source "
            "is one. Make several sources of them."
        )
    folder = request.paths[0]
    assert isinstance(folder, Path), "folders are recognised on this machine"
    return open_saved(folder, name=request.name, field=request.field)


def _open_hub(request: _Request) -> ItemSource:
    from thermix.sources.documents import open_hub

    _refuse_dtype(request, "documents")
    return open_hub(str(request.paths[0]), name=request.name, field=request.field)


def _refuse_dtype(request: _Request, what: str) -> None:
    if request.dtype is not None:
        raise InvalidInput(
            f"sources.{request.name}.dtype: got {request.dtype!r} for {what}; "
            "only token files have a dtype. Remove it."
        )


def _open_tokens(request: _Request) -> ItemSource:
    from thermix.sources.tokens import TokenShards

    if request.field is not None:
        raise InvalidInput(
            f"sources.{request.name}.field: got {request.field!r} for token files; "
            "only documents have fields. Remove it."
        )
    if request.sequence_length is None:
        raise InvalidInput(
            f"sources.{request.name}.path: {request.paths[0]}: a token file, and no sequence_length; an item "
            "is that many tokens. Set sequence_length."
        )
    return TokenShards(
        request.paths,
        name=request.name,
        sequence_length=request.sequence_length,
        dtype=request.dtype,
    )


def _refuse_packed(request: _Request) -> ItemSource:
    path = request.paths[0]
    raise InvalidInput(
        f"sources.{request.name}.path: {path}: it is packed, and its name does not say that JSON, CSV or "
        "text is in it, which are read packed. Unpack it first, or rename it, such as to web.jsonl.gz."
    )


_OPENERS: dict[str, _Opener] = {
    ".jsonl": _open_jsonlines,
    ".ndjson": _open_jsonlines,
    ".json": _open_json,
    ".csv": _documents("csv"),
    ".tsv": _documents("tsv"),
    ".txt": _documents("text"),
    ".parquet": _documents("parquet"),
    ".arrow": _documents("arrow"),
    ".bin": _open_tokens,
    ".idx": _open_tokens,
    ".npy": _open_tokens,
}
_PACKED_TOO = {_OPENERS[ending] for ending in (".jsonl", ".json", ".csv", ".tsv", ".txt")}
_DOCUMENTS = {opener for opener in _OPENERS.values() if opener is not _open_tokens} | {_refuse_packed}
_READABLE = ".jsonl, .json, .csv, .tsv, .txt (these also packed: .jsonl.gz, .jsonl.zst), .parquet or .arrow"


def _opener_for(address: str) -> _Opener | None:
    """What reads a file of that name; None where the name does not say."""
    ending, packing = ending_of(address)
    opener = _OPENERS.get(ending)
    return _refuse_packed if packing and opener not in _PACKED_TOO else opener


def _files_of(path: Path, name: str) -> list[Path]:
    """A file as it is; of a folder, the files with an ending that is known."""
    if not path.is_dir():
        if not path.is_file():
            raise InvalidInput(
                f"sources.{name}.path: {path} is no file and no folder; only those are read. "
                "Copy it to a file."
            )
        return [path]
    if is_saved(path):
        return [path]
    if (prepared := _prepared_files(path)) is not None:
        return prepared
    inside = sorted(child for child in path.iterdir() if child.is_file() and not child.name.startswith("."))
    known = [child for child in inside if _opener_for(child.name) is not None]
    if not known:
        holds = f"{len(inside)} files of other kinds, such as {inside[0].name}" if inside else "no files"
        raise InvalidInput(
            f"sources.{name}.path: folder {path} holds {holds}; data files end in {_READABLE}. "
            f"For files in folders below it, give a glob such as {path / '**' / '*.jsonl'}."
        )
    return known


def _prepared_files(folder: Path) -> list[Path] | None:
    """The shards of a folder that thermix prepare wrote; None for any other folder."""
    if (folder / UNFINISHED).exists() and not (folder / MANIFEST).exists():
        raise InvalidInput(
            f"{folder} is not prepared to its end. Run the same thermix prepare again: "
            "it goes on where it was."
        )
    if (folder / MATERIALIZING).exists():
        raise InvalidInput(
            f"{folder} is not materialized to its end. Run the same thermix materialize again: "
            "it goes on where it was."
        )
    if not (folder / MANIFEST).exists():
        return None
    from thermix.sources.manifest import read_manifest, shard_files

    manifest = read_manifest(folder)
    return None if manifest is None else shard_files(folder, manifest)


def _one_opener(paths: Sequence[Original], name: str) -> _Opener:
    """What opens all of the files; refused where they are of several formats, or of none."""
    first_of: dict[_Opener, Original] = {}
    for path in paths:
        opener = _open_saved if isinstance(path, Path) and path.is_dir() else _opener_for(path.name)
        if opener is None:
            ending = repr(path.suffix) if path.suffix else "no ending"
            raise InvalidInput(
                f"sources.{name}.path: {path} has {ending}; the ending says the format, and {_READABLE} are "
                "read. Rename it, or write its rows to a .jsonl file."
            )
        first_of.setdefault(opener, path)
    if len(first_of) > 1:
        one, other = list(first_of.values())[:2]
        ending = "".join(ending_of(one.name))
        raise InvalidInput(
            f"sources.{name}.path: {one} and {other} are of different formats; a source has one. Name the "
            f"files you mean by a glob such as '*{ending}', or make two sources of them."
        )
    return next(iter(first_of))
