"""From a path to an opened source: looks at what lies there and picks the class that reads it.

`_OPENERS` says which ending is read by what. A new format is one line there and one opener.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from thermix.errors import InvalidInput
from thermix.sources.base import ItemSource
from thermix.sources.files import find_paths

__all__ = ["open_source"]


@dataclass(frozen=True)
class _Request:
    """What is to be opened: files of one format, and all that was said about them."""

    name: str
    paths: Sequence[Path]
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
            level deep, sorted by name; files in them that are no data are passed over.
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
    paths = [file for found in find_paths(path, name) for file in _files_of(found, name)]
    opener = _one_opener(paths, name)
    return opener(_Request(name, paths, field, sequence_length, dtype))


def _open_jsonlines(request: _Request) -> ItemSource:
    from thermix.sources.jsonlines import JsonLines

    if request.dtype is not None:
        raise InvalidInput(
            f"sources.{request.name}.dtype: got {request.dtype!r} for JSON Lines; "
            "only token files have a dtype. Remove it."
        )
    return JsonLines(request.paths, name=request.name, field=request.field)


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


def _refusal(what: str, way_out: str) -> _Opener:
    """An opener for what is known but not read: it says what to do instead."""

    def refuse(request: _Request) -> ItemSource:
        path = request.paths[0]
        raise InvalidInput(f"sources.{request.name}.path: {path}: {what}. {way_out.format(path=path)}")

    return refuse


_NOT_YET = "this version does not read {}"
_PACKED = "it is compressed, and items are read by their place in a file"
_convert = _refusal(
    _NOT_YET.format("this format"), "Write its rows to a .jsonl file, one JSON object a line."
)

_OPENERS: dict[str, _Opener] = {
    ".jsonl": _open_jsonlines,
    ".ndjson": _open_jsonlines,
    ".bin": _open_tokens,
    ".idx": _open_tokens,
    ".npy": _open_tokens,
    ".gz": _refusal(_PACKED, "Unpack it first: gunzip -k {path}"),
    ".zst": _refusal(_PACKED, "Unpack it first: zstd -d {path}"),
    ".bz2": _refusal(_PACKED, "Unpack it first: bunzip2 -k {path}"),
    ".xz": _refusal(_PACKED, "Unpack it first: unxz -k {path}"),
    ".json": _refusal("one JSON value is not a row a line", "Write it as .jsonl: jq -c '.[]' {path}"),
    ".txt": _refusal(
        "plain text does not say where a document ends, at a line or at the file",
        'Write one {{"text": ...}} a line to a .jsonl file.',
    ),
    ".csv": _convert,
    ".tsv": _convert,
    ".parquet": _convert,
    ".arrow": _convert,
}
_READABLE = ".jsonl, .ndjson"


def _files_of(path: Path, name: str) -> list[Path]:
    """A file as it is; of a folder, the files with an ending that is known."""
    if not path.is_dir():
        if not path.is_file():
            raise InvalidInput(
                f"sources.{name}.path: {path} is no file and no folder; only those are read. "
                "Copy it to a file."
            )
        return [path]
    inside = sorted(child for child in path.iterdir() if child.is_file() and not child.name.startswith("."))
    known = [child for child in inside if child.suffix.lower() in _OPENERS]
    if not known:
        holds = f"{len(inside)} files of other kinds, such as {inside[0].name}" if inside else "no files"
        raise InvalidInput(
            f"sources.{name}.path: folder {path} holds {holds}; data files end in {_READABLE}. "
            f"For files in folders below it, give a glob such as {path / '**' / '*.jsonl'}."
        )
    return known


def _one_opener(paths: Sequence[Path], name: str) -> _Opener:
    """What opens all of the files; refused where they are of several formats, or of none."""
    first_of: dict[_Opener, Path] = {}
    for path in paths:
        opener = _OPENERS.get(path.suffix.lower())
        if opener is None:
            ending = repr(path.suffix) if path.suffix else "no ending"
            raise InvalidInput(
                f"sources.{name}.path: {path} has {ending}; the ending says the format, and {_READABLE} are "
                "read. Rename it, or write its rows to a .jsonl file."
            )
        first_of.setdefault(opener, path)
    if len(first_of) > 1:
        one, other = list(first_of.values())[:2]
        raise InvalidInput(
            f"sources.{name}.path: {one} and {other} are of different formats; a source has one. Name the "
            f"files you mean by a glob such as '*{one.suffix}', or make two sources of them."
        )
    return next(iter(first_of))
