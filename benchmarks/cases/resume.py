"""Resume: milliseconds from a saved state to the next batch, libraries imported and the state at hand."""

from __future__ import annotations

from types import ModuleType

from benchmarks.cases import Size
from benchmarks.checks import checked_batch
from benchmarks.harness import Group
from benchmarks.measure import seconds
from benchmarks.settings import Settings

NAME = "resume"
TITLE = "Resume"
UNIT = "ms to the next batch"
BETTER = "lower"
NOTE = (
    "In a fresh process, as after a crash; batches of 64 sequences of 512 tokens. Where a state can only be "
    "had by running up to it, that run is not counted. The last row goes on as the second of four ranks from "
    "a state that one rank saved."
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
STEPS = {
    "tiny": {"at draw 10^3": 16},
    "quick": {"at draw 10^3": 16, "at draw 10^9": 15_625_000},
    "full": {"at draw 10^3": 16, "at draw 10^6": 15_625, "at draw 10^9": 15_625_000},
}
RANKS = "at draw 10^3, from 1 rank to 4"


def groups(size: Size) -> list[Group]:
    """Farther and farther into a run, and onto another number of ranks."""
    rows = [row(label, steps) for label, steps in STEPS[size].items()]
    rows.append(row(RANKS, 16).but(world_size=4))
    turns = {"tiny": 1, "quick": 1, "full": 3}[size]
    return [
        Group(NAME, (each,), CONTENDERS, turns if each.at < 10**6 else min(turns, 2), 60) for each in rows
    ]


def row(label: str, steps: int) -> Settings:
    """A row of the table; the run is to last twice as long."""
    return Settings(label=label, at=64 * steps, draws=max(10**7, 128 * steps), length=512)


def measure(contender: ModuleType, settings: Settings) -> dict[str, float]:
    """The time of what `contender.resume` gives: a function that goes as far as the next batch."""
    go_on, found = contender.resume(settings), []
    took = seconds(lambda: found.append(go_on()))
    checked_batch(found[0], settings.but(batch=settings.batch // settings.world_size))
    return {settings.label: took * 1e3}
