"""`thermix` as a process of its own: pipes, encodings, terminals, and what it loads."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.cells import cell_len

COMMAND = [sys.executable, "-m", "thermix"]
PROBS = ("probs", "--score", "web=2", "--score", "books=3", "-T", "1")


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    inherited = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    return subprocess.run(
        [*COMMAND, *words],
        capture_output=True,
        check=False,
        env={**inherited, "PYTHONIOENCODING": "utf-8", **environment},
    )


def test_a_pipe_gets_plain_text_of_eighty_columns(mix: Path) -> None:
    ran = run("plan", "mix.yaml")
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert b"\x1b" not in ran.stdout
    assert max(cell_len(line) for line in ran.stdout.decode().splitlines()) <= 80


def test_columns_widen_what_can_be_wider(mix: Path) -> None:
    mix.write_text(mix.read_text("utf-8").replace("web", "web" * 20), encoding="utf-8")
    narrow, wide = (run("plan", "mix.yaml", COLUMNS=columns).stdout.decode() for columns in ("80", "200"))
    assert "web" * 20 not in narrow
    assert "web" * 20 in wide


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1"])
@pytest.mark.parametrize("words", [("plan", "mix.yaml"), ("batch", "mix.yaml", "--step", "3")])
def test_an_encoding_without_chinese_is_no_obstacle(mix: Path, words: tuple[str, ...], encoding: str) -> None:
    ran = run(*words, PYTHONIOENCODING=encoding)
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert b"\\u7f51\\u" in ran.stdout
    ran.stdout.decode(encoding)
    as_json = run(*words, "--json", PYTHONIOENCODING=encoding)
    assert "网页文本" in json.dumps(json.loads(as_json.stdout.decode(encoding)), ensure_ascii=False)


def test_an_error_about_a_chinese_name_is_shown_in_any_encoding(mix: Path) -> None:
    mix.write_text(mix.read_text("utf-8").replace("50000", "0"), encoding="utf-8")
    ran = run("plan", "mix.yaml", PYTHONIOENCODING="ascii:strict")
    assert ran.returncode == 2
    assert b"Traceback" not in ran.stderr


@pytest.mark.parametrize("how", [("--json",), ("--limit", "30000")])
def test_a_reader_that_goes_away_is_no_error(mix: Path, how: tuple[str, ...]) -> None:
    mix.write_text("{steps: 10, batch_size: 30000, sources: {web: {items: 1000000}}}", encoding="utf-8")
    words = [*COMMAND, "batch", "mix.yaml", "--step", "0", *how]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line() -> None:
    with open("/dev/full", "wb") as full:
        ran = subprocess.run([*COMMAND, *PROBS], stdout=full, stderr=subprocess.PIPE, check=False)
    assert ran.returncode == 2
    assert ran.stderr == b"thermix: no space left on device.\n"


@pytest.mark.parametrize(("no_color", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_gets_colours_unless_told_not_to(
    mix: Path, no_color: dict[str, str], coloured: bool
) -> None:
    ran = run("plan", "mix.yaml", FORCE_COLOR="1", TERM="xterm-256color", **no_color)
    assert (b"\x1b[33mwarning" in ran.stdout) == coloured


LOADED = """
import sys
from thermix.cli import main
main({words})
print(*sorted({{name.split(".")[0] for name in sys.modules}}), file=sys.stderr)
"""


def loaded_by(*words: str) -> set[str]:
    ran = subprocess.run(
        [sys.executable, "-c", LOADED.format(words=list(words))], capture_output=True, text=True, check=True
    )
    return set(ran.stderr.split())


def test_the_version_loads_nothing() -> None:
    assert not loaded_by("--version") & {"numpy", "typer", "rich", "pydantic", "yaml"}


def test_help_loads_neither_numpy_nor_rich() -> None:
    assert not loaded_by("--help") & {"numpy", "rich", "pydantic", "yaml"}


def test_probs_loads_no_yaml_and_its_json_no_rich() -> None:
    assert "yaml" not in loaded_by(*PROBS)
    assert not loaded_by(*PROBS, "--json") & {"yaml", "rich"}
