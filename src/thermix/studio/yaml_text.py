"""Changes of plain data put into the YAML text that it came from, so that comments and order stay.

The invariant: the text that comes back is read as the data that was wanted. Each change is written at its
place; where that cannot be done (through an alias, in a block of another form) the whole text is written
anew, and its comments go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import yaml

from thermix.config.place import Place
from thermix.config.read import plain_data
from thermix.config.write import flow_text
from thermix.errors import ConfigError
from thermix.studio.knobs import ABSENT, Path

__all__ = ["changed_text", "data_text", "text_data"]

_PLACE = Place("the text")
_BLOCKS = ("sources", "edits")


class _Edit(NamedTuple):
    """Text in place of the characters [start, stop)."""

    start: int
    stop: int
    text: str


def text_data(text: str, place: Place) -> Any:
    """`plain_data`, remembered: a page asks for the data of a text several times. Nobody changes it.

    Raises:
        ConfigError: the text is not YAML.
    """
    try:
        return _remembered(text)
    except ConfigError:
        return plain_data(text, place)  # for the words with the right place


@lru_cache(maxsize=16)
def _remembered(text: str) -> Any:
    return plain_data(text, _PLACE)


def data_text(data: Mapping[str, Any]) -> str:
    """A configuration as YAML: a line for each key, and for each source and edit.

    >>> print(data_text({"steps": 10, "sources": {"web": {"score": 2.0}, "no": {"items": 5}}}), end="")
    steps: 10
    sources:
      web: {score: 2.0}
      "no": {items: 5}
    """
    lines: list[str] = []
    for key, value in data.items():
        if key in _BLOCKS and value and isinstance(value, dict | list):
            lines.append(f"{key}:")
            if isinstance(value, dict):
                lines += [_line({name: below}) for name, below in value.items()]
            else:
                lines += [f"  - {_flow(below)}" for below in value]
        else:
            lines.append(_line({key: value}).strip())
    return "".join(f"{line}\n" for line in lines) or "{}\n"


def _line(entry: Mapping[str, Any]) -> str:
    return f"  {flow_text(entry)[1:-1]}"


def _flow(value: object) -> str:
    """A value as it stands after a key."""
    return flow_text({"a": value})[1:-1].removeprefix("a: ")


def changed_text(text: str, wanted: Mapping[str, Any]) -> str:
    r"""Return a text that says what is wanted: the one given with the differences, or a new one.

    Args:
        text: YAML of a mapping.
        wanted: plain data.

    >>> print(changed_text("steps: 10   # short\nb: {c: 1}", {"steps": 20, "b": {"c": 1, "d": 2}}))
    steps: 20   # short
    b: {c: 1, d: 2}
    """
    before = text_data(text, _PLACE)
    if before == wanted:
        return text
    try:
        root: Any = yaml.compose(text, Loader=yaml.SafeLoader)
        edits = [edit for change in _differences(before, wanted) for edit in _edits(root, text, *change)]
        result = _applied(text, edits)
        if text_data(result, _PLACE) == wanted:
            return result
    except (yaml.YAMLError, ConfigError, LookupError):
        pass  # a change that has no place of its own in the text
    return data_text(wanted)


def _differences(before: Any, wanted: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Paths where the two differ with what is wanted there, as deep as they have keys in common."""
    if isinstance(before, dict) and isinstance(wanted, dict):
        for key in {**before, **wanted}:
            yield from _differences(before.get(key, ABSENT), wanted.get(key, ABSENT), (*path, key))
    elif isinstance(before, list) and isinstance(wanted, list) and len(before) == len(wanted):
        for i, (old, new) in enumerate(zip(before, wanted, strict=True)):
            yield from _differences(old, new, (*path, i))
    elif before is ABSENT or wanted is ABSENT or before != wanted:
        yield path, wanted


def _edits(root: Any, text: str, path: Path, wanted: Any) -> Iterator[_Edit]:
    parent, key = _node_at(root, path[:-1]), path[-1]
    if isinstance(parent, yaml.SequenceNode):
        yield _replaced(parent.value[int(key)], text, wanted)
        return
    pairs = parent.value
    found = next((i for i, (name, _) in enumerate(pairs) if name.value == key), None)
    if found is None:
        yield _inserted(parent, text, {str(key): wanted})
    elif wanted is ABSENT:
        yield _removed(parent, text, found)
    else:
        yield _replaced(pairs[found][1], text, wanted, pairs[found][0])


def _node_at(node: Any, path: Path) -> Any:
    for key in path:
        if isinstance(node, yaml.MappingNode):
            node = {name.value: value for name, value in node.value}[key]
        else:
            node = node.value[key]
    return node


def _replaced(node: yaml.Node, text: str, wanted: Any, key: yaml.Node | None = None) -> _Edit:
    start, stop = node.start_mark.index, _end(node, text)
    block = not isinstance(node, yaml.ScalarNode) and not getattr(node, "flow_style", True)
    if key is not None and block:  # it begins on a line of its own: the new value goes behind the key
        return _Edit(text.index(":", key.end_mark.index) + 1, stop, f" {_flow(wanted)}")
    return _Edit(start, stop, _flow(wanted))


def _end(node: yaml.Node, text: str) -> int:
    """One past the last character of a node; a block ends before the blanks that follow it."""
    start, stop = node.start_mark.index, node.end_mark.index
    return start + len(text[start:stop].rstrip())


def _inserted(parent: Any, text: str, entry: Mapping[str, Any]) -> _Edit:
    """A new last key, in the form of the mapping that it comes into."""
    line = flow_text(entry)[1:-1]
    if parent.flow_style:
        place = parent.end_mark.index - 1
        inner = text[parent.start_mark.index + 1 : place].rstrip()
        place -= len(text[:place]) - len(text[:place].rstrip())
        return _Edit(place, place, f", {line}" if inner else line)
    last = parent.value[-1][1]
    place = text.find("\n", _end(last, text))
    place = len(text) if place < 0 else place
    return _Edit(place, place, f"\n{' ' * parent.start_mark.column}{line}")


def _removed(parent: Any, text: str, i: int) -> _Edit:
    pairs = parent.value
    start, stop = pairs[i][0].start_mark.index, _end(pairs[i][1], text)
    if not parent.flow_style:
        line = text.rfind("\n", 0, start) + 1
        after = text.find("\n", stop)
        return _Edit(line, len(text) if after < 0 else after + 1, "")
    if i + 1 < len(pairs):
        return _Edit(start, pairs[i + 1][0].start_mark.index, "")
    return _Edit(_end(pairs[i - 1][1], text) if i else start, stop, "")


def _applied(text: str, edits: list[_Edit]) -> str:
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.stop :]
    return text
