"""A plan in a Grain pipeline: the same draws, sliced, read by threads, by processes and after a restart."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thermix import InvalidInput, Mixture, OutOfRange, Plan, Source, linear
from thermix.sources import ItemSource, ObjectSource

grain = pytest.importorskip("grain")

from thermix.grain import PlanSelection, mix  # noqa: E402 (it needs grain)

SIZES = {"web": 40, "书": 9, "code": 23}
SCORES = {"web": 1.0, "书": 0.5, "code": 0.2}
WANTED = Mixture(
    {name: Source(score=SCORES[name], items=items) for name, items in SIZES.items()},
    temperature=linear(5.0, 1.0),
)
PLAN = Plan(WANTED, steps=12, batch_size=24, seed=3)
EDITED = PLAN.edit(at_step=5, batch_size=16).edit(at_step=9, sources={"code": None})


def sequences() -> dict[str, ItemSource]:
    """Rows that say which item they are."""
    return {
        name: ObjectSource([[number, item, 7] for item in range(n)], name=name, sequence_length=3)
        for number, (name, n) in enumerate(SIZES.items())
    }


def drawn(plan: Plan, step: int, rank: int = 0, world_size: int = 1) -> list[tuple[int, int]]:
    batch = plan.batch(step, rank, world_size)
    return list(zip(batch.source.tolist(), batch.item.tolist(), strict=True))


def told(batch: dict[str, Any]) -> list[tuple[int, int]]:
    rows = batch["input_ids"]
    assert rows.dtype == np.int32
    assert rows[:, 0].tolist() == batch["source"].tolist()
    return [(source, item) for source, item, _ in rows.tolist()]


@pytest.mark.parametrize("plan", [PLAN, EDITED], ids=["one segment", "edited"])
@pytest.mark.parametrize("world_size", [1, 2, 8])
def test_every_index_is_that_draw_of_the_rank(plan: Plan, world_size: int) -> None:
    for rank in range(world_size):
        selection = PlanSelection(plan, rank, world_size)
        wanted = [draw for step in range(plan.end) for draw in drawn(plan, step, rank, world_size)]
        assert len(selection) == len(wanted)
        assert [selection[index] for index in range(len(selection))] == wanted


@given(st.lists(st.integers(0, EDITED.draws - 1), max_size=30))
@settings(max_examples=40)
def test_indices_come_in_any_order(indices: list[int]) -> None:
    selection = PlanSelection(EDITED)
    wanted = [draw for step in range(EDITED.end) for draw in drawn(EDITED, step)]
    assert [selection[index] for index in indices] == [wanted[index] for index in indices]


@pytest.mark.parametrize("world_size", [1, 2, 3, 4, 8])
def test_the_batches_of_a_rank_are_its_shares_of_the_steps(world_size: int) -> None:
    for rank in range(world_size):
        batches = mix(PLAN, sequences(), rank, world_size).batch(24 // world_size)
        assert [told(batch) for batch in batches] == [
            drawn(PLAN, step, rank, world_size) for step in range(PLAN.end)
        ]


def test_a_slice_goes_on_at_a_step_on_another_number_of_ranks() -> None:
    for k in range(PLAN.end + 1):
        for rank in range(2):
            rest = mix(PLAN, sequences(), rank, 2).batch(12)[k:]
            assert [told(batch) for batch in rest] == [drawn(PLAN, s, rank, 2) for s in range(k, PLAN.end)]


def test_a_pipeline_goes_on_from_its_own_state_with_threads_reading_ahead() -> None:
    options = grain.ReadOptions(num_threads=4, prefetch_buffer_size=8)
    for k in range(PLAN.end + 1):
        iterator = iter(mix(PLAN, sequences()).batch(24).to_iter_dataset(options))
        first = [told(next(iterator)) for _ in range(k)]
        state = iterator.get_state()
        other = iter(mix(PLAN, sequences()).batch(24).to_iter_dataset(options))
        other.set_state(state)
        assert first + [told(batch) for batch in other] == [drawn(PLAN, s) for s in range(PLAN.end)]


WITH_PROCESSES = """
import sys
import grain
from absl import flags
from tests.test_with_grain import PLAN, drawn, sequences, told
from thermix.grain import mix

