"""Which rank this process is."""

from __future__ import annotations

import os

import torch.distributed

from thermix.errors import InvalidInput, OutOfRange
from thermix.plan.checks import checked_whole

__all__ = ["rank_and_world_size"]


def rank_and_world_size(rank: int | None, world_size: int | None) -> tuple[int, int]:
    """The rank and the number of ranks: as given, else those of `torch.distributed`, else 0 of 1.

    Raises:
        InvalidInput: one is given without the other; or none is, the process was started as one of several
            and `torch.distributed` is not initialised.
        OutOfRange: no such rank.
    """
    if (rank is None) != (world_size is None):
        raise InvalidInput(
            f"rank, world_size: got {rank!r} and {world_size!r}; one says nothing without the other. "
            "Give both, or none."
        )
    if rank is not None and world_size is not None:
        return _checked(rank, world_size)
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    started_as = os.environ.get("WORLD_SIZE", "1")
    if started_as.strip() not in ("", "1"):
        raise InvalidInput(
            f"rank: the environment says WORLD_SIZE={started_as}, and torch.distributed is not initialised: "
            "every process would read the whole batch. Call torch.distributed.init_process_group() first, "
            "or give rank and world_size."
        )
    return 0, 1


def _checked(rank: int, world_size: int) -> tuple[int, int]:
    world_size = checked_whole("world_size", world_size, 1)
    rank = checked_whole("rank", rank)
    if not 0 <= rank < world_size:
        raise OutOfRange(f"rank: got {rank}; with world_size {world_size} ranks are 0 to {world_size - 1}.")
    return rank, world_size
