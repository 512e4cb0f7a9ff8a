"""The command: `python -m benchmarks --tiny | --quick | --full | --install DIR`."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path

from benchmarks import data, environment, results
from benchmarks.cases import CASES, Size
from benchmarks.contenders import OWN_FORMAT, PLAIN, TITLES
from benchmarks.harness import Group, Runner, run_all

TOKENS = {"tiny": 1 << 20, "quick": 1 << 22, "full": 1 << 26}
NEEDS_ROWS = frozenset({"start", "resume", "delivery"})
MEMORY = 12 << 30


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """What was asked."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=import_module("benchmarks").__doc__
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    size = parser.add_mutually_exclusive_group(required=True)
    size.add_argument("--tiny", dest="size", action="store_const", const="tiny", help="only that it works")
    size.add_argument("--quick", dest="size", action="store_const", const="quick", help="a few minutes")
    size.add_argument("--full", dest="size", action="store_const", const="full", help="figures to report")
    size.add_argument("--install", type=Path, metavar="DIR", help="make the contenders' environment")
    parser.add_argument("--env", type=Path, metavar="DIR", help="that environment; left out, this Python")
    parser.add_argument("--cases", default=",".join(CASES), help="left out, %(default)s")
    parser.add_argument(
        "--contenders", help="left out, all; for --tiny without --env, those that need nothing more"
    )
    parser.add_argument("--out", type=Path, metavar="FILE.md", help=".json and .svg are written beside it")
    parser.add_argument("--merge", action="store_true", help="keep the other cases that --out has")
    parser.add_argument("--data", type=Path, metavar="DIR", help="where to put the data, on a disk: 2 GB")
    found = parser.parse_args(given)
    plain = found.size == "tiny" and not found.env
    found.cases = _listed(parser, "--cases", found.cases, CASES)
    found.contenders = _listed(
        parser, "--contenders", found.contenders or ",".join(PLAIN if plain else TITLES), tuple(TITLES)
    )
    if found.merge and not found.out:
        parser.error("--merge needs --out, the results to add to.")
    return found


def _listed(
    parser: argparse.ArgumentParser, option: str, text: str, known: tuple[str, ...]
) -> tuple[str, ...]:
    """Names of a list with commas, in their usual order."""
    unknown = sorted(set(text.split(",")) - set(known))
    if unknown:
        parser.error(f"{option}: there is no {', '.join(unknown)}; there are {', '.join(known)}.")
    return tuple(name for name in known if name in text.split(","))


def say(line: str) -> None:
    """Progress, at once."""
    print(line, file=sys.stderr, flush=True)


def groups_of(cases: tuple[str, ...], size: Size, contenders: tuple[str, ...], folder: Path) -> list[Group]:
    """Every group of the cases, with the contenders that were asked for and the folder of the data."""
    return [
        Group(
            group.case,
            tuple(row.but(data=str(folder)) for row in group.rows),
            tuple(name for name in group.contenders if name in contenders),
            group.turns,
            group.limit,
        )
        for case in cases
        for group in import_module(f"benchmarks.cases.{case}").groups(size)
    ]


def make_data(groups: list[Group], size: Size, folder: Path, runner: Runner) -> None:
    """Tokens, text, and the contenders' own formats, as far as the groups need them."""
    reading = [group for group in groups if group.case in NEEDS_ROWS]
    if reading:
        data.make_tokens(folder, TOKENS[size])
        by_length = {row.length: row.but(label=str(row.length)) for group in reading for row in group.rows}
        for contender in OWN_FORMAT:
            if any(contender in group.contenders for group in reading):
                made = runner.run("prepare", "prepare", contender, list(by_length.values()), 600)
                troubles = {why for one in made.values() if (why := one.get("failed") or one.get("skipped"))}
                say(f"  the format of {contender}: {'; '.join(troubles) or 'written'}")
    for group in groups:
        if group.case == "text":
            say("  text, and a tokenizer for it")
            vocabulary = 1000 if size == "tiny" else data.VOCABULARY
            data.make_text(folder, group.rows[0].megabytes, vocabulary)


def run(asked: argparse.Namespace, python: str, folder: Path) -> results.Cases:
    """The cases, measured."""
    logs = folder / "logs"
    logs.mkdir()
    half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    runner = Runner(python, logs, memory=min(MEMORY, half))
    groups = groups_of(asked.cases, asked.size, asked.contenders, folder)
    make_data(groups, asked.size, folder, runner)
    return results.cases_of(run_all(groups, runner, say))


def main(given: list[str] | None = None) -> None:
    """Do what was asked."""
    asked = arguments(given)
    if asked.install:
        environment.install(asked.install)
        return
    python = environment.python_of(asked.env) if asked.env else sys.executable
    command = shlex.join(["python", "-m", "benchmarks", *(sys.argv[1:] if given is None else given)])
    found = results.about(command, environment.machine(), environment.versions_in(python))
    kept = results.kept(asked.out, found) if asked.merge else {}
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="thermix-bench-", dir=asked.data) as name:
        cases = run(asked, python, Path(name))
    found = results.with_cases(found, kept | cases)
    say(f"{(time.perf_counter() - began) / 60:.1f} minutes")
    if asked.out:
        results.write(found, asked.out, python, say)
    else:
        print(results.page(found))


if __name__ == "__main__":
    main()
