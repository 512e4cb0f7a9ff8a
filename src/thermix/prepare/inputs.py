"""The raw files that `prepare` is given, and the pieces they are cut into.

Invariant: the pieces are a function of the files and the size asked for; every row lies in exactly one, and
pieces in order hold the rows in the order of the files.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from thermix.errors import InvalidInput
from thermix.prepare.formats import ENDINGS, format_of
from thermix.sources.contents import content_digest
from thermix.sources.files import HUB, find_paths, is_remote

__all__ = ["InputFile", "Part", "find_inputs", "split_inputs"]


@dataclass(frozen=True)
class InputFile:
    """One raw file.

    Attributes:
        path: as it was found; relative paths stay so.
        format: "jsonl", "jsonl.gz", "parquet", "csv", "text", "arrow", "json" and so on.
        bytes: size as it lies there, packed where it is packed.
        digest: hex; of size and 64 KiB spread over a local file, of what the server says of a remote one.
    """

    path: str
    format: str
    bytes: int
    digest: str


@dataclass(frozen=True)
class Part:
    """A piece of one file: the rows, row groups or record batches that begin in bytes [start, stop) of it.

    Of files that cannot be cut (compressed, CSV, JSON) there is one part, from 0 to their size.
    """

    path: str
    format: str
    start: int
    stop: int


def find_inputs(paths: Sequence[str], name: str = "INPUT") -> list[InputFile]:
    """The raw files that paths mean.

    Args:
        paths: files, folders, globs, remote addresses (s3://.., with globs), and datasets of the Hugging
            Face hub (`hf:OWNER/NAME:CONFIG:SPLIT`). They keep their order; folders and globs are sorted.
            Folders are read one level deep, files in them of other formats are passed over; a folder that
            `save_to_disk` of `datasets` wrote gives its Arrow files.
        name: what errors call the paths.

    Raises:
        InvalidInput: nothing lies there, a format that is not read, a file named twice.
        DataError: a file cannot be read.
        MissingExtra: an address, and the library that reads it is not installed.
    """
    if not paths:
        raise InvalidInput(f"{name}: got nothing to read; name at least one file, folder or glob.")
    found = [file for path in paths for file in _files_at(path, name)]
    _refuse_twice([file.path for file in found], name)
    return found


def _files_at(path: str, name: str) -> list[InputFile]:
    if str(path).startswith(HUB) and not is_remote(str(path)):
        from thermix.prepare.remote import hub_files

        return [file for each in hub_files(path.removeprefix(HUB), name) for file in _files_at(each, name)]
    if is_remote(str(path)):
        from thermix.prepare.remote import remote_files

        return [
            InputFile(found.path, _format(found.path, name), found.bytes, found.digest)
            for found in remote_files(path, name, lambda each: format_of(each) is not None)
        ]
    return [_local(file, name) for found in _found(path, name) for file in _inside(found, name)]


def _found(path: str, name: str) -> list[Path]:
    try:
        return find_paths(path, name)
    except InvalidInput as error:
        text = str(error).removeprefix(f"sources.{name}.path: ")
        raise InvalidInput(f"{name}: {text}") from error


def _local(path: Path, name: str) -> InputFile:
    format = _format(str(path), name)
    return InputFile(str(path), format, path.stat().st_size, content_digest(path).hex())


def _format(path: str, name: str) -> str:
    format = format_of(path)
    if format is None:
        ending = repr(os.path.splitext(path)[1]) if os.path.splitext(path)[1] else "nothing"
        raise InvalidInput(
            f"{name}: {path} ends in {ending}; the ending says the format, and {ENDINGS} are read. "
            "Rename it, or write its rows to a .jsonl file."
        )
    return format


def _inside(path: Path, name: str) -> list[Path]:
    """A file as it is; of a folder, the files whose ending is known."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InvalidInput(
            f"{name}: {path} is no file and no folder; only those are read. Copy it to a file."
        )
    inside = sorted(child for child in path.iterdir() if child.is_file() and child.name[0] not in "._")
    names = {child.name for child in inside}
    if "dataset_dict.json" in names:
        splits = sorted(str(child) for child in path.iterdir() if child.is_dir())
        raise InvalidInput(
            f"{name}: folder {path} holds several splits of a dataset; one is read at a time. Name those you "
            f"mean: {', '.join(splits) or 'there is none in it'}."
        )
    if {"state.json", "dataset_info.json"} <= names:
        inside = [child for child in inside if child.suffix == ".arrow"]
    return _known(path, inside, name)


