"""A tiny GPT on Python's own texts, mixed from T = 5 to T = 1, and a plot of its loss by source.

`python examples/train_gpt.py FOLDER` keeps its files there; otherwise they go to a temporary folder.
"""

# needs: torch, altair, vl_convert
# slow: it trains a GPT

import inspect
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from pydoc_data.topics import topics

import altair
import torch
from torch import nn
from torch.nn.functional import cross_entropy

import thermix
from thermix.torch import MixtureLoader, loss_by_source

TEXTS = {"manual": topics.values(), "code": list(map(inspect.getsource, (inspect, json, tempfile)))}
VOCABULARY, LENGTH, WIDTH = 257, 64, 64  # bytes, and the end of a document
CONFIG = f"""
steps: 80
batch_size: 16
sequence_length: {LENGTH}
tokenizer: bytes
temperature: {{schedule: linear, start: 5.0, end: 1.0}}
sources:
  manual: {{score: 2.0, path: manual.jsonl, field: text}}
  code:   {{score: 3.0, path: code.jsonl, field: text}}
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
        """The logits (B, L, V) of ids (B, L)."""
        mask = nn.Transformer.generate_square_subsequent_mask(ids.shape[1])
        return self.out(self.layers(self.tokens(ids) + self.places.weight[: ids.shape[1]], mask))


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    for name, texts in TEXTS.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    (folder / "mix.yaml").write_text(CONFIG)
    subprocess.run([sys.executable, "-m", "thermix", "prepare", "mix.yaml"], cwd=folder, check=True)
    torch.manual_seed(0)
    model = TinyGPT()
    optimizer, losses = torch.optim.AdamW(model.parameters(), lr=3e-3), []
    plan, sources = thermix.load(folder / "mix.yaml")
    for batch in MixtureLoader(plan, sources, labels="shifted"):
        logits = model(batch["input_ids"])
        loss = cross_entropy(logits.flatten(0, 1), batch["labels"].flatten(), reduction="none")
        loss.mean().backward()
        optimizer.step()
        optimizer.zero_grad()
        means = loss_by_source(loss, batch["source"], len(plan.names)).mean.tolist()
        losses += [{"step": batch["step"], "source": plan.names[i], "loss": x} for i, x in enumerate(means)]
    chart = altair.Chart(altair.Data(values=losses), width=560).mark_line()
    chart.encode(x="step:Q", y="loss:Q", color="source:N").save(folder / "loss.png", scale_factor=2)
    print(f"{folder / 'loss.png'}: the loss of {' and '.join(plan.names)} over {plan.end} steps")


if __name__ == "__main__":
    main()
