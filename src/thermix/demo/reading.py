"""A plan's items, really read: step by step, with a tally of the texts and a hash of all that came.

The tally knows a text by its content, from the files as they were written; nothing in it comes from the
plan. Invariant: the hash is that of the draws and the texts, in their order.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from thermix.demo.texts import Collection
from thermix.plan.plan import Batch, Plan
from thermix.sources import ItemSource

__all__ = ["ReadStep", "Tally", "digest_of", "read_steps"]


@dataclass(frozen=True)
class ReadStep:
    """One step: its number, its draws, and the text of each."""

    step: int
    batch: Batch
    texts: list[str]


def read_steps(
    plan: Plan, sources: Mapping[str, ItemSource], start: int, stop: int, rank: int = 0, world_size: int = 1
) -> Iterator[ReadStep]:
    """Read the items of steps [start, stop), one step after the other."""
    batches = plan.batches(start, stop, rank, world_size)
    for i, step in enumerate(range(start, stop)):
        batch = Batch(batches.source[i], batches.item[i], batches.epoch[i])
        yield ReadStep(step, batch, _read(plan.names, sources, batch))


def _read(names: Sequence[str], sources: Mapping[str, ItemSource], batch: Batch) -> list[str]:
    texts = [""] * len(batch.item)
    for i, name in enumerate(names):
        slots = np.flatnonzero(batch.source == i)
        for slot, text in zip(slots.tolist(), sources[name].read(batch.item[slots]), strict=True):
            texts[slot] = text
    return texts


def digest_of(steps: Iterable[ReadStep]) -> str:
    """SHA-256 (hex) of the steps' draws and texts."""
    digest = hashlib.sha256()
    for read in steps:
        for array in (read.batch.source, read.batch.item, read.batch.epoch):
            digest.update(array.astype("<i8").tobytes())
        for text in read.texts:
            data = text.encode()
            digest.update(b"%d:" % len(data) + data)
    return digest.hexdigest()


@dataclass
class Tally:
    """What was read, told by the texts.

    Attributes:
        names: of the sources.
        owner: text -> number of the source whose file holds it.
        times: text -> how often it was read.
        drawn: how many texts of each source were read.
        first_repeat: step at which a text of the source came for the second time, None before.
    """

    names: tuple[str, ...]
    owner: Mapping[str, int]
    times: Counter[str] = field(default_factory=Counter)
    drawn: list[int] = field(default_factory=list)
    first_repeat: list[int | None] = field(default_factory=list)

    @classmethod
    def of(cls, collections: Sequence[Collection]) -> Tally:
        """An empty tally of these sources."""
        owner = {row.text: i for i, collection in enumerate(collections) for row in collection.rows}
        names = tuple(collection.name for collection in collections)
        return cls(names, owner, drawn=[0] * len(names), first_repeat=[None] * len(names))

    def add(self, read: ReadStep) -> list[int]:
        """Count a step; returns how many of its texts are of each source."""
        here = [0] * len(self.names)
        for text in read.texts:
            source = self.owner[text]
            here[source] += 1
            self.times[text] += 1
            if self.times[text] == 2 and self.first_repeat[source] is None:
                self.first_repeat[source] = read.step
        self.drawn = [before + now for before, now in zip(self.drawn, here, strict=True)]
        return here

    def fewest_and_most(self, source: int) -> tuple[int, int]:
        """How often the rarest and the most frequent text of a source was read."""
        times = [self.times[text] for text, owner in self.owner.items() if owner == source]
        return min(times), max(times)
