"""`torch.distributed.checkpoint`: model, optimiser and loader in one checkpoint, loaded on other ranks."""

from __future__ import annotations

import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest
import torch
from torch.distributed.checkpoint.state_dict_loader import load
from torch.distributed.checkpoint.state_dict_saver import save
from torch.distributed.checkpoint.stateful import Stateful

from tests.torch.cases import a_plan, expected, seen, sequences
from thermix import Plan, PlanError
from thermix.torch import MixtureBatchSampler, MixtureLoader, PlanChangedWarning

pytestmark = pytest.mark.filterwarnings("ignore:torch.distributed is.*:UserWarning")  # one process: said so

PLAN = a_plan(steps=8)
EDITED = PLAN.edit(at_step=3, batch_size=12).edit(at_step=6, sources={"code": None})


def a_loader(plan: Plan, rank: int = 0, world_size: int = 1) -> MixtureLoader:
    return MixtureLoader(plan, sequences(), rank, world_size)


def test_loader_and_sampler_are_what_it_calls_stateful() -> None:
    assert isinstance(a_loader(PLAN), Stateful)
    assert isinstance(MixtureBatchSampler(PLAN), Stateful)


@pytest.mark.parametrize("plan", [PLAN, EDITED], ids=["one segment", "edited"])
@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_saved_at_every_k_the_rest_is_the_plans_on_any_rank(
    world_size: int, plan: Plan, tmp_path: Path
) -> None:
    for k in range(plan.end + 1):
        loader, weights = a_loader(plan), torch.full((3,), float(k))
        first = seen(islice(loader, k))
        save({"model": {"weights": weights}, "data": loader}, checkpoint_id=tmp_path / str(k))
        other, found = a_loader(plan, world_size - 1, world_size), torch.zeros(3)
        load({"model": {"weights": found}, "data": other}, checkpoint_id=tmp_path / str(k))
        assert other.step == k
        assert torch.equal(found, weights)
        assert first == expected(plan, range(k))
        assert seen(other) == expected(plan, range(k, plan.end), world_size - 1, world_size)


def test_a_longer_plan_goes_on_and_another_past_is_refused(tmp_path: Path) -> None:
    loader = a_loader(PLAN)
    loader.seek(5)
    save({"data": loader}, checkpoint_id=tmp_path)
    longer = a_loader(PLAN.edit(at_step=8, steps=12))
    with pytest.warns(PlanChangedWarning, match="goes on at step 5"):
        load({"data": longer}, checkpoint_id=tmp_path)
    assert longer.step == 5
    with pytest.raises(PlanError, match="seed"):
        load({"data": a_loader(a_plan(steps=8, seed=4))}, checkpoint_id=tmp_path)


RANK = """
import gc, sys
import torch.distributed as dist
import torch.distributed.checkpoint as dcp
from tests.torch.cases import expected, seen
from tests.torch.test_with_dcp import PLAN, sequences
from thermix.torch import MixtureLoader

folder, what, meeting, rank, ranks = *sys.argv[1:4], *map(int, sys.argv[4:])
dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=ranks)
loader = MixtureLoader(PLAN, sequences())
if what == "save":
    assert seen(loader.until(3)) == expected(PLAN, range(3), rank, ranks)
    dcp.save({"data": loader}, checkpoint_id=folder)
else:
    dcp.load({"data": loader}, checkpoint_id=folder)
    assert seen(loader) == expected(PLAN, range(3, PLAN.end), rank, ranks)
dist.barrier()
dist.destroy_process_group()
gc.collect()
"""


@pytest.mark.slow
def test_what_two_ranks_saved_three_go_on_with(tmp_path: Path) -> None:
    for what, ranks in (("save", 2), ("load", 3)):
        given = [str(tmp_path / "checkpoint"), what, str(tmp_path / what)]
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", RANK, *given, str(rank), str(ranks)],
                cwd=Path(__file__).parents[2],
                stderr=subprocess.PIPE,
                text=True,
            )
            for rank in range(ranks)
        ]
        said = [process.communicate(timeout=120)[1] for process in processes]
        assert [process.returncode for process in processes] == [0] * ranks, "\n".join(said)
