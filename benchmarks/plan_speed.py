"""What a plan costs: draws a second, the first batch, any step, the forecast, start-up.

    python benchmarks/plan_speed.py            the table of the README, about a minute
    python benchmarks/plan_speed.py --tiny     the same code on small sizes, to see that it runs

Each figure is a median; what is compared runs in turns in the same process, because machines are noisy.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

import thermix

SOURCES = 20
FIRST_BATCH = """
import re, sys, time
import thermix, thermix.plan.plan
def megabytes(what):
    return int(re.search(what + r":\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
before, start = megabytes("VmRSS"), time.perf_counter()
sources = {f"s{i}": thermix.Source(score=i / 10, items=10**6 + i) for i in range(20)}
mixture = thermix.Mixture(sources, temperature=thermix.linear(5.0, 1.0))
thermix.Plan(mixture, steps=int(sys.argv[1]), batch_size=int(sys.argv[2])).batch(0)
print((time.perf_counter() - start) * 1e3, megabytes("VmHWM") - before)
"""


def mixture(sources: int) -> thermix.Mixture:
    """Sources of ten thousand to a hundred million items, T from 5 to 1."""
    named = {f"s{i}": thermix.Source(score=2 * math.sin(i), items=10 ** (4 + i % 5)) for i in range(sources)}
    return thermix.Mixture(named, temperature=thermix.linear(5.0, 1.0))


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def formula_loop(plan: thermix.Plan, steps: int) -> None:
    """The plain formula, draw by draw: softmax at the step's T, a source, the next item of its shuffle."""
    scores = plan.mixture.scores.tolist()
    sizes = [source.items for source in plan.mixture.sources.values()]
    for step in range(steps):
        temperature = 5.0 - 4.0 * step / plan.steps
        weights = [math.exp(w / temperature) for w in scores]
        for _ in range(plan.batch_size):
            source = random.choices(range(len(weights)), weights)[0]
            random.randrange(sizes[source])


def numpy_steps(plan: thermix.Plan, steps: int) -> None:
    """What one would write with NumPy: a step at a time, items independent (so that they repeat)."""
    rng = np.random.default_rng(0)
    sizes = np.array([source.items for source in plan.mixture.sources.values()])
    scores = plan.mixture.scores
    best = scores.max()
    for step in range(steps):
        e = np.exp((scores - best) / (5.0 - 4.0 * step / plan.steps))
        source = np.searchsorted(np.cumsum(e / e.sum()), rng.random(plan.batch_size)).clip(max=len(e) - 1)
        rng.integers(0, sizes[source])


def draws_a_second(tiny: bool) -> None:
    """Full draws (source, item, epoch) a second, T changing every step."""
    print("\nfull draws a second, one core, T changing every step     (million)")
    print(f"{'':28}{'thermix':>9}{'NumPy':>9}{'plain loop':>12}")
    for sources, batch, steps in ((3, 64, 8000), (20, 64, 8000), (20, 1024, 1000)):
        steps = 20 if tiny else steps
        plan = thermix.Plan(mixture(sources), steps=100_000, batch_size=batch)
        few = max(1, steps // 50)
        rates: dict[str, list[float]] = {"thermix": [], "numpy": [], "loop": []}
        for turn in range(2 if tiny else 7):
            start = 1000 + turn * steps
            rates["thermix"].append(steps * batch / seconds(lambda: plan.batches(start, start + steps)))  # noqa: B023
            rates["numpy"].append(few * batch / seconds(lambda: numpy_steps(plan, few)))  # noqa: B023
            rates["loop"].append(few * batch / seconds(lambda: formula_loop(plan, few)))  # noqa: B023
        ours, numpy, loop = (statistics.median(r) / 1e6 for r in rates.values())
        print(f"{sources:4} sources, batch {batch:5}     {ours:9.1f}{numpy:9.1f}{loop:12.2f}")


def first_batch(tiny: bool) -> None:
    """A fresh process's first batch, for plans of ten thousand and a million million draws."""
    print("\nfirst batch after import, 20 sources                  ms     peak MB above import")
    shapes = ((10, 1000), (10**9, 1000))
    runs: dict[tuple[int, int], list[tuple[float, float]]] = {shape: [] for shape in shapes}
    for _ in range(1 if tiny else 9):
        for shape in shapes:
            command = [sys.executable, "-c", FIRST_BATCH, *map(str, shape)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
            runs[shape].append((float(output[0]), float(output[1])))
    for (steps, batch), figures in runs.items():
        ms, mb = (statistics.median(column) for column in zip(*figures, strict=True))
        print(f"plan of {steps * batch:>22,} draws{ms:15.1f}{mb:16.1f}")


def any_step(tiny: bool) -> None:
    """Random access and forecast."""
    steps = 10_000 if tiny else 1_000_000
    cold, warm, counts = [], [], []
    for _ in range(1 if tiny else 7):
        plan = thermix.Plan(mixture(SOURCES), steps=steps, batch_size=1024)
        cold.append(seconds(lambda: plan.batch(steps - 1)))  # noqa: B023
        for step in random.Random(0).sample(range(steps), 20):
            warm.append(seconds(lambda: plan.batch(step)))  # noqa: B023
            counts.append(seconds(lambda: plan.counts(steps - 1 - step)))  # noqa: B023
    print(f"\nany step of {steps:,}, 20 sources, batch 1,024           ms")
    print(f"  the last batch, cold                    {statistics.median(cold) * 1e3:15.1f}")
    print(f"  a batch, warm                           {statistics.median(warm) * 1e3:15.2f}")
    print(f"  the counts before a step, warm          {statistics.median(counts) * 1e3:15.2f}")
    long = thermix.Plan(mixture(SOURCES), steps=steps * 1000, batch_size=1024)
    print(f"  forecast of {steps * 1000:,} steps        {seconds(long.forecast) * 1e3:15.0f}")


def start_up(tiny: bool) -> None:
    """Imports and a command, as fresh processes."""
    probs = ["-m", "thermix", "probs", "--score", "web=2", "--score", "books=3", "-T", "1"]
    commands = {
        "import numpy": ["-c", "import numpy"],
        "import thermix, NumPy included": ["-c", "import thermix; thermix.Plan"],
        "thermix probs": probs,
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(1 if tiny else 9):
        for name, arguments in commands.items():
            command = [sys.executable, *arguments]
            times[name].append(seconds(lambda: subprocess.run(command, check=True, capture_output=True)))  # noqa: B023
    print("\nstart-up, a fresh process                            ms")
    for name, figures in times.items():
        print(f"  {name:38}{statistics.median(figures) * 1e3:15.0f}")


def main() -> None:
    """Run every part and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--tiny", action="store_true", help="small sizes: only shows that it runs")
    tiny = parser.parse_args().tiny
    print(f"Python {sys.version.split()[0]}, NumPy {np.__version__}, thermix {thermix.__version__}")
    for part in (draws_a_second, first_batch, any_step, start_up):
        part(tiny)


if __name__ == "__main__":
    main()
