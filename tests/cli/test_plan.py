"""`thermix plan`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.cli.conftest import CONFIG, Thermix
from thermix import load_plan

TABLE = """\
                  share  share  share                   first     ends
source     items  first   mean   last   draws  epochs  repeat  at step
──────────────────────────────────────────────────────────────────────
web       10.00M  33.8%  31.0%  25.4%  19,858   <0.01       –        –
books      2,000  41.2%  52.9%  69.0%  33,850    16.9      75        –
网页文本  50,000  25.0%  16.1%   5.7%  10,292    0.21       –        –
"""


def test_a_forecast_fits_eighty_columns(thermix: Thermix, mix: Path) -> None:
    ran = thermix("plan", "mix.yaml")
    assert (ran.status, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0] == "mix.yaml: 1,000 steps × 64 = 64,000 draws (sequences) = 131.1M tokens"
    assert TABLE in ran.out
    assert [line.split()[0] for line in lines[10:14]] == ["temperature", "web", "books", "网页文本"]
    assert " ".join(lines[15:17]).replace("  ", " ") == (
        "warning: books: 16.93 epochs; the value of repeats fades after about 4 (Muennighoff et al. 2023). "
        "To limit it, set max_epochs: 4."
    )
    assert max(map(cell_len, lines)) <= 80


def test_json_is_the_forecast(thermix: Thermix, mix: Path) -> None:
    ran = thermix("plan", "mix.yaml", "--json")
    assert (ran.status, ran.err) == (0, "")
    record = json.loads(ran.out)
    plan = load_plan(mix)
    assert record["fingerprint"] == plan.fingerprint
    assert [(s["name"], s["draws"]) for s in record["sources"]] == [
        (source.name, source.draws) for source in plan.forecast()
    ]
    assert [warning["code"] for warning in record["warnings"]] == ["many_epochs"]


def test_two_sources_of_one_path_are_told(thermix: Thermix, mix: Path) -> None:
    text = CONFIG.replace("items: 10000000", "items: 7, path: ./a").replace(
        "items: 2000", "items: 9, path: [b, a]"
    )
    mix.write_text(text, encoding="utf-8")
    record = json.loads(thermix("plan", "mix.yaml", "--json").out)
    assert ("same_path", "books") in [(w["code"], w["source"]) for w in record["warnings"]]
    assert {notice["source"] for notice in record["notices"]} == {"web", "books"}
    shown = thermix("plan", "mix.yaml").out
    assert "warning: books: reads the same data as web, a;" in shown
    assert "note: mix.yaml: sources.web.path: " in shown


def test_two_fields_of_one_path_are_two_texts(thermix: Thermix, mix: Path) -> None:
    text = CONFIG.replace("items: 10000000", "items: 70000, path: a.jsonl, field: title")
    mix.write_text(text.replace("items: 2000", "items: 90000, path: a.jsonl, field: text"), encoding="utf-8")
    assert json.loads(thermix("plan", "mix.yaml", "--json").out)["warnings"] == []


def test_edits_are_told(thermix: Thermix, mix: Path) -> None:
    mix.write_text(f"{CONFIG}edits: [{{at: 500, temperature: inf, steps: 2000}}]\n", encoding="utf-8")
    out = thermix("plan", "mix.yaml").out
    assert "from step 500: temperature constant(float('inf')), steps 2,000\n" in out
    record = json.loads(thermix("plan", "mix.yaml", "--json").out)
    assert record["temperature_last"] == "inf"
    assert record["steps"] == 2000


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("steps: [", "thermix: mix.yaml: line 1"),
        (CONFIG.replace("batch_size", "batchsize"), "Did you mean"),
        (CONFIG.replace("items: 2000", "items: 0"), "thermix: mix.yaml: sources.books"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_place(
    thermix: Thermix, mix: Path, text: str, message: str
) -> None:
    mix.write_text(text, encoding="utf-8")
    ran = thermix("plan", "mix.yaml")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("thermix: mix.yaml: ")
    assert message.lower() in ran.err.lower()
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("name", ["nope.yaml", ".", "mix.yaml/below", "x" * 300])
def test_a_file_that_cannot_be_read_is_one_line(thermix: Thermix, mix: Path, name: str) -> None:
    ran = thermix("plan", name)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"thermix: {name}: ")
    assert len(ran.err.splitlines()) == 1
