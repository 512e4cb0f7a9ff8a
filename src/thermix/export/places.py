"""Where the data of a configuration lies, as a trainer on this machine would find it."""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from pathlib import Path

from thermix.config import Config, RawText, read_raw
from thermix.config.prepared import is_prepared
from thermix.sources.files import is_hub, is_remote

__all__ = ["SourcePlace", "lies_there", "places_of"]


@dataclass(frozen=True)
class SourcePlace:
    """The data of one source.

    Attributes:
        name: of the source.
        paths: absolute, or addresses; none for a source of which only the size is known.
        field: of a raw row, that holds its text; None for what is no raw text.
        shards: the folder of token shards that were prepared from raw text; None where there is none.
        items: the source's size, in items.
    """

    name: str
    paths: tuple[str, ...]
    field: str | None
    shards: str | None
    items: int

    @property
    def first(self) -> str:
        """One path that stands for the source; its name where there is none."""
        return self.shards or (self.paths[0] if self.paths else self.name)


def places_of(path: str | os.PathLike[str], config: Config) -> list[SourcePlace]:
    """The places of all sources of a configuration, in the order of the plan.

    Args:
        path: of the configuration; its paths are relative to its folder.
        config: what it says.

    Raises:
        ConfigError: raw text is named that is not there.
    """
    folder = Path(path).absolute().parent
    raw = {each.name: each for each in read_raw(path)}
    streams = config.plan.segments[-1].streams
    items = {name: streams[i].eras[-1].items for i, name in enumerate(config.plan.names)}
    return [
        _place(name, tuple(_absolute(folder, each) for each in files.path), raw.get(name), items[name])
        for name, files in config.files.items()
    ]


def _place(name: str, paths: tuple[str, ...], raw: RawText | None, items: int) -> SourcePlace:
    if raw is None:
        return SourcePlace(name, paths, None, None, items)
    shards = raw.folder if is_prepared(raw.folder) else None
    return SourcePlace(name, raw.paths, raw.field, shards, items)


def _absolute(folder: Path, path: str) -> str:
    if is_remote(path) or is_hub(path):
        return path
    return os.path.normpath(folder / os.path.expanduser(path))


def lies_there(path: str) -> bool:
    """Whether something lies at a path, also as the prefix of a shard; addresses are taken for granted."""
    if is_remote(path) or is_hub(path) or glob.has_magic(path):
        return True
    return os.path.lexists(path) or os.path.lexists(f"{path}.bin")
