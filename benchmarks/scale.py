"""What thermix costs past the machines it was measured on: arithmetic on rates that were measured.

    python benchmarks/scale.py                     the tables of docs/scale.md
    python benchmarks/scale.py --ranks 512 --store-gbit 100 --cache-gb 2000
    python benchmarks/scale.py --measure           with the rates of planning and opening of this machine

Every figure is an argument. Rates of thermix were measured on two shared cores of a cloud machine (2026-11);
those of networks and stores are assumptions. Nothing here is a promise: it shows what grows with what, and
what gives way first.
"""

from __future__ import annotations

import argparse
import math
import pickle
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

Row = tuple[str, str]

_GRID = 131_072  # runs of one temperature in a plan, at most
_TASKS = 100_000  # pieces of one preparation, at most
_TOKEN = 2  # bytes
_STATE = 500  # bytes of a run's state, at most
_IN_FLIGHT = 2  # tasks for each processor


@dataclass(frozen=True)
class Scale:
    """What is asked about, and what was measured; the comment of each is its help."""

    tokens: float = 1e13  # tokens of the run
    sources: int = 1_000  # sources
    shards: int = 100_000  # token shards in the object store, of all sources
    sequence_length: int = 2_048  # tokens in a sequence
    batch_size: int = 20_000  # sequences in a step, over all ranks
    ranks: int = 10_000  # data-parallel ranks
    ranks_per_host: int = 8  # ranks that share a host, its cache and its network
    step_seconds: float = 10.0  # of training
    cache_gb: float = 4_000.0  # disk of a host for shards
    host_gbit: float = 25.0  # network of a host
    store_gbit: float = 1_000.0  # what the object store gives to all hosts together
    prefix_rate: float = 5_500.0  # requests a second that an object store takes for one folder
    request_ms: float = 30.0  # until an object store answers
    read_gb: float = 2.0  # GB/s of reading shards that lie on a host, one process
    write_gb: float = 0.5  # GB/s of materialize, one process
    raw_tokens: float = 15e12  # tokens to prepare
    bytes_per_token: float = 4.2  # of raw text
    prepare_mb: float = 70.0  # MB/s of raw text a core prepares, with a BPE of 32,768 ids
    node_cores: int = 64  # processors of a node that prepares
    system_gb: float = 100.0  # GB/s of the file system that all nodes see
    shard_gb: float = 1.0  # of raw text in a piece of work: --shard-size
    tokenizer_mb: float = 7.0  # size of tokenizer.json
    grid_us: float = 0.09  # of processor, to count one source in one run of the temperature grid
    draw_us: float = 0.30  # of processor, to find one draw
    step_ms: float = 1.1  # of processor, to find a rank's draws of a step
    plan_mb: float = 44.0  # of memory, for a plan of 1,000 sources
    shard_us: float = 44.0  # of processor, to open one shard from a manifest
    shard_kb: float = 6.6  # of memory, for one shard of an opened source
    record_bytes: float = 326.0  # of a manifest, for one shard
    record_ms: float = 2.0  # to look at one finished piece, on a shared file system

    @property
    def steps(self) -> int:
        """Of the run."""
        return int(self.tokens / self.sequence_length / self.batch_size)

    @property
    def hosts(self) -> int:
        """That train."""
        return math.ceil(self.ranks / self.ranks_per_host)

    @property
    def shard_bytes(self) -> float:
        """Of one shard, each token being in one."""
        return self.tokens * _TOKEN / self.shards


def planning(scale: Scale) -> Iterator[Row]:
    """A plan: its size does not depend on the number of tokens, but on sources and the temperature."""
    runs = min(_GRID, scale.steps)
    scan = runs * scale.sources * scale.grid_us / 1e6
    yield "steps", f"{scale.steps:,} of {scale.batch_size:,} sequences"
    yield "to make the plan, in a process that only plans", "under 0.1 s"
    yield "to find the last step (a scan of the temperature grid)", f"{scan:.0f} s of one core"
    yield "to forecast (the scan, and every source's ends)", f"{4 * scan:.0f} s of one core"
    yield (
        "memory",
        f"{scale.plan_mb * scale.sources / 1_000:.0f} MB; a table of draws would be "
        + size(scale.tokens / scale.sequence_length * 12),
    )
    draws = scale.steps * scale.batch_size
    yield "all draws of the run, once", f"{seconds(draws * scale.draw_us / 1e6)} of one core"


