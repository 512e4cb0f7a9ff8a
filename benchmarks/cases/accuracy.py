"""Accuracy: how far the draws stray from the shares that were asked for."""

from __future__ import annotations

from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from benchmarks.cases import Size
from benchmarks.checks import WrongBatch
from benchmarks.harness import Group
from benchmarks.settings import Settings, zipf

NAME = "accuracy"
TITLE = "Accuracy"
UNIT = "draws (deviation), items (repeats), sources (starved)"
BETTER = "lower"
NOTE = (
    "Deviation: the largest distance, over the ends of all batches of 64 and over the sources, between the "
    "draws a source got so far and what its weight asks for. Repeats: items drawn again before every item of "
    "their source was drawn once, in whole batches. "
    "Starved: sources owed a draw and more that got none. 102,400 draws from sources of 1,000 items; with a "
    "source of one part in a million, 2,000,000 draws. T is constant, as most cannot change it."
)

CONTENDERS: tuple[str, ...] = (
    "thermix",
    "numpy_steps",
    "pytorch",
    "megatron",
    "grain",
    "torchdata_nodes",
    "hf_datasets",
)
CONTENDERS += ("litdata_streams", "web_dataset", "mosaic")
ITEMS = 1000
KINDS = ("equal", "Zipf", "one heavy", "one of 1e-6")
SOURCES = {"tiny": (32,), "quick": (3, 32), "full": (3, 32, 128)}
DRAWS = {"tiny": 10_240, "quick": 20_480, "full": 102_400}  # whole batches of 64


def weights_of(kind: str, sources: int) -> tuple[float, ...]:
    """Shares of one kind, summing to 1."""
    if kind == "equal":
        return (1 / sources,) * sources
    if kind == "Zipf":
        return zipf(sources)
    if kind == "one heavy":
        return (0.9, *(0.1 / (sources - 1),) * (sources - 1))
    return (*((1 - 1e-6) / (sources - 1),) * (sources - 1), 1e-6)


def groups(size: Size) -> list[Group]:
    """Numbers of sources and kinds of weights, once: the draws of a contender depend on its seed alone."""
    kinds = KINDS if size == "full" else ("Zipf",)
    rows = [row(kind, sources, DRAWS[size]) for kind in kinds for sources in SOURCES[size]]
    return [Group(NAME, tuple(rows), CONTENDERS, 1, 240)]


def row(kind: str, sources: int, draws: int) -> Settings:
    """A row of the table."""
    return Settings(
        label=f"{sources} sources, {kind}",
        weights=weights_of(kind, sources),
        items=ITEMS,
        draws=2_000_000 if kind == "one of 1e-6" else draws,
        batch=64,
    )


def measure(contender: ModuleType, settings: Settings) -> dict[str, float]:
    """Figures of the draws that `contender.accuracy` gives: sources (n,), and items (n,)."""
    source, item = contender.accuracy(settings)
    if len(source) != settings.draws:
        raise WrongBatch(f"gave {len(source):,} of {settings.draws:,} draws")
    expected = np.asarray(settings.weights)
    return {
        f"{settings.label}: deviation": deviation(source, expected, settings.batch),
        f"{settings.label}: starved": starved(source, expected),
        f"{settings.label}: repeats": float(repeats(source, item, settings)),
    }


def deviation(source: NDArray[np.int64], expected: NDArray[np.float64], batch: int) -> float:
    """Max |draws of a source so far - its weight times all so far|, over the ends of batches, and sources."""
    ends = np.arange(batch, len(source) + 1, batch)
    worst = 0.0
    for which, weight in enumerate(expected):
        worst = max(worst, float(np.abs(np.cumsum(source == which)[ends - 1] - weight * ends).max()))
    return worst


def starved(source: NDArray[np.int64], expected: NDArray[np.float64]) -> float:
    """Sources whose weight asks for a draw or more, and that have none."""
    got = np.bincount(source, minlength=len(expected))
    return float(((got == 0) & (expected * len(source) >= 1)).sum())


def repeats(source: NDArray[np.int64], item: NDArray[np.int64], settings: Settings) -> int:
    """Draws of an item that its source had drawn before, in the batches up to the source's last item.

    The batch in which a source ends is left out: inside a batch the order means nothing.
    """
    found = 0
    for which in range(len(settings.weights)):
        mine = source == which
        ends = np.cumsum(mine)[settings.batch - 1 :: settings.batch]
        whole = int(np.searchsorted(ends, settings.items, "right")) * settings.batch
        first = item[:whole][mine[:whole]]
        found += len(first) - len(np.unique(first))
    return found
