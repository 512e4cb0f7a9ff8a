"""Columns of text laid out as a rich table of a known width.

Not what is in them (`tables.py`). The invariant: all lines of a table have the same number of cells,
whatever the width of its characters; only the columns that allow it are clipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.box import Box
from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from thermix.report.text import Glyphs, clipped

__all__ = ["Column", "lay_out", "width_of"]

_GAP = 2
_LEAST = 8


@dataclass(frozen=True)
class Column:
    """A column: its title (lines divided by a line end), its cells, and how they stand.

    Attributes:
        title: may have several lines.
        cells: one a row, single lines.
        right: numbers stand to the right.
        clip: whether its cells may be shortened to make the table fit.
    """

    title: str
    cells: Sequence[str]
    right: bool = True
    clip: bool = False

    @property
    def width(self) -> int:
        """Cells that its widest line takes."""
        return max(cell_len(line) for text in (self.title, *self.cells) for line in text.split("\n"))


def width_of(columns: Sequence[Column]) -> int:
    """Return the cells that a table of these columns takes, nothing clipped."""
    return sum(column.width for column in columns) + _GAP * (len(columns) - 1)


def lay_out(columns: Sequence[Column], width: int, glyphs: Glyphs, *, rule_above_last: bool = False) -> Table:
    """Return a table of the columns, at most `width` cells wide if clipping makes that possible."""
    columns = _clipped_to(columns, width, glyphs)
    table = Table(
        box=_rule_box(glyphs.rule),
        show_edge=False,
        pad_edge=False,
        padding=(0, _GAP - 1, 0, 0),
        header_style="bold",
        width=width_of(columns),
    )
    tallest = max(column.title.count("\n") for column in columns)
    for column in columns:
        title = "\n" * (tallest - column.title.count("\n")) + column.title
        table.add_column(
            Text(title), justify="right" if column.right else "left", no_wrap=True, width=column.width
        )
    rows = list(zip(*(column.cells for column in columns), strict=True))
    for i, row in enumerate(rows):
        table.add_row(*map(Text, row), end_section=rule_above_last and i == len(rows) - 2)
    return table


def _clipped_to(columns: Sequence[Column], width: int, glyphs: Glyphs) -> list[Column]:
    too_wide = width_of(columns) - width
    result = []
    for column in columns:
        if column.clip and too_wide > 0:
            room = max(column.width - too_wide, cell_len(column.title), _LEAST)
            cells = [clipped(cell, room, glyphs.ellipsis) for cell in column.cells]
            column = replace(column, cells=cells)
        result.append(column)
    return result


def _rule_box(rule: str) -> Box:
    """A table without lines but for one below the head, and between sections."""
    empty, ruled = "    ", f" {rule}{rule} "
    return Box("\n".join([empty, empty, ruled, empty, ruled, empty, empty, empty]) + "\n", ascii=rule == "-")
