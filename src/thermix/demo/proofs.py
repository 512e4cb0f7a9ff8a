"""What must hold of a run that was read, each checked on what was read and said in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thermix.demo.reading import ReadStep, Tally, digest_of, read_steps
from thermix.demo.resume import digest_in_new_process
from thermix.plan.forecast import Forecast
from thermix.plan.plan import Batch, Plan
from thermix.sources import ItemSource

__all__ = ["Proof", "prove_counts", "prove_epochs", "prove_ranks", "prove_resume"]

_NEAR = 2.0
"""Draws that a source may be off its expectation; `balanced` keeps within about 1.5."""

_RANKS = 4


@dataclass(frozen=True)
class Proof:
    """What was checked, in a word and in a sentence that says what was found, and whether it holds."""

    name: str
    said: str
    holds: bool


def prove_counts(forecast: Forecast, tally: Tally) -> Proof:
    """As many texts of each source were read as the plan says, and that is what the formula asks for."""
    planned = [source.draws for source in forecast]
    off = max(abs(drawn - source.expected_draws) for drawn, source in zip(tally.drawn, forecast, strict=True))
    said = f"every source came as often as planned, within {off:.1f} draws of the formula"
    return Proof("counts", said, tally.drawn == planned and off < _NEAR)


def prove_epochs(forecast: Forecast, tally: Tally) -> Proof:
    """No text came once more before all of its source had come, and the first repeats were foreseen."""
    spans = [tally.fewest_and_most(i) for i in range(len(tally.names))]
    even = all(most - fewest <= 1 for fewest, most in spans)
    foreseen = tally.first_repeat == [source.first_repeat_step for source in forecast]
    said = "no item came again before all of its source had come; first repeats as forecast"
    return Proof("epochs", said, even and foreseen)


def prove_resume(config: Path, reads: Sequence[ReadStep]) -> Proof:
    """A new process that knows only the file reads the second half exactly as it was read."""
    step = len(reads) // 2
    holds = digest_in_new_process(config, step) == digest_of(reads[step:])
    items = sum(len(read.texts) for read in reads[step:])
    said = f"a new process read {config.name}, began at step {step}: the same {items:,} items and texts"
    return Proof("resume", said, holds)


def prove_ranks(plan: Plan, sources: Mapping[str, ItemSource], reads: Sequence[ReadStep]) -> Proof:
    """The batches of four ranks, one after the other, are the batches of one."""
    ranks = [read_steps(plan, sources, 0, plan.end, rank, _RANKS) for rank in range(_RANKS)]
    together = (_joined(parts) for parts in zip(*ranks, strict=True))
    holds = digest_of(together) == digest_of(reads)
    said = f"{_RANKS} ranks together read the same items and texts in the same order as one"
    return Proof("ranks", said, holds)


def _joined(parts: Sequence[ReadStep]) -> ReadStep:
    batch = Batch(
        np.concatenate([part.batch.source for part in parts]),
        np.concatenate([part.batch.item for part in parts]),
        np.concatenate([part.batch.epoch for part in parts]),
    )
    return ReadStep(parts[0].step, batch, [text for part in parts for text in part.texts])
