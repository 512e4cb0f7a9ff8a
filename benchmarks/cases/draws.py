"""Draws a second: which source each draw comes from, and which item of it."""

from __future__ import annotations

import itertools
from types import ModuleType

from benchmarks.cases import Size
from benchmarks.harness import Group
from benchmarks.measure import rate
from benchmarks.settings import Settings, zipf

NAME = "draws"
TITLE = "Draws"
UNIT = "million draws a second"
BETTER = "higher"
NOTE = (
    "Weights fall as 1/rank; T is 1, or falls from 5 to 1 a little at each step of 512 draws. thermix always "
    "finds the item too. The limit is a compiled loop."
)

CONTENDERS: tuple[str, ...] = (
    "thermix",
    "limit",
    "numpy_steps",
    "pytorch",
    "megatron",
    "grain",
    "torchdata_nodes",
)
CONTENDERS += ("hf_datasets", "web_dataset", "formula", "litdata_streams", "mosaic")
SOURCES = {"tiny": (3,), "quick": (3, 128), "full": (3, 20, 64, 128)}
SECONDS = {"tiny": 0.02, "quick": 0.05, "full": 0.2}


def groups(size: Size) -> list[Group]:
    """Every number of sources, T constant and changing, source alone and with its item."""
    rows = [
        row(sources, changing, with_items).but(seconds=SECONDS[size])
        for sources, changing, with_items in itertools.product(SOURCES[size], (False, True), (False, True))
    ]
    return [Group(NAME, tuple(rows), CONTENDERS, 3 if size == "full" else 2, 120)]


def row(sources: int, changing: bool, with_items: bool) -> Settings:
    """A row of the table."""
    temperature = "T changing" if changing else "T constant"
    what = "source and item" if with_items else "source"
    return Settings(
        label=f"{sources} sources, {temperature}, {what}",
        weights=zipf(sources),
        items=100_000,
        draws=20_000_000,
        batch=512,
        changing=changing,
        with_items=with_items,
    )


def measure(contender: ModuleType, settings: Settings) -> dict[str, float]:
    """The rate of `contender.draws`, which yields how many draws it has made since it last did."""
    return {settings.label: rate(contender.draws(settings), settings.seconds) / 1e6}
