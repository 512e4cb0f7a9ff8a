"""thermix in a PyTorch training loop: loader, dataset, sampler, state, and what the run saw.

Each file has one job. `loader.py` is the fast path, `dataset.py` and `sampler.py` the way through a plain
`DataLoader`, `own.py` the way for a user's own datasets, `resume.py` decides which plan may continue a run.
Inside this package `import torch` is PyTorch.
"""

from __future__ import annotations

from thermix.errors import MissingExtra

try:
    import torch  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    raise MissingExtra("torch", "torch", "thermix.torch") from error

from thermix.torch.collate import PackCollator, PadCollator, collate
from thermix.torch.dataset import MixtureDataset
from thermix.torch.iterable import MixtureIterableDataset
from thermix.torch.loader import MixtureLoader
from thermix.torch.loss import LossBySource, loss_by_source
from thermix.torch.own import mixture_sampler
from thermix.torch.resume import PlanChangedWarning
from thermix.torch.sampler import MixtureBatchSampler
from thermix.torch.seen import RunLog, observed
from thermix.torch.split import SourceCounter, split_batch
from thermix.torch.stateful import StatefulBatchSampler
from thermix.torch.writers import to_mlflow, to_tensorboard, to_wandb

__all__ = [
    "LossBySource",
    "MixtureBatchSampler",
    "MixtureDataset",
    "MixtureIterableDataset",
    "MixtureLoader",
    "PackCollator",
    "PadCollator",
    "PlanChangedWarning",
    "RunLog",
    "SourceCounter",
    "StatefulBatchSampler",
    "collate",
    "loss_by_source",
    "mixture_sampler",
    "observed",
    "split_batch",
    "to_mlflow",
    "to_tensorboard",
    "to_wandb",
]
