"""The texts of a `.json` file: one array of rows, or JSON Lines by another name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from thermix.errors import DataError
from thermix.prepare.batches import BadRow, OnBad, Texts, counted, gathered
from thermix.prepare.line_texts import read_json_lines
from thermix.prepare.rawfile import RawFile
from thermix.sources.fields import NoTextError, field_text

__all__ = ["read_json"]

_LARGEST_ARRAY = 1 << 28
_BLOCK = 1 << 20
_WHITE = b" \t\r\n"


def read_json(path: str, compression: str, size: int, field: str, on_bad: OnBad) -> Iterator[Texts]:
    """The texts of the rows of an array, which is read whole; of anything else, those of its lines.

    Raises:
        DataError: the file cannot be read, is an array of more than 256 MiB, or is not JSON.
    """
    with RawFile(path, compression) as file:
        head = _after_mark(file.read(_BLOCK))
        if not head.lstrip(_WHITE).startswith(b"["):
            file.close()
            yield from read_json_lines(path, compression, 0, size, field, on_bad)
            return
        rows = _array(_whole(file, head, path), path)
        yield from counted(gathered(_texts(rows, path, field, on_bad)), lambda: size, size)


def _after_mark(head: bytes) -> bytes:
    return head.removeprefix(b"\xef\xbb\xbf")


def _whole(file: RawFile, head: bytes, path: str) -> bytes:
    pieces = [head]
    while len(head) and (piece := file.read(_BLOCK)):
        pieces.append(piece)
        if file.unpacked > _LARGEST_ARRAY:
            raise DataError(
                f"{path}: a JSON array of more than 256 MiB; an array is read whole. Write its rows one a "
                f"line: jq -c '.[]' {path} > rows.jsonl"
            )
    return b"".join(pieces)


def _array(data: bytes, path: str) -> list[Any]:
    try:
        rows: list[Any] = json.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise DataError(f"{path}, byte {error.start}: not UTF-8: {error.reason}. Mend the file.") from error
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}, line {error.lineno} (column {error.colno}): not JSON: {error.msg}. Mend the file."
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not read: {error}. Mend the file.") from error
    return rows


def _texts(rows: list[Any], path: str, field: str, on_bad: OnBad) -> Iterator[str]:
    for number, row in enumerate(rows):
        try:
            yield field_text(row, field)
        except NoTextError as error:
            on_bad(BadRow(path, f"row {number}", str(error), number, None))
