"""Start: milliseconds from nothing to the first batch of a run of so many draws, libraries imported."""

from __future__ import annotations

from types import ModuleType

from benchmarks.cases import Size
from benchmarks.checks import checked_batch
from benchmarks.harness import Group
from benchmarks.measure import seconds
from benchmarks.settings import Settings

NAME = "start"
TITLE = "Start"
UNIT = "ms to the first batch"
BETTER = "lower"
NOTE = (
    "Three sources, batches of 64 sequences of 2,048 tokens; imports are not counted. A process may take 30 "
    "s and 12 GB (or half of the machine's memory, where that is less)."
)

CONTENDERS: tuple[str, ...] = (
    "thermix",
    "grain",
    "megatron",
    "mosaic",
    "litdata_streams",
    "hf_datasets",
    "pytorch",
)
CONTENDERS += ("torchdata_nodes", "web_dataset")
POWERS = {"tiny": (5,), "quick": (5, 7), "full": (5, 7, 9, 12)}


def groups(size: Size) -> list[Group]:
    """More and more draws, each in a process of its own, as memory is measured."""
    turns = {"tiny": 1, "quick": 1, "full": 3}[size]
    return [
        Group(NAME, (row(power),), CONTENDERS, turns if power < 9 else min(turns, 2), 30)
        for power in POWERS[size]
    ]


def row(power: int) -> Settings:
    """A row of the table."""
    return Settings(label=f"10^{power} draws", draws=10**power)


def measure(contender: ModuleType, settings: Settings) -> dict[str, float]:
    """The time of what `contender.start` gives: a function that goes as far as the first batch."""
    begin, found = contender.start(settings), []
    took = seconds(lambda: found.append(begin()))
    checked_batch(found[0], settings)
    return {settings.label: took * 1e3}
