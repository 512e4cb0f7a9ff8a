"""thermix, without the threads that read ahead: for comparison with contenders that have none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.contenders.thermix import opened, without_numba
from benchmarks.settings import Settings, Skip


def delivery(settings: Settings) -> Iterator[Any]:
    """`MixtureLoader(threads=0)`."""
    from thermix.torch import MixtureLoader

    if settings.workers:
        raise Skip("the row above has workers, which have no threads")
    without_numba()
    loader = MixtureLoader(*opened(settings.but(draws=10**9)), threads=0)
    return (batch["input_ids"] for batch in loader)
