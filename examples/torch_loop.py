"""A PyTorch training loop over mixed token shards, stopped in the middle and resumed."""

# needs: torch

import tempfile
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

import thermix
from thermix.sources.shard_writer import TokenShardWriter
from thermix.torch import MixtureLoader, loss_by_source, observed

VOCABULARY = 50
CONFIG = """
steps: 60
batch_size: 16
sequence_length: 32
temperature: {schedule: linear, start: 5.0, end: 1.0}
sources:
  web:   {score: 2.0, path: web}
  books: {score: 3.0, path: books}
"""


def write_shards(folder: Path) -> Path:
    """Write two sources whose next token follows from the last one; return the configuration's path."""
    for number, name in enumerate(("web", "books")):
        (folder / name).mkdir()
        with TokenShardWriter(folder / name / "part-0", dtype="uint16") as shard:
            for first in range(400):
                shard.append((first + np.arange(100) * (number + 1)) % VOCABULARY)
    config = folder / "mix.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    return config


def train(config: Path, steps: int, checkpoint: Path) -> list[float]:
    """Train up to a step, from where the checkpoint stands; return the losses."""
    plan, sources = thermix.load(config)
    loader = MixtureLoader(plan, sources, labels="shifted")
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Embedding(VOCABULARY, 32), torch.nn.Linear(32, VOCABULARY))
    optimizer = torch.optim.SGD(model.parameters(), lr=2.0)
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        model.load_state_dict(saved["model"])
        loader.load_state_dict(saved["data"])

    losses = []
    for batch in loader.until(steps):
        logits = model(batch["input_ids"])
        per_token = cross_entropy(logits.flatten(0, 1), batch["labels"].flatten(), reduction="none")
        per_token.mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(per_token.mean().item())
        if batch["step"] % 20 == 0:
            told = observed(plan, batch["step"], prefix="")
            means = loss_by_source(per_token, batch["source"], len(plan.names)).mean.tolist()
            by_source = ", ".join(f"{name} {loss:.2f}" for name, loss in zip(plan.names, means, strict=True))
            print(f"step {batch['step']:2}: T {told['temperature']:.2f}, loss {by_source}")
    torch.save({"model": model.state_dict(), "data": loader.state_dict()}, checkpoint)
    return losses


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        config = write_shards(folder)
        whole = train(config, 60, folder / "whole.pt")
        parts = [loss for steps in (25, 60) for loss in train(config, steps, folder / "parts.pt")]
        assert parts == whole, "stopped at step 25 and resumed, the losses are the same"
        assert whole[-1] < whole[0] / 2


if __name__ == "__main__":
    main()