def _known(folder: Path, inside: Sequence[Path], name: str) -> list[Path]:
    known = [child for child in inside if format_of(child.name)]
    if not known:
        holds = f"{len(inside)} files of other kinds, such as {inside[0].name}" if inside else "no files"
        raise InvalidInput(
            f"{name}: folder {folder} holds {holds}; {ENDINGS} are read. "
            f"For files in folders below it, give a glob such as {folder / '**' / '*.jsonl'}."
        )
    return known


def _refuse_twice(paths: Sequence[str], name: str) -> None:
    seen = set()
    for path in paths:
        real = path if is_remote(path) else os.path.realpath(path)
        if real in seen:
            raise InvalidInput(
                f"{name}: {path} is named twice; its rows would be prepared twice. Name it once."
            )
        seen.add(real)


def split_inputs(files: Sequence[InputFile], split_bytes: int) -> list[tuple[Part, ...]]:
    """Cut files into pieces of work of about as many bytes.

    Large files that can be cut are, small ones that follow each other are put together.

    Args:
        files: in order.
        split_bytes: of a piece, over 0.

    Returns:
        The parts of each piece; none is empty. The same files and size give the same pieces.

    Raises:
        DataError: a large Parquet or Arrow file cannot be read.
    """
    pieces: list[tuple[Part, ...]] = []
    pack: list[Part] = []
    packed = 0
    for file in files:
        for part in _parts(file, split_bytes):
            size = part.stop - part.start
            if pack and packed + size > split_bytes:
                pieces.append(tuple(pack))
                pack, packed = [], 0
            pack.append(part)
            packed += size
    return [*pieces, tuple(pack)] if pack else pieces


def _parts(file: InputFile, split_bytes: int) -> Iterator[Part]:
    if not file.bytes and file.format in _EMPTY_IS_WHOLE:
        return
    bounds = [0, file.bytes]
    if file.bytes > split_bytes and (cutter := _CUTTERS.get(file.format)):
        bounds = [0, *cutter(file, split_bytes), file.bytes]
    for start, stop in pairwise(bounds):
        yield Part(file.path, file.format, start, stop)


def _even_cuts(file: InputFile, split_bytes: int) -> list[int]:
    many = -(-file.bytes // split_bytes)
    return [file.bytes * i // many for i in range(1, many)]


def _parquet_cuts(file: InputFile, split_bytes: int) -> list[int]:
    from thermix.prepare.column_texts import parquet_cuts

    return _apart(parquet_cuts(file.path), split_bytes)


def _arrow_cuts(file: InputFile, split_bytes: int) -> list[int]:
    from thermix.prepare.column_texts import arrow_cuts

    return _apart(arrow_cuts(file.path), split_bytes)


def _apart(begins: Sequence[int], split_bytes: int) -> list[int]:
    """Those places to cut at that leave pieces of at least as many bytes; the first place starts none."""
    cuts: list[int] = []
    for begin in begins[1:]:
        if begin - (cuts[-1] if cuts else 0) >= split_bytes:
            cuts.append(begin)
    return cuts


_CUTTERS: dict[str, Callable[[InputFile, int], list[int]]] = {
    "jsonl": _even_cuts,
    "text": _even_cuts,
    "parquet": _parquet_cuts,
    "arrow": _arrow_cuts,
}
_EMPTY_IS_WHOLE = ("jsonl", "text", "csv", "tsv", "json")
"""Formats in which a file of 0 bytes holds no rows; in the others it is damaged."""