def running(scale: Scale) -> Iterator[Row]:
    """Ranks that read shards from an object store through the cache of their host."""
    scan = min(_GRID, scale.steps) * scale.sources * scale.grid_us / 1e6
    requests = 2 * scale.sources
    yield "start: requests of a rank (a listing and a manifest for each source)", f"{requests:,}"
    yield "start: the same without manifests (three reads a shard)", f"{3 * scale.shards:,}"
    yield "start: requests of all ranks", f"{requests * scale.ranks:,}"
    yield "start: waiting for them, one source after the other", seconds(requests * scale.request_ms / 1e3)
    yield "start: more, as all ranks begin with one folder", seconds(scale.ranks / scale.prefix_rate)
    yield "start: bytes of manifests, all ranks", size(scale.ranks * scale.shards * scale.record_bytes)
    yield "start: processor of a rank, to open its shards", seconds(scale.shards * scale.shard_us / 1e6)
    yield "memory of a rank, for the shards", size(scale.shards * scale.shard_kb * 1e3)
    yield "resume at the last step, more than that", f"{scan:.0f} s; the state is under {_STATE} bytes"
    yield "delivery: processor of a rank, to find its draws", f"{scale.step_ms:.1f} ms of a step"
    each = scale.batch_size / scale.hosts
    own = scale.batch_size / scale.ranks * scale.sequence_length * _TOKEN
    yield "delivery: bytes a rank needs", f"{size(own)} a step, {size(own / scale.step_seconds)}/s"
    yield from _fetching(scale, each)


def _fetching(scale: Scale, each: float) -> Iterator[Row]:
    """Whole shards are fetched for the sequences in them; `each` sequences a step and host."""
    data, cache = scale.tokens * _TOKEN, scale.cache_gb * 1e9
    kept = min(1.0, cache / data)
    first, later = each * scale.shard_bytes, each * (1 - kept) * scale.shard_bytes
    known = 1 - (1 - 1 / scale.shards) ** (each * 3600 / scale.step_seconds)
    yield (
        "fetching: a host, in its first step",
        f"{size(first)} for {size(each * scale.sequence_length * _TOKEN)}",
    )
    yield "fetching: shards a host has met after an hour", f"{known:.1%} of {scale.shards:,}"
    yield f"fetching: a host, once its cache of {size(cache)} is full", f"{size(later)} a step"
    needed = later * 8 / scale.step_seconds / 1e9
    yield (
        "fetching: network of a host",
        f"{needed:.1f} of {scale.host_gbit:g} Gbit/s{broken(needed, scale.host_gbit)}",
    )
    total = needed * scale.hosts
    yield (
        "fetching: all hosts",
        f"{total:,.0f} of {scale.store_gbit:,.0f} Gbit/s{broken(total, scale.store_gbit)}",
    )
    yield "instead, materialize: a host then reads", f"{size(data / scale.hosts)} in all, front to back"
    writing = data / (scale.write_gb * 1e9)
    yield (
        "instead, materialize: to write it",
        f"{seconds(writing)} of one process with all shards on its disk",
    )


def preparing(scale: Scale) -> Iterator[Row]:
    """Raw text to shards, on nodes that see one file system."""
    raw = scale.raw_tokens * scale.bytes_per_token
    pieces = math.ceil(raw / (scale.shard_gb * 1e9))
    yield "raw text", f"{size(raw)}, to {size(scale.raw_tokens * _TOKEN)} of shards"
    yield f"pieces of {scale.shard_gb:g} GB", f"{pieces:,} of {_TASKS:,} at most{broken(pieces, _TASKS)}"
    for nodes in (4, 16, 64, 256):
        cores = nodes * scale.node_cores
        rounds = math.ceil(pieces / cores) * cores / pieces  # the last pieces keep few cores busy
        time_all = raw / (cores * scale.prepare_mb * 1e6) * rounds
        needed = raw / time_all / 1e9
        yield (
            f"on {nodes} nodes of {scale.node_cores} cores",
            (f"{seconds(time_all)}, reading {needed:,.0f} GB/s{broken(needed, scale.system_gb)}"),
        )
    flying = _IN_FLIGHT * 64 * scale.node_cores
    yield "tasks given to 64 nodes at a time", f"{flying:,}"
    yield "with the tokenizer in each of them", f"{size(flying * scale.tokenizer_mb * 1e6)} in the driver"
    yield (
        "as it is: the tokenizer sent once",
        f"{size(scale.tokenizer_mb * 1e6 + flying * 1e3)} in the driver",
    )
    yield "a second run, to see what is done", seconds(pieces * scale.record_ms / 1e3)
    yield "manifest", size(pieces * scale.record_bytes)


