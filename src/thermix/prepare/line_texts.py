"""The texts of JSON Lines and of plain text, where a row is a line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from thermix.errors import InvalidInput
from thermix.prepare.batches import OnBad, Texts, counted, joined
from thermix.prepare.blocks import Block, BlockReader
from thermix.prepare.rawfile import RawFile
from thermix.sources.fields import NoTextError, field_text

__all__ = ["read_json_lines", "read_plain_text"]

_NOT_SO = (ValueError, LookupError, TypeError, RecursionError)
"""What says that a line is no row with the field, or that the fast parser leaves it to the other."""


def read_json_lines(
    path: str, compression: str, start: int, stop: int, field: str, on_bad: OnBad
) -> Iterator[Texts]:
    """The texts of the JSON values on the lines that begin in [start, stop), of all lines if compressed.

    Blank lines are skipped; line ends may be LF or CRLF. NaN and Infinity are read as such; of a key given
    twice the last value counts.
    """
    loads = _fast_loads()

    def texts_of(reader: BlockReader, block: Block) -> list[str]:
        lines = _Lines(block.data)
        try:
            texts: list[str] = [loads(line)[field] for line in lines]
            if set(map(type, texts)) <= {str}:
                return texts
        except _NOT_SO:
            pass  # some line is blank, odd or bad: one by one
        texts = []
        for index, line in enumerate(lines):
            try:
                text = loads(line)[field]
                if type(text) is str:
                    texts.append(text)
                    continue
            except _NOT_SO:
                pass
            try:
                if (text := _judged(line, field)) is not None:
                    texts.append(text)
            except _BadLineError as error:
                on_bad(reader.bad_row(block, index, lines.place(index), str(error)))
        return texts

    return _read(path, compression, start, stop, texts_of)


def read_plain_text(
    path: str, compression: str, start: int, stop: int, field: str, on_bad: OnBad
) -> Iterator[Texts]:
    """The lines that begin in [start, stop) as they are, empty ones too, without LF, CRLF, CR."""
    if field != "text":
        raise InvalidInput(
            f"{path}: a text file has one field, 'text', and {field!r} is asked for. Ask for text, or leave "
            "the file out."
        )

    def texts_of(reader: BlockReader, block: Block) -> list[str]:
        try:
            return _lines_of(block.data)
        except UnicodeDecodeError:
            return list(_valid_lines(reader, block, on_bad))

    return _read(path, compression, start, stop, texts_of)


def _read(
    path: str,
    compression: str,
    start: int,
    stop: int,
    texts_of: Callable[[BlockReader, Block], list[str]],
) -> Iterator[Texts]:
    with RawFile(path, compression) as file:
        reader = BlockReader(file, path) if compression else BlockReader(file, path, start, stop)

        def consumed() -> int:
            return file.consumed() if compression else reader.offset - start

        lists = joined(texts_of(reader, block) for block in reader.blocks())
        yield from counted(lists, consumed, stop - start)


def _fast_loads() -> Callable[[bytes], Any]:
    """The loads of orjson if it is installed: it makes of a line what `json` makes of it, or refuses it."""
    try:
        import orjson
    except ImportError:
        return _no_loads
    loads: Callable[[bytes], Any] = orjson.loads
    return loads


def _no_loads(line: bytes) -> Any:
    raise ValueError


class _BadLineError(Exception):
    """A line does not have the text it should have."""


def _judged(line: bytes, field: str) -> str | None:
    """The text of a line, None of a blank one; `json` has the last word on what is JSON."""
    line = line.rstrip()
    if not line:
        return None
    try:
        return field_text(json.loads(line.decode("utf-8")), field)
    except UnicodeDecodeError as error:
        raise _BadLineError(_not_utf8(error)) from error
    except json.JSONDecodeError as error:
        raise _BadLineError(f"not JSON: {error.msg} (column {error.pos + 1})") from error
    except (ValueError, RecursionError) as error:
        raise _BadLineError(f"not read: {error}") from error
    except NoTextError as error:
        raise _BadLineError(str(error)) from error


def _not_utf8(error: UnicodeDecodeError) -> str:
    return f"not UTF-8: {error.reason} at byte {error.start} of the line"


def _lines_of(data: bytes) -> list[str]:
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    return data.removesuffix(b"\n").decode("utf-8").split("\n") if data else []


def _valid_lines(reader: BlockReader, block: Block, on_bad: OnBad) -> Iterator[str]:
    lines = _Lines(block.data)
    for index, line in enumerate(lines):
        try:
            yield from _lines_of(line + b"\n")
        except UnicodeDecodeError as error:
            on_bad(reader.bad_row(block, index, lines.place(index), _not_utf8(error)))


class _Lines:
    """The lines of a block, without their line feeds; places are asked for in order."""

    def __init__(self, data: bytes) -> None:
        self._lines = data.removesuffix(b"\n").split(b"\n")
        self._index = self._at = 0

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._lines)

    def place(self, index: int) -> int:
        """The byte of the block at which a line begins; not before the one asked for last."""
        self._at += sum(map(len, self._lines[self._index : index])) + index - self._index
        self._index = index
        return self._at
