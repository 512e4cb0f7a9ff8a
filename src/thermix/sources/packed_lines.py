"""JSON rows in files that are packed, remote or one JSON value each, through local copies of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from thermix.sources.copies import Original, local_copy
from thermix.sources.files import ending_of
from thermix.sources.jsonlines import JsonLines

__all__ = ["PackedLines"]


class PackedLines(JsonLines):
    """Documents in `.jsonl`, `.ndjson` and `.json` files, packed or not, local or remote.

    The rows, their errors and the fingerprint are those of the same rows in plain JSON Lines files: opening
    makes copies of that form, in `copies_folder()`, of what is not in it; another opening finds them there.

    Args:
        originals: the files; .gz, .zst, .bz2 and .xz are unpacked.
        name: what errors call the source.
        field: the field to read; rows are then its text, else they are whatever the files hold.

    Raises:
        DataError: a file cannot be read or unpacked, a .json file is not JSON, or the disk is full.
        MissingExtra: the library that reads or unpacks it is not installed.
    """

    def __init__(self, originals: Sequence[Original], *, name: str, field: str | None = None) -> None:
        self._originals = tuple(originals)
        super().__init__([local_copy(original, name) for original in originals], name=name, field=field)

    def _where(self, item: int) -> str:
        file = int(self._file_of(np.array(item)))
        original = self._originals[file]
        if ending_of(original.name)[0] == ".json":
            return f"{original}, row {item - int(self._first_items[file]) + 1}"
        _, line, offset = self.place(item)
        return f"{original}, line {line} (byte {offset} unpacked)"
