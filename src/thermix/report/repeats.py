"""What repeats are worth: a heuristic from the literature, not a promise about any run.

Muennighoff et al. 2023, "Scaling Data-Constrained Language Models" (arXiv:2305.16264), eq. 5: data of U
items seen 1 + R times is worth U (1 + R* (1 - exp(-R / R*))) items that are new.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["HALF_LIFE", "effective_epochs"]

HALF_LIFE = 15.387756
"""R*: after this many repeats the next one is worth 1/e of new data (fitted in the paper's table 1)."""


def effective_epochs(epochs: ArrayLike) -> NDArray[np.float64]:
    """Return what passes over a source are worth, in passes over data that is new.

    `e` up to one pass; then `1 + R* (1 - exp(-(e - 1) / R*))`, which never passes 1 + R*.

    Args:
        epochs: e >= 0, any shape.

    >>> effective_epochs([0.5, 1.0, 4.0, 40.0]).round(2)
    array([ 0.5 ,  1.  ,  3.73, 15.17])
    """
    e = np.asarray(epochs, np.float64)
    repeats = np.maximum(e - 1.0, 0.0)
    return np.minimum(e, 1.0) - HALF_LIFE * np.expm1(-repeats / HALF_LIFE)
