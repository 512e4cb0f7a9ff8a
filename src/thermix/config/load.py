"""From a path, or a text, to a plan; with the data opened or without.

The whole way: bytes, text, plain data (`read.py`), models (`problems.py`, `checks.py`), plan
(`build.py`). Invariant: every mistake in a file is a `ConfigError` that begins with the file's name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from thermix.config.build import Config, build
from thermix.config.checks import check_together
from thermix.config.data import Data, SourceFiles, located_at
from thermix.config.model import ConfigModel, SourceEditModel, SourceModel
from thermix.config.place import Place, quoted
from thermix.config.prepared import PREPARED, TEXT, RawText, Tokenizing
from thermix.config.problems import raise_all, validated
from thermix.config.read import decoded, plain_data
from thermix.errors import ConfigError
from thermix.plan.plan import Plan

if TYPE_CHECKING:
    from thermix.sources import ItemSource

__all__ = ["load", "load_plan", "parse_config", "read_config", "read_raw"]

StrPath = str | os.PathLike[str]


def load_plan(path: StrPath) -> Plan:
    """The plan that a configuration file says.

    Sizes are read from the data where a source's path exists, else they are its `tokens:` or `items:`.

    Args:
        path: a YAML file; the paths in it are relative to its folder.

    Returns:
        The plan, edits included: the same for the same file and data.

    Raises:
        ConfigError: the file cannot be read, or breaks a rule; all that its keys alone show, at once.
        DataError: the data is damaged.
        MissingExtra: a library that reads the data is not installed.
    """
    return read_config(path).plan


def load(path: StrPath) -> tuple[Plan, dict[str, ItemSource]]:
    """The plan that a configuration file says, and its sources opened.

    Args:
        path: as for `load_plan`.

    Returns:
        The plan, and name -> opened source for every source of the plan, in its order. A source that an edit
        moves to other paths is opened as it is at last.

    Raises:
        ConfigError: as for `load_plan`, and for a source whose data is not there.
        DataError: the data is damaged.
        MissingExtra: a library that reads the data is not installed.
    """
    model, place = _checked(_text_of(path), os.fspath(path))
    data = _data_of(path, model)
    sources: dict[str, ItemSource] = {}
    try:
        config = build(model, place, data)
        raise_all(_unreadable(config, data))
        for name, files in config.files.items():
            sources[name] = data.open(name, files, config.places[name])
    except BaseException:
        data.close()
        raise
    data.close(keep=sources.values())
    return config.plan, sources


def read_config(path: StrPath) -> Config:
    """All that a configuration file says: the plan, where each source's items are, and notices.

    Args:
        path: as for `load_plan`.

    Raises:
        ConfigError, DataError, MissingExtra: as for `load_plan`.
    """
    model, place = _checked(_text_of(path), os.fspath(path))
    data = _data_of(path, model)
    try:
        return build(model, place, data)
    finally:
        data.close()


def read_raw(path: StrPath) -> list[RawText]:
    """The raw sources of a configuration, for `thermix prepare`.

    Args:
        path: as for `load_plan`.

    Returns:
        Every source whose items are text in files, in the order of the file, those of edits included.

    Raises:
        ConfigError: the file cannot be read, breaks a rule, or names files that are not there.
    """
    model, place = _checked(_text_of(path), os.fspath(path))
    data = _data_of(path, model)
    found: dict[str, RawText] = {}
    for name, source, here in _with_paths(model, place):
        files = SourceFiles(source.path or (), source.field, source.dtype)
        raw = _raw_text(name, files, data, here)
        if raw is not None and found.setdefault(name, raw) != raw:
            raise (here / "path").error(
                ": other raw text than above; one source is prepared once. Give the new text a source "
                "of its own."
            )
    return list(found.values())


def _with_paths(
    model: ConfigModel, place: Place
) -> Iterator[tuple[str, SourceModel | SourceEditModel, Place]]:
    """Every definition of a source that names a path."""
    for name, source in model.sources.items():
        if source.path is not None:
            yield name, source, place / "sources" / name
    for i, edit in enumerate(model.edits):
        for name, changed in (edit.sources or {}).items():
            if changed is not None and changed.path is not None:
                yield name, changed, place / "edits" / i / "sources" / name


def _raw_text(name: str, files: SourceFiles, data: Data, place: Place) -> RawText | None:
    with located_at(name, place):
        paths = data.raw_files(name, files)
        if paths is None:
            return None
        return RawText(
            name,
            tuple(paths),
            files.field or TEXT,
            data.tokenizer,
            data.end_of_document,
            data.shards_folder(name),
        )


def parse_config(text: str, where: str = "configuration") -> Config:
    """All that the text of a configuration says; no file is touched.

    Args:
        text: YAML; every source has its size in it, as `tokens:` or `items:`.
        where: what errors call it.

    Raises:
        ConfigError: it breaks a rule.

    >>> config = parse_config("{steps: 10, batch_size: 8, sources: {网页: {items: 1k}, no: {items: 500}}}")
    >>> config.plan.names, config.plan.counts(10).tolist()
    (('网页', 'no'), [53, 27])
    """
    return build(*_checked(text, where), None)


def _checked(text: str, where: str) -> tuple[ConfigModel, Place]:
    place = Place(where)
    model = validated(plain_data(text, place), place)
    check_together(model, place)
    return model, place


def _text_of(path: StrPath) -> str:
    place = Place(os.fspath(path))
    try:
        return decoded(Path(path).read_bytes(), place)
    except FileNotFoundError:
        raise place.error("there is no such file. Correct the path, or write the file first.") from None
    except IsADirectoryError:
        raise place.error("it is a folder; a configuration is a file. Name the file in it.") from None
    except OSError as error:
        raise place.error(f"it cannot be read: {error.strerror}. Check its permissions.") from error


def _data_of(path: StrPath, model: ConfigModel) -> Data:
    tokenizing = Tokenizing(model.tokenizer, model.end_of_document, model.prepared or PREPARED)
    return Data(_folder_of(path), model.sequence_length, tokenizing)


def _folder_of(path: StrPath) -> Path:
    return Path(path).absolute().parent


def _unreadable(config: Config, data: Data) -> Iterator[ConfigError]:
    """A refusal for every source whose items cannot be read."""
    for name, files in config.files.items():
        place = config.places[name]
        size = f"tokens: {files.tokens}" if files.tokens is not None else f"items: {files.items}"
        if not files.path:
            yield place.error(f": it has only a size ({size}); its items cannot be read. Give it a path.")
        elif data.unprepared(name, files):
            yield (place / "path").error(
                f": got {quoted(files.path[0])}, raw text that is not prepared yet; its size ({size}) is "
                "enough for a plan only. Run thermix prepare with this file."
            )
        elif missing := data.missing(name, files):
            yield (place / "path").error(
                f": got {quoted(missing[0])}, where nothing lies; its size ({size}) is enough "
                "for a plan only. Prepare the data, or correct the path."
            )
