"""Real text on any machine that has Python: functions, documentation, descriptions of packages.

Nothing is downloaded and nothing imported but Python's own help topics. Invariant: the same machine gives
the same rows in the same order, no text is in two sources, and every text can be written as UTF-8.
"""

from __future__ import annotations

import ast
import re
import sysconfig
import textwrap
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.message import Message
from importlib.metadata import Distribution, distributions
from itertools import islice
from pathlib import Path
from typing import cast

from thermix.errors import InvalidInput

__all__ = ["Collection", "Row", "find_collections"]

_BYTES_PARSED = 3_500_000
_LINES = range(5, 41)
_DOCSTRING_LENGTH = 80
_PROSE_WORDS = 12
_MOST_ROWS = {"code": 3_000, "docs": 1_200, "readmes": 400}
_MOST_OF_A_PACKAGE = 60
_LEAST_ROWS = 20
_WORD = re.compile(r"\b[A-Za-z]{2,}\b")
_CLUTTER = re.compile(r"\s*(<|\.\. |\[!|!\[|\||```)")


@dataclass(frozen=True)
class Row:
    """A text and where it comes from."""

    text: str
    origin: str


@dataclass(frozen=True)
class Collection:
    """What becomes a source: its name, what its items are, its score, its rows."""

    name: str
    what: str
    score: float
    rows: tuple[Row, ...]


def find_collections(
    library: Path | None = None, packages: Iterable[Distribution] | None = None
) -> list[Collection]:
    """Find the text: three sources where Python is installed as usual.

    Args:
        library: folder of the standard library's sources; None for that of this Python.
        packages: installed packages; None for those of this Python.

    Raises:
        InvalidInput: fewer than two sources with at least 20 items.
    """
    code, docstrings = _code_and_docstrings(library or Path(sysconfig.get_paths()["stdlib"]))
    readmes = _readmes(distributions() if packages is None else packages)
    seen: set[str] = set()
    found = [
        _collection("code", "functions of Python's standard library", 3.5, code, seen),
        _collection("docs", "its docstrings, and Python's help topics", 2.0, [*docstrings, *_topics()], seen),
        _collection("readmes", "paragraphs that describe installed packages", 1.0, readmes, seen),
    ]
    usable = [collection for collection in found if len(collection.rows) >= _LEAST_ROWS]
    if len(usable) < 2:
        counts = ", ".join(f"{c.name} {len(c.rows)}" for c in found)
        raise InvalidInput(
            f"demo: too little text on this machine ({counts}); two sources need {_LEAST_ROWS} items each. "
            "Run it with a Python that has its library as .py files, or with packages installed by pip."
        )
    return usable


def _collection(name: str, what: str, score: float, rows: Iterable[Row], seen: set[str]) -> Collection:
    """The first rows whose text is new, and is text that UTF-8 can hold."""
    fresh = []
    for row in rows:
        if row.text not in seen and _is_writable(row.text):
            seen.add(row.text)
            fresh.append(row)
    return Collection(name, what, score, tuple(fresh[: _MOST_ROWS[name]]))


def _is_writable(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a docstring may hold half a surrogate pair
        return False
    return True


def _code_and_docstrings(library: Path) -> tuple[list[Row], list[Row]]:
    code: list[Row] = []
    docs: list[Row] = []
    parsed = 0
    for path in sorted(library.glob("*.py")):
        if parsed >= _BYTES_PARSED:
            break
        text = _read(path)
        tree = _parsed(text)
        parsed += len(text)
        code += _functions(tree, text.splitlines(), path.name)
        docs += _docstrings(tree, path.name)
    return code, docs


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _parsed(text: str) -> ast.Module:
    """The syntax tree; that of an empty file where the text is not this Python's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a library's odd escapes are not the user's matter
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError):
            return ast.Module([], [])


def _functions(tree: ast.Module, lines: list[str], file: str) -> Iterator[Row]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            last = node.end_lineno or node.lineno
            if last - node.lineno + 1 in _LINES:
                body = "\n".join(lines[node.lineno - 1 : last])
                yield Row(textwrap.dedent(body), f"{file}:{node.lineno}")


def _docstrings(tree: ast.Module, file: str) -> Iterator[Row]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text and len(text) >= _DOCSTRING_LENGTH:
                yield Row(text, f"{file}:{getattr(node, 'lineno', 1)}")


def _topics() -> Iterator[Row]:
    try:
        from pydoc_data.topics import topics
    except ImportError:  # some distributions leave it out
        return
    for topic, text in sorted(topics.items()):
        yield from (Row(part, f"help({topic!r})") for part in _paragraphs(text))


def _readmes(packages: Iterable[Distribution]) -> Iterator[Row]:
    descriptions: dict[str, str] = {}
    for package in packages:
        name, text = _name_and_description(package)
        if name:
            descriptions.setdefault(name.lower(), text)
    for name, text in sorted(descriptions.items()):
        yield from (Row(part, name) for part in islice(_paragraphs(text), _MOST_OF_A_PACKAGE))


def _name_and_description(package: Distribution) -> tuple[str, str]:
    """Both empty where the package's metadata are missing or damaged."""
    try:
        message = cast(Message, package.metadata)
        return message.get("Name", ""), str(message.get("Description") or message.get_payload() or "")
    except Exception:  # importlib.metadata raises anything here, and the package is not ours to mend
        return "", ""


def _paragraphs(text: str) -> Iterator[str]:
    """Paragraphs of prose: no badges, tables, markup and code."""
    for part in re.split(r"\n\s*\n", text):
        if not _CLUTTER.match(part) and len(_WORD.findall(part)) >= _PROSE_WORDS:
            yield textwrap.dedent(part).strip()
