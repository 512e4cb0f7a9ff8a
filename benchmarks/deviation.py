"""How far counts stray from what is owed: a wide random search, and the worst found on purpose.

    python benchmarks/deviation.py [--seconds 60] [--seed 0]

The deviation of a plan is max |draws - expectation| over all its steps and sources, in draws; both are
exact integers. With --tiny it only shows that it runs.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from numpy.typing import NDArray

import thermix
from thermix import Mixture, Plan, Source

ONE = 1 << 32
Scores = NDArray[np.float64]


def deviation(plan: Plan) -> float:
    """The largest distance, in draws, between a count and its expectation, at any step."""
    q = np.rint(plan.probabilities(np.arange(plan.end)) * ONE).astype(np.int64)
    owed = np.cumsum(q * plan.batch_size, axis=0)
    counts = plan.counts(np.arange(1, plan.end + 1))
    return float(np.abs(owed - (counts << 32)).max() / ONE)


def plan_of(scores: Scores, temperature: thermix.core.schedule.Schedule, steps: int, batch_size: int) -> Plan:
    """A plan of sources with these scores."""
    sources = {str(i): Source(score=float(w), items=1000) for i, w in enumerate(scores)}
    return Plan(Mixture(sources, temperature=temperature), steps, batch_size)


def some_scores(rng: np.random.Generator, sources: int) -> Scores:
    """Scores of one of five kinds: normal, heavy-tailed, a slope, Zipf, ties."""
    kinds = (
        rng.normal(0, 1.5, sources),
        np.log(rng.pareto(1.0, sources) + 1e-3),
        -np.arange(sources) * rng.uniform(0.01, 0.7),
        -np.log(np.arange(1, sources + 1)) * rng.uniform(0.5, 2),
        rng.integers(-2, 3, sources).astype(np.float64),
    )
    return kinds[rng.integers(len(kinds))]


def some_schedule(rng: np.random.Generator) -> thermix.core.schedule.Schedule:
    """A smooth schedule of any shape, rising or falling."""
    a, b, c = (float(x) for x in rng.uniform(0.2, 10, 3))
    kinds = (
        thermix.constant(a),
        thermix.linear(a, b, until="80%"),
        thermix.inverse_linear(float("inf"), b),
        thermix.geometric(a, b),
        thermix.cosine(a, b),
        thermix.linear(a, 0.0),
        thermix.warmup_hold(a, b, c),
        thermix.piecewise(("0%", a), ("30%", b), ("100%", c)),
        thermix.join(thermix.hold(a, "20%"), thermix.linear(a, b, until="70%"), thermix.cosine(b, c)),
        thermix.step((a, b, c), at=("30%", "60%")),
    )
    return kinds[rng.integers(len(kinds))]


def alternating(high: float, low: float, steps: int) -> thermix.core.schedule.Schedule:
    """T from one to the other and back at every step."""
    values = tuple(high if s % 2 == 0 else low for s in range(steps))
    return thermix.step(values, at=tuple(f"{s} steps" for s in range(1, steps)))


def search(rng: np.random.Generator, seconds: float, most: int) -> None:
    """Random plans of every kind."""
    worst, tried, end = (0.0, ""), 0, time.monotonic() + seconds
    while tried < 20 or time.monotonic() < end:
        sources, batch = int(rng.integers(1, most + 1)), int(2 ** rng.uniform(0, 12))
        schedule, steps = some_schedule(rng), int(rng.choice([100, 1000, 3000]))
        found = deviation(plan_of(some_scores(rng, sources), schedule, steps, batch))
        worst = max(worst, (found, f"{sources} sources, batch {batch}, {steps} steps, {schedule!r}"))
        tried += 1
    print(f"{tried} random plans, 1 to {most} sources, batch 1 to 4,096, all schedules: {worst[0]:.3f}")
    print(f"    {worst[1]}")


def climb(rng: np.random.Generator, seconds: float, sources: int) -> None:
    """Scores and temperatures moved at random, and kept where the deviation grows."""
    steps, best, end = 60, (0.0, np.zeros(sources), 5.0, 1.0, 1), time.monotonic() + seconds
    tried = 0
    while tried < 10 or time.monotonic() < end:
        _, scores, high, low, batch = best
        if tried % 10 < 3:
            scores, high, low = rng.normal(0, 2, sources), *rng.uniform(0.3, 12, 2)
            batch = int(2 ** rng.uniform(0, 10))
        moved = scores + rng.normal(0, 0.3, sources) * (rng.random(sources) < 0.3)
        plan = plan_of(moved, alternating(float(high), float(low), steps), steps, batch)
        best = max(best, (deviation(plan), moved, high, low, batch), key=lambda case: case[0])
        tried += 1
    print(f"{sources:5} sources, T alternating every step, {tried} plans climbed: {best[0]:.3f}")


def main() -> None:
    """Search, then climb."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for the whole, about")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tiny", action="store_true", help="only shows that it runs")
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    search(rng, 0 if given.tiny else given.seconds / 2, 8 if given.tiny else 128)
    for sources in (3,) if given.tiny else (3, 20, 128, 1000):
        climb(rng, 0 if given.tiny else given.seconds / 8, sources)


if __name__ == "__main__":
    main()
