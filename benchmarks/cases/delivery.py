"""Delivery: sequences a second, as int64 PyTorch batches."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

from benchmarks.cases import Size
from benchmarks.checks import checked_batch
from benchmarks.data import shard_of
from benchmarks.harness import Group
from benchmarks.measure import cached_share, drop_from_cache, rate, rate_of_all
from benchmarks.settings import NAMES, Settings, Skip

NAME = "delivery"
TITLE = "Delivery"
UNIT = "thousand sequences a second"
BETTER = "higher"
NOTE = (
    "Three sources of uint16 tokens, read in a mixed random order. The limit copies rows that lie in order, "
    "uint16 to int64. Cold: the files are taken out of the page cache just before, and 8,192 sequences are "
    "delivered once."
)

CONTENDERS: tuple[str, ...] = (
    "thermix",
    "thermix_fast",
    "thermix_no_threads",
    "limit",
    "numpy_steps",
    "pytorch",
    "megatron",
    "grain",
)
CONTENDERS += ("torchdata_nodes", "litdata_streams", "hf_datasets", "web_dataset", "mosaic")
SHAPES = tuple(itertools.product((8, 64, 512), (512, 2048, 8192)))
CROSS = tuple(shape for shape in SHAPES if shape[0] == 64 or shape[1] == 2048)
ONE = ((64, 2048),)
COLD_SEQUENCES = 8192


def groups(size: Size) -> list[Group]:
    """All shapes with no workers, a cross of them with two, then one shape from cold files."""
    if size == "tiny":
        return [_group(ONE, 0, 1, seconds=0.05)]
    if size == "quick":
        return [_group(ONE, n, 2, seconds=0.1) for n in (0, 2)] + [_group(ONE, 0, 1, cold=True)]
    warm = [_group(SHAPES, 0, 3, seconds=0.25), _group(CROSS, 2, 2, seconds=0.25)]
    return [*warm, *(_group(ONE, workers, 2, cold=True) for workers in (0, 2))]


def _group(shapes: Iterable[tuple[int, int]], workers: int, turns: int, **more: Any) -> Group:
    what = f"{workers or 'no'} workers" + (", cold" if "cold" in more else "")
    rows = [
        Settings(label=f"{batch} x {length:,}, {what}", batch=batch, length=length, workers=workers, **more)
        for batch, length in shapes
    ]
    return Group(NAME, tuple(rows), CONTENDERS, turns, 120)


def measure(contender: ModuleType, settings: Settings) -> dict[str, float]:
    """The rate of the batches that `contender.delivery` gives."""
    if settings.cold:
        _empty_cache(settings)
    sizes = _sizes(contender.delivery(settings), settings)
    if settings.cold:
        speed = rate_of_all(itertools.islice(sizes, COLD_SEQUENCES // settings.batch))
    else:
        speed = rate(sizes, settings.seconds)
    return {settings.label: speed / 1e3}


def _empty_cache(settings: Settings) -> None:
    drop_from_cache(settings.folder)
    share = max(cached_share(shard_of(settings.folder, name)) for name in NAMES)
    if share > 0.1:
        raise Skip(f"{share:.0%} of a file stayed in memory; --data needs a folder on a disk")


def _sizes(batches: Iterable[Any], settings: Settings) -> Iterator[int]:
    """Sequences of each batch; the first is looked at closely."""
    for number, rows in enumerate(batches):
        if number == 0:
            checked_batch(rows, settings)
        yield len(rows)
