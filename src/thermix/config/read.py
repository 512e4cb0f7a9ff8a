"""YAML text to plain data: dicts with text keys, lists, text, numbers, true, false and nothing.

Knows YAML, not configurations. Nothing is executed, tags are refused, and what a file stands for when
its aliases are followed is bounded. Keys are text as written: `no`, `123` and `1.50` are names.
Invariant: no key is lost; one that stands twice is refused with both lines.
"""

from __future__ import annotations

import unicodedata
from typing import Any, Final

import yaml
from yaml.composer import Composer
from yaml.parser import Parser
from yaml.reader import Reader, ReaderError
from yaml.scanner import Scanner

from thermix.config.place import Place, quoted
from thermix.config.scalars import BOOL, FLOAT, INT, MERGE, NULL, STR, CoreResolver, scalar_value, short_tag
from thermix.errors import ConfigError

__all__ = ["decoded", "plain_data"]

_MOST_VALUES: Final = 1_000_000
_PLAIN_TAGS: Final = (NULL, BOOL, INT, FLOAT, STR, MERGE)
_MAPPING: Final = "tag:yaml.org,2002:map"
_SEQUENCE: Final = "tag:yaml.org,2002:seq"
_TEXT_FIRST: Final = "A text that begins with it needs quotes."
_STAR: Final = 'A text that begins with * needs quotes: path: "*.jsonl".'
_HINTS: Final = {
    "\t": "YAML is indented with spaces: replace the tab.",
    "@": _TEXT_FIRST,
    "`": _TEXT_FIRST,
    "%": _TEXT_FIRST,
}
_PROBLEMS: Final = {
    "mapping values are not allowed here": "A ':' ends a key: put a text that has one in quotes, "
    "give each key its own line, and indent keys of one level alike.",
    "could not find expected ':'": "A key needs a ':' and a space after it.",
    "expected ',' or '}', but got": "A '{' needs its '}', and a ',' between two keys.",
    "expected ',' or ']', but got": "A '[' needs its ']', and a ',' between two values.",
    "while scanning a quoted scalar": "A quote is not closed.",
    "found undefined alias": _STAR,
    "while scanning an alias": _STAR,
    "expected <block end>": "Keys of one level are indented alike, and each needs a ':'.",
}