if __name__ == "__main__":
    flags.FLAGS(sys.argv[:1])  # Grain's processes ask for flags, which a program of Google's has parsed
    batches = mix(PLAN, sequences()).batch(24).to_iter_dataset()
    batches = batches.mp_prefetch(grain.MultiprocessingOptions(num_workers=2))
    assert [told(batch) for batch in batches] == [drawn(PLAN, step) for step in range(PLAN.end)]
    print("the same")
"""


@pytest.mark.slow
def test_worker_processes_read_the_same(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(WITH_PROCESSES, "utf-8")
    root = Path(__file__).parents[1]
    run = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(root)!r}); import runpy; "
         f"runpy.run_path({str(script)!r}, run_name='__main__')"],
        capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    assert "the same" in run.stdout, run.stderr[-2000:]


def test_datasets_of_grain_are_mixed_as_they_are() -> None:
    mine = {name: grain.MapDataset.range(1000 * n, 1000 * n + size) for n, (name, size) in items()}
    assert list(mix(PLAN, mine)) == [1000 * s + i for step in range(PLAN.end) for s, i in drawn(PLAN, step)]
    documents = {
        name: ObjectSource([f"{name} {i}" for i in range(size)], name=name) for _, (name, size) in items()
    }
    assert mix(PLAN, documents)[5] == f"{PLAN.names[drawn(PLAN, 0)[5][0]]} {drawn(PLAN, 0)[5][1]}"


def items() -> list[tuple[int, tuple[str, int]]]:
    return list(enumerate(SIZES.items()))


def test_it_pickles_and_says_what_it_has_at_a_late_step_at_once() -> None:
    plan = Plan(WANTED, steps=10_000_000, batch_size=24)
    selection = pickle.loads(pickle.dumps(PlanSelection(plan, 1, 2)))
    start = time.perf_counter()
    assert selection[9_000_000 * 12 + 3] == drawn(plan, 9_000_000, 1, 2)[3]
    assert time.perf_counter() - start < 2.0  # milliseconds on a quiet machine


def test_ranks_of_unequal_shares_are_read_when_asked_for() -> None:
    for rank in range(5):
        selection = PlanSelection(PLAN, rank, 5, uneven=True)
        wanted = [draw for step in range(PLAN.end) for draw in drawn(PLAN, step, rank, 5)]
        assert [selection[index] for index in range(len(selection))] == wanted


@pytest.mark.parametrize(
    ("change", "arguments", "problem"),
    [
        ({"web": range(41)}, (), r"sources.web: it has 41 items, and the plan says 40"),
        ({"wab": range(40)}, (), r"sources.wab: the plan has no such source. Did you mean 'web'"),
        ({}, (0, 5), r"world_size: got 5 for batches of 24.*nearest world size that does is 4.*size 25"),
        ({}, (2, 2), r"rank: got 2; with world_size 2 ranks are 0 to 1"),
    ],
)
def test_what_does_not_fit_the_plan_is_refused(change: Any, arguments: Any, problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        mix(PLAN, {**sequences(), **change}, *arguments)


def test_a_repeated_dataset_is_refused_since_grain_would_wrap_around() -> None:
    repeated = {**sequences(), "web": grain.MapDataset.range(40).repeat(2)}
    with pytest.raises(InvalidInput, match=r"sources.web: it has 80 items, and the plan says 40"):
        mix(PLAN, repeated)


def test_a_source_that_an_edit_has_ended_needs_its_dataset_too() -> None:
    without = {name: source for name, source in sequences().items() if name != "code"}
    with pytest.raises(InvalidInput, match=r"sources.code: no dataset is given.*Give it"):
        mix(EDITED, without)


def test_an_index_outside_is_refused() -> None:
    for index in (-1, PLAN.draws):
        with pytest.raises(
            OutOfRange, match=rf"index: got {index}; the rank has draws 0 to {PLAN.draws - 1}"
        ):
            PlanSelection(PLAN)[index]


WITHOUT = """
import sys
sys.modules["grain"] = None
from thermix import MissingExtra
try:
    import thermix.grain
except MissingExtra as error:
    print(error)
print("torch" in sys.modules)
"""


def test_without_grain_it_says_what_to_install_and_it_needs_no_pytorch() -> None:
    run = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    line = "thermix.grain needs grain, which is not installed. Install it with: pip install 'thermix[grain]'"
    assert run.stdout.splitlines() == [line, "False"]
    code = "import sys, thermix.grain; print('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == ["False"]
