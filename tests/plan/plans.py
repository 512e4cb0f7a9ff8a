"""Small random plans and edits, and what every plan must keep, checked draw by draw.

Not a test. `replay` asks a plan for every draw of every step; the checks go through them one by one.
"""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import thermix
from thermix import Batch, Mixture, Plan, Source
from thermix.core.schedule import Schedule
from thermix.plan.edits import Edit
from thermix.plan.mixture import WhenCapped, as_schedule

Ints = NDArray[np.int64]
WAYS: tuple[WhenCapped, ...] = ("spread", "drop", "stop", "error")
NAMES = ("web", "books", "code", "网页文本", "law", "news", "maths")


def mixture(weights: dict[str, float], items: int = 1000, temperature: Schedule | float = 1.0) -> Mixture:
    sources = {name: Source(weight=weight, items=items) for name, weight in weights.items()}
    return Mixture(sources, temperature=as_schedule(temperature))


def some_temperature(rng: random.Random) -> Schedule:
    return rng.choice(
        [
            thermix.constant(1.0),
            thermix.constant(float("inf")),
            thermix.constant(0.0),
            thermix.linear(5.0, 1.0),
            thermix.linear(4.0, 0.5, until="60%"),
            thermix.cosine(1.0, 8.0, until="15 steps"),
            thermix.geometric(20.0, 0.3, until="90 draws"),
            thermix.step((5.0, 0.0, 2.0), at=("30%", "70%")),
            thermix.inverse_linear(float("inf"), 0.7),
        ]
    )


def some_source(rng: random.Random, max_epochs: float | None = None, least: int = 1) -> Source:
    weight = 0.0 if rng.random() < 0.1 else rng.random() ** 2 + 1e-3
    return Source(weight=weight, items=least + rng.randint(0, 12), max_epochs=max_epochs)


def some_plan(rng: random.Random, caps: float = 0.0, **given: Any) -> Plan:
    """A plan of up to 50 steps; with probability `caps` a source has one. Draws again where it is refused."""
    while True:
        steps, batch_size = rng.randint(2, 50), rng.choice([1, 2, 5, 16])
        sources = {}
        for name in NAMES[: rng.randint(1, 6)]:
            limit = rng.choice([0.5, 1, 1.7, 3, 10]) if rng.random() < caps else None
            sources[name] = some_source(rng, limit)
        when_capped: WhenCapped = rng.choice(WAYS) if caps else "spread"
        try:
            wanted = Mixture(sources, temperature=some_temperature(rng), when_capped=when_capped)
            arguments = {"steps": steps, "batch_size": batch_size, "seed": rng.randint(0, 9)} | given
            return Plan(wanted, **arguments)
        except thermix.InvalidInput:
            continue


def some_edit(rng: random.Random, plan: Plan, caps: float = 0.0) -> dict[str, Any]:
    """Arguments of `Plan.edit` that change some things after its last segment's start."""
    last = plan.segments[-1]
    changes: dict[str, Any] = {"at_step": rng.randint(last.start + 1, max(last.start + 1, plan.end))}
    if rng.random() < 0.4:
        changes["temperature"] = some_temperature(rng)
    if rng.random() < 0.3:
        changes["batch_size"] = rng.choice([1, 3, 8])
    if rng.random() < 0.4 or changes["at_step"] == plan.end:
        changes["steps"] = changes["at_step"] + rng.randint(1, 40)
    if rng.random() < 0.7:
        changes["sources"] = _changed_sources(rng, last.mixture, caps)
    if caps and rng.random() < 0.3:
        changes["when_capped"] = rng.choice(WAYS)
    return changes


def _changed_sources(rng: random.Random, wanted: Mixture, caps: float) -> dict[str, Source | None]:
    changed: dict[str, Source | None] = {}
    for name in rng.sample(NAMES, rng.randint(1, 3)):
        limit = rng.choice([1, 2.5, 4, 20]) if rng.random() < caps else None
        old = wanted.sources.get(name)
        if old is None:
            changed[name] = some_source(rng, limit)
        elif rng.random() < 0.3:
            changed[name] = None
        else:
            changed[name] = some_source(rng, limit, old.items)
    return changed


