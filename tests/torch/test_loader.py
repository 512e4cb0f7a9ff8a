"""The loader: the batches of a plan, whatever reads them ahead, cuts them or moves them."""

from __future__ import annotations

import gc
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.torch.cases import a_plan, documents, expected, row, seen, sequences, shards, told
from thermix import DataError, InvalidInput, OutOfRange
from thermix.sources import ObjectSource
from thermix.sources.reader import BatchReader
from thermix.torch import MixtureLoader, PackCollator, PadCollator

WORLD_SIZES = (1, 2, 3, 4, 8)


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    gc.collect()
    assert [t.name for t in threading.enumerate() if t.name.startswith("thermix")] == []


@pytest.mark.parametrize("threads", [0, 1, 3])
@pytest.mark.parametrize("world_size", WORLD_SIZES)
def test_every_rank_gets_its_share_of_every_step(world_size: int, threads: int) -> None:
    plan, sources = a_plan(), sequences()
    for rank in range(world_size):
        loader = MixtureLoader(plan, sources, rank, world_size, threads=threads)
        assert seen(loader) == expected(plan, None, rank, world_size)


@pytest.mark.parametrize("world_size", WORLD_SIZES)
def test_the_ranks_together_have_the_global_batch_and_nothing_twice(world_size: int) -> None:
    plan, sources = a_plan(), sequences()
    loaders = [MixtureLoader(plan, sources, rank, world_size) for rank in range(world_size)]
    for step, parts in enumerate(zip(*loaders, strict=True)):
        together = [r for part in parts for r in told(part)[1]]
        assert together == expected(plan, [step])[0][1]
        draws = plan.batch(step)
        slots = set(zip(draws.source.tolist(), draws.item.tolist(), draws.epoch.tolist(), strict=True))
        assert len(slots) == plan.batch_size == len(together)


@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.parametrize(("first", "second"), [(1, 1), (1, 8), (4, 3), (2, 1)])
def test_k_steps_and_a_resumed_rest_are_the_whole_at_every_k(first: int, second: int, threads: int) -> None:
    """Through JSON, read ahead, on another number of ranks."""
    plan, sources = a_plan(), sequences()
    for k in range(plan.end + 1):
        states = []
        for rank in range(first):
            loader = MixtureLoader(plan, sources, rank, first, threads=threads)
            iterator = iter(loader)
            assert [told(next(iterator)) for _ in range(k)] == expected(plan, range(k), rank, first)
            states.append(json.dumps(loader.state_dict()))
            loader.close()
        assert len(set(states)) == 1
        for rank in range(second):
            resumed = MixtureLoader(plan, sources, rank, second, threads=threads)
            resumed.load_state_dict(json.loads(states[0]))
            assert seen(resumed) == expected(plan, range(k, plan.end), rank, second)


def test_a_second_resume_goes_on_from_the_first() -> None:
    plan, sources = a_plan(), sequences()
    batches, state = [], MixtureLoader(plan, sources).state_dict()
    for stop in (0, 3, 4, 4, 9, plan.end, plan.end):
        loader = MixtureLoader(plan, sources)
        loader.load_state_dict(state)
        batches += seen(loader.until(stop))
        state = loader.state_dict()
    assert batches == expected(plan)


def test_a_loop_broken_out_of_goes_on_where_it_stopped() -> None:
    plan = a_plan()
    loader = MixtureLoader(plan, sequences())
    first = []
    for batch in loader:
        first.append(told(batch))
        if batch["step"] == 4:
            break
    assert loader.step == 5
    assert first + seen(loader) == expected(plan)
    assert seen(loader) == []
    loader.seek(10)
    assert seen(loader) == expected(plan, range(10, 12))


def test_a_plan_whose_batch_size_changes_is_read_across_the_edit() -> None:
    plan, sources = a_plan().edit(at_step=5, batch_size=16), sequences()
    for world_size in (1, 2, 8):
        for rank in range(world_size):
            loader = MixtureLoader(plan, sources, rank, world_size)
            assert seen(loader) == expected(plan, None, rank, world_size)