def decoded(data: bytes, place: Place) -> str:
    """The text of a file: UTF-8, with or without a byte order mark.

    Raises:
        ConfigError: it is not UTF-8; the message names the byte.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = data[error.start]
        raise place.error(
            f"byte {error.start}: got 0x{byte:02x}, which is not UTF-8; a configuration is UTF-8 text. "
            "Save it as UTF-8."
        ) from None


def plain_data(text: str, place: Place) -> Any:
    """The data of a YAML text: one document, None where it is empty.

    Args:
        text: YAML 1.2 (core schema), with anchors, aliases and merge keys.
        place: the file, for errors.

    Raises:
        ConfigError: the text is not YAML (with line, column and the line itself), a key stands twice
            (with both lines), a key is no text, there is a tag, an alias that holds itself, or aliases
            that stand for more than a million values.
    """
    text = text.removeprefix("\ufeff")
    try:
        node = _Loader(text).get_single_node()
        return None if node is None else _Reading(place).value(node)
    except ReaderError as error:
        raise _unreadable(error, text, place) from None
    except yaml.MarkedYAMLError as error:
        raise _broken(error, text, place) from None
    except RecursionError:
        raise place.error(
            "it is nested too deep; a configuration has about six levels. Flatten it."
        ) from None


class _Loader(Reader, Scanner, Parser, Composer, CoreResolver):
    """PyYAML up to nodes, with our resolver and without constructors: it can make no objects."""

    def __init__(self, text: str) -> None:
        Reader.__init__(self, text)
        Scanner.__init__(self)
        Parser.__init__(self)
        Composer.__init__(self)
        CoreResolver.__init__(self)


class _Reading:
    """Nodes to data, each node once: an alias gives the same object again."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._done: dict[int, tuple[Any, int]] = {}
        self._begun: set[int] = set()

    def value(self, node: yaml.Node) -> Any:
        return self._read(node)[0]

    def _read(self, node: yaml.Node) -> tuple[Any, int]:
        """The value, and how many values it stands for."""
        key = id(node)
        if key in self._begun:
            raise self._error(node, "an alias stands inside what it stands for. Write it out.")
        if key not in self._done:
            self._begun.add(key)
            self._done[key] = self._new(node)
            self._begun.remove(key)
        if self._done[key][1] > _MOST_VALUES:
            raise self._error(node, f"its aliases stand for more than {_MOST_VALUES:,} values. Use fewer.")
        return self._done[key]

    def _new(self, node: yaml.Node) -> tuple[Any, int]:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node)
        if isinstance(node, yaml.SequenceNode):
            self._check_tag(node, _SEQUENCE)
            parts = [self._read(below) for below in node.value]
            return [value for value, _ in parts], 1 + sum(size for _, size in parts)
        try:
            return scalar_value(STR if node.tag == MERGE else node.tag, node.value), 1
        except ValueError as error:
            raise self._error(node, str(error)) from None

    def _mapping(self, node: yaml.MappingNode) -> tuple[dict[str, Any], int]:
        self._check_tag(node, _MAPPING)
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        size = 1
        lines: dict[str, yaml.Node] = {}
        for key_node, below in node.value:
            key = self._key(key_node)
            self._check_new(key, key_node, lines)
            value, count = self._read(below)
            size += count
            if key_node.tag == MERGE:
                merged = self._merged(value, below)
            else:
                own[key] = value
        return merged | own, size

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode) or node.tag not in _PLAIN_TAGS:
            raise self._error(node, "a key must be plain text. Put it in quotes.")
        try:
            return str(scalar_value(STR, node.value))
        except ValueError as error:
            raise self._error(node, str(error)) from None

    def _check_new(self, key: str, node: yaml.Node, seen: dict[str, yaml.Node]) -> None:
        first = seen.setdefault(key, node)
        if first is not node:
            raise self._error(
                node,
                f"the key {quoted(key)} stands here and in line {first.start_mark.line + 1} already; "
                "a key stands once. Remove or rename one.",
            )

    def _merged(self, value: Any, node: yaml.Node) -> dict[str, Any]:
        """What `<<` brings in: a mapping, or a list of them, the first one winning."""
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, dict) for part in parts):
            raise self._error(node, "<< merges keys; it needs an alias of a mapping, or a list of them.")
        result: dict[str, Any] = {}
        for part in parts:
            result |= {key: below for key, below in part.items() if key not in result}
        return result

    def _check_tag(self, node: yaml.Node, tag: str) -> None:
        if node.tag != tag:
            raise self._error(
                node, f"got the tag {short_tag(node.tag)}; only plain values are read. Remove it."
            )

    def _error(self, node: yaml.Node, what: str) -> ConfigError:
        mark = node.start_mark
        return self._place.error(f"line {mark.line + 1}, column {mark.column + 1}: {what}")


def _unreadable(error: ReaderError, text: str, place: Place) -> ConfigError:
    before = text[: error.position].splitlines() or [""]
    where = f"line {len(before)}, column {len(before[-1]) + 1}"
    return place.error(
        f"{where}: got the character U+{ord(text[error.position]):04X}, which YAML does not allow. "
        "Remove it, or write it as an escape in double quotes."
    )


def _broken(error: yaml.MarkedYAMLError, text: str, place: Place) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    problem = (error.problem or error.context or "it cannot be read").replace("\t", "\\t")
    if mark is None:
        return place.error(f"it is not YAML: {problem}.")
    if problem == "but found another document":
        return place.error(
            f"line {mark.line + 1}: a second document begins; a file holds one mixture. Remove it."
        )
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    where = f"line {mark.line + 1}, column {mark.column + 1}"
    hint = _hint(error, line[mark.column : mark.column + 1])
    return place.error(f"{where}: it is not YAML: {problem}.{hint}{_excerpt(line, mark.column)}")


def _hint(error: yaml.MarkedYAMLError, character: str) -> str:
    said = f"{error.context or ''}\n{error.problem or ''}"
    if "cannot start any token" in said and character in _HINTS:
        return f" {_HINTS[character]}"
    return next((f" {hint}" for problem, hint in _PROBLEMS.items() if problem in said), "")


def _excerpt(line: str, column: int) -> str:
    """The line with a mark under the place; wide characters take two columns of a terminal."""
    if not line.strip():
        return ""
    cut = max(0, column - 60)
    line = "".join(c if c.isprintable() else " " for c in line)[cut : cut + 100]
    wide = sum(unicodedata.east_asian_width(c) in "WF" for c in line[: column - cut])
    return f"\n    {line}\n    {' ' * (column - cut + wide)}^"
