"""The batch sampler for torchdata's `StatefulDataLoader`, which itself tells delivered from read ahead.

That loader takes the sampler's state as it hands out each batch of keys, keeps it beside the batch, and
gives the one of the batch that was delivered last. So here the state counts what was handed out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NoReturn

from thermix.errors import InvalidInput
from thermix.torch.resumable import Resumable
from thermix.torch.sampler import MixtureBatchSampler

__all__ = ["StatefulBatchSampler"]


class StatefulBatchSampler(MixtureBatchSampler):
    """A `MixtureBatchSampler` for `StatefulDataLoader`, and for nothing else.

    Use: `StatefulDataLoader(MixtureDataset(plan, sources), batch_sampler=StatefulBatchSampler(plan), ...)`,
    then the loader's own `state_dict` and `load_state_dict`. They go on at any step at once, on any number of
    ranks; but torchdata refuses another number of workers. For that load `plan.state(batch["step"] + 1)` into
    the sampler of a new loader instead.

    Args:
        plan, rank, world_size, keys, uneven: as for `MixtureBatchSampler`.

    Raises:
        InvalidInput: as for `MixtureBatchSampler`.

    >>> from thermix import Mixture, Plan, Source
    >>> plan = Plan(Mixture({"web": Source(score=0.0, items=9)}), steps=5, batch_size=2)
    >>> sampler = StatefulBatchSampler(plan)
    >>> keys = iter(sampler)
    >>> next(keys), next(keys), sampler.state_dict()["step"]
    ([0, 1], [2, 3], 2)
    """

    def __iter__(self) -> Iterator[list[int]]:
        """The keys of each step, from the step that was loaded to the plan's end.

        Raises:
            InvalidInput: from the iterator: another one has handed out batches since; or the world size does
                not divide a batch to come.
        """
        return self._handing_out()

    def counted(self, batches: object) -> NoReturn:
        """Not here: the loader counts.

        Raises:
            InvalidInput: always.
        """
        raise InvalidInput(
            "counted: a StatefulDataLoader counts what it delivers, and this sampler is for it. Take "
            "loader.state_dict(); for a plain DataLoader make a MixtureBatchSampler."
        )

    def state_dict(self) -> dict[str, Any]:
        """The state behind the last batch of keys that was handed out."""
        return Resumable.state_dict(self)

    def _handing_out(self) -> Iterator[list[int]]:
        if self._handed_out:
            raise InvalidInput(
                f"iter: batches up to step {self._step} were handed out, and some of them may not have been "
                "delivered; a plan is one pass, and does not begin again by itself. To go on where the loop "
                "stopped, loader.load_state_dict(loader.state_dict()); to go to a step, sampler.seek(step)."
            )
        self._check_even(self._step)
        self._handed_out = True
        for keys in self._batches(self._step):
            self._step += 1
            yield keys
