"""What a case asks of a contender: plain values that travel to its process as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

__all__ = ["NAMES", "SHARES", "Settings", "Skip", "names", "zipf"]

NAMES = ("web", "books", "code")
SHARES = (0.5, 0.3, 0.2)


class Skip(Exception):  # it is no error
    """A contender cannot do this; the message says why, for the table."""


@dataclass(frozen=True)
class Settings:
    """All that a measurement depends on; a case uses the fields it needs.

    Attributes:
        label: the row of the table.
        weights: of the sources, summing to 1.
        items: of each source.
        draws: of the whole run.
        batch: draws or sequences in a batch.
        length: tokens in a sequence.
        workers: worker processes; 0 for none.
        changing: the temperature changes at every step.
        with_items: a draw is a source and an item, not a source alone.
        at: the draw to go on from.
        world_size: ranks that go on; the run that stopped had one.
        cold: the files are not in the page cache.
        seconds: to measure for.
        data: the folder of the run's data.
        work: an empty folder of the process.
        megabytes: of text.
    """

    label: str
    weights: tuple[float, ...] = SHARES
    items: int = 10_000
    draws: int = 1_000_000
    batch: int = 64
    length: int = 2048
    workers: int = 0
    changing: bool = False
    with_items: bool = True
    at: int = 0
    world_size: int = 1
    cold: bool = False
    seconds: float = 1.0
    data: str = ""
    work: str = ""
    megabytes: int = 0

    @property
    def folder(self) -> Path:
        """The data, as a path."""
        return Path(self.data)

    def plain(self) -> dict[str, Any]:
        """The settings as values for JSON."""
        return asdict(self)

    @classmethod
    def from_plain(cls, values: Mapping[str, Any]) -> Settings:
        """The settings that `plain` gave, from JSON."""
        return cls(**{**values, "weights": tuple(values["weights"])})

    def but(self, **changes: Any) -> Settings:
        """The same settings with some values changed."""
        return replace(self, **changes)


def names(weights: Sequence[float]) -> list[str]:
    """Names for so many sources."""
    return list(NAMES) if len(weights) == 3 else [f"s{number}" for number in range(len(weights))]


def zipf(sources: int) -> tuple[float, ...]:
    """Weights 1, 1/2, 1/3 and so on, summing to 1."""
    weights = [1 / (rank + 1) for rank in range(sources)]
    return tuple(weight / sum(weights) for weight in weights)
