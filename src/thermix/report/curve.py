"""A curve as a line of text: one sign a point, higher signs for larger values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["curve_text", "evenly_picked"]


def evenly_picked(points: int, width: int) -> NDArray[np.int64]:
    """Return at most `width` of the indices 0 to points - 1, evenly, the first and last among them.

    >>> evenly_picked(5, 3), evenly_picked(2, 40)
    (array([0, 2, 4]), array([0, 1]))
    """
    return np.rint(np.linspace(0, points - 1, min(points, width))).astype(np.int64)


def curve_text(values: Sequence[float] | NDArray[np.float64], top: float, levels: str) -> str:
    """Return one sign a value: the lowest level at 0, the highest at `top` and above it (inf).

    Args:
        values: >= 0.
        top: of the scale, > 0; several curves with one `top` can be compared.
        levels: signs, from low to high.

    >>> curve_text([0.0, 0.5, 1.0, float("inf")], 1.0, "▁▂▃▄▅▆▇█")
    '▁▅██'
    """
    height = np.minimum(np.asarray(values, np.float64) / top, 1.0)
    return "".join(levels[i] for i in np.rint(height * (len(levels) - 1)).astype(int))
