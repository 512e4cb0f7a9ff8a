"""`thermix.torch.trainer`: Hugging Face's Trainer over a plan, in one process."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch

transformers = pytest.importorskip("transformers")

from tests.torch.cases import SIZES, a_plan, documents, expected, row  # noqa: E402
from thermix import InvalidInput, Plan, PlanError  # noqa: E402
from thermix.sources import ItemSource, ObjectSource  # noqa: E402
from thermix.torch import PadCollator, PlanChangedWarning, observed  # noqa: E402
from thermix.torch.trainer import MixtureTrainer  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

STEPS, ROWS = 12, 8


class Model(torch.nn.Module):
    """Remembers what it is given, and learns a little from it."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[list[list[int]]] = []
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def forward(self, input_ids: torch.Tensor, labels: torch.Tensor, **more: Any) -> dict[str, torch.Tensor]:
        assert set(more) <= {"num_items_in_batch"}
        self.seen += [input_ids.tolist()]
        return {"loss": (self.weight - input_ids.float().mean() / 1e5) ** 2}


def arguments(folder: Path, **given: Any) -> Any:
    known = {"per_device_train_batch_size": 4, "gradient_accumulation_steps": 2, "save_steps": 5}
    quiet = {"report_to": [], "use_cpu": True, "disable_tqdm": True, "logging_steps": 1}
    return transformers.TrainingArguments(str(folder), **{**known, **quiet, **given})


def sequences() -> dict[str, ItemSource]:
    return {
        name: ObjectSource([row(i, item) for item in range(n)], name=name, sequence_length=4)
        for i, (name, n) in enumerate(SIZES.items())
    }


def plan_of(**given: Any) -> Plan:
    return a_plan(steps=STEPS, batch_size=ROWS, **given)


def trainer(folder: Path, plan: Plan | None = None, **given: Any) -> Any:
    options = {key: given.pop(key) for key in ("sources", "loader_options", "log_mixture") if key in given}
    options.setdefault("sources", sequences())
    args = arguments(folder, **given)
    return MixtureTrainer(model=Model(), args=args, plan=plan or plan_of(), **options)


def wanted(plan: Plan, start: int = 0, stop: int = STEPS) -> list[list[list[int]]]:
    """The micro-batches of 4 rows of steps [start, stop)."""
    rows = [rows for _, rows, _ in expected(plan, range(start, stop))]
    return [part[first : first + 4] for part in rows for first in (0, 4)]


def test_the_models_inputs_are_the_plans_batches_and_the_run_is_as_long_as_the_plan(tmp_path: Path) -> None:
    told = trainer(tmp_path)
    told.train()
    assert told.model.seen == wanted(plan_of())
    assert told.state.global_step == told.args.max_steps == STEPS
    assert told.state.epoch == 1.0


@pytest.mark.parametrize("step", [5, 10])
def test_a_checkpoint_of_the_trainer_resumes_with_the_next_batch_and_the_same_losses(
    step: int, tmp_path: Path
) -> None:
    whole = trainer(tmp_path)
    whole.train()
    resumed = trainer(tmp_path)
    resumed.train(resume_from_checkpoint=str(tmp_path / f"checkpoint-{step}"))
    assert resumed.model.seen == wanted(plan_of(), step)
    assert whole.state.log_history[:-1] == resumed.state.log_history[:-1]  # the last has run times


def test_training_may_end_before_the_plan_does_and_go_on_another_day(tmp_path: Path) -> None:
    short = trainer(tmp_path, max_steps=7, save_steps=7)
    short.train()
    assert short.model.seen == wanted(plan_of(), 0, 7)
    rest = trainer(tmp_path)
    rest.train(resume_from_checkpoint=True)
    assert rest.model.seen == wanted(plan_of(), 7)


def test_a_second_train_begins_anew(tmp_path: Path) -> None:
    told = trainer(tmp_path, max_steps=3)
    told.train()
    told.model.seen.clear()
    told.train()
    assert told.model.seen == wanted(plan_of(), 0, 3)