def size(count: float) -> str:
    """Bytes in three digits."""
    for unit in ("bytes", "kB", "MB", "GB", "TB", "PB"):
        if count < 1_000 or unit == "PB":
            break
        count /= 1_000
    return f"{count:.3g} {unit}" if count < 1_000 else f"{count:,.0f} {unit}"


def seconds(count: float) -> str:
    """As in "44 s", "2.1 min", "12 hours"."""
    if count < 100:
        return f"{count:.2g} s"
    return f"{count / 60:.2g} min" if count < 6_000 else f"{count / 3600:.2g} hours"


def broken(need: float, most: float) -> str:
    """What is said where more is needed than there is."""
    return f": {need / most:.1f} times too much" if need > most else ""


def measured(scale: Scale) -> Scale:
    """The rates of planning and opening, as they are on this machine now."""
    from thermix import Mixture, Plan, Source, linear

    named = {
        f"source {i}": Source(score=(i * 7919 % scale.sources) / 150, items=10_000_000)
        for i in range(scale.sources)
    }
    plan = Plan(Mixture(named, temperature=linear(5.0, 1.0)), steps=scale.steps, batch_size=scale.batch_size)
    fresh = pickle.loads(pickle.dumps(plan))
    last, before = plan.end - 64, memory_mb()
    scan = taken(lambda: fresh.batches(last, last + 1, 0, scale.ranks))
    used = memory_mb() - before
    step = taken(lambda: fresh.batches(last, last + 64, 0, scale.ranks)) / 64
    draws = taken(lambda: fresh.batches(last, last + 4)) / 4 / scale.batch_size
    shard, each = opening(10_000)
    return replace(
        scale,
        grid_us=scan / (min(_GRID, scale.steps) * scale.sources) * 1e6,
        step_ms=step * 1e3,
        draw_us=draws * 1e6,
        plan_mb=used / scale.sources * 1_000,
        shard_us=shard * 1e6,
        shard_kb=each,
    )


def opening(count: int) -> tuple[float, float]:
    """Seconds of processor and kB of memory for a shard of a manifest with so many."""
    from thermix.sources.manifest import FileRecord, Manifest, ShardRecord, canonical_json
    from thermix.sources.remote_manifest import prepared_files

    record = FileRecord(bytes=34 + 20 + 8, sha256="0" * 64)
    data = FileRecord(bytes=200_000_000, sha256="0" * 64)
    shards = [
        ShardRecord(name=f"shard-{i:05d}-000", documents=1, tokens=100_000_000, bin=data, idx=record)
        for i in range(count)
    ]
    manifest = Manifest(
        tokenizer={"kind": "bytes"},
        dtype="uint16",
        end_of_document=0,
        field="text",
        split_bytes=1 << 30,
        documents=count,
        tokens=count * 100_000_000,
        skipped=0,
        inputs=[],
        shards=shards,
    )
    text, before, kept = canonical_json(manifest), memory_mb(), []
    spent = taken(lambda: kept.append(prepared_files("s3://bucket/web", text, "web", {})))
    return spent / count, (memory_mb() - before) * 1e3 / count


def taken(work: object) -> float:
    """Seconds of processor."""
    assert callable(work)
    start = time.process_time()
    work()
    return time.process_time() - start


def memory_mb() -> float:
    """Of this process now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4096 / 1e6


def tables(scale: Scale) -> str:
    """All three, as text."""
    shards = f"{scale.shards:,} shards of {size(scale.shard_bytes)}"
    titles = {
        f"Planning {scale.tokens:.3g} tokens over {scale.sources:,} sources": planning,
        f"{scale.ranks:,} ranks on {scale.hosts:,} hosts, {shards}": running,
        f"Preparing {scale.raw_tokens:.3g} tokens": preparing,
    }
    lines = []
    for title, part in titles.items():
        rows = list(part(scale))
        width = max(len(what) for what, _ in rows)
        lines += [title, *(f"  {what:{width}}  {value}" for what, value in rows), ""]
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    """Read the arguments and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    for field in fields(Scale):
        kind = int if field.type == "int" else float
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default)
    parser.add_argument("--measure", action="store_true", help="measure planning and opening here")
    given = vars(parser.parse_args())
    measure = given.pop("measure")
    scale = Scale(**given)
    sys.stdout.write(tables(measured(scale) if measure else scale))


if __name__ == "__main__":
    main()
