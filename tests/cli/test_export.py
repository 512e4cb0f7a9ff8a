"""`thermix export`: what it writes, and how it says what that leaves out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from tests.cli.conftest import Thermix


def test_the_table_says_how_far_it_is(thermix: Thermix, mix: Path) -> None:
    ran = thermix("export", str(mix), "--to", "nanotron", "--stages", "3")
    assert (ran.status, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0] == "export-nanotron: nanotron.yaml; 3 stages for nanotron"
    assert lines[1].startswith("farthest from the plan: ")
    assert max(map(cell_len, lines)) <= 80
    record = json.loads(Path("export-nanotron/distance.json").read_text("utf-8"))
    for source in record["sources"]:
        (row,) = (line for line in lines if line.startswith(f"{source['name']} "))
        assert f"{source['largest']:+,.1f}" in row
        assert f"{source['at_step']:,}" in row
    assert "-0.0" not in ran.out
    assert ran.out.count("not said: ") == len(record["cannot_say"])


def test_json_is_the_file_beside(thermix: Thermix, mix: Path) -> None:
    record = json.loads(thermix("export", str(mix), "--to", "mosaic", "--out", "here", "--json").out)
    assert record.pop("folder") == "here"
    assert record == json.loads(Path("here/distance.json").read_text("utf-8"))
    assert record["to"] == "mosaic"
    assert record["reference"].startswith("https://")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--to", "spark"), "to: got 'spark'; it is one of megatron, levanter, nanotron, energon, mosaic"),
        (("--to", "mosaic", "--stages", "x"), "--stages: got 'x'; it must be a whole number"),
        (("--to", "mosaic", "--stages", "0"), "stages: got 0"),
        ((), "--to"),
    ],
)
def test_wrong_use_says_the_rule(thermix: Thermix, mix: Path, words: tuple[str, ...], said: str) -> None:
    ran = thermix("export", str(mix), *words)
    assert ran.status == 2
    assert said in " ".join(ran.err.split())
    assert [file.name for file in Path().iterdir()] == ["mix.yaml"]
