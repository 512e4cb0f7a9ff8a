"""A mixed item as one line of JSON: what `thermix stream` prints, and `materialize` writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from thermix.sources.base import ItemSource
from thermix.sources.reader import DeliveredBatch

__all__ = ["Content", "contents_of", "json_lines", "sequence_content"]

Content = Callable[[Any], dict[str, Any]]
"""From a row of a source to the keys that hold it."""


def sequence_content(row: Any) -> dict[str, Any]:
    """A token sequence, as numbers."""
    return {"tokens": row.tolist()}


def document_content(row: Any) -> dict[str, Any]:
    """A document: the text of its field, or its whole row."""
    return {"text": row} if isinstance(row, str) else {"row": row}


def contents_of(
    sources: Mapping[str, ItemSource], sequence: Callable[[ItemSource], Content] | None = None
) -> dict[str, Content]:
    """How the rows of each source are given.

    Args:
        sources: by name.
        sequence: how the token sequences of a source are; left out, as numbers.
    """
    return {
        name: document_content
        if source.unit == "document"
        else (sequence(source) if sequence is not None else sequence_content)
        for name, source in sources.items()
    }


def json_lines(
    batch: DeliveredBatch, names: Sequence[str], contents: Mapping[str, Content], *, ascii_only: bool = False
) -> Iterator[str]:
    """A line for each item of a batch: its step, source, item and epoch, and the item itself.

    Args:
        batch: as it was read.
        names: of the plan's sources.
        contents: how the rows of each source are given.
        ascii_only: escape all that is not ASCII; else only what UTF-8 cannot hold, half of a surrogate pair.
    """
    columns = (batch.source.tolist(), batch.item.tolist(), batch.epoch.tolist(), batch.rows)
    for source, item, epoch, row in zip(*columns, strict=True):
        name = names[source]
        record = {"step": batch.step, "source": name, "item": item, "epoch": epoch} | contents[name](row)
        line = json.dumps(record, ensure_ascii=ascii_only, default=str) + "\n"
        yield line if ascii_only or _is_unicode(line) else json.dumps(record, default=str) + "\n"


def _is_unicode(line: str) -> bool:
    if line.isascii():
        return True
    try:
        line.encode()
    except UnicodeEncodeError:
        return False
    return True
