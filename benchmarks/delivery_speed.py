"""What delivery costs: rows a second beside bare NumPy, opening many shards, memory over a long run.

    python benchmarks/delivery_speed.py            the table of the README, about two minutes
    python benchmarks/delivery_speed.py --tiny     the same code on small sizes, to see that it runs

Makes its own shards (1 GB in three sources, uint16) in a temporary folder and removes them. What is compared
runs in turns in one process, each turn on other steps of the plan. A rate is a median; a ratio is the
median of the turns' ratios. thermix computes its draws in its time; its rivals are handed theirs.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

import thermix
from thermix.sources import open_source
from thermix.sources.compiled import LOOPS
from thermix.sources.reader import BatchReader
from thermix.sources.shard_writer import TokenShardWriter

LENGTH = 2048
SHARES = {"web": 0.5, "books": 0.3, "code": 0.2}

MEGABYTES = """
import re, sys, time
import thermix, numpy
from thermix.sources import open_source
from thermix.sources.compiled import LOOPS
from thermix.sources.reader import BatchReader
def megabytes(what):
    return int(re.search(what + r":\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024
"""
OPENING = (
    MEGABYTES
    + """
before, start = megabytes("VmRSS"), time.perf_counter()
source = open_source(sys.argv[1], name="web", sequence_length=8)
print(time.perf_counter() - start, megabytes("VmHWM"), megabytes("VmHWM") - before)
"""
)
MEMORY = (
    MEGABYTES
    + """
folder, steps, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
LOOPS.compile(numpy.dtype("uint16"), numpy.dtype("int64"))
names = ("web", "books", "code")
sources = {n: open_source(f"{folder}/{n}-*.bin", name=n, sequence_length=2048) for n in names}
named = {n: thermix.Source(score=float(i), items=len(s)) for i, (n, s) in enumerate(sources.items())}
plan = thermix.Plan(thermix.Mixture(named, temperature=thermix.linear(5.0, 1.0)), steps=steps, batch_size=64)
for batch in BatchReader(plan, sources).batches(threads=threads):
    if batch.step + 1 in (steps // 100, steps // 2, steps):
        print(batch.step + 1, megabytes("RssAnon"), megabytes("RssFile"))
"""
)

Contender = Callable[[int, int], object]


def loops_by() -> str:
    """What copies rows from here on: where numba is installed its loops, compiled now, else NumPy."""
    stored, found = np.dtype("uint16"), []
    for wanted in (np.dtype("int64"), np.dtype("int32")):
        LOOPS.compile(stored, wanted)
        found.append(LOOPS.widen(stored, wanted, 0))
    return "NumPy" if None in found else "a loop that numba compiled"


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def write_shards(folder: Path, tokens: int, shards: int) -> None:
    """Shards of each source, and one flat file of all rows; random tokens in documents of 1,024."""
    rng = np.random.default_rng(0)
    with open(folder / "all.flat", "wb") as flat:
        for name, share in SHARES.items():
            for number in range(shards):
                rows = max(1, int(tokens * share) // shards // LENGTH)
                ids = rng.integers(0, 65536, rows * LENGTH, dtype=np.uint16)
                with TokenShardWriter(folder / f"{name}-{number}", dtype="uint16") as shard:
                    shard.extend(ids, np.full(2 * rows, LENGTH // 2))
                flat.write(ids.data)


class Delivery:
    """The data, thermix's readers over it, and what one would write instead.

    The rivals read the flat file, in which a source is one array however many shards it has.
    """

    def __init__(self, folder: Path, batch: int, steps: int) -> None:
        self.sources = {
            name: open_source(str(folder / f"{name}-*.bin"), name=name, sequence_length=LENGTH)
            for name in SHARES
        }
        lengths = [len(source) for source in self.sources.values()]
        named = {
            name: thermix.Source(score=float(number), items=length)
            for number, (name, length) in enumerate(zip(self.sources, lengths, strict=True))
        }
        mixture = thermix.Mixture(named, temperature=thermix.linear(5.0, 1.0))
        self.plan = thermix.Plan(mixture, steps=steps, batch_size=batch)
        self.draws = self.plan.batches(0, steps)
        self.firsts = np.cumsum([0, *lengths])
        memory = np.memmap(folder / "all.flat", np.uint16, "r", shape=(sum(lengths), LENGTH))
        self.memmaps = np.split(memory, self.firsts[1:-1])
        self.rows = memory.view(np.ndarray)
        self._map_all()
        self.staged = np.empty((batch, LENGTH), np.uint16)
        self.out = np.empty((batch, LENGTH), np.int64)

    def _map_all(self) -> None:
        """Touch every row once, for the rivals and for thermix: who comes first would pay the page faults."""
        self.rows[:, :: LENGTH - 1].sum()
        for source in self.sources.values():
            for start in range(0, len(source), 1024):
                source.read(np.arange(start, min(start + 1024, len(source))))

    def iterating(self, dtype: Literal["int64", "int32"] = "int64", threads: int | None = None) -> Contender:
        """Thermix, as a training loop uses it."""
        reader = BatchReader(self.plan, self.sources, dtype=dtype)

        def iterate(start: int, stop: int) -> None:
            for _ in (
                reader.batches(start, stop)
                if threads is None
                else reader.batches(start, stop, threads=threads)
            ):
                pass

        return iterate

    def take_and_cast(self, start: int, stop: int) -> None:
        """A take of a batch's rows from one array into a buffer, and a cast."""
        numbers = self.firsts[self.draws.source[start:stop]] + self.draws.item[start:stop]
        for batch in numbers:
            self.rows.take(batch, 0, self.staged, "clip")
            self.out[...] = self.staged

    def widening(self, start: int, stop: int) -> None:
        """A cast of rows that lie in order."""
        each = len(self.out)
        for first in range(start * each, stop * each, each):
            place = first % (len(self.rows) - each)
            self.out[...] = self.rows[place : place + each]

    def grouped_gather(self, start: int, stop: int) -> None:
        """A mask and a gather a source, over np.memmap."""
        for step in range(start, stop):
            source, item = self.draws.source[step], self.draws.item[step]
            rows = np.empty(self.out.shape, np.int64)
            for number, memory in enumerate(self.memmaps):
                mask = source == number
                rows[mask] = memory[item[mask]]


def side_by_side(contenders: dict[str, Contender], steps: int, batch: int, turns: int) -> None:
    """Run all of them in turns and print rates, with ratios to the rivals."""
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(turns + 1):  # the first warms up
        for name, contender in contenders.items():
            start = turn * steps
            rate = steps * batch / seconds(lambda: contender(start, start + steps))  # noqa: B023
            if turn:
                rates[name].append(rate)
    for name, own in rates.items():
        ratios = [
            statistics.median(a / b for a, b in zip(own, rates[rival], strict=True))
            for rival in list(contenders)[:3]
        ]
        columns = "".join(f"{ratio:12.2f}" for ratio in ratios)
        print(f"  {name:30}{statistics.median(own) / 1e6:8.2f}{columns}")


def rows_a_second(folder: Path, shards: int, tiny: bool) -> None:
    """Rates of batches of 64 and of 8."""
    for batch in (64, 8):
        steps, turns = (20, 1) if tiny else (102_400 // batch, 11)
        delivery = Delivery(folder, batch, steps * (turns + 1))
        contenders: dict[str, Contender] = {
            "np.take, then a cast": delivery.take_and_cast,
            "widening rows in order": delivery.widening,
            "grouped gather, np.memmap": delivery.grouped_gather,
            "thermix, no threads": delivery.iterating(threads=0),
            "thermix, no threads, int32": delivery.iterating("int32", threads=0),
            "thermix, default threads": delivery.iterating(),
            "thermix, default threads, int32": delivery.iterating("int32"),
        }
        title = f"{len(SHARES)} sources of {shards} shards, batches of {batch}"
        print(f"\n{title:32}million/s   to take to widening   to gather")
        side_by_side(contenders, steps, batch, turns)


def opening(tiny: bool) -> None:
    """Opening a glob of many shards, in a fresh process."""
    shards, runs = (100, 1) if tiny else (10_000, 5)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(shards):
            with TokenShardWriter(Path(folder) / f"{number:05}", dtype="uint16") as shard:
                shard.append(np.arange(16, dtype=np.uint16))
        print(f"\nopening {shards:,} shards, a fresh process      s     peak MB    MB above import")
        for pattern in ("*.bin", "*.idx"):
            command = [sys.executable, "-c", OPENING, f"{folder}/{pattern}"]
            figures = [
                [float(figure) for figure in subprocess.check_output(command, text=True).split()]
                for _ in range(runs)
            ]
            taken, peak, above = (statistics.median(column) for column in zip(*figures, strict=True))
            print(f"  {pattern:34}{taken:10.2f}{peak:12.0f}{above:19.0f}")


def memory(folder: Path, tiny: bool) -> None:
    """Memory of a process over many batches of 64: its own, and of the shards what it has touched."""
    steps = 200 if tiny else 100_000
    print(f"\nmemory, {steps:,} batches of 64        after batches   own MB   shards in memory, MB")
    for threads in (0, 2):
        command = [sys.executable, "-c", MEMORY, str(folder), str(steps), str(threads)]
        for line in subprocess.check_output(command, text=True).splitlines():
            batches, own, shared = map(float, line.split())
            print(f"  {threads} threads{batches:36,.0f}{own:9.1f}{shared:23.0f}")


def main() -> None:
    """Run every part and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--tiny", action="store_true", help="small sizes: only shows that it runs")
    tiny = parser.parse_args().tiny
    print(f"Python {sys.version.split()[0]}, NumPy {np.__version__}, thermix {thermix.__version__}")
    print(f"rows are copied by {loops_by()}")
    for shards in (1, 200):
        with tempfile.TemporaryDirectory() as folder:
            write_shards(Path(folder), 1 << 21 if tiny else 1 << 29, shards)
            rows_a_second(Path(folder), shards, tiny)
            if shards == 1:
                memory(Path(folder), tiny)
    opening(tiny)


if __name__ == "__main__":
    main()
