"""A file of lines, or a piece of one, as blocks of whole lines.

A line ends with a line feed or with the file. A piece [start, stop) of a file holds the lines that begin in
it, so that pieces that meet hold every line once. A byte order mark of UTF-8 at the start of the file
belongs to no line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from thermix.errors import DataError
from thermix.prepare.batches import BadRow
from thermix.prepare.rawfile import RawFile, unreadable_raw
from thermix.sources.files import is_remote

__all__ = ["Block", "BlockReader"]

_BLOCK = 1 << 18  # what is made of it stays in the cache of a core
_SEARCH = 1 << 16
_LONGEST_LINE = 1 << 30
_MARK = b"\xef\xbb\xbf"


class Block(NamedTuple):
    """Whole lines.

    Attributes:
        data: their bytes, line feeds included; only the file's last line may have none.
        offset: of the first byte in the unpacked file.
        lines_before: lines of the piece in front of the block.
    """

    data: bytes
    offset: int
    lines_before: int


class BlockReader:
    """The lines that begin in bytes [start, stop) of a file, in blocks of about 256 KiB.

    Args:
        file: open at its start.
        path: of the file, for errors.
        start: of the piece; 0 for a compressed file, which cannot be cut.
        stop: of the piece; None for all of the file.
    """

    def __init__(self, file: RawFile, path: str, start: int = 0, stop: int | None = None) -> None:
        self._file = file
        self._path = path
        self._begin = self._line_begin(start)
        self._left = None if stop is None else self._line_begin(stop) - self._begin
        self._in_front: int | None = None
        if stop is not None:
            file.seek(self._begin)
        self.offset = self._begin
        """Of the first byte behind the blocks handed out, in the unpacked file."""

    def blocks(self) -> Iterator[Block]:
        """The blocks, in order.

        Raises:
            DataError: the file cannot be read, or a line is longer than 1 GiB.
        """
        lines = 0
        for data in self._whole_lines():
            offset = self.offset
            self.offset += len(data)
            if offset == 0 and data.startswith(_MARK):
                data, offset = data[len(_MARK) :], len(_MARK)
            yield Block(data, offset, lines)
            lines += data.count(b"\n")

    def _whole_lines(self) -> Iterator[bytes]:
        """Bytes up to the last line feed there is in each read; a long line is put together once."""
        pieces: list[bytes] = []
        for chunk in iter(self._chunk, b""):
            cut = chunk.rfind(b"\n") + 1
            if not cut:
                pieces.append(chunk)
                self._refuse_endless(pieces)
                continue
            pieces.append(chunk[:cut])
            yield b"".join(pieces)
            pieces = [chunk[cut:]] if cut < len(chunk) else []
        if pieces:
            yield b"".join(pieces)

    def _chunk(self) -> bytes:
        if self._left is None:
            return self._file.read(_BLOCK)
        chunk = self._file.read(min(_BLOCK, self._left)) if self._left else b""
        self._left -= len(chunk)
        return chunk

    def _refuse_endless(self, pieces: list[bytes]) -> None:
        if sum(map(len, pieces)) > _LONGEST_LINE:
            raise DataError(
                f"{self._path}, byte {self.offset}: a line begins here that is longer than 1 GiB. "
                "A row is a line: check that this file is what its name says, or mend it."
            )

    def _line_begin(self, at: int) -> int:
        """The first byte from `at` on at which a line begins, or the end of the file."""
        if at == 0:
            return 0
        place = at - 1
        self._file.seek(place)
        while chunk := self._file.read(_SEARCH):
            found = chunk.find(b"\n")
            if found >= 0:
                return place + found + 1
            place += len(chunk)
        if place == at - 1:
            raise DataError(
                f"{self._path}: it ends before byte {at}, and was longer when it was looked at; files must "
                "not change while they are read. Put it back, or begin anew in another folder."
            )
        return place

    def bad_row(self, block: Block, index: int, at: int, what: str) -> BadRow:
        """The row of a line that has no text.

        Args:
            block: that holds the line.
            index: lines of the block in front of it.
            at: byte of the block at which it begins.
            what: is wrong with it.
        """
        offset = block.offset + at
        if self._in_front is None:
            self._in_front = _lines_in_front(self._path, self._begin)
        if self._in_front < 0:
            return BadRow(self._path, f"byte {offset}", what, None, offset)
        line = self._in_front + block.lines_before + index + 1
        return BadRow(self._path, f"line {line} (byte {offset})", what, line, offset)


_counted: dict[tuple[object, ...], tuple[int, int]] = {}
"""Of the file counted last, as it was then: how many lines end before which byte. The pieces of a large file
come in order, and each would count all of it again."""


def _lines_in_front(path: str, offset: int) -> int:
    """Lines that end before a byte; -1 where counting them means fetching the file up to there."""
    if offset == 0:
        return 0
    if is_remote(path):
        return -1
    key = _as_it_is(path)
    known, lines = _counted.get(key, (0, 0))
    if known > offset:
        known = lines = 0
    with RawFile(path) as file:
        file.seek(known)
        while known < offset and (chunk := file.read(min(_BLOCK, offset - known))):
            lines += chunk.count(b"\n")
            known += len(chunk)
    _counted.clear()
    _counted[key] = (known, lines)
    return lines


def _as_it_is(path: str) -> tuple[object, ...]:
    try:
        now = os.stat(path)
    except OSError as error:
        raise unreadable_raw(path, error) from error
    return path, now.st_ino, now.st_size, now.st_mtime_ns
