"""Metrics to TensorBoard, Weights & Biases and MLflow, through their own clients."""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from thermix.errors import InvalidInput, MissingExtra
from thermix.torch.seen import Writer

__all__ = ["to_mlflow", "to_tensorboard", "to_wandb"]

_NOT_IN_MLFLOW = re.compile(r"[^/\w.\- ]")


def to_tensorboard(writer: Any) -> Writer:
    """A writer of scalars to TensorBoard.

    Args:
        writer: a `SummaryWriter`, which stays yours to close; or a folder, for a new one.

    Raises:
        MissingExtra: a folder was given, and `tensorboard` is not installed.
    """
    if not hasattr(writer, "add_scalar"):
        writer = _imported("torch.utils.tensorboard", "tensorboard").SummaryWriter(writer)

    def write(metrics: Mapping[str, float], step: int) -> None:
        for name, value in metrics.items():
            writer.add_scalar(name, value, step)
        writer.flush()

    return write


def to_wandb(run: Any = None) -> Writer:
    """A writer to Weights & Biases.

    Args:
        run: what `wandb.init` returned; left out, the run that is active.

    Raises:
        MissingExtra: no run was given, and `wandb` is not installed.
        InvalidInput: no run was given, and none is active.
    """
    active = _imported("wandb", "wandb").run if run is None else run
    if active is None:
        raise InvalidInput("run: none was given, and none is active. Call wandb.init() first.")

    def write(metrics: Mapping[str, float], step: int) -> None:
        active.log(dict(metrics), step=step)

    return write


def to_mlflow(run_id: str | None = None) -> Writer:
    """A writer to MLflow; what its names may not hold becomes "_".

    Args:
        run_id: of the run; left out, the active one, which MLflow begins where there is none.

    Raises:
        MissingExtra: `mlflow` is not installed.
        InvalidInput: from the writer: two metrics would get one name.
    """
    mlflow = _imported("mlflow", "mlflow")

    def write(metrics: Mapping[str, float], step: int) -> None:
        named = {_NOT_IN_MLFLOW.sub("_", name): float(value) for name, value in metrics.items()}
        if len(named) < len(metrics):
            raise InvalidInput(
                "metrics: two of the names differ only in characters that MLflow does not take. "
                "Rename a source."
            )
        mlflow.log_metrics(named, step=step, run_id=run_id)

    return write


def _imported(module: str, library: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise MissingExtra(library, "log", f"writing to {library}") from error
