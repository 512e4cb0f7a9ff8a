"""The plan is the same on any machine: with every CPU feature NumPy can switch off, and pinned here."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

DIGEST = """
import hashlib
import numpy as np
import thermix
from thermix import Mixture, Plan, Source

def add(*arrays):
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())

digest = hashlib.sha256()
rng = np.random.default_rng(0)
scores = rng.normal(0, 2, 24).tolist()
schedules = [
    thermix.linear(5.0, 0.3), thermix.cosine(1.0, 7.0), thermix.geometric(30.0, 0.05),
    thermix.inverse_linear(float("inf"), 0.5), thermix.constant(1.7),
]
for schedule in schedules:
    for order in ("balanced", "multinomial"):
        limit = 3 if order == "balanced" else None
        sources = {
            f"s{i}": Source(score=s, items=1 + 997 * i, max_epochs=limit if i % 3 == 0 else None)
            for i, s in enumerate(scores)
        }
        plan = Plan(Mixture(sources, temperature=schedule), steps=300, batch_size=48, order=order)
        plan = plan.edit(at_step=200, scores={"s3": 4.0}, batch_size=32)
        steps = np.arange(300)
        add(plan.temperature(steps), plan.probabilities(steps), plan.counts(steps))
        for first, last in ((0, 60), (240, 300)):
            batches = plan.batches(first, last)
            add(batches.source, batches.item, batches.epoch)
        digest.update(plan.fingerprint.encode())
try:
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
    print(digest.hexdigest() + ";" + " ".join(f for f in __cpu_dispatch__ if __cpu_features__[f]))
except ImportError:
    print(digest.hexdigest() + ";")
"""

PINNED = "57bb1faa59a87bc3c9fe86faf6696baa515cd0bbaf109527bda06b6a6c16202c"


def run_with(disabled: str) -> tuple[str, str]:
    environment = {**os.environ, "NPY_DISABLE_CPU_FEATURES": disabled}
    environment["PYTHONPATH"] = os.pathsep.join(p for p in sys.path if p)
    done = subprocess.run(
        [sys.executable, "-c", DIGEST], env=environment, capture_output=True, text=True, check=True
    )
    hashed, features = done.stdout.strip().split(";")
    return hashed, features


def test_every_draw_is_the_one_pinned_and_stays_without_any_optional_cpu_feature() -> None:
    hashed, features = run_with("")
    assert hashed == PINNED, "a machine or a NumPy that draws differently, or a change of the draw order"
    if not features:
        pytest.skip("NumPy dispatches on no CPU feature here")
    plain, left = run_with(features)
    assert left == "", "the switch did not work, so nothing was tested"
    assert plain == PINNED
