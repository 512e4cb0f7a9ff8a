"""What is written of a run, and adding to it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import results
from benchmarks.harness import Row

MACHINE, VERSIONS = {"system": "Linux", "memory": "8 GB"}, {"python": "3.11", "numpy": "2.0"}


def run_of(case: str, value: float, command: str = "python -m benchmarks --full") -> results.Results:
    label = "64 x 2,048, no workers" if case == "delivery" else "at draw 10^6"
    rows = [Row(label, "thermix", [value], [10.0]), Row(label, "pytorch", reason="no | luck", failed=True)]
    about = results.about(command, MACHINE, VERSIONS)
    return results.with_cases(about, results.cases_of({case: (rows, 2.0)}))


def merged(out: Path, new: results.Results) -> results.Results:
    return results.with_cases(new, results.kept(out, new) | new["cases"])


@pytest.fixture
def said() -> list[str]:
    return []


def test_page_values_and_chart_lie_side_by_side(tmp_path: Path, said: list[str]) -> None:
    pytest.importorskip("altair")
    pytest.importorskip("vl_convert")
    out = tmp_path / "new" / "RESULTS.md"
    results.write(run_of("resume", 3.0), out, sys.executable, said.append)
    assert json.loads(out.with_suffix(".json").read_text("utf-8"))["cases"]["resume"]["minutes"] == 2.0
    assert out.with_suffix(".svg").read_text("utf-8").startswith("<svg")
    page = out.read_text("utf-8")
    assert page.startswith("# Results\n\nMade by\n\n- 20")
    assert "`python -m benchmarks --full` (2 min)" in page
    assert "Machine: system Linux, memory 8 GB." in page
    assert "Versions: python 3.11, numpy 2.0." in page
    assert "| at draw 10^6 | **3** |" in page
    assert "- PyTorch - failed: no \\| luck" in page
    assert page.endswith("![Medians of each case](RESULTS.svg)\n")


def test_without_altair_there_is_no_chart_but_all_else(tmp_path: Path, said: list[str]) -> None:
    bare = tmp_path / "python"
    bare.write_text("#!/bin/sh\necho 'No module named altair' >&2\nexit 1\n", "ascii")
    bare.chmod(0o755)
    out = tmp_path / "RESULTS.md"
    results.write(run_of("resume", 3.0), out, str(bare), said.append)
    assert said[0] == "no chart: No module named altair"
    assert "svg" not in out.read_text("utf-8")
    assert out.with_suffix(".json").exists()


def test_merging_keeps_other_cases_replaces_its_own_and_says_what_made_each(
    tmp_path: Path, said: list[str]
) -> None:
    out = tmp_path / "RESULTS.md"
    for case, value, command in (("resume", 3.0, "a"), ("delivery", 5.0, "b"), ("resume", 4.0, "c")):
        results.write(merged(out, run_of(case, value, command)), out, "false", said.append)
    found = json.loads(out.with_suffix(".json").read_text("utf-8"))["cases"]
    assert list(found) == ["resume", "delivery"]
    assert [case["command"] for case in found.values()] == ["c", "b"]
    assert found["resume"]["rows"][0]["median"] == 4.0
    assert "`b` (2 min)" in out.read_text("utf-8")


def test_merging_with_nothing_is_a_new_page(tmp_path: Path) -> None:
    assert results.kept(tmp_path / "RESULTS.md", run_of("resume", 3.0)) == {}


@pytest.mark.parametrize("what", ["machine", "versions"])
def test_merging_figures_of_another_machine_or_version_is_refused(
    tmp_path: Path, said: list[str], what: str
) -> None:
    out = tmp_path / "RESULTS.md"
    results.write(run_of("resume", 3.0), out, "false", said.append)
    other = run_of("delivery", 1.0)
    other[what] = {"python": "4"}
    with pytest.raises(SystemExit, match=rf"--merge: .*was made with {what} .*and this run has .*4.*anew"):
        results.kept(out, other)
