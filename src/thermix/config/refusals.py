"""Refusals of the layers below, which know no file, with their place in the file.

sources.a.b.max_epochs: got 0 ...        mix.yaml: sources."a.b".max_epochs: got 0 ...
edit at step 6000: an earlier edit ...   mix.yaml: edits[1].at: got 60%; an earlier edit ...
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from thermix.config.place import Place
from thermix.errors import ConfigError, InvalidInput

__all__ = ["located", "refused_edit", "refusing"]

_EDIT = re.compile(r"edit at step \d+: ")


@contextmanager
def refusing(place: Place, keys: Collection[str] = (), names: Collection[str] = ()) -> Iterator[None]:
    """Give an `InvalidInput` from inside its place (see `located`)."""
    try:
        yield
    except ConfigError:
        raise
    except InvalidInput as error:
        raise located(str(error), place, keys, names) from error


def located(message: str, place: Place, keys: Collection[str], names: Collection[str]) -> ConfigError:
    """The error of a message that may begin with a key path below a place.

    Args:
        message: of the layer below.
        place: what it is about.
        keys: keys that stand at the place in the file; a message about another is put after the place.
        names: sources that stand there.
    """
    source = _source_of(message, names) if message.startswith("sources.") else None
    if source is not None:
        rest = message[len("sources.") + len(source) :]
        return (place / "sources" / source).error(rest)
    for key in keys:
        rest = message.removeprefix(key)
        if rest != message and rest[:1] in (":", "."):
            return (place / key).error(rest)
    return place.error(message)


def _source_of(message: str, names: Collection[str]) -> str | None:
    """The longest of the names that the message goes on with after `sources.`."""
    begun = [n for n in names if message.startswith((f"sources.{n}:", f"sources.{n}."))]
    return max(begun, key=len, default=None)


def refused_edit(
    message: str, place: Place, given: object, keys: Collection[str], names: Collection[str]
) -> ConfigError:
    """The error of an edit: as `located`, and what is said of its step is about `at`."""
    rest = _EDIT.sub("", message, count=1)
    about_step = rest != message and not rest.startswith(("sources.", "steps:"))
    if about_step:
        return (place / "at").error(f": got {given}; {rest}")
    return located(rest, place, keys, names)
