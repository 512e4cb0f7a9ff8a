"""The tables of the verbs: values of the library, as text, in columns.

No number is computed here; each comes from a forecast, a batch or an array of probabilities. Tables fit
`width` cells where clipping names makes that possible.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from thermix.report.layout import Column, lay_out, width_of
from thermix.report.text import Glyphs, legible, probability_text, temperature_text

__all__ = ["batch_table", "probability_tables"]

Float64 = NDArray[np.float64]


def probability_tables(
    names: Sequence[str],
    temperatures: Sequence[float],
    probabilities: Float64,
    effective: Float64,
    width: int,
    glyphs: Glyphs,
) -> Iterator[Table]:
    """Yield the table of P over T: a row a temperature if the sources fit side by side, else a row a source.

    Args:
        names: K sources.
        temperatures: S temperatures.
        probabilities: (S, K).
        effective: (S,) effective numbers of sources.
        width: cells to fit.
        glyphs: of the console.

    Yields:
        One table; more than one where there are both too many sources and too many temperatures.
    """
    shown = [legible(name, glyphs.encoding) for name in names]
    cells = [[probability_text(p) for p in row] for row in probabilities.tolist()]
    numbers = [f"{n:.2f}" for n in effective.tolist()]
    texts = [temperature_text(t) for t in temperatures]
    down = [
        Column("T", texts),
        *(Column(name, list(column)) for name, column in zip(shown, zip(*cells, strict=True), strict=True)),
        Column("effective\nsources", numbers),
    ]
    if width_of(down) <= width:
        yield lay_out(down, width, glyphs)
        return
    labels = Column("source", [*shown, "effective sources"], right=False, clip=True)
    across = [
        Column(f"T={text}", [*row, number]) for text, row, number in zip(texts, cells, numbers, strict=True)
    ]
    for block in _blocks(across, width - min(labels.width, 24)):
        yield lay_out([labels, *block], width, glyphs, rule_above_last=True)


def _blocks(columns: Sequence[Column], width: int) -> Iterator[list[Column]]:
    """Columns in groups that fit the width, at least one in each."""
    block: list[Column] = []
    for column in columns:
        if block and width_of([*block, column]) + 2 > width:
            yield block
            block = []
        block.append(column)
    yield block


def batch_table(
    slots: Sequence[int],
    sources: Sequence[str],
    items: Sequence[int],
    epochs: Sequence[int],
    width: int,
    glyphs: Glyphs,
) -> Table:
    """Return the table of a batch: a row a draw, of its slot in the step, source, item and epoch."""
    columns = [
        Column("slot", [f"{slot:,}" for slot in slots]),
        Column("source", [legible(name, glyphs.encoding) for name in sources], right=False, clip=True),
        Column("item", [f"{item:,}" for item in items]),
        Column("epoch", [f"{epoch:,}" for epoch in epochs]),
    ]
    return lay_out(columns, width, glyphs)