def test_a_world_size_that_fits_only_what_is_to_come_may_resume_there() -> None:
    plan, sources = a_plan().edit(at_step=5, batch_size=10), sequences()
    loader = MixtureLoader(plan, sources, 3, 5)
    with pytest.raises(InvalidInput, match=r"got 5 for batches of 24 \(from step 0 on\)"):
        iter(loader)
    loader.load_state_dict(plan.state(5))
    assert seen(loader) == expected(plan, range(5, 12), 3, 5)
    with pytest.raises(InvalidInput, match=r"got 8 for batches of 10 \(from step 5 on\)"):
        MixtureLoader(plan, sources, 0, 8)


@pytest.mark.parametrize("k", [0, 2, 3, 5, 6, 35])
def test_micro_batches_are_the_share_in_parts_and_the_state_counts_whole_steps(k: int) -> None:
    plan, sources = a_plan(), sequences()
    loader = MixtureLoader(plan, sources, 1, 2, micro_batch_size=4)
    assert len(loader) == 12 * 3
    parts = list(loader)
    assert [(p["step"], p["micro_batch"], p["micro_batches"]) for p in parts] == [
        (step, part, 3) for step in range(12) for part in range(3)
    ]
    rows = [told(p)[1] for p in parts]
    whole = [rows[i] + rows[i + 1] + rows[i + 2] for i in range(0, 36, 3)]
    assert whole == [step[1] for step in expected(plan, None, 1, 2)]

    loader.seek(0)
    iterator = iter(loader)
    for _ in range(k):
        next(iterator)
    assert loader.state_dict()["step"] == k // 3
    loader.close()
    assert [told(p) for p in loader] == [told(p) for p in parts[k // 3 * 3 :]]


def test_len_is_the_number_of_batches_of_the_whole_plan() -> None:
    plan = a_plan().edit(at_step=5, batch_size=16)
    loader = MixtureLoader(plan, sequences(), 0, 2, micro_batch_size=4)
    assert len(loader) == 5 * 3 + 7 * 2 == len(list(loader))
    assert len(loader) == 29


def test_labels_are_the_input_or_the_next_token() -> None:
    plan, sources = a_plan(), sequences()
    for batch in MixtureLoader(plan, sources, labels="same"):
        assert torch.equal(batch["labels"], batch["input_ids"])
        batch["labels"][:] = -100  # a loop masks them: the input must stay
        assert int(batch["input_ids"].min()) >= 0
    wanted = expected(plan)
    for batch, (_, rows, _) in zip(MixtureLoader(plan, sources, labels="shifted"), wanted, strict=True):
        assert batch["input_ids"].tolist() == [r[:-1] for r in rows]
        assert batch["labels"].tolist() == [r[1:] for r in rows]
        batch["labels"].view(-1)


@pytest.mark.parametrize("dtype", ["int64", "int32", "storage"])
@pytest.mark.parametrize("device", [None, "cpu"])
def test_tokens_have_the_type_asked_for_and_stored_ones_become_int64(
    dtype: Any, device: str | None, tmp_path: Path
) -> None:
    plan = a_plan()
    sources = shards(tmp_path, plan)
    wanted = [batch["input_ids"].tolist() for batch in MixtureLoader(plan, sources)]
    loader = MixtureLoader(plan, sources, dtype=dtype, device=device, labels="same")
    for batch, rows in zip(loader, wanted, strict=True):
        assert batch["input_ids"].dtype is (torch.int32 if dtype == "int32" else torch.int64)
        assert batch["input_ids"].tolist() == rows == batch["labels"].tolist()


def test_input_ids_are_the_memory_that_was_read_into() -> None:
    """No copy between the reader and the loop; and nobody writes into it while the loop has it."""
    plan, sources = a_plan(), sequences()
    kept = list(MixtureLoader(plan, sources))
    assert [told(batch) for batch in kept] == expected(plan)
    read = next(BatchReader(plan, sources).batches(threads=0))
    made = MixtureLoader(plan, sources)._maker(read)[0]["input_ids"]
    assert made.data_ptr() == np.asarray(read.rows).ctypes.data


@pytest.mark.parametrize("options", [{}, {"end_of_document": 7}])
@pytest.mark.parametrize("micro_batch_size", [None, 3])
@pytest.mark.parametrize("labels", ["none", "shifted"])
def test_boundaries_of_documents_are_those_of_every_row(
    options: dict[str, Any], micro_batch_size: int | None, labels: Any, tmp_path: Path
) -> None:
    plan = a_plan()
    with_target = labels == "shifted"
    sources: dict[str, Any] = dict(shards(tmp_path, plan, with_target=with_target, **options))
    loader = MixtureLoader(plan, sources, labels=labels, documents=True, micro_batch_size=micro_batch_size)
    for batch in loader:
        part = slice(0, 24)
        if micro_batch_size:
            part = slice(batch["micro_batch"] * 3, batch["micro_batch"] * 3 + 3)
        draws = plan.batch(batch["step"])
        bounds: list[int] = []
        for i, (s, item) in enumerate(zip(draws.source[part], draws.item[part], strict=True)):
            one = sources[plan.names[int(s)]].documents([int(item)])
            assert batch["position_ids"][i].tolist() == one.positions[0].tolist()
            bounds += [i * 8 + b for b in one.cu_seqlens[:-1].tolist()]
        length = batch["input_ids"].numel()
        assert batch["cu_seqlens"].tolist() == [*bounds, length]
        assert batch["cu_seqlens"].dtype is torch.int32
        assert batch["max_seqlen"] == max(np.diff([*bounds, length]))
        assert batch["input_ids"].shape == batch["position_ids"].shape


def test_rows_that_carry_a_target_which_nobody_shifts_have_no_positions(tmp_path: Path) -> None:
    plan = a_plan()
    loader = MixtureLoader(plan, shards(tmp_path, plan, with_target=True), documents=True)
    with pytest.raises(InvalidInput, match=r"got 'none', and the rows .* carry the target.*labels='shifted'"):
        list(loader)


def test_documents_are_padded_or_packed_by_the_collator_given() -> None:
    plan, sources = a_plan(), documents()
    for batch in MixtureLoader(plan, sources, 1, 2, collate=PadCollator(pad_id=9)):
        draws = plan.batch(batch["step"], 1, 2)
        pairs = zip(draws.source.tolist(), draws.item.tolist(), strict=True)
        wanted = [row(s, i, 1 + i % 5) for s, i in pairs]
        rows = zip(batch["input_ids"], batch["attention_mask"].bool(), strict=True)
        assert [ids[mask].tolist() for ids, mask in rows] == wanted
        assert batch["source"].tolist() == draws.source.tolist()
    packed = list(MixtureLoader(plan, sources, collate=PackCollator(), micro_batch_size=6))
    assert [(p["step"], p["micro_batch"]) for p in packed] == [(s, m) for s in range(12) for m in range(4)]
    assert all(len(p["source"]) == len(p["cu_seqlens"]) - 1 == 6 for p in packed)


def test_documents_without_a_collator_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"unequal length.*PadCollator.*PackCollator.*token shards"):
        MixtureLoader(a_plan(), documents())


def test_rows_of_text_are_transformed_first_and_a_mistake_there_names_the_source() -> None:
    plan = a_plan()
    sources = {n: ObjectSource([f"{n} {i}" for i in range(len(s))], name=n) for n, s in documents().items()}

    def tokens(text: str) -> dict[str, Any]:
        return {"input_ids": [len(text)], "n": 1}

    loader = MixtureLoader(plan, sources, transform=tokens, collate=PadCollator(pad_id=0))
    assert sum(int(batch["input_ids"].sum()) for batch in loader) > 0
    bad = MixtureLoader(plan, sources, transform=lambda text: text[99], collate=PadCollator(pad_id=0))
    with pytest.raises(IndexError) as caught:
        next(iter(bad))
    if sys.version_info >= (3, 11):
        assert caught.value.__notes__[0].startswith("in the transform of item ")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"collate": PackCollator()}, r"there is nothing to collate"),
        ({"transform": len}, r"there is nothing to collate"),
        ({"documents": True}, r"does not say where documents begin"),
        ({"labels": "next"}, r"labels: got 'next'"),
        ({"dtype": "float"}, r"dtype: got 'float'"),
        ({"micro_batch_size": 0}, r"micro_batch_size: got 0"),
        ({"micro_batch_size": 5}, r"micro_batch_size: got 5 for a share of 24.*uneven=True"),
        ({"rank": 0}, r"rank, world_size: got 0 and None.*Give both, or none"),
        ({"rank": 4, "world_size": 4}, r"rank: got 4; with world_size 4 ranks are 0 to 3"),
        ({"rank": 0, "world_size": 5}, r"world_size: got 5 for batches of 24.*uneven=True"),
        ({"rank": 0, "world_size": 48, "uneven": True}, r"got 48 ranks for a batch of 24"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidInput, match=problem):
        MixtureLoader(a_plan(), sequences(), **options)


