"""A run that goes on elsewhere: on other ranks, in other micro-batches, under a plan edited in the middle.

The state is a few hundred bytes of JSON, the same on every rank. Ranks are loaders in one process here.
"""

# needs: torch

import json
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch

import thermix
from thermix.sources import ObjectSource
from thermix.torch import MixtureLoader, PlanChangedWarning

SIZES = {"web": 1_000, "books": 200}


def a_plan(seed: int = 0) -> thermix.Plan:
    named = {name: thermix.Source(weight=float(n), items=n) for name, n in SIZES.items()}
    mixture = thermix.Mixture(named, temperature=thermix.linear(5.0, 1.0))
    return thermix.Plan(mixture, steps=40, batch_size=24, seed=seed)


def loaders(plan: thermix.Plan, ranks: int, micro_batch_size: int | None = None) -> list[MixtureLoader]:
    """The loader of each rank."""
    rows = {name: np.arange(n)[:, None] + np.zeros(8, int) for name, n in SIZES.items()}
    sources = {name: ObjectSource(r, name=name, sequence_length=8) for name, r in rows.items()}
    size = micro_batch_size
    return [MixtureLoader(plan, sources, rank, ranks, micro_batch_size=size) for rank in range(ranks)]


def items(loaders: list[MixtureLoader], stop: int) -> list[int]:
    """The items of every step up to `stop`, rank after rank."""
    parts = [(batch["step"], batch["input_ids"][:, 0]) for loader in loaders for batch in loader.until(stop)]
    parts.sort(key=lambda part: part[0])  # stable: ranks stay in their order
    return torch.cat([rows for _, rows in parts]).tolist() if parts else []


def main() -> None:
    plan = a_plan()
    whole = items(loaders(plan, ranks=1), stop=40)

    with tempfile.TemporaryDirectory() as folder:  # the checkpoint
        first = loaders(plan, ranks=2)
        seen = items(first, stop=15)
        Path(folder, "data.json").write_text(json.dumps(first[0].state_dict()))
        plan.save(Path(folder, "plan.json"))

        state = json.loads(Path(folder, "data.json").read_text())
        old_plan = thermix.Plan.load(Path(folder, "plan.json"))

    other = loaders(plan, ranks=8, micro_batch_size=1)
    for loader in other:
        loader.load_state_dict(state)
    assert seen + items(other, stop=40) == whole, "2 ranks, then 8: the batches of 1"

    edited = plan.edit(at_step=20, temperature=1.0, steps=60)  # the future may change, at a step to come
    (longer,) = loaders(edited, ranks=1)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", PlanChangedWarning)
        longer.load_state_dict(state, old_plan=old_plan)
    print(told[0].message)
    assert seen + items([longer], stop=20) == whole[: 20 * 24]

    try:  # the past may not
        loaders(a_plan(seed=1), ranks=1)[0].load_state_dict(state, old_plan=old_plan)
    except thermix.PlanError as refusal:
        print(f"refused: {refusal}")


if __name__ == "__main__":
    main()
