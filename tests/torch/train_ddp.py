"""A tiny GPT under DDP on prepared shards of real text; what `test_with_ddp.py` kills and goes on with.

    torchrun --nproc-per-node 2 tests/torch/train_ddp.py FOLDER --until 40

FOLDER holds what `make_data` wrote, and gets checkpoints and a log of every step's loss and tokens.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import inspect
import json
import os
import subprocess
import sys
from contextlib import nullcontext
from itertools import chain
from pathlib import Path
from pydoc_data.topics import topics

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

import thermix
from thermix.torch import MixtureLoader

VOCABULARY, LENGTH, WIDTH = 257, 64, 64  # bytes, and the end of a document
CONFIG = f"""
steps: 40
batch_size: 16
sequence_length: {LENGTH}
tokenizer: bytes
temperature: {{schedule: linear, start: 5.0, end: 1.0}}
sources:
  help: {{score: 2.0, path: help.jsonl, field: text}}
  code: {{score: 3.0, path: code.jsonl, field: text}}
"""


class TinyGPT(nn.Module):
    """Two layers of causal attention over bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(LENGTH, WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 4 * WIDTH, 0.0, batch_first=True, norm_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(WIDTH, VOCABULARY)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        mask = nn.Transformer.generate_square_subsequent_mask(ids.shape[1])
        hidden = self.tokens(ids) + self.places.weight[: ids.shape[1]]
        logits: torch.Tensor = self.out(self.layers(hidden, mask, is_causal=True))
        return logits


def train(folder: Path, until: int, micro_batch_size: int) -> None:
    """Train up to a step, from where the checkpoint stands."""
    plan, sources = thermix.load(folder / "mix.yaml")
    loader = MixtureLoader(plan, sources, labels="shifted", micro_batch_size=micro_batch_size)
    torch.manual_seed(0)
    model = DistributedDataParallel(TinyGPT())
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        model.module.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        loader.load_state_dict(saved["data"])

    for batch in loader.until(until):
        if batch["micro_batch"] == 0:
            loss, digests = torch.zeros(()), []
        last = batch["micro_batch"] == batch["micro_batches"] - 1
        with nullcontext() if last else model.no_sync():
            logits = model(batch["input_ids"])
            part = cross_entropy(logits.flatten(0, 1), batch["labels"].flatten()) / batch["micro_batches"]
            part.backward()
        loss += part.detach()
        digests.append(hashlib.sha256(batch["input_ids"].numpy().tobytes()).hexdigest()[:16])
        if last:
            optimizer.step()
            optimizer.zero_grad()
            log(folder, batch["step"], loss, digests)
            if loader.step % 5 == 0 and dist.get_rank() == 0:
                state = {"model": model.module.state_dict(), "optimizer": optimizer.state_dict()}
                torch.save({**state, "data": loader.state_dict()}, folder / "checkpoint.new")
                os.replace(folder / "checkpoint.new", checkpoint)  # whoever looks finds a whole one


def log(folder: Path, step: int, loss: torch.Tensor, digests: list[str]) -> None:
    """Write the mean loss over all ranks, and what the tokens of each micro-batch of the step were."""
    dist.all_reduce(loss)
    of_ranks: list[list[str]] = [[]] * dist.get_world_size()
    dist.all_gather_object(of_ranks, digests)
    if dist.get_rank() == 0:
        tokens = list(chain.from_iterable(of_ranks))
        told = {"step": step, "loss": loss.item() / len(of_ranks), "tokens": tokens}
        with open(folder / "log.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")


def make_data(folder: Path) -> None:
    """Write the configuration and its raw text, and prepare that."""
    texts = {"help": topics.values(), "code": map(inspect.getsource, (argparse, json, inspect, subprocess))}
    for name, rows in texts.items():
        lines = "".join(json.dumps({"text": text}) + "\n" for text in rows)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    (folder / "mix.yaml").write_text(CONFIG, encoding="utf-8")
    subprocess.run([sys.executable, "-m", "thermix", "prepare", "mix.yaml"], cwd=folder, check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--until", type=int, required=True)
    parser.add_argument("--micro-batch-size", type=int, required=True)
    given = parser.parse_args()
    dist.init_process_group("gloo")
    train(given.folder, given.until, given.micro_batch_size)
    gc.collect()  # the model holds on to the group, which must not live until the interpreter has gone
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
