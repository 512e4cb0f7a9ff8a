"""Datasets of your own, mixed by temperature: one call in place of `ConcatDataset` and a sampler.

The datasets stay what they are, and so does the DataLoader. This classifier learns from three made-up
collections of digits, a large clean one and two small hard ones.
"""

# needs: torch

from collections import Counter
from itertools import islice
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset

import thermix
from thermix.torch import MixtureBatchSampler, mixture_sampler


class Digits(Dataset[Any]):
    """Noisy pictures of ten prototypes, as (name, picture, digit)."""

    def __init__(self, name: str, length: int, noise: float) -> None:
        generator = torch.Generator().manual_seed(length)
        self.name = name
        self.digits = torch.randint(10, (length,), generator=generator)
        self.pictures = torch.eye(10)[self.digits] + noise * torch.randn(length, 10, generator=generator)

    def __len__(self) -> int:
        return len(self.digits)

    def __getitem__(self, item: int) -> tuple[str, torch.Tensor, int]:
        return self.name, self.pictures[item], int(self.digits[item])


DATASETS = {
    "clean": Digits("clean", 8_000, noise=0.2),
    "blurred": Digits("blurred", 600, noise=0.5),
    "scribbled": Digits("scribbled", 300, noise=0.8),
}


def make_loader() -> tuple[DataLoader[Any], MixtureBatchSampler]:
    """The loader, and its sampler; no scores are given, so the sizes are the weights."""
    data, sampler = mixture_sampler(DATASETS, steps=100, batch_size=32, temperature=thermix.linear(5.0, 1.0))
    return DataLoader(data, batch_sampler=sampler), sampler  # with workers the batches are the same


def main() -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(10, 10)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    seen: Counter[str] = Counter()

    def train(loader: DataLoader[Any], sampler: MixtureBatchSampler, stop: int) -> None:
        for names, pictures, digits in islice(sampler.counted(loader), stop - sampler.step):
            loss = cross_entropy(model(pictures), digits)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            seen.update(names)
        print(f"step {sampler.step}: loss {loss.item():.2f}, seen {dict(seen)}")

    loader, sampler = make_loader()
    train(loader, sampler, stop=60)
    state = sampler.state_dict()  # into the checkpoint

    loader, sampler = make_loader()  # in another process, another day
    sampler.load_state_dict(state)
    train(loader, sampler, stop=100)
    assert [seen[name] for name in DATASETS] == sampler.plan.counts(100).tolist()
    for source in sampler.plan.forecast():
        print(f"{source.name:9} {source.draws:5} draws, {source.epochs:.2f} epochs")


if __name__ == "__main__":
    main()
