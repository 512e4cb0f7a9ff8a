"""The rows of a .json file, a line each: one list of rows, or rows one after the other.

Reads piece by piece: memory holds a few rows, not the file. Each row is copied as it is written, so that
what is read from the copy is what the file says.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator

__all__ = ["BadJsonError", "json_rows"]

_DECODER = json.JSONDecoder()
_NO_SPACE = re.compile(r"[^ \t\r\n]|\Z")
_LONGEST_WORD = 16  # true, -Infinity, \ud83d: what a cut may leave half of


class BadJsonError(Exception):
    """The file is no JSON from a line on."""

    def __init__(self, what: str, line: int) -> None:
        super().__init__(what)
        self.line = line


def json_rows(blocks: Iterable[bytes]) -> Iterator[bytes]:
    r"""The rows, each ending in a line end.

    Args:
        blocks: the file, in pieces.

    Raises:
        BadJsonError: not JSON, or not UTF-8.

    >>> list(json_rows([b'[{"a":', b' 1}, 2', b'3]']))
    [b'{"a": 1}\n', b'23\n']
    """
    text = _Text(blocks)
    if text.peek() != "[":
        while text.peek():
            yield _line(text.value())
        return
    text.take()
    if text.peek() == "]":
        text.take()
    else:
        yield from _listed(text)
    if text.peek():
        raise text.error("not JSON: Extra data after the list")


def _listed(text: _Text) -> Iterator[bytes]:
    """The rows of a list, its end being taken too."""
    while True:
        yield _line(text.value())
        if text.peek() not in (",", "]"):
            raise text.error("not JSON: Expecting ',' or ']' after a row")
        if text.take() == "]":
            return


def _line(row: str) -> bytes:
    return row.replace("\n", " ").replace("\r", " ").encode("utf-8") + b"\n"  # inside a text there is none


class _Text:
    """The text of the file from a place on, as much of it as is needed."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        self._blocks = iter(blocks)
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._text = ""
        self._at = 0
        self._line = 1  # at which _text begins
        self._ended = False

    def peek(self) -> str:
        """The next character that is no space; empty at the end."""
        while True:
            self._at = _NO_SPACE.search(self._text, self._at).start()  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def take(self) -> str:
        """The next character that is no space, going past it."""
        character = self.peek()
        self._at += 1
        return character

    def value(self) -> str:
        """The next JSON value, as it is written, going past it."""
        self.peek()
        while True:
            text, start = self._text, self._at
            try:
                _, end = _DECODER.raw_decode(text, start)
            except json.JSONDecodeError as error:
                if self._is_certain(error) or not self._more():
                    raise self.error(f"not JSON: {error.msg}", error.pos - start) from error
            except (ValueError, RecursionError) as error:
                raise self.error(f"not read: {error}") from error
            else:
                if end < len(text) - _LONGEST_WORD or not self._more():  # else a number may go on: -1.5e-3
                    self._at += end - start
                    return text[start:end]

    def error(self, what: str, ahead: int = 0) -> BadJsonError:
        """What is wrong, with its line: that of the next character, or of one so far ahead."""
        return BadJsonError(what, self._line + self._text.count("\n", 0, self._at + ahead))

    def _is_certain(self, error: json.JSONDecodeError) -> bool:
        """Whether more text would not mend it."""
        return error.pos < len(self._text) - _LONGEST_WORD and not error.msg.startswith("Unterminated string")

    def _more(self) -> bool:
        """Read on: at least as much again as is not yet taken, for a time in proportion to the file."""
        self._line += self._text.count("\n", 0, self._at)
        pieces = [self._text[self._at :]]
        self._at, wanted, found = 0, len(pieces[0]), 0
        while not self._ended and found <= wanted:
            block = next(self._blocks, b"")
            self._ended = not block
            try:
                pieces.append(self._decode(block, self._ended))
            except UnicodeDecodeError as error:
                line = self._line + sum(piece.count("\n") for piece in pieces)
                line += error.object.count(b"\n", 0, error.start)
                raise BadJsonError(f"not UTF-8: {error.reason}", line) from error
            found += len(pieces[-1])
        self._text = "".join(pieces)
        return found > 0
