"""What a second node brings: `thermix prepare` on a Ray cluster of one node, and of two, on this machine.

    python benchmarks/cluster_speed.py             250 MB of text, 8 times; two idle processors
    python benchmarks/cluster_speed.py --tiny      the same code on little text, to see that it runs

A node has one processor and one thread. Each cluster is warmed up, then prepares eight copies of the text
with the same tokenizer, in turns of one cluster after the other. MB are of text. Opening the
inputs and the first worker of a node take a second of every run, however short. The cluster's own processes
and the driver take processor time too: with as many processors as nodes they share them with the tasks, as
on a cluster; with a processor left over they have it for themselves.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from prepare_speed import write_raw, write_tokenizer  # beside this file

STORE = 100 << 20
COPIES = 8


def cluster_of(nodes: int) -> Any:
    """A cluster whose head does no work, and so many nodes of one processor."""
    from ray.cluster_utils import Cluster

    made: Any = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE},
    )
    for _ in range(nodes):
        made.add_node(num_cpus=1, object_store_memory=STORE)
    made.wait_for_nodes()
    return made


def rates(
    nodes: int, processors: int, raw: list[str], warm: str, tokenizer: str, size: int, rounds: int
) -> list[float]:
    """MB/s of each round."""
    import ray

    from thermix.engines.ray import RayEngine
    from thermix.prepare.run import prepare

    found: list[float] = []
    whole = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(whole)[:processors]))  # the cluster's processes inherit it
    cluster = cluster_of(nodes)
    try:
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        for turn in range(rounds + 1):
            with tempfile.TemporaryDirectory() as folder:
                start = time.perf_counter()
                prepare(
                    raw if turn else [warm],
                    Path(folder) / "out",
                    tokenizer=tokenizer,
                    split_bytes=max(1 << 12, size // 64),
                    engine=RayEngine(),
                )
                if turn:
                    found.append(size / 1e6 / (time.perf_counter() - start))
    finally:
        ray.shutdown()
        cluster.shutdown()
        os.sched_setaffinity(0, whole)
    return found


def main() -> None:
    """Run both clusters in turns and print their rates."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--tiny", action="store_true", help="small sizes: only shows that it runs")
    parser.add_argument("--megabytes", type=int, default=250)
    parser.add_argument("--turns", type=int, default=2)
    given = parser.parse_args()
    megabytes, turns, rounds = (1, 1, 1) if given.tiny else (given.megabytes, given.turns, 1)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    with tempfile.TemporaryDirectory() as name:
        raw, warm, size = write_raw(Path(name), megabytes)
        copies = [str(shutil.copy(raw, raw.with_name(f"copy-{i}.jsonl"))) for i in range(COPIES)]
        size *= COPIES
        tokenizer = Path(name) / "tokenizer.json"
        write_tokenizer(warm, tokenizer, 1_000 if given.tiny else 32_768)
        found: dict[tuple[int, int], list[float]] = {(1, 1): [], (1, 2): [], (2, 2): []}
        for _ in range(turns):
            for (nodes, processors), own in found.items():
                own += rates(nodes, processors, copies, str(warm), str(tokenizer), size, rounds)
    medians = {case: statistics.median(own) for case, own in found.items()}
    print(f"{size / 1e6:.0f} MB of text, {os.cpu_count()} processors, medians of {turns * rounds}\n")
    print("nodes  processors      MB/s")
    for (nodes, processors), rate in medians.items():
        print(f"{nodes:5}{processors:12}{rate:10.1f}{rate / medians[1, 1]:7.2f}x")


if __name__ == "__main__":
    main()
