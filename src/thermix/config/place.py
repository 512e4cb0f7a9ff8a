"""Where in a configuration something stands, and errors that begin with it.

    mix.yaml: sources."a.b".max_epochs

Not the reading of files. Invariant: the path of an error is the path a person follows in the file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from thermix.errors import ConfigError

__all__ = ["Place", "nearest", "quoted", "shown"]

Key = str | int

_PLAIN_KEY = re.compile(r"[^\s.:,\[\]{}\"'#]+")
_LONGEST = 60


@dataclass(frozen=True)
class Place:
    """A key path in a file; `place / key` is the place below it.

    >>> str(Place("mix.yaml") / "sources" / "网页文本" / "max_epochs")
    'mix.yaml: sources.网页文本.max_epochs'
    >>> str(Place("mix.yaml") / "edits" / 1 / "sources" / "a.b: c")
    'mix.yaml: edits[1].sources."a.b: c"'
    """

    file: str
    path: tuple[Key, ...] = ()

    def __truediv__(self, key: Key) -> Place:
        return Place(self.file, (*self.path, key))

    def __str__(self) -> str:
        return f"{self.file}: {self.key_path}" if self.path else self.file

    @property
    def key_path(self) -> str:
        """The keys alone: names that a dot or a colon could split stand in quotes."""
        parts = [f"[{key}]" if isinstance(key, int) else f".{_plain(key)}" for key in self.path]
        return "".join(parts).removeprefix(".")

    def error(self, tail: str) -> ConfigError:
        """The error of this place; a tail that begins with ":", "." or "[" goes on with its path."""
        below = self.path and tail[:1] in (".", "[")
        return ConfigError(f"{self}{tail}" if below or tail[:1] == ":" else f"{self}: {tail}")


def _plain(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) and key.isprintable() else quoted(key)


def quoted(text: str) -> str:
    r"""A text in double quotes, as YAML and JSON read it; what cannot be seen is escaped.

    >>> quoted('say "да" 🙂' + chr(0x200b))
    '"say \\"да\\" 🙂\\u200b"'
    """
    inner = json.dumps(text, ensure_ascii=False)
    return "".join(c if c.isprintable() else _escape(ord(c)) for c in inner)


def _escape(code: int) -> str:
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def shown(value: object) -> str:
    """A value as the file has it, shortened where it is long."""
    text = _flow(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _flow(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_plain(str(key))}: {_flow(below)}' for key, below in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_flow, value))}]"
    if isinstance(value, int) and abs(value) >= 10**_LONGEST:
        return "a whole number of more than 60 digits"
    return str(getattr(value, "text", value))


def nearest(name: object, known: Iterable[str], cutoff: float = 0.5) -> str | None:
    """The known name most like one that is not known, if any is."""
    from difflib import get_close_matches  # only on the way to an error

    close = get_close_matches(str(name), list(known), 1, cutoff)
    return close[0] if close else None
