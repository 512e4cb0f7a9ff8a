"""Plain DDP: every rank reads its share of each step, and a checkpoint fits any number of ranks.

`torchrun --nproc-per-node 4 examples/ddp.py FOLDER 20` trains until step 20, from where FOLDER's checkpoint
stands. Without arguments it trains 10 steps on 2 ranks, and goes on on 1 with the same global batches.
"""

# needs: torch
# slow: it starts torchrun twice

import gc
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

import thermix
from thermix.sources import ObjectSource
from thermix.torch import MixtureLoader

SCORES = {"web": 2.0, "books": 3.0}
ROWS = {  # in a row of a source each token follows from the one before; on disk this is `thermix.load(path)`
    "web": (np.arange(400)[:, None] + np.arange(33)) % 50,
    "books": (np.arange(100)[:, None] + np.arange(33) * 2) % 50,
}


def train(checkpoint: Path, until: int) -> None:
    """Train up to a step, from where the checkpoint stands."""
    named = {name: thermix.Source(score=SCORES[name], items=len(rows)) for name, rows in ROWS.items()}
    plan = thermix.Plan(thermix.Mixture(named, temperature=thermix.linear(5.0, 1.0)), steps=20, batch_size=16)
    sources = {name: ObjectSource(rows, name=name, sequence_length=33) for name, rows in ROWS.items()}
    loader = MixtureLoader(plan, sources, labels="shifted")  # rank and world size are the process group's
    torch.manual_seed(0)
    model = DistributedDataParallel(torch.nn.Sequential(torch.nn.Embedding(50, 32), torch.nn.Linear(32, 50)))
    optimizer = torch.optim.SGD(model.parameters(), lr=2.0)
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        model.module.load_state_dict(saved["model"])
        loader.load_state_dict(saved["data"])
    for batch in loader.until(until):
        loss = cross_entropy(model(batch["input_ids"]).flatten(0, 1), batch["labels"].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    if dist.get_rank() == 0:
        print(
            f"until step {loader.step} on {loader.world_size} ranks: loss {loss.item():.2f} on rank 0",
            flush=True,
        )
        torch.save({"model": model.module.state_dict(), "data": loader.state_dict()}, checkpoint)


def main() -> None:
    if len(sys.argv) == 3:
        dist.init_process_group("gloo")
        train(Path(sys.argv[1], "checkpoint.pt"), int(sys.argv[2]))
        gc.collect()  # the model holds on to the group, which must end before the interpreter does
        dist.destroy_process_group()
        return
    with tempfile.TemporaryDirectory() as folder:
        for ranks, until in ((2, 10), (1, 20)):
            torchrun = ["torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}"]
            subprocess.run([sys.executable, "-m", *torchrun, __file__, folder, str(until)], check=True)


if __name__ == "__main__":
    main()