def edited(rng: random.Random, plan: Plan, caps: float = 0.0) -> Plan:
    """The plan with one more random edit; itself where ten are refused."""
    for _ in range(10):
        try:
            return plan.edit(**some_edit(rng, plan, caps))
        except thermix.InvalidInput:
            continue
    return plan


@dataclass
class Replay:
    """Every draw of a plan: per step the (source, item, epoch) of each slot."""

    steps: list[list[tuple[int, int, int]]]

    def counts(self, sources: int) -> Ints:
        made = [np.bincount([s for s, _, _ in step], minlength=sources) for step in self.steps]
        return np.cumsum([np.zeros(sources, np.int64), *made], axis=0)


def slots(batch: Batch) -> list[tuple[int, int, int]]:
    return list(zip(batch.source.tolist(), batch.item.tolist(), batch.epoch.tolist(), strict=True))


def replay(plan: Plan) -> Replay:
    steps = []
    for segment in plan.segments:
        many = plan.batches(segment.start, segment.end)
        steps += [slots(Batch(*row)) for row in zip(many.source, many.item, many.epoch, strict=True)]
    return Replay(steps)


def check(plan: Plan) -> Replay:
    """Check all that a plan promises whatever it is, by brute force over its draws; return them."""
    drawn = replay(plan)
    check_counts(plan, drawn)
    check_items(plan, drawn)
    check_budgets(plan, drawn)
    return drawn


def check_counts(plan: Plan, drawn: Replay) -> None:
    counts = plan.counts(np.arange(plan.end + 1))
    np.testing.assert_array_equal(counts, drawn.counts(len(plan.names)))
    probabilities = plan.probabilities(np.arange(plan.end))
    assert (probabilities >= 0).all()
    assert (probabilities.sum(axis=1) == 1).all()
    for segment in plan.segments:
        for step in range(segment.start, segment.end):
            assert len(drawn.steps[step]) == segment.batch_size
            wanted = {n for n, s in segment.mixture.sources.items() if s.weight != 0}
            assert {plan.names[i] for i, _, _ in drawn.steps[step]} <= wanted


def check_items(plan: Plan, drawn: Replay) -> None:
    """In every epoch each item once; an epoch has the size the source had at the step it began in."""
    seen: dict[tuple[int, int], list[int]] = defaultdict(list)
    sizes: dict[tuple[int, int], int] = {}
    for segment in plan.segments:
        for step in range(segment.start, segment.end):
            for source, item, epoch in sorted(drawn.steps[step], key=lambda draw: draw[2]):
                if (source, epoch) not in seen:
                    sizes[source, epoch] = segment.mixture.sources[plan.names[source]].items
                    if epoch:
                        before = seen[source, epoch - 1]
                        assert sorted(before) == list(range(sizes[source, epoch - 1])), (step, source)
                assert (source, epoch + 1) not in seen
                seen[source, epoch].append(item)
    for key, items in seen.items():
        assert len(set(items)) == len(items)
        assert max(items) < sizes[key]


def check_budgets(plan: Plan, drawn: Replay) -> None:
    """No count passes the cap that stands at that step, told in draws of epochs."""
    counts = drawn.counts(len(plan.names))
    for segment in plan.segments:
        for i, budget in segment.budgets.items():
            assert counts[segment.end, i] <= budget, (plan.names[i], segment.start)


def pasted(plan: Plan) -> Plan:
    """The plan that its repr says."""
    names = {name: getattr(thermix, name) for name in thermix.__all__ if name not in ("load", "load_plan")}
    result = eval(repr(plan), {**names, "Edit": Edit})
    assert isinstance(result, Plan)
    return result
