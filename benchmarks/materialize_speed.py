"""What `thermix materialize` costs: token sequences written out, next to a plain loop writing the same bytes.

    python benchmarks/materialize_speed.py             about a GB, some minutes
    python benchmarks/materialize_speed.py --tiny      the same code on little data, to see that it runs
    python benchmarks/materialize_speed.py --folder /dev/shm    without a disk in the way

The contenders take turns, and each writes the same bytes to files of the same size: a loop over the batches
that writes them and flushes them to disk, as a user would write it; the same with a SHA-256; and
materialize in one process, which writes an index, records and a manifest too, and can be cut off anywhere.
Reading alone shows what of it is delivery. Medians, and ratios of runs that followed each other.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import thermix
from thermix.materialize.run import materialize
from thermix.sources import open_source
from thermix.sources.reader import BatchReader
from thermix.sources.shard_writer import TokenShardWriter

LENGTH = 2048
BATCH = 64
SOURCES = 4
ROUNDS = 7


class Run:
    """A plan over shards on disk, and the ways to write it out."""

    def __init__(self, folder: Path, steps: int, steps_per_file: int) -> None:
        self.folder, self.steps, self.steps_per_file = folder, steps, steps_per_file
        generator = np.random.default_rng(0)
        for number in range(SOURCES):
            with TokenShardWriter(folder / f"source-{number}", dtype="uint16") as shard:
                tokens = steps * BATCH * LENGTH // SOURCES
                shard.append(generator.integers(0, 50_000, tokens, dtype=np.uint16))
        self.sources = {
            f"{number}": open_source(
                str(folder / f"source-{number}.bin"), name=f"{number}", sequence_length=LENGTH
            )
            for number in range(SOURCES)
        }
        named = {
            name: thermix.Source(score=float(name), items=len(source))
            for name, source in self.sources.items()
        }
        mixture = thermix.Mixture(named, temperature=thermix.linear(5.0, 1.0))
        self.plan = thermix.Plan(mixture, steps=steps, batch_size=BATCH)

    def deliver(self) -> None:
        """Read every batch, and write nothing."""
        for _ in self._reader().batches(threads=1):
            pass

    def plain(self) -> None:
        """A loop that writes what it reads."""
        self._loop(lambda data: None)

    def plain_with_checksum(self) -> None:
        """The same with a SHA-256 of each file."""
        self._loop(hashlib.sha256().update)

    def materialize(self) -> None:
        """Thermix, in this process."""
        materialize(
            self.plan,
            self.sources,
            self.folder / "out",
            layout="bin",
            steps_per_file=self.steps_per_file,
            processes=1,
        )

    def _loop(self, see: Callable[[memoryview], None]) -> None:
        (self.folder / "out").mkdir()
        batches = self._reader().batches(threads=1)
        for first in range(0, self.steps, self.steps_per_file):
            with open(self.folder / "out" / f"{first}.bin", "wb") as file:
                for _ in range(min(self.steps_per_file, self.steps - first)):
                    rows = next(batches).rows
                    assert isinstance(rows, np.ndarray)
                    see(rows.data)
                    file.write(rows.data)
                file.flush()
                os.fsync(file.fileno())

    def _reader(self) -> BatchReader:
        return BatchReader(self.plan, self.sources, dtype="storage")


def seconds(run: Run, contender: Callable[[], None]) -> float:
    """Of one turn, its files removed before and after."""
    start = time.perf_counter()
    contender()
    taken = time.perf_counter() - start
    shutil.rmtree(run.folder / "out", ignore_errors=True)
    return taken


def main() -> None:
    """Run the contenders in turns and print their rates."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--tiny", action="store_true", help="small sizes: only shows that it runs")
    parser.add_argument("--folder", default=None, help="where to write; left out, the system's temporary one")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    steps, per_file, rounds = (40, 20, 1) if given.tiny else (4_096, 1_024, given.rounds)
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        run = Run(Path(name), steps, per_file)
        contenders = {
            "reading alone": run.deliver,
            "a plain loop": run.plain,
            "a plain loop with SHA-256": run.plain_with_checksum,
            "thermix materialize": run.materialize,
        }
        taken: dict[str, list[float]] = {name: [] for name in contenders}
        for turn in range(rounds + 1):  # the first warms up
            for what, contender in contenders.items():
                each = seconds(run, contender)
                if turn or given.tiny:
                    taken[what].append(each)
    size = steps * BATCH * LENGTH * 2 / 1e6
    print(f"Python {sys.version.split()[0]}, NumPy {np.__version__}, {size:,.0f} MB, medians of {rounds}\n")
    print(f"{'':32}{'MB/s':>8}{'of the plain loop':>20}")
    for what, own in taken.items():
        ratio = statistics.median(a / b for a, b in zip(taken["a plain loop"], own, strict=True))
        print(f"{what:32}{size / statistics.median(own):8,.0f}{ratio:19.2f}x")


if __name__ == "__main__":
    main()