def test_what_is_no_plan_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"plan: got a dict; it must be a thermix.Plan"):
        MixtureLoader({}, sequences())  # type: ignore[arg-type]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a device to pin for")
def test_pinning_without_a_device_is_refused() -> None:
    with pytest.raises(InvalidInput, match="no CUDA device"):
        MixtureLoader(a_plan(), sequences(), pin_memory=True)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("dtype", ["int64", "int32", "storage"])
def test_batches_on_a_gpu_are_those_of_main_memory(dtype: Any, tmp_path: Path) -> None:
    plan = a_plan()
    sources = shards(tmp_path, plan)
    wanted = seen(MixtureLoader(plan, sources))
    batches = list(MixtureLoader(plan, sources, device="cuda", dtype=dtype, labels="shifted"))
    assert all(batch["input_ids"].is_cuda and batch["source"].is_cuda for batch in batches)
    assert seen(batches) == [(step, [r[:-1] for r in rows], source) for step, rows, source in wanted]


def test_uneven_shares_are_read_when_asked_for() -> None:
    plan, sources = a_plan(), sequences()
    for rank in range(5):
        loader = MixtureLoader(plan, sources, rank, 5, uneven=True, micro_batch_size=3)
        parts = list(loader)
        assert len(parts) == len(loader)
        for step, rows, _ in expected(plan, None, rank, 5):
            assert [r for p in parts if p["step"] == step for r in told(p)[1]] == rows