def test_another_accumulation_gives_the_same_global_batches(tmp_path: Path) -> None:
    told = trainer(tmp_path, per_device_train_batch_size=2, gradient_accumulation_steps=4)
    told.train()
    rows = list(itertools.chain(*told.model.seen))
    assert rows == list(itertools.chain(*wanted(plan_of())))


def test_a_plan_whose_future_was_edited_goes_on_with_a_warning(tmp_path: Path) -> None:
    trainer(tmp_path).train()
    edited = plan_of().edit(at_step=8, temperature=1.0)
    resumed = trainer(tmp_path, edited)
    with pytest.warns(PlanChangedWarning, match="goes on at step 5 under a changed plan"):
        resumed.train(resume_from_checkpoint=str(tmp_path / "checkpoint-5"))
    assert resumed.model.seen == wanted(edited, 5)


def test_a_plan_with_another_past_is_refused(tmp_path: Path) -> None:
    trainer(tmp_path).train()
    with pytest.raises(PlanError, match="state"):
        trainer(tmp_path, plan_of(seed=4)).train(resume_from_checkpoint=str(tmp_path / "checkpoint-5"))


def test_a_checkpoint_without_the_state_of_a_plan_is_refused(tmp_path: Path) -> None:
    class Rows(torch.utils.data.Dataset[dict[str, torch.Tensor]]):
        def __len__(self) -> int:
            return 96

        def __getitem__(self, item: int) -> dict[str, torch.Tensor]:
            return {"input_ids": torch.tensor([item]), "labels": torch.tensor([item])}

    plain = transformers.Trainer(model=Model(), args=arguments(tmp_path), train_dataset=Rows())
    plain.train()
    with pytest.raises(InvalidInput, match="checkpoint of step 5 has no state of a plan"):
        trainer(tmp_path).train(resume_from_checkpoint=str(tmp_path / "checkpoint-5"))


def test_documents_go_through_the_collator_given(tmp_path: Path) -> None:
    options = {"collate": PadCollator(pad_id=0)}
    told = trainer(tmp_path, sources=documents(), loader_options=options, max_steps=2)

    def forward(**inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        assert set(inputs) - {"num_items_in_batch"} == {"attention_mask", "input_ids", "labels"}
        told.model.seen.append(inputs["input_ids"].tolist())
        return {"loss": told.model.weight**2}

    told.model.forward = forward
    told.train()
    assert len(told.model.seen) == 4


def test_logs_have_what_the_run_saw_where_it_is_asked_for(tmp_path: Path) -> None:
    told = trainer(tmp_path, log_mixture=True, max_steps=3)
    told.train()
    logged = [logs for logs in told.state.log_history if "loss" in logs]
    for step, logs in enumerate(logged):
        assert observed(plan_of(), step).items() <= logs.items()
    plain = trainer(tmp_path, max_steps=3)
    plain.train()
    assert not any(key.startswith("thermix/") for logs in plain.state.log_history for key in logs)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"gradient_accumulation_steps": 1},
            r"4 a device x 1 processes x 1 accumulation steps = 4; the plan's batches are 8 "
            r"\(from step 0 on\)\. Set gradient_accumulation_steps=2\.",
        ),
        ({"per_device_train_batch_size": 3}, r"= 6; the plan's batches are 8 .*\. Make them equal"),
        ({"max_steps": 13}, r"max_steps: got 13; the plan has 12 steps\. Leave it out"),
        ({"auto_find_batch_size": True}, r"auto_find_batch_size: it would change the batches"),
    ],
)
def test_arguments_that_do_not_fit_the_plan_are_refused(
    given: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match=message):
        trainer(tmp_path, **given)


def test_a_batch_size_that_changes_is_refused(tmp_path: Path) -> None:
    edited = plan_of().edit(at_step=6, batch_size=16)
    with pytest.raises(InvalidInput, match=r"batches are 16 \(from step 6 on\).*one part for each size"):
        trainer(tmp_path, edited)


def test_a_dataset_beside_the_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="train_dataset: got one, and a plan"):
        MixtureTrainer(
            model=Model(), args=arguments(tmp_path), plan=plan_of(), sources=sequences(), train_dataset=[1]
        )
