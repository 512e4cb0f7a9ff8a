"""A tiny GPT trained by a framework on prepared shards; `test_with_frameworks.py` kills it and goes on.

    python tests/torch/train_with.py trainer FOLDER
    torchrun --nproc-per-node 2 tests/torch/train_with.py lightning FOLDER

FOLDER holds what `train_ddp.make_data` wrote, and gets the framework's own checkpoints and a log
of every step's loss and tokens. The last checkpoint is gone on from.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import json
import os
from itertools import chain
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.nn.functional import cross_entropy

import thermix
from tests.torch.train_ddp import LENGTH, VOCABULARY, TinyGPT
from thermix.torch import MixtureLoader

RATE, EVERY = 3e-3, 5
WORLD = int(os.environ.get("WORLD_SIZE", 1))
MICRO = 4  # rows on a rank at a time: 16 / (4 * WORLD) parts make a step


def told(folder: Path, step: int, loss: float, digests: list[str]) -> None:
    """Log the loss of a step, and what the tokens of each of its micro-batches were, rank by rank."""
    of_ranks = [digests]
    if dist.is_initialized():
        of_ranks = [[]] * WORLD
        dist.all_gather_object(of_ranks, digests)
    if int(os.environ.get("RANK", 0)) == 0:
        with open(folder / "log.jsonl", "a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, "loss": loss, "tokens": [*chain(*of_ranks)]}) + "\n")


def digest(ids: torch.Tensor) -> str:
    return hashlib.sha256(ids.numpy().tobytes()).hexdigest()[:16]


def latest(folder: Path, pattern: str) -> Path | None:
    """The checkpoint of the greatest step."""
    found = sorted(folder.glob(pattern), key=lambda path: int("".join(filter(str.isdigit, path.name))))
    return found[-1] if found else None


def by_trainer(folder: Path) -> None:
    import transformers

    from thermix.torch.trainer import MixtureTrainer

    plan, sources = thermix.load(folder / "mix.yaml")

    class Told(MixtureTrainer):
        """Logs what the model is given."""

        digests: list[str] = []  # noqa: RUF012

        def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            assert sorted(inputs) == ["input_ids", "labels"]
            self.digests.append(digest(inputs["input_ids"]))
            return super().training_step(model, inputs, *args, **kwargs)

        def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
            if "loss" in logs:
                told(folder, self.state.global_step - 1, logs["loss"], self.digests)
                self.digests.clear()
            super().log(logs, *args, **kwargs)

    transformers.set_seed(0)
    shape = {"n_positions": LENGTH, "n_embd": 32, "n_layer": 2, "n_head": 2}
    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(vocab_size=VOCABULARY, **shape))
    args = transformers.TrainingArguments(
        str(folder / "trainer"),
        per_device_train_batch_size=MICRO,
        gradient_accumulation_steps=16 // (MICRO * WORLD),
        learning_rate=RATE,
        save_steps=EVERY,
        logging_steps=1,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )
    trainer = Told(model=model, args=args, plan=plan, sources=sources)
    trainer.train(resume_from_checkpoint=latest(folder, "trainer/checkpoint-*") is not None)


def by_lightning(folder: Path) -> None:
    import lightning
    from lightning.pytorch.callbacks import ModelCheckpoint

    plan, sources = thermix.load(folder / "mix.yaml")

    class Module(lightning.LightningModule):  # type: ignore[misc] # has no types here
        """Logs what it is given."""

        def __init__(self) -> None:
            super().__init__()
            self.model, self.loss = TinyGPT(), torch.zeros(())
            self.digests: list[str] = []

        def train_dataloader(self) -> MixtureLoader:
            return MixtureLoader(plan, sources, labels="shifted", micro_batch_size=MICRO)

        def training_step(self, batch: dict[str, Any], number: int) -> torch.Tensor:
            logits = self.model(batch["input_ids"])
            loss = cross_entropy(logits.flatten(0, 1), batch["labels"].flatten())
            self.digests.append(digest(batch["input_ids"]))
            self.loss += loss.detach() / batch["micro_batches"]
            if batch["micro_batch"] == batch["micro_batches"] - 1:
                if WORLD > 1:
                    dist.all_reduce(self.loss)
                told(folder, batch["step"], self.loss.item() / WORLD, self.digests)
                self.loss, self.digests = torch.zeros(()), []
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters(), lr=RATE)

    lightning.seed_everything(0)
    trainer = lightning.Trainer(
        max_epochs=1,
        accumulate_grad_batches=16 // (MICRO * WORLD),
        accelerator="cpu",
        devices=WORLD,
        strategy="ddp" if WORLD > 1 else "auto",
        logger=False,
        enable_progress_bar=False,
        callbacks=[ModelCheckpoint(folder / "lightning", "{step}", every_n_train_steps=EVERY, save_top_k=-1)],
    )
    trainer.fit(Module(), ckpt_path=latest(folder, "lightning/*.ckpt"))


def by_accelerate(folder: Path) -> None:
    import accelerate

    accelerator = accelerate.Accelerator(cpu=True, gradient_accumulation_steps=16 // (MICRO * WORLD))
    plan, sources = thermix.load(folder / "mix.yaml")
    torch.manual_seed(0)
    model: Any = TinyGPT()
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    loader = MixtureLoader(plan, sources, labels="shifted", micro_batch_size=MICRO)
    prepared, model, optimizer = accelerator.prepare(loader, model, optimizer)
    assert prepared is loader  # it has its rank's share already
    accelerator.register_for_checkpointing(loader)
    if saved := latest(folder, "accelerate-*"):
        accelerator.load_state(str(saved))
    loss, digests = torch.zeros(()), list[str]()
    for batch in loader:
        with accelerator.accumulate(model):
            logits = model(batch["input_ids"])
            part = cross_entropy(logits.flatten(0, 1), batch["labels"].flatten())
            accelerator.backward(part)
            optimizer.step()
            optimizer.zero_grad()
        loss, digests = loss + part.detach() / batch["micro_batches"], [*digests, digest(batch["input_ids"])]
        if batch["micro_batch"] == batch["micro_batches"] - 1:
            assert accelerator.sync_gradients
            told(folder, batch["step"], accelerator.reduce(loss, "mean").item(), digests)
            loss, digests = torch.zeros(()), []
            if loader.step % EVERY == 0:
                accelerator.save_state(str(folder / f"accelerate-{loader.step}"))


def train() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    frameworks: dict[str, Any] = {
        "trainer": by_trainer,
        "lightning": by_lightning,
        "accelerate": by_accelerate,
    }
    parser.add_argument("framework", choices=frameworks)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    frameworks[given.framework](given.folder)
    if dist.is_initialized():
        gc.collect()  # the model holds on to the group, which must not live until the interpreter has gone
        dist.destroy_process_group()


if __name__ == "__main__":
    train()
