"""Lightning over a plan: the loader goes in as it is, and Lightning's own checkpoints carry its place.

`python examples/lightning_fit.py FOLDER` keeps its checkpoints there, or in a temporary folder.
"""

# needs: torch, lightning

import sys
import tempfile

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.nn.functional import cross_entropy

import thermix
from thermix.sources import ObjectSource
from thermix.torch import MixtureLoader

SCORES = {"web": 2.0, "books": 3.0}
ROWS = {  # in a row of a source each token follows from the one before; on disk this is `thermix.load(path)`
    "web": (np.arange(400)[:, None] + np.arange(33)) % 50,
    "books": (np.arange(100)[:, None] + np.arange(33) * 2) % 50,
}
NAMED = {name: thermix.Source(score=SCORES[name], items=len(rows)) for name, rows in ROWS.items()}
MIXTURE = thermix.Mixture(NAMED, temperature=thermix.linear(5.0, 1.0))
PLAN = thermix.Plan(MIXTURE, steps=30, batch_size=16)


class Module(lightning.LightningModule):
    """Predicts a token from the one before it."""

    def __init__(self) -> None:
        super().__init__()
        self.model = torch.nn.Sequential(torch.nn.Embedding(50, 32), torch.nn.Linear(32, 50))
        self.trained_on: list[int] = []

    def train_dataloader(self) -> MixtureLoader:
        """Called when the process group is up, so that rank and world size are known."""
        sources = {name: ObjectSource(rows, name=name, sequence_length=33) for name, rows in ROWS.items()}
        return MixtureLoader(PLAN, sources, labels="shifted")

    def training_step(self, batch: dict[str, torch.Tensor], number: int) -> torch.Tensor:
        """The loss of a batch."""
        self.trained_on.append(int(batch["step"]))
        return cross_entropy(self.model(batch["input_ids"]).flatten(0, 1), batch["labels"].flatten())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Plain descent."""
        return torch.optim.SGD(self.parameters(), lr=2.0)


def fit(folder: str, checkpoint: str | None = None) -> Module:
    """Train to the plan's end, from a checkpoint."""
    every = ModelCheckpoint(folder, "{step}", every_n_train_steps=10, save_top_k=-1)
    trainer = lightning.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_progress_bar=False, callbacks=[every]
    )
    module = Module()
    trainer.fit(module, ckpt_path=checkpoint)
    return module


def main() -> None:
    folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()
    print(f"trained on steps {fit(folder).trained_on[0]} to {PLAN.end - 1}")
    again = fit(folder, f"{folder}/step=20.ckpt")
    print(f"from the checkpoint of step 20: steps {again.trained_on[0]} to {again.trained_on[-1]}")


if __name__ == "__main__":
    main()
