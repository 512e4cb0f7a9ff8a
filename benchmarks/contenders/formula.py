"""The formula as it stands, draw by draw: softmax at the step's temperature, a source, an item."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator

from benchmarks.settings import Settings


def draws(settings: Settings) -> Iterator[int]:
    """`random.choices` with the weights of the step."""
    generator = random.Random(0)
    sources = range(len(settings.weights))
    scores = [math.log(weight) for weight in settings.weights]
    weights = list(settings.weights)
    steps = settings.draws // settings.batch
    for step in itertools.cycle(range(steps)):
        if settings.changing:
            temperature = 5.0 - 4.0 * step / steps
            weights = [math.exp(score / temperature) for score in scores]
        for _ in range(settings.batch):
            generator.choices(sources, weights)
            if settings.with_items:
                generator.randrange(settings.items)
        yield settings.batch
