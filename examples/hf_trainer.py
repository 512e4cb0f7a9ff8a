"""Hugging Face's Trainer over a plan: two more lines, and its own checkpoints resume at the next batch.

`python examples/hf_trainer.py FOLDER` keeps its checkpoints there; otherwise they go to a temporary folder.
"""

# needs: torch, transformers, accelerate

import sys
import tempfile

import numpy as np
from transformers import GPT2Config, GPT2LMHeadModel, TrainingArguments

import thermix
from thermix.sources import ObjectSource
from thermix.torch.trainer import MixtureTrainer

SCORES = {"web": 2.0, "books": 3.0}
ROWS = {  # in a row of a source each token follows from the one before; on disk this is `thermix.load(path)`
    "web": (np.arange(400)[:, None] + np.arange(32)) % 50,
    "books": (np.arange(100)[:, None] + np.arange(32) * 2) % 50,
}


def main() -> None:
    folder = sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp()
    named = {name: thermix.Source(score=SCORES[name], items=len(rows)) for name, rows in ROWS.items()}
    plan = thermix.Plan(thermix.Mixture(named, temperature=thermix.linear(5.0, 1.0)), steps=30, batch_size=16)
    sources = {name: ObjectSource(rows, name=name, sequence_length=32) for name, rows in ROWS.items()}

    args = TrainingArguments(
        folder,
        per_device_train_batch_size=8,
        gradient_accumulation_steps=2,  # 8 x 2 x 1 process = the plan's batch of 16
        learning_rate=1e-2,
        save_steps=10,
        logging_steps=10,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
    )

    def trainer() -> MixtureTrainer:
        model = GPT2LMHeadModel(GPT2Config(vocab_size=50, n_positions=32, n_embd=32, n_layer=1, n_head=2))
        return MixtureTrainer(model=model, args=args, plan=plan, sources=sources, log_mixture=True)

    first = trainer()
    first.train()
    again = trainer()  # as after a crash at step 25
    again.train(resume_from_checkpoint=f"{folder}/checkpoint-20")
    for logs in again.state.log_history:
        if "loss" in logs:
            drawn = {name: logs[f"thermix/{name}/draws"] for name in plan.names}
            print(f"step {logs['step']}: loss {logs['loss']:.2f}, drawn {drawn}")


if __name__ == "__main__":
    main()
