"""`thermix batch`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Thermix
from thermix import load_plan


def test_json_is_the_batch(thermix: Thermix, mix: Path) -> None:
    ran = thermix("batch", "mix.yaml", "--step", "123", "--json")
    assert (ran.status, ran.err) == (0, "")
    record = json.loads(ran.out)
    plan = load_plan(mix)
    batch = plan.batch(123)
    assert (record["step"], record["temperature"]) == (123, plan.temperature(123))
    assert record["draws"] == [
        {"source": plan.names[s], "item": i, "epoch": e}
        for s, i, e in zip(batch.source.tolist(), batch.item.tolist(), batch.epoch.tolist(), strict=True)
    ]


def test_the_ranks_are_the_whole_batch(thermix: Thermix, mix: Path) -> None:
    def draws(*words: str) -> list[object]:
        ran = thermix("batch", "mix.yaml", "--step", "5", "--json", *words)
        return list(json.loads(ran.out)["draws"])

    parts = [draws("--rank", str(rank), "--world-size", "3") for rank in range(3)]
    assert [len(part) for part in parts] == [22, 21, 21]
    assert [draw for part in parts for draw in part] == draws()


def test_the_table_shows_slots_of_the_step(thermix: Thermix, mix: Path) -> None:
    ran = thermix("batch", "mix.yaml", "--step", "999", "--rank", "1", "--world-size", "4", "--limit", "3")
    assert (ran.status, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0] == "step 999 of 1,000, temperature 1, rank 1 of 4, 16 draws"
    assert lines[2].split() == ["slot", "source", "item", "epoch"]
    assert [line.split()[0] for line in lines[4:7]] == ["16", "17", "18"]
    assert lines[-1] == "3 of 16 draws shown; for all of them: --limit 16"


def test_a_long_batch_is_cut_only_in_the_table(thermix: Thermix, mix: Path) -> None:
    assert len(thermix("batch", "mix.yaml", "--step", "0").out.splitlines()) == 2 + 2 + 20 + 2
    assert len(thermix("batch", "mix.yaml", "--step", "0", "--limit", "64").out.splitlines()) == 2 + 2 + 64
    assert len(thermix("batch", "mix.yaml", "--step", "0", "--limit", "0").out.splitlines()) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "batch: missing option '--step'. See: thermix batch --help"),
        (["--step", "1000"], "step: got 1000; the plan has 1000 steps. Ask for 0 to 999."),
        (["--step", "-1"], "step: got -1; the plan has 1000 steps. Ask for 0 to 999."),
        (["--step", "x"], "--step: got 'x'; it must be a whole number."),
        (["--step", "1.5"], "--step: got '1.5'; it must be a whole number."),
        (["--step", "1", "--rank", "a"], "--rank: got 'a'; it must be a whole number."),
        (
            ["--step", "1", "--rank", "4", "--world-size", "4"],
            "rank: got 4; with world_size 4 ranks are 0 to 3.",
        ),
        (
            ["--step", "1", "--world-size", "65"],
            "world_size: got 65 ranks for a batch of 64; every rank needs at least one draw. "
            "Use a larger batch or fewer ranks.",
        ),
        (["--step", "1", "--world-size", "0"], "world_size: got 0; it must be at least 1."),
        (
            ["--step", "1", "--limit", "-3"],
            "--limit: got -3; it must be at least 0. Leave it out for the default.",
        ),
    ],
)
def test_a_mistake_is_one_line_and_status_2(
    thermix: Thermix, mix: Path, words: list[str], message: str
) -> None:
    ran = thermix("batch", "mix.yaml", *words)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == f"thermix: {message}\n"
