"""Rows of what HF `datasets` reads as a source of documents: memory-mapped Arrow, read by index.

Parquet, CSV, TSV, text and Arrow files, folders of `save_to_disk`, data sets on the hub. `hf_tables.py` gets
the table. JSON rows are not read through it, which would read dates out of text and put null for what a row
lacks: `jsonlines.py` and `packed_lines.py` read them as they are.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from thermix.errors import DataError, InvalidInput
from thermix.sources.base import IndexedSource, Items
from thermix.sources.copies import Original
from thermix.sources.fields import OTHER_FIELD, NoTextError, field_text, no_field
from thermix.sources.files import HUB, is_saved
from thermix.sources.hf_tables import FileFormat, hub_table, saved_table, table_of_files
from thermix.sources.objects import rows_fingerprint

__all__ = ["Documents", "open_document_files", "open_hub", "open_saved"]

_SAMPLES = 256


class Documents(IndexedSource):
    """Rows of a `datasets.Dataset`, as dicts, or the text of one field.

    The rows stay in memory-mapped files: memory holds what is read. Other processes get the names of the
    files, not the rows. Reading takes a few microseconds a row.

    Args:
        table: the rows; None for a source without any.
        name: what errors call the source.
        field: the field to read; rows are then its text.
        origin: where the rows are from, for errors.

    Raises:
        DataError: the table has no such field.
    """

    def __init__(self, table: Any, *, name: str, field: str | None, origin: str) -> None:
        super().__init__(name, 0 if table is None else len(table))
        self._field = field
        self._origin = origin
        self._fingerprint: str | None = None
        if table is not None and field is not None:
            if field not in table.column_names:
                raise DataError(
                    f"sources.{name}: {origin}: {no_field(field, table.column_names)}. {OTHER_FIELD}"
                )
            table = table.select_columns([field])
        self._table = table

    @property
    def unit(self) -> Literal["document"]:
        """A document."""
        return "document"

    @property
    def fingerprint(self) -> str:
        """Hash of the number of rows and of 256 of them, spread evenly from the first to the last.

        It goes by the rows as they are read, the same from a local file and a remote one, from Parquet and
        from Arrow. A change that keeps their number and lies between the 256 is not seen.
        """
        if self._fingerprint is None:
            spread = np.unique(np.linspace(0, self._length - 1, _SAMPLES).astype(np.int64))
            self._fingerprint = rows_fingerprint(self._length, self.read(spread if self._length else []))
        return self._fingerprint

    def _read(self, items: Items) -> list[Any]:
        if not len(items):
            return []
        order = np.argsort(items, kind="stable")  # the order of the file
        found = self._rows(items[order].tolist())
        rows: list[Any] = [None] * len(items)
        for position, row in zip(order.tolist(), found, strict=True):
            rows[position] = row
        return rows

    def _rows(self, items: list[int]) -> list[Any]:
        try:
            found: list[dict[str, Any]] = self._table.__getitems__(items)
        except (OSError, ValueError, ImportError) as error:  # the last from pictures and sound
            way_out = "Open the source anew, or install what it asks for."
            raise self._damaged(items[0], f"it cannot be read: {error}", way_out) from error
        if self._field is None:
            return found
        return [self._text(row, item) for row, item in zip(found, items, strict=True)]

    def _text(self, row: dict[str, Any], item: int) -> str:
        assert self._field is not None, "rows are asked for their text"
        try:
            return field_text(row, self._field)
        except NoTextError as error:
            raise self._damaged(item, str(error), OTHER_FIELD) from error

    def _damaged(self, item: int, what: str, way_out: str) -> DataError:
        return DataError(f"sources.{self.name}: {self._origin}, item {item}: {what}. {way_out}")

    def _release(self) -> None:
        self._table = None


def open_document_files(
    kind: FileFormat, originals: Sequence[Original], *, name: str, field: str | None = None
) -> Documents:
    """Open files of one format.

    They are copied once, to Arrow files in the cache of `datasets` (`HF_DATASETS_CACHE`, by default in
    `~/.cache/huggingface/datasets`), named by what the files hold; another opening finds the copy there. Of
    Parquet, CSV and TSV files with a field only that column is copied. What is packed or remote is first
    copied to plain files (`copies.py`).

    Args:
        kind: "csv" and "tsv": a header, then rows; every cell is text, as it is written, and a missing one
            is empty. "text": every line is a row `{"text": line}`, blank ones too. "parquet". "arrow": a
            file or a stream.
        originals: the files.
        name: what errors call the source.
        field: the field to read; rows are then its text.

    Raises:
        DataError: a file is not what it should be, or lacks the field.
        MissingExtra: a library is not installed.
    """
    table = table_of_files(kind, originals, name, field)
    more = f" and {len(originals) - 1} more" if len(originals) > 1 else ""
    return Documents(table, name=name, field=field, origin=f"{originals[0]}{more}")


def open_saved(folder: Path, *, name: str, field: str | None = None) -> Documents:
    """Open a folder of `save_to_disk`, where it lies.

    Raises:
        InvalidInput: it holds several splits; a source is one of them.
        DataError: a file of it is missing or damaged, or it lacks the field.
    """
    if (folder / "dataset_dict.json").is_file():
        splits = sorted(child.name for child in folder.iterdir() if is_saved(child))
        raise InvalidInput(
            f"sources.{name}.path: {folder} holds the splits {', '.join(splits) or 'of a data set'}; a "
            f"source is one of them. Name its folder, such as {folder / (splits[0] if splits else 'train')}."
        )
    return Documents(saved_table(folder, name), name=name, field=field, origin=str(folder))


def open_hub(address: str, *, name: str, field: str | None = None) -> Documents:
    """Open a data set on the Hugging Face hub, by way of the cache of `datasets`.

    Args:
        address: `hf:OWNER/NAME`, `hf:OWNER/NAME:CONFIG` or `hf:OWNER/NAME:CONFIG:SPLIT`; the configuration is
            the data set's default where it is left out or empty, the split "train". A split may be a part of
            one, as `datasets` writes it (`train[:10%]`), and `OWNER/NAME@REVISION` a fixed state.
        name: what errors call the source.
        field: the field to read; rows are then its text.

    Raises:
        InvalidInput: no such name, configuration or split.
        DataError: it cannot be fetched or read, or lacks the field.
    """
    what, config, split = [*address.removeprefix(HUB).split(":", 2), "", ""][:3]
    repository, _, revision = what.partition("@")
    owner, _, own_name = repository.partition("/")
    if not owner or not own_name or "/" in own_name:
        raise InvalidInput(
            f"sources.{name}.path: got {address!r}; a data set on the hub is written hf:OWNER/NAME, "
            "hf:OWNER/NAME:CONFIG or hf:OWNER/NAME:CONFIG:SPLIT. Correct it."
        )
    if os.path.exists(repository):
        raise InvalidInput(
            f"sources.{name}.path: got {address!r}, and {os.path.abspath(repository)} lies here, which HF "
            f"datasets would read in its stead. Give {repository} for that, or start from another folder."
        )
    table = hub_table(repository, revision or None, config or None, split or "train", name)
    return Documents(table, name=name, field=field, origin=address)
