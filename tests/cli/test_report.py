"""`thermix report`."""

from __future__ import annotations

import html
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Thermix
from thermix import load_plan

pytest.importorskip("altair")
pytest.importorskip("vl_convert")


def test_the_page_is_written_where_it_is_asked_for(thermix: Thermix, mix: Path) -> None:
    assert thermix("report", "mix.yaml") == (0, "wrote report.html\n", "")
    assert thermix("report", "mix.yaml", "-o", "b.html") == (0, "wrote b.html\n", "")
    page = Path("b.html").read_text("utf-8")
    assert load_plan(mix).fingerprint in page
    assert "books: 16.93 epochs" in page
    assert "Realised" not in page


def test_a_run_is_counted_beside_its_plan(thermix: Thermix, mix: Path) -> None:
    plan = load_plan(mix)
    batch = plan.batch(3)
    lines = [json.dumps({"step": 3, "source": plan.names[s], "item": 0}) for s in batch.source]
    Path("run.jsonl").write_text("\n".join(lines), encoding="utf-8")
    assert thermix("report", "mix.yaml", "--run", "run.jsonl").status == 0
    page = html.unescape(Path("report.html").read_text("utf-8"))
    assert "The log has 64 draws of 1 steps (steps 3 to 3). Every source was drawn exactly as often" in page
    planned = int((plan.counts(4) - plan.counts(3))[1])
    assert f"<bdi>books</bdi></th><td>{planned}</td><td>{planned}</td><td>+0</td>" in page
    assert "thermix report mix.yaml --run run.jsonl -o report.html" in page


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["-o", "a.png"], 2, "--out: got 'a.png'; its suffix says what is written: .html. Name such a file."),
        (["-o", "no/a.html"], 2, "--out: got 'no/a.html'; there is no folder 'no'."),
        (["--run", "nope"], 2, "--run: nope: no such file or directory."),
        (["--run", "mix.yaml"], 3, "mix.yaml: line 1 (byte 0): no JSON;"),
        (["--compare", "sine"], 2, "--compare: got 'sine'; it is one of"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    thermix: Thermix, mix: Path, words: list[str], status: int, message: str
) -> None:
    ran = thermix("report", "mix.yaml", *words)
    assert (ran.status, ran.out) == (status, "")
    assert ran.err.startswith(f"thermix: {message}")
    assert [path.name for path in Path().iterdir()] == ["mix.yaml"]
