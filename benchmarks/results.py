"""What is written of a run: RESULTS.md for readers, the same as JSON, and the chart."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import tables
from benchmarks.cases import CASES
from benchmarks.contenders import TITLES
from benchmarks.environment import ROOT, python_path
from benchmarks.harness import Row

__all__ = ["Cases", "about", "cases_of", "kept", "page", "with_cases", "write"]

Cases = dict[str, dict[str, Any]]
Results = dict[str, Any]


def about(command: str, machine: Mapping[str, str], versions: Mapping[str, str]) -> Results:
    """A run without its cases: when, where, with what."""
    return {
        "command": command,
        "date": time.strftime("%Y-%m-%d"),
        "machine": dict(machine),
        "versions": dict(versions),
    }


def cases_of(measured: Mapping[str, tuple[list[Row], float]]) -> Cases:
    """Cases as plain values, by name."""
    found: Cases = {}
    for name, (rows, minutes) in measured.items():
        case = import_module(f"benchmarks.cases.{name}")
        words = {"title": case.TITLE, "unit": case.UNIT, "better": case.BETTER, "note": case.NOTE}
        found[name] = {**words, "minutes": minutes, "rows": tables.records(rows, case.BETTER)}
    return found


def with_cases(results: Results, cases: Cases) -> Results:
    """The run with its cases in their usual order; each says which command made it."""
    made = {"command": results["command"], "date": results["date"]}
    ordered = {name: made | cases[name] for name in CASES if name in cases}
    return {**results, "cases": ordered}


def kept(out: Path, results: Results) -> Cases:
    """The cases of an earlier file, to add to: of the same machine and versions, or it is refused."""
    path = out.with_suffix(".json")
    if not path.exists():
        return {}
    earlier = json.loads(path.read_text("utf-8"))
    for what in ("machine", "versions"):
        if earlier[what] != results[what]:
            raise SystemExit(
                f"--merge: {path} was made with {what} {earlier[what]}, and this run has {results[what]}. "
                "The figures of one page are of one machine and one set of versions; leave --merge out to "
                "begin anew."
            )
    cases: Cases = earlier["cases"]
    return cases


def page(results: Results) -> str:
    """The Markdown."""
    machine = ", ".join(f"{key} {value}" for key, value in results["machine"].items())
    versions = ", ".join(f"{key} {value}" for key, value in results["versions"].items())
    runs: dict[tuple[str, str], float] = {}
    for case in results["cases"].values():
        key = (case["date"], case["command"])
        runs[key] = runs.get(key, 0.0) + case["minutes"]
    lines = ["# Results", "", "Made by", ""]
    lines += [f"- {date}: `{command}` ({minutes:.0f} min)" for (date, command), minutes in runs.items()]
    lines += ["", f"Machine: {machine}.", "", f"Versions: {versions}.", ""]
    lines += [
        "Below each table is every figure: `thermix is` says how many times better thermix is, the median of "
        "the turns' ratios; below 1 the other is better. `docs/benchmarks.md` says what is measured and "
        "explains the figures.",
        "",
    ]
    return "\n".join([*lines, *(tables.markdown(case, TITLES) for case in results["cases"].values())])


def write(results: Results, out: Path, python: str, say: Callable[[str], None]) -> None:
    """The page, the values, and the chart by an interpreter that has altair."""
    out.parent.mkdir(parents=True, exist_ok=True)
    values = out.with_suffix(".json")
    values.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    chart = out.with_suffix(".svg")
    command = [python, "-m", "benchmarks.chart", str(values.absolute()), str(chart.absolute())]
    drawn = subprocess.run(command, cwd=ROOT, env=python_path(), capture_output=True, text=True, check=False)
    if drawn.returncode:
        say(f"no chart: {(drawn.stderr.strip() or 'it ended without a word').splitlines()[-1]}")
    picture = "" if drawn.returncode else f"\n![Medians of each case]({chart.name})\n"
    out.write_text(page(results).rstrip() + "\n" + picture, "utf-8")
    say(f"{out}, {values.name}{'' if drawn.returncode else f', {chart.name}'}")
