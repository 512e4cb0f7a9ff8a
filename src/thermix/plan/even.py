"""Whether the ranks' shares of a step, and the micro-batches of a share, are of one size."""

from __future__ import annotations

from math import isqrt

from thermix.errors import InvalidInput
from thermix.plan.plan import Plan, rank_slice

__all__ = ["check_even"]


def check_even(
    plan: Plan, steps: tuple[int, int], rank: int, world_size: int, micro_batch_size: int | None
) -> None:
    """Refuse parts of different sizes: ranks' shares of a step, and micro-batches of a share.

    Args:
        plan: what is read.
        steps: [start, stop) of them.
        rank: in [0, world_size).
        world_size: data-parallel ranks.
        micro_batch_size: draws in a micro-batch; None where a share is not cut.

    Raises:
        InvalidInput: they are; it says from which step on.
    """
    for segment in plan.segments:
        first = max(steps[0], segment.start)
        if first >= min(steps[1], segment.end):
            continue
        batch = segment.batch_size
        share = rank_slice(rank, world_size, batch)
        if batch % world_size:
            raise InvalidInput(
                f"world_size: got {world_size} for batches of {batch} (from step {first} on); it does not "
                "divide them, and the mean over ranks of unequal shares is not the mean over the batch. "
                f"The nearest world size that does is {_nearest_divisor(batch, world_size)}, the nearest "
                f"batch size {_nearest_multiple(batch, world_size)}; or say uneven=True and weigh each rank "
                "by its share."
            )
        size = share.stop - share.start
        if micro_batch_size is not None and size % micro_batch_size:
            raise InvalidInput(
                f"micro_batch_size: got {micro_batch_size} for a share of {size} (from "
                f"step {first} on); it does not divide it, and the mean over unequal parts is not the mean "
                f"over the batch. The nearest that does is {_nearest_divisor(size, micro_batch_size)}, the "
                f"nearest batch size {_nearest_multiple(batch, world_size * micro_batch_size)}; or say "
                "uneven=True and weigh each part by its size."
            )


def _nearest_divisor(whole: int, wanted: int) -> int:
    """The divisor of `whole` that is nearest to `wanted`; the smaller of two."""
    small = [divisor for divisor in range(1, isqrt(whole) + 1) if whole % divisor == 0]
    divisors = (*small, *(whole // divisor for divisor in reversed(small)))
    return min(divisors, key=lambda divisor: abs(divisor - wanted))


def _nearest_multiple(size: int, of: int) -> int:
    """The multiple of `of` above 0 that is nearest to `size`; the smaller of two."""
    below = size // of * of
    return below if below and size - below <= of - (size - below) else below + of
