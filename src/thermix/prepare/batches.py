"""What readers of raw files hand out: texts in order, a few MiB at a time, and rows that have none."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

__all__ = ["TEXT_BATCH", "BadRow", "OnBad", "Texts", "counted", "gathered", "joined"]

TEXT_BATCH = 1 << 22
"""Characters of text, about, in one batch."""


class BadRow(NamedTuple):
    """A row that has no text.

    Attributes:
        path: of the raw file.
        place: of the row in it, as errors put it: "line 17 (byte 3401)", "row 5".
        what: is wrong with it.
        row: line from 1, of files of lines; row from 0, of the others; None for a line that is not counted
            (deep in a remote file, of which only a piece is read).
        offset: byte at which the line begins, in the unpacked file; None where rows are no lines.
    """

    path: str
    place: str
    what: str
    row: int | None
    offset: int | None


OnBad = Callable[[BadRow], None]
"""Raises, or notes the row down; reading then goes on behind it."""


class Texts(NamedTuple):
    """Some texts.

    Attributes:
        texts: in order; the last batch of a part may hold none.
        bytes_read: of the part, since the batch before; over all batches, exactly its bytes.
    """

    texts: list[str]
    bytes_read: int


def gathered(rows: Iterable[str]) -> Iterator[list[str]]:
    """Rows in lists of about `TEXT_BATCH` characters."""
    texts: list[str] = []
    size = 0
    for text in rows:
        texts.append(text)
        size += len(text)
        if size >= TEXT_BATCH or len(texts) >= TEXT_BATCH >> 4:
            yield texts
            texts, size = [], 0
    if texts:
        yield texts


def joined(lists: Iterable[list[str]]) -> Iterator[list[str]]:
    """Lists put together to about `TEXT_BATCH` characters."""
    texts: list[str] = []
    size = 0
    for some in lists:
        texts += some
        size += sum(map(len, some))
        if size >= TEXT_BATCH:
            yield texts
            texts, size = [], 0
    if texts:
        yield texts


def counted(lists: Iterable[list[str]], consumed: Callable[[], int], total: int) -> Iterator[Texts]:
    """Lists of texts, each with the bytes read since the one before.

    Args:
        lists: of texts; empty ones are passed over.
        consumed: bytes read by now.
        total: bytes of the part; the counts add up to it.
    """
    told = 0
    for texts in lists:
        if texts:
            now = max(told, min(consumed(), total))
            yield Texts(texts, now - told)
            told = now
    if told < total:
        yield Texts([], total - told)
