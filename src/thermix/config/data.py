"""The data that a configuration names: found, opened once, closed by whoever asked for it.

Paths are relative to the folder of the file. Invariant: what is opened is closed, or handed out.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thermix.config.place import Place
from thermix.config.prepared import Tokenizing, folder_name, is_prepared, stale
from thermix.errors import ConfigError, InvalidInput

if TYPE_CHECKING:
    from thermix.sources import ItemSource

__all__ = ["Data", "SourceFiles", "located_at"]


@dataclass(frozen=True)
class SourceFiles:
    """Where a source's items are, as the file says it.

    Attributes:
        path: files, folders or globs, as written; empty for a source that has only a size.
        field: of documents: the field with the text.
        dtype: of token files without a header: the type of a token.
        tokens: the size in tokens, where the file gives it.
        items: the size in items, where the file gives it.
    """

    path: tuple[str, ...] = ()
    field: str | None = None
    dtype: str | None = None
    tokens: int | None = None
    items: int | None = None


class Data:
    """The sources of one configuration, each opened when it is first asked for.

    Args:
        folder: what paths are relative to.
        sequence_length: tokens of an item of a token file.
        tokenizing: how raw sources become sequences.
    """

    def __init__(
        self, folder: Path, sequence_length: int | None, tokenizing: Tokenizing | None = None
    ) -> None:
        self._folder = folder
        self._sequence_length = sequence_length
        self._tokenizing = tokenizing or Tokenizing()
        self._opened: dict[tuple[str, SourceFiles], ItemSource] = {}
        self._first_tokenizer: tuple[str, dict[str, Any]] | None = None

    def missing(self, name: str, files: SourceFiles) -> list[str]:
        """Those of its paths at which nothing lies, as written; none where its shards are prepared."""
        if self.shards_of(name, files) is not None:
            return []
        return self._nothing_at(files)

    def unprepared(self, name: str, files: SourceFiles) -> bool:
        """Whether it is raw text that the file wants as sequences, and that is not prepared yet."""
        wanted = self._tokenizing.tokenizer is not None and self._is_raw(name, files)
        return wanted and self.shards_of(name, files) is None

    def raw_files(self, name: str, files: SourceFiles) -> list[str] | None:
        """The paths of raw text, from the folder of the file; None for a source that is none."""
        return self._paths(files) if files.path and self._is_raw(name, files) else None

    def shards_folder(self, name: str) -> str:
        """Where the shards of a raw source are due."""
        return os.path.join(self.absolute(self._tokenizing.prepared), folder_name(name))

    def shards_of(self, name: str, files: SourceFiles) -> str | None:
        """The folder of shards that stands for a raw source; None where there is none.

        Raises:
            InvalidInput: its preparation was not finished.
        """
        if self._sequence_length is None or not files.path or not self._is_raw(name, files):
            return None
        folder = self.shards_folder(name)
        return folder if is_prepared(folder) else None

    def open(self, name: str, files: SourceFiles, place: Place) -> ItemSource:
        """The opened source.

        Raises:
            ConfigError: what lies there is not what a source can be read from.
            DataError: it is damaged.
        """
        key = (name, files)
        if key not in self._opened:
            self._opened[key] = self._open_new(name, files, place)
        return self._opened[key]

    def _open_new(self, name: str, files: SourceFiles, place: Place) -> ItemSource:
        from thermix.sources import open_source

        paths = self._paths(files)
        with located_at(name, place):
            shards = self.shards_of(name, files)
            self._check_tokenizers(name, shards or paths[0])
            if shards is not None:
                self._check_fresh(name, files, shards)
                return open_source(shards, name=name, sequence_length=self._sequence_length)
            return open_source(
                paths[0] if len(paths) == 1 else paths,
                name=name,
                field=files.field,
                sequence_length=self._sequence_length,
                dtype=files.dtype,
            )

    def _check_fresh(self, name: str, files: SourceFiles, shards: str) -> None:
        """Refuse shards that are not those of the raw files."""
        from thermix.sources.files import is_hub, is_remote
        from thermix.sources.manifest import read_manifest
        from thermix.sources.opening import files_at

        manifest = read_manifest(shards)
        assert manifest is not None, "it was there a moment ago"
        paths = self._paths(files)
        unseen = self._nothing_at(files) or any(is_remote(path) or is_hub(path) for path in paths)
        there = [] if unseen else files_at(paths, name)
        reason = stale(manifest, there, self._tokenizer_file())
        if reason is not None:
            raise InvalidInput(
                f"{shards} holds its shards, but {reason}. Remove that folder and run thermix prepare again, "
                "or put the files back."
            )

    def _check_tokenizers(self, name: str, folder: str) -> None:
        """Refuse shards of another tokenizer than the shards opened before."""
        from thermix.sources.manifest import read_manifest

        manifest = read_manifest(folder) if os.path.isdir(folder) else None
        if manifest is None:
            return
        first = self._first_tokenizer = self._first_tokenizer or (name, manifest.tokenizer)
        if first[1] != manifest.tokenizer:
            raise InvalidInput(
                f"its shards were made with another tokenizer than those of source {first[0]} "
                f"({_words(manifest.tokenizer)}; {_words(first[1])}); one model reads one vocabulary. "
                "Prepare one of the two again."
            )

    def _is_raw(self, name: str, files: SourceFiles) -> bool:
        """Whether the source is text: it says a field, or its files are no files of tokens."""
        from thermix.sources.opening import holds_tokens

        if files.field is not None or self._tokenizing.tokenizer is None:
            return files.field is not None
        if self._nothing_at(files):
            return os.path.exists(self.shards_folder(name))
        return not holds_tokens(self._paths(files), name)

    def _nothing_at(self, files: SourceFiles) -> list[str]:
        return [path for path in files.path if not _lies_at(self.absolute(path))]

    def _paths(self, files: SourceFiles) -> list[str]:
        return [self.absolute(path) for path in files.path]

    @property
    def end_of_document(self) -> str | None:
        """The token behind each document; None leaves it to the tokenizer."""
        return self._tokenizing.end_of_document

    @property
    def tokenizer(self) -> str | None:
        """The tokenizer as the file says it, a path being made absolute."""
        return self._tokenizer_file() or self._tokenizing.tokenizer

    def _tokenizer_file(self) -> str | None:
        """The tokenizer.json, where that is what the file names and it is there."""
        path = None if self._tokenizing.tokenizer is None else self.absolute(self._tokenizing.tokenizer)
        if path is not None and os.path.isdir(path):
            path = os.path.join(path, "tokenizer.json")
        return path if path is not None and os.path.isfile(path) else None

    def close(self, keep: Iterable[ItemSource] = ()) -> None:
        """Close what was opened, but for some."""
        kept = {id(source) for source in keep}
        for source in self._opened.values():
            if id(source) not in kept:
                source.close()
        self._opened = {}

    def absolute(self, path: str) -> str:
        """A path as written, from the folder of the file; an address stays as it is."""
        if _is_address(path):
            return path
        return os.path.join(self._folder, os.path.expanduser(path))


def _words(tokenizer: dict[str, Any]) -> str:
    """A tokenizer in a few words, those in which two can differ."""
    known = [str(tokenizer.get(key)) for key in ("kind", "name", "sha256") if key in tokenizer]
    return f"{' '.join(word[:20] for word in known)}, {tokenizer.get('vocabulary')} tokens"


@contextmanager
def located_at(name: str, place: Place) -> Iterator[None]:
    """Gives what is refused of a source its place in the file.

    Raises:
        ConfigError: in place of another InvalidInput.
    """
    try:
        yield
    except ConfigError:
        raise
    except InvalidInput as error:
        raise _placed(error, name, place) from error


def _placed(error: InvalidInput, name: str, place: Place) -> InvalidInput:
    """The error at its place in the file: below the source if it says where, else at its path."""
    message = str(error)
    rest = message.removeprefix(f"sources.{name}")
    if rest != message and rest[:1] in (":", "."):
        return place.error(rest)
    return (place / "path").error(message)


def _lies_at(path: str) -> bool:
    """Whether there is something at a path: a file, a folder, a match, the prefix of a .bin or .idx."""
    if _is_address(path) or os.path.lexists(path):
        return True
    if glob.has_magic(path):
        return next(glob.iglob(path, recursive=True), None) is not None
    return os.path.exists(f"{path}.bin") or os.path.exists(f"{path}.idx")


def _is_address(path: str) -> bool:
    """Whether it is no path on this machine: a URL, or a data set on the hub."""
    return "://" in path or path.startswith("hf:")
