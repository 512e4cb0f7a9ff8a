"""thermix with numba (`pip install 'thermix[fast]'`), which compiles the loop that copies rows.

A run has its loop after some seconds; here it is compiled before the clock starts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.contenders.thermix import opened
from benchmarks.settings import Settings, Skip


def delivery(settings: Settings) -> Iterator[Any]:
    """`MixtureLoader` at its defaults."""
    import numba  # noqa: F401  # where there is none, it is skipped

    from thermix.sources.compiled import LOOPS
    from thermix.torch import MixtureLoader

    if settings.workers:
        raise Skip("the row above has workers, which have no threads")
    LOOPS.compile(np.dtype("uint16"), np.dtype("int64"))
    if LOOPS.widen(np.dtype("uint16"), np.dtype("int64"), 0) is None:
        raise Skip("numba does not compile the loop here")
    loader = MixtureLoader(*opened(settings.but(draws=10**9)))
    return (batch["input_ids"] for batch in loader)