def test_two_iterators_at_once_are_refused() -> None:
    loader = MixtureLoader(a_plan(), sequences())
    with pytest.raises(InvalidInput, match=r"iter: an iterator of this loader is open.*loader.close\(\)"):
        zip(loader, loader, strict=True)
    loader.close()
    assert len(seen(loader)) == 12


@pytest.mark.parametrize("what", ["seek", "load_state_dict"])
def test_moving_while_a_loop_reads_is_refused(what: str) -> None:
    plan = a_plan()
    loader = MixtureLoader(plan, sequences())
    argument: Any = 3 if what == "seek" else plan.state(3)
    for batch in loader:
        with pytest.raises(InvalidInput, match=rf"^{what}: an iterator .* reads on from step 1"):
            getattr(loader, what)(argument)
        assert batch["step"] == 0
        break
    getattr(loader, what)(argument)
    assert next(iter(loader))["step"] == 3


def test_a_step_outside_the_plan_is_refused() -> None:
    loader = MixtureLoader(a_plan(), sequences())
    for step in (-1, 13):
        with pytest.raises(OutOfRange, match=rf"^step: got {step}; the plan has 12 steps. Ask for 0 to 12, "):
            loader.seek(step)
    loader.seek(5)
    with pytest.raises(OutOfRange, match="stop: got 4; the loader stands at step 5"):
        loader.until(4)


