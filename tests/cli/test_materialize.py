"""`thermix materialize`: from a configuration to files, and what it says of them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Thermix
from tests.engines.store import RefusingStore
from thermix import load_plan

MIX = """\
steps: 12
batch_size: 4
sequence_length: 8
tokenizer: bytes
temperature: {schedule: linear, start: 5.0, end: 1.0}
sources:
  web:  {score: 2.0, path: raw/web.jsonl, field: text}
  网页: {score: 1.0, path: raw/more.jsonl}
edits: [{at: 7, batch_size: 3}]
"""


@pytest.fixture
def mix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, thermix: Thermix) -> str:
    """mix.yaml over prepared shards, and documents.yaml over raw rows, in the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("raw").mkdir()
    for name in ("web", "more"):
        lines = [json.dumps({"text": f"{name} row {i} 文"}) for i in range(30)]
        Path("raw", f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    Path("mix.yaml").write_text(MIX, "utf-8")
    drop = ("tokenizer", "sequence_length")
    Path("documents.yaml").write_text(
        "".join(line for line in MIX.splitlines(keepends=True) if not line.startswith(drop)), "utf-8"
    )
    assert thermix("prepare", "mix.yaml").status == 0
    return "mix.yaml"


@pytest.mark.parametrize("config", ["mix.yaml", "documents.yaml"])
def test_lines_equal_those_of_stream(thermix: Thermix, mix: str, config: str) -> None:
    words = ("materialize", config, "--out", "run", "--format", "jsonl", "--steps", "2:10")
    ran = thermix(*words, "--steps-per-file", "3", "--processes", "1")
    assert (ran.status, ran.err) == (0, "")
    text = "".join(file.read_text("utf-8") for file in sorted(Path("run").glob("train-*.jsonl")))
    assert text == thermix("stream", config, "--start", "2", "--steps", "8").out
    assert len(list(Path("run").glob("train-*"))) == 3


def test_it_says_what_it_did_and_does_it_once(thermix: Thermix, mix: str) -> None:
    words = ("materialize", mix, "--out", "run", "--format", "bin", "--processes", "1")
    assert thermix(*words) == (0, "run: steps 0 to 12, 43 items, 344 tokens, 2 files\n", "")
    again = "run: it was materialized already: steps 0 to 12, 43 items, 344 tokens, 2 files\n"
    assert thermix(*words) == (0, again, "")
    assert thermix("check", "run").out == "run: 2 sound shards, 43 documents, 344 tokens, 2 checksums agree\n"


def test_json_has_the_exact_values(thermix: Thermix, mix: str) -> None:
    words = ("materialize", mix, "--out", "run", "--format", "bin", "--ranks", "2", "--steps", ":5", "--json")
    record = json.loads(thermix(*words).out)
    assert record["fingerprint"] == load_plan(mix).fingerprint
    assert (record["steps"], record["items"], record["tokens"]) == ([0, 5], 20, 160)
    assert (record["files"], record["spans"], record["spans_done_before"]) == (4, 2, 0)
    assert record["bytes"] == sum(file.stat().st_size for file in Path("run").glob("rank-*/train-*"))


@pytest.mark.slow
def test_a_run_goes_to_an_object_store_and_is_checked_there(
    thermix: Thermix, mix: str, store: RefusingStore, out: str
) -> None:
    words = ("materialize", mix, "--out", out, "--format", "bin", "--processes", "1")
    ran = thermix(*words)
    assert (ran.status, ran.err) == (0, "")
    assert unwrapped(ran.out) == f"{out}: steps 0 to 12, 43 items, 344 tokens, 2 files"
    assert unwrapped(thermix(*words).out).startswith(f"{out}: it was materialized already: steps 0 to 12")
    assert json.loads(thermix(*words, "--json").out)["folder"] == out
    found = thermix("check", out)
    assert unwrapped(found.out) == f"{out}: 2 sound shards, 43 documents, 344 tokens, 2 checksums agree"
    assert not Path("s3:").exists()
    refused = thermix("check", "s3://no-such-bucket/run")
    assert refused.status == 2
    assert "no manifest lies there" in refused.err


def unwrapped(text: str) -> str:
    return " ".join(text.split())


def test_a_damaged_file_is_found_by_check(thermix: Thermix, mix: str) -> None:
    thermix("materialize", mix, "--out", "run", "--format", "jsonl")
    (file,) = Path("run").glob("train-*")
    file.write_bytes(file.read_bytes().replace(b'"epoch": 0', b'"epoch": 9', 1))
    ran = thermix("check", "run")
    assert ran.status == 3
    assert "SHA-256" in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--steps", "5"), "--steps: got '5'; a span is written A:B"),
        (("--steps", "a:b"), "--steps: got 'a:b'"),
        (("--steps", "0:13"), "the plan has steps 0 to 12"),
        (("--ranks", "x"), "--ranks: got 'x'; it must be a whole number"),
        (("--engine", "spark"), "--engine: got 'spark'; there are local and ray"),
        (("--address", "a:1"), "--address: got a:1, and --engine local, which has none"),
    ],
)
def test_wrong_use_says_the_rule(thermix: Thermix, mix: str, words: tuple[str, ...], said: str) -> None:
    ran = thermix("materialize", mix, "--out", "run", "--format", "jsonl", *words)
    assert ran.status == 2
    assert said in " ".join(ran.err.split())
    assert not Path("run").exists()


@pytest.mark.parametrize("verb", ["prepare", "materialize"])
def test_ray_that_is_not_installed_is_named_with_the_command(
    thermix: Thermix, mix: str, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    options = ("--out", "run", "--format", "jsonl") if verb == "materialize" else ()
    ran = thermix(verb, mix, *options, "--engine", "ray")
    assert ran.status == 2
    assert "pip install 'thermix[ray]'" in ran.err
