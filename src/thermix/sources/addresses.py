"""Addresses such as `s3://bucket/web.bin` as text: their parts, their globs, and how messages show them."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

__all__ = [
    "WEB",
    "glob_pattern",
    "has_ending",
    "is_glob",
    "path_of",
    "protocol_of",
    "shown",
    "split_glob",
    "stem_of",
]

WEB = ("http", "https")
"""Protocols in whose addresses a query may stand."""


def protocol_of(url: str) -> str:
    """The protocol of an address: "s3" of "s3://bucket/name"."""
    return url.partition("://")[0].lower()


def shown(url: str) -> str:
    """An address as messages show it: without a password, and without a query, which may hold a signature."""
    protocol, _, rest = url.partition("://")
    place, slash, path = rest.partition("/")
    if protocol in WEB:
        path = path.partition("?")[0] + ("?..." if "?" in path else "")
    user, _, host = place.rpartition("@")
    if ":" in user or protocol in WEB:  # elsewhere the name of a container may stand there
        place = host
    return f"{protocol}://{place}{slash}{path}"


def path_of(url: str) -> str:
    """The path of an address, without what asks a web server for more than it."""
    path = url.partition("://")[2]
    return re.split(r"[?#]", path)[0] if protocol_of(url) in WEB else path


def has_ending(url: str, ending: str) -> bool:
    """Whether its path ends so, in any case of letters."""
    return path_of(url).lower().endswith(ending)


def stem_of(url: str) -> str:
    """An address up to the ending of its name."""
    path = path_of(url)
    return f"{url.partition('://')[0]}://{path[: len(path) - len(PurePosixPath(path).suffix)]}"


def is_glob(url: str) -> bool:
    """Whether an address is a glob; in those of the web `?` begins a query."""
    return any(sign in url for sign in ("*[" if protocol_of(url) in WEB else "*[?"))


def split_glob(url: str) -> tuple[str, str]:
    """The folder above the first part of a glob that matches many names, and the rest."""
    parts = url.split("/")
    first = next(place for place in range(len(parts)) if is_glob("/".join(parts[: place + 1])))
    return "/".join(parts[:first]), "/".join(parts[first:])


def glob_pattern(glob: str) -> str:
    """A glob as a regular expression: `*` and `?` stay within a name, `**` goes into folders."""
    pieces = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    found = []
    for each in re.split(r"(\*\*/|\*\*|\*|\?|\[!?[^\]/]+\])", glob):
        if each.startswith("[") and each.endswith("]"):
            found.append(each.replace("\\", "\\\\").replace("[!", "[^", 1))
        else:
            found.append(pieces.get(each) or re.escape(each))
    return "".join(found)