@pytest.mark.parametrize("threads", [0, 2])
def test_a_damaged_item_is_an_error_in_place_of_its_batch_and_the_state_stays_there(threads: int) -> None:
    plan = a_plan()
    rows = [row(2, item) for item in range(23)]
    bad = int(plan.batch(5).item[plan.batch(5).source == 2][0])
    draws = [plan.batch(s) for s in range(plan.end)]
    first = next(s for s, d in enumerate(draws) if ((d.item == bad) & (d.source == 2)).any())
    sources = sequences() | {
        "code": ObjectSource([*rows[:bad], [1], *rows[bad + 1 :]], name="code", sequence_length=4)
    }
    loader = MixtureLoader(plan, sources, threads=threads)
    given: list[Any] = []
    with pytest.raises(DataError, match=rf"sources.code: item {bad}"):
        given.extend(told(batch) for batch in loader)
    assert loader.step == first
    loader.seek(0)
    given = [told(batch) for batch in loader.until(first)]
    assert given == expected(plan, range(first))
    loader.seek(first)
    with pytest.raises(DataError):
        next(iter(loader))
    assert loader.state_dict()["step"] == first


def test_an_exception_in_the_loop_ends_the_threads_and_the_loader_goes_on() -> None:
    plan = a_plan()
    loader = MixtureLoader(plan, sequences())
    with pytest.raises(ZeroDivisionError):
        [1 / (batch["step"] - 3) for batch in loader]
    assert loader.step == 4
    assert seen(loader) == expected(plan, range(4, 12))


def test_leaving_a_with_block_ends_the_threads() -> None:
    with MixtureLoader(a_plan(steps=1000), sequences()) as loader:
        iterator = iter(loader)
        next(iterator)
        assert any(t.name.startswith("thermix") for t in threading.enumerate())
    assert not any(t.name.startswith("thermix") for t in threading.enumerate())
    assert list(iterator) == []


def test_it_pickles_with_its_step() -> None:
    plan = a_plan()
    loader = MixtureLoader(plan, sequences(), 1, 2, labels="same")
    iterator = iter(loader)
    next(iterator)
    copy = pickle.loads(pickle.dumps(loader))
    assert seen(copy) == expected(plan, range(1, 12), 1, 2)
    assert [told(batch) for batch in iterator] == expected(plan, range(1, 12), 1, 2)


SCRIPT = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background is born deaf to Ctrl-C
from tests.torch.cases import a_plan, sequences
from thermix.torch import MixtureLoader
loader = MixtureLoader(a_plan(steps=10**6), sequences())
{before}
for batch in loader:
    if batch["step"] == 5:
        print("running", flush=True)
    {body}
"""


def run_script(before: str, body: str) -> subprocess.Popen[str]:
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join([root, str(Path(root) / "src"), os.environ.get("PYTHONPATH", "")])
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(before=before, body=body)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("body", ["pass", "time.sleep(0.01)"])
def test_control_c_ends_the_process_at_once(body: str) -> None:
    process = run_script("", body)
    assert process.stdout is not None
    assert process.stdout.readline() == "running\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert process.returncode in (1, -signal.SIGINT, 130)
    assert errors.rstrip().endswith("KeyboardInterrupt")


@pytest.mark.slow
@pytest.mark.parametrize("body", ["raise SystemExit(7)", "break"])
def test_a_process_with_an_open_iterator_ends(body: str) -> None:
    process = run_script("held = []; it = iter(loader); next(it); held.append(it); it.close()", body)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (7 if "7" in body else 0, "")


@pytest.mark.slow
def test_a_process_that_ends_in_the_middle_of_an_iterator_it_holds_does_not_hang() -> None:
    process = run_script("held = iter(loader); next(held); sys.exit(3)", "pass")
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (3, "")


def test_the_state_is_taken_in_microseconds_and_resume_at_step_10_million_is_quick() -> None:
    """Processor time: others' work on the machine does not count."""
    plan = a_plan(steps=20_000_000)
    loader = MixtureLoader(plan, sequences(), threads=0)
    start = time.process_time()
    loader.load_state_dict(plan.state(10_000_000))
    first = next(iter(loader))
    assert time.process_time() - start < 1.0  # 0.02 s where little else runs; a replay takes minutes
    assert told(first) == expected(plan, [10_000_000])[0]
    start = time.process_time()
    for _ in range(1000):
        state = loader.state_dict()
    assert time.process_time() - start < 0.1
    assert len(json.dumps(state)) < 500
