"""What the PyTorch loader costs: rows a second beside raw delivery and a memmap, state, resume, waiting.

    python benchmarks/loader_speed.py            the table of docs/training.md, about two minutes
    python benchmarks/loader_speed.py --tiny     the same code on small sizes, to see that it runs

Makes its own shards (1 GB in three sources, uint16) in a temporary folder and removes them. What is compared
runs in turns in one process, batches of 64 rows of 2,048 tokens as int64. A rate is a median; a ratio is the
median of the turns' ratios.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, WeightedRandomSampler

import thermix
from thermix.sources import ItemSource, open_source
from thermix.sources.compiled import LOOPS
from thermix.sources.reader import BatchReader
from thermix.sources.shard_writer import TokenShardWriter
from thermix.torch import MixtureBatchSampler, MixtureDataset, MixtureLoader, collate

LENGTH, BATCH = 2048, 64
SHARES = {"web": 0.5, "books": 0.3, "code": 0.2}
LATE = 10_000_000

Contender = Callable[[int, int], Iterable[object]]


@dataclass(frozen=True)
class Sizes:
    """How much is measured."""

    tokens: int
    steps: int
    turns: int
    runs: int
    train_steps: int


FULL = Sizes(tokens=1 << 29, steps=400, turns=11, runs=9, train_steps=100)
TINY = Sizes(tokens=1 << 21, steps=10, turns=1, runs=1, train_steps=3)


class Rows(Dataset[torch.Tensor]):
    """What one would write: the rows of one flat file."""

    def __init__(self, rows: NDArray[np.uint16]) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> torch.Tensor:
        return torch.from_numpy(self.rows[number].astype(np.int64))


@dataclass(frozen=True)
class Data:
    """The sources, opened, and the same rows as one array."""

    sources: Mapping[str, ItemSource]
    rows: NDArray[np.uint16]

    def plan(self, steps: int) -> thermix.Plan:
        """A plan whose temperature changes at every step."""
        named = {
            name: thermix.Source(score=float(number), items=len(source))
            for number, (name, source) in enumerate(self.sources.items())
        }
        mixture = thermix.Mixture(named, temperature=thermix.linear(5.0, 1.0))
        return thermix.Plan(mixture, steps=steps, batch_size=BATCH)

    def weights(self) -> NDArray[np.float64]:
        """A weight for each row: the plan's mean shares, spread over each source's rows."""
        lengths = np.array([len(source) for source in self.sources.values()])
        return np.repeat(self.plan(1_000).probabilities(np.arange(1_000)).mean(0) / lengths, lengths)


def write_data(folder: Path, tokens: int) -> Data:
    """Random tokens as a shard a source, and as one flat file; every page of both is touched."""
    rng = np.random.default_rng(0)
    with open(folder / "all.flat", "wb") as flat:
        for name, share in SHARES.items():
            rows = int(tokens * share) // LENGTH
            ids = rng.integers(0, 65536, rows * LENGTH, dtype=np.uint16)
            with TokenShardWriter(folder / name, dtype="uint16") as shard:
                shard.extend(ids, np.full(2 * rows, LENGTH // 2))
            flat.write(ids.data)
    sources = {
        name: open_source(str(folder / f"{name}.bin"), name=name, sequence_length=LENGTH) for name in SHARES
    }
    rows = np.memmap(folder / "all.flat", np.uint16, "r").reshape(-1, LENGTH)
    rows[:, :: LENGTH - 1].sum()
    for source in sources.values():
        for start in range(0, len(source), 1024):
            source.read(np.arange(start, min(start + 1024, len(source))))
    return Data(sources, rows)


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def contenders(data: Data, steps: int) -> dict[str, Contender]:
    """What iterates the batches of a span of steps; thermix goes to its first step in its time."""
    plan = data.plan(steps)
    reader, loader = BatchReader(plan, data.sources), MixtureLoader(plan, data.sources)
    weighted = WeightedRandomSampler(data.weights().tolist(), steps * BATCH)
    rival = iter(DataLoader(Rows(data.rows), BATCH, sampler=weighted))
    sampler = MixtureBatchSampler(plan)
    stacked, samples = (
        DataLoader(
            MixtureDataset(plan, data.sources, stacked=stacked), batch_sampler=sampler, collate_fn=collate
        )
        for stacked in (True, False)
    )

    def until(start: int, stop: int) -> Iterable[object]:
        loader.seek(start)
        return loader.until(stop)

    def of(batches: DataLoader[Any]) -> Contender:
        def some(start: int, stop: int) -> Iterable[object]:
            sampler.seek(start)
            return islice(batches, stop - start)

        return some

    return {
        "raw delivery (BatchReader)": reader.batches,
        "DataLoader, memmap, weighted": lambda start, stop: islice(rival, stop - start),
        "MixtureLoader": until,
        "DataLoader, stacked": of(stacked),
        "DataLoader, samples": of(samples),
    }


def rows_a_second(data: Data, sizes: Sizes) -> None:
    """Rates in turns, with ratios to the first two."""
    running = contenders(data, sizes.steps * (sizes.turns + 1))
    rates: dict[str, list[float]] = {name: [] for name in running}
    for turn in range(sizes.turns + 1):  # the first warms up
        for name, contender in running.items():
            took = seconds(lambda: exhaust(contender(turn * sizes.steps, (turn + 1) * sizes.steps)))  # noqa: B023
            if turn:
                rates[name].append(sizes.steps * BATCH / took)
    print("\nno worker processes               thousand rows/s     to raw  to memmap")
    for name, own in rates.items():
        to_raw, to_memmap = (
            statistics.median(a / b for a, b in zip(own, rates[rival], strict=True))
            for rival in list(rates)[:2]
        )
        print(f"  {name:30}{statistics.median(own) / 1e3:17.0f}{to_raw:11.2f}{to_memmap:11.2f}")


def exhaust(batches: Iterable[object]) -> None:
    """Take every batch, one after the other."""
    for _ in batches:
        pass


def state(data: Data, sizes: Sizes) -> None:
    """Size of a state and time to take it; from a state to the first batch."""
    saved = json.dumps(data.plan(2 * LATE).to_dict())
    print("\nat step              state, bytes   to take, us   to the first batch, ms   with a DataLoader")
    for step in (10, LATE):
        loader = MixtureLoader(thermix.Plan.from_dict(json.loads(saved)), data.sources)
        loader.seek(step)
        loader.state_dict()
        taking = statistics.median(seconds(loader.state_dict) for _ in range(100 * sizes.runs))
        text = json.dumps(loader.state_dict())
        resumed = [
            statistics.median(seconds(lambda: go_on(data, saved, text)) for _ in range(sizes.runs))  # noqa: B023
            for go_on in (first_batch, first_of_dataloader)
        ]
        print(
            f"{step:>13,}{len(text.encode()):20}{taking * 1e6:14.1f}{resumed[0] * 1e3:25.1f}"
            f"{resumed[1] * 1e3:20.1f}"
        )


def first_batch(data: Data, plan: str, state: str) -> None:
    """From plan and state as they were saved to the first batch; the sources are open."""
    loader = MixtureLoader(thermix.Plan.from_dict(json.loads(plan)), data.sources)
    loader.load_state_dict(json.loads(state))
    with loader:
        next(iter(loader))


def first_of_dataloader(data: Data, plan: str, state: str) -> None:
    """The same through a DataLoader."""
    opened = thermix.Plan.from_dict(json.loads(plan))
    sampler = MixtureBatchSampler(opened)
    sampler.load_state_dict(json.loads(state))
    dataset = MixtureDataset(opened, data.sources, stacked=True)
    next(iter(DataLoader(dataset, batch_sampler=sampler, collate_fn=collate)))


def waiting(data: Data, sizes: Sizes) -> None:
    """The share of its time that a loop waits for batches, while a model trains in one thread."""
    torch.set_num_threads(1)
    model = torch.nn.Sequential(torch.nn.EmbeddingBag(65536, 256), torch.nn.Linear(256, 64))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    waited, computed = [], []
    batches = iter(MixtureLoader(data.plan(sizes.train_steps), data.sources))
    with suppress(StopIteration):
        while True:
            start = time.perf_counter()
            batch = next(batches)
            got = time.perf_counter()
            model(batch["input_ids"]).square().mean().backward()
            optimizer.step()
            optimizer.zero_grad()
            waited.append(got - start)
            computed.append(time.perf_counter() - got)
    del waited[0], computed[0]  # starting
    share = sum(waited) / (sum(waited) + sum(computed))
    print(
        f"\na model in one thread, {statistics.median(computed) * 1e3:.0f} ms a step: the loop waits "
        f"{100 * share:.2f} % of the time, {statistics.median(waited) * 1e6:.0f} us a step"
    )


def main() -> None:
    """Run every part and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--tiny", action="store_true", help="small sizes: only shows that it runs")
    sizes = TINY if parser.parse_args().tiny else FULL
    print(
        f"Python {sys.version.split()[0]}, NumPy {np.__version__}, PyTorch {torch.__version__}, "
        f"thermix {thermix.__version__}"
    )
    LOOPS.compile(np.dtype("uint16"), np.dtype("int64"))  # as a run has it after some seconds
    compiled = LOOPS.widen(np.dtype("uint16"), np.dtype("int64"), 0) is not None
    print(f"rows are copied by {'a loop that numba compiled' if compiled else 'NumPy'}")
    with tempfile.TemporaryDirectory() as folder:
        data = write_data(Path(folder), sizes.tokens)
        rows_a_second(data, sizes)
        state(data, sizes)
        waiting(data, sizes)


if __name__ == "__main__":
    main()
