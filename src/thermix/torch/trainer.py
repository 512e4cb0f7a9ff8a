"""Hugging Face's Trainer over a plan: its optimizer steps are the plan's steps.

Invariant: the Trainer's global step is the plan's step, from its first batch to its last checkpoint, so that
its own checkpoints resume at once and anywhere, and nothing is read only to be thrown away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from thermix.errors import InvalidInput, MissingExtra
from thermix.plan.plan import Plan
from thermix.sources.base import ItemSource
from thermix.torch.loader import MixtureLoader
from thermix.torch.ranks import rank_and_world_size
from thermix.torch.seen import observed

try:
    import transformers
except ModuleNotFoundError as error:
    if error.name != "transformers":
        raise
    raise MissingExtra("transformers", "hf", "thermix.torch.trainer") from error

__all__ = ["MixtureTrainer", "MixtureTrainerMixin"]

_SAVED = "thermix"
_NOT_FOR_MODELS = ("source", "step", "micro_batch", "micro_batches", "max_seqlen", "cu_seqlens")


class MixtureTrainerMixin:
    """Put before `Trainer`, or a trainer made of it: `class MyTrainer(MixtureTrainerMixin, SFTTrainer)`.

    A plan is one pass, so the Trainer does one: `max_steps` is the plan's number of steps where it is left
    out, and `num_train_epochs` says nothing. What it would shuffle, sample or skip by itself
    (`train_sampling_strategy`, `dataloader_num_workers`, `ignore_data_skip`) is not asked for.

    Args:
        args: as the Trainer takes them. `per_device_train_batch_size` x `gradient_accumulation_steps` x
            processes must be the plan's batch size.
        plan: what the batches are.
        sources: by name, open; they stay the caller's to close.
        loader_options: more for `MixtureLoader`, such as `{"threads": 4}`, or `transform` and `collate` where
            sources are documents. `labels` are "same" where it says nothing and sources are sequences.
        log_mixture: add what the run saw (`observed`) to the Trainer's logs.
        kwargs: what else the Trainer takes; not `train_dataset`.

    Raises:
        InvalidInput: sizes that do not fit, `max_steps` past the plan's end, or two sources of batches; in
            training, a checkpoint that was written without this plan's state.
        PlanError: in training, a checkpoint of a plan with another past.
    """

    args: Any
    state: Any
    callback_handler: Any

    def __init__(
        self,
        *args: Any,
        plan: Plan,
        sources: Mapping[str, ItemSource],
        loader_options: Mapping[str, Any] | None = None,
        log_mixture: bool = False,
        **kwargs: Any,
    ) -> None:
        if kwargs.get("train_dataset") is not None:
            raise InvalidInput(
                "train_dataset: got one, and a plan; the plan's sources are trained on. Remove it."
            )
        super().__init__(*args, **kwargs)
        options = dict(loader_options or {})
        if "collate" not in options:
            options.setdefault("labels", "same")
        options["micro_batch_size"] = self.args.train_batch_size
        _, world_size = rank_and_world_size(options.get("rank"), options.get("world_size"))
        _check_sizes(plan, world_size, self.args)
        self._loader = MixtureLoader(plan, sources, **options)
        self._log_mixture = log_mixture
        if self.args.max_steps <= 0:
            self.args.max_steps = plan.end
        if self.args.max_steps > plan.end:
            raise InvalidInput(
                f"max_steps: got {self.args.max_steps}; the plan has {plan.end} steps. Leave it out, or make "
                "the plan longer (plan.edit(at_step, steps=...))."
            )
        self.args.ignore_data_skip = True  # the loader goes to the step by itself
        self.callback_handler.add_callback(_Follow(self._loader))

    def get_train_dataloader(self) -> Any:
        """The plan's batches from the Trainer's global step on, without what is not for models."""
        return _TrainBatches(self._loader, self)

    def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
        """Log, with what the run saw where that is asked for."""
        if self._log_mixture and "loss" in logs and self.state.global_step:
            logs = {**logs, **observed(self._loader.plan, self.state.global_step - 1)}
        cast("Any", super()).log(logs, *args, **kwargs)


class MixtureTrainer(MixtureTrainerMixin, transformers.Trainer):  # type: ignore[misc] # has no types here
    """`Trainer` over a plan; see `MixtureTrainerMixin`."""


class _TrainBatches:
    """What the Trainer takes for its train data loader."""

    def __init__(self, loader: MixtureLoader, trainer: MixtureTrainerMixin) -> None:
        self._loader, self._trainer = loader, trainer

    def __len__(self) -> int:
        return len(self._loader)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        self._loader.close()
        _go_to(self._loader, self._trainer.state)
        for batch in self._loader:
            yield {key: value for key, value in batch.items() if key not in _NOT_FOR_MODELS}


class _Follow(transformers.TrainerCallback):  # type: ignore[misc] # has no types here
    """Keeps the plan's state in the Trainer's, which every checkpoint has, and `epoch` right on resuming."""

    def __init__(self, loader: MixtureLoader) -> None:
        self._loader = loader

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """After an optimizer step, before logs and checkpoints."""
        state.epoch = state.global_step / self._loader.plan.end
        saved = self._loader.state_at(state.global_step)
        state.stateful_callbacks[_SAVED] = {"args": {}, "attributes": saved}

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """End the loader's threads, also where training stopped before the plan's end."""
        self._loader.close()


def _go_to(loader: MixtureLoader, state: Any) -> None:
    """Go where the Trainer stands: its global step."""
    step = state.global_step
    saved = (state.stateful_callbacks or {}).get(_SAVED)
    if step == 0:
        loader.seek(0)
    elif saved is None:
        raise InvalidInput(
            f"resume_from_checkpoint: the checkpoint of step {step} has no state of a plan; it was not "
            "written by a MixtureTrainer. Begin anew from its weights: leave resume_from_checkpoint out, and "
            "load the model from it."
        )
    else:
        loader.load_state_dict(saved["attributes"])
        if loader.step != step:
            raise InvalidInput(
                f"resume_from_checkpoint: its trainer is at step {step} and its plan at step {loader.step}; "
                "they go together. Take another checkpoint."
            )


def _check_sizes(plan: Plan, world_size: int, args: Any) -> None:
    """Refuse optimizer steps of another size than the plan's."""
    if args.auto_find_batch_size:
        raise InvalidInput(
            "auto_find_batch_size: it would change the batches; they are the plan's. Set it to False, and "
            "per_device_train_batch_size to what fits."
        )
    each = args.train_batch_size * world_size
    total = each * args.gradient_accumulation_steps
    for segment in plan.segments:
        if total == segment.batch_size:
            continue
        right = segment.batch_size // each if segment.batch_size % each == 0 else 0
        way_out = (
            f"Set gradient_accumulation_steps={right}."
            if right and len(plan.segments) == 1
            else "Make them equal; a run whose batch size changes is trained in one part for each size."
        )
        raise InvalidInput(
            f"args: {args.train_batch_size} a device x {world_size} processes x "
            f"{args.gradient_accumulation_steps} accumulation steps = {total}; the plan's batches are "
            f"{segment.batch_size} (from step {segment.start} on). {way_out}"
        )
