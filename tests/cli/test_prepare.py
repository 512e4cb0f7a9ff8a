"""`thermix prepare`, `thermix check` and `thermix stream`, one after the other as a person runs them."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Thermix
from tests.engines.store import RefusingStore
from thermix.sources.manifest import read_manifest

MIX = """\
steps: 6
batch_size: 4
sequence_length: 8
tokenizer: bytes
temperature: {schedule: linear, start: 5.0, end: 1.0}
sources:
  web:  {score: 2.0, path: raw/web.jsonl, field: text}
  网页: {score: 1.0, path: raw/more.jsonl}
"""


@pytest.fixture
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `raw` with two files, and mix.yaml, in the current folder."""
    monkeypatch.chdir(tmp_path)
    folder = Path("raw")
    folder.mkdir()
    for name in ("web", "more"):
        lines = [json.dumps({"text": f"{name} row {i}"}) for i in range(30)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n")
    Path("mix.yaml").write_text(MIX, "utf-8")
    return folder


def tokens_of(name: str) -> int:
    return sum(len(f"{name} row {i}") + 1 for i in range(30))


def test_files_become_shards(thermix: Thermix, raw: Path) -> None:
    words = ("prepare", "raw/web.jsonl", "--tokenizer", "bytes", "--out", "shards")
    ran = thermix(*words)
    assert ran == (0, f"shards: 1 shard, 30 documents, {tokens_of('web')} tokens of uint16\n", "")
    assert thermix(*words).out.startswith("shards: it was prepared already: 1 shard, 30 documents")


@pytest.mark.slow
def test_files_become_shards_in_an_object_store(
    thermix: Thermix, raw: Path, store: RefusingStore, out: str
) -> None:
    ran = thermix("prepare", "raw/web.jsonl", "--tokenizer", "bytes", "--out", out)
    assert (ran.status, ran.err) == (0, "")
    said = " ".join(ran.out.split())
    assert said == f"{out}: 1 shard, 30 documents, {tokens_of('web')} tokens of uint16"
    found = thermix("check", out, "--json")
    (record,) = json.loads(found.out)["folders"]
    assert (record["path"], record["shards"], record["checksums"]) == (out, 1, 2)
    assert not Path("s3:").exists()


def test_json_says_what_was_made(thermix: Thermix, raw: Path) -> None:
    ran = thermix("prepare", "raw", "--tokenizer", "bytes", "--out", "shards", "--json")
    (record,) = json.loads(ran.out)["prepared"]
    assert record["tokens"] == tokens_of("web") + tokens_of("more")
    assert (record["folder"], record["documents"], record["skipped"]) == ("shards", 60, 0)
    assert (record["pieces"], record["pieces_done_before"]) == (1, 0)
    assert record["tokenizer"]["kind"] == "bytes"


def test_a_configuration_is_prepared_then_planned_then_streamed(thermix: Thermix, raw: Path) -> None:
    assert thermix("plan", "mix.yaml").status == 2
    ran = thermix("prepare", "mix.yaml", "--processes", "1")
    assert (ran.status, ran.err) == (0, "")
    assert [line.split(":")[0] for line in ran.out.splitlines()] == ["prepared/web", "prepared/网页"]
    plan = json.loads(thermix("plan", "mix.yaml", "--json").out)
    assert {source["name"]: source["items"] for source in plan["sources"]} == {
        "web": tokens_of("web") // 8,
        "网页": tokens_of("more") // 8,
    }
    lines = thermix("stream", "mix.yaml", "--decode").out.splitlines()
    assert len(lines) == 6 * 4
    assert {json.loads(line)["source"] for line in lines} == {"web", "网页"}


def test_the_stream_is_what_the_batches_say(thermix: Thermix, raw: Path) -> None:
    thermix("prepare", "mix.yaml", "--processes", "1")
    shards = {name: read_manifest(f"prepared/{name}") for name in ("web", "网页")}
    assert all(shards.values())
    stream = [
        json.loads(line)
        for line in thermix("stream", "mix.yaml", "--start", "2", "--steps", "2").out.splitlines()
    ]
    for step in (2, 3):
        batch = json.loads(thermix("batch", "mix.yaml", "--step", str(step), "--json").out)["draws"]
        found = [
            {key: row[key] for key in ("source", "item", "epoch")} for row in stream if row["step"] == step
        ]
        assert found == batch
    text = "".join(f"web row {i}\0" for i in range(30))
    for row in stream:
        if row["source"] == "web":
            shown = "".join("\0" if token == 256 else chr(token) for token in row["tokens"])
            assert shown == text[row["item"] * 8 : row["item"] * 8 + 8]


def test_decoding_gives_text_in_place_of_tokens(thermix: Thermix, raw: Path) -> None:
    thermix("prepare", "mix.yaml", "--processes", "1")
    texts = thermix("stream", "mix.yaml", "--decode", "--limit", "9").out.splitlines()
    tokens = thermix("stream", "mix.yaml", "--limit", "9").out.splitlines()
    for text, row in zip(map(json.loads, texts), map(json.loads, tokens), strict=True):
        row["text"] = "".join(chr(token) for token in row.pop("tokens") if token != 256)
        assert text == row


def test_the_ranks_together_are_the_stream(thermix: Thermix, raw: Path) -> None:
    thermix("prepare", "mix.yaml", "--processes", "1")
    whole = thermix("stream", "mix.yaml", "--start", "1", "--steps", "1").out
    parts = [
        thermix(
            "stream", "mix.yaml", "--start", "1", "--steps", "1", "--rank", str(r), "--world-size", "3"
        ).out
        for r in range(3)
    ]
    assert "".join(parts) == whole


def test_documents_are_streamed_as_text_or_as_rows(thermix: Thermix, raw: Path) -> None:
    text = MIX.replace("tokenizer: bytes\nsequence_length: 8\n", "").replace(
        "sequence_length: 8\ntokenizer: bytes\n", ""
    )
    Path("mix.yaml").write_text(text, "utf-8")
    rows = [json.loads(line) for line in thermix("stream", "mix.yaml").out.splitlines()]
    assert {row.get("text") == f"web row {row['item']}" for row in rows if row["source"] == "web"} == {True}
    assert {
        json.dumps(row.get("row")) == json.dumps({"text": f"more row {row['item']}"})
        for row in rows
        if row["source"] == "网页"
    } == {True}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--start", "7"], "step: got 7"),
        (["--start", "x"], "--start: got 'x'; it must be a whole number."),
        (["--limit", "-1"], "--limit: got -1; it must be at least 0."),
        (["--rank", "4", "--world-size", "4"], "rank: got 4"),
    ],
)
def test_wrong_numbers_for_the_stream_are_refused(
    thermix: Thermix, raw: Path, words: list[str], said: str
) -> None:
    thermix("prepare", "mix.yaml", "--processes", "1")
    ran = thermix("stream", "mix.yaml", *words)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"thermix: {said}")


def test_a_limit_of_nothing_prints_nothing(thermix: Thermix, raw: Path) -> None:
    thermix("prepare", "mix.yaml", "--processes", "1")
    assert thermix("stream", "mix.yaml", "--limit", "0") == (0, "", "")


def test_a_tokenizer_of_another_vocabulary_cannot_decode(thermix: Thermix, raw: Path) -> None:
    thermix("prepare", "mix.yaml", "--processes", "1")
    for name in ("web", "网页"):
        manifest = Path("prepared", name, "manifest.json")
        manifest.write_text(manifest.read_text().replace('"vocabulary": 257', '"vocabulary": 300'))
    ran = thermix("stream", "mix.yaml", "--tokenizer", "bytes")
    assert ran.status == 2
    assert "--tokenizer: got bytes, of 257 tokens; the shards of web in" in ran.err


def test_shards_without_a_manifest_need_a_tokenizer_to_decode(thermix: Thermix, raw: Path) -> None:
    thermix("prepare", "raw/web.jsonl", "--tokenizer", "bytes", "--out", "shards")
    Path("shards/manifest.json").unlink()
    Path("mix.yaml").write_text(
        "steps: 2\nbatch_size: 2\nsequence_length: 8\nsources: {web: {path: shards}}\n"
    )
    assert "name their tokenizer" not in (refused := thermix("stream", "mix.yaml", "--decode")).out
    assert (refused.status, "Name it: --tokenizer T." in refused.err) == (2, True)
    assert '"text": ' in thermix("stream", "mix.yaml", "--tokenizer", "bytes").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["raw"], "--tokenizer: it is needed to prepare files. For example: thermix prepare raw --tokenizer"),
        (["raw", "--tokenizer", "bytes"], "--out: it is needed"),
        (["raw", "mix.yaml"], "INPUT: got mix.yaml and 1 more"),
        (["mix.yaml", "--out", "x"], "--out: got x, and a configuration, which says that itself"),
        (["mix.yaml", "--tokenizer", "t.json"], "mix.yaml: tokenizer: got bytes in the file and t.json"),
        (["raw", "--tokenizer", "bytes", "--out", "x", "--shard-size", "big"], "--shard-size: got 'big'"),
        (["raw", "--tokenizer", "bytes", "--out", "x", "--processes", "two"], "--processes: got 'two'"),
        (["row", "--tokenizer", "bytes", "--out", "x"], "INPUT"),
    ],
)
def test_wrong_use_of_prepare_is_refused(thermix: Thermix, raw: Path, words: list[str], said: str) -> None:
    ran = thermix("prepare", *words)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"thermix: {said}")
    assert not Path("x").exists()


def test_a_configuration_without_raw_sources_has_nothing_to_prepare(thermix: Thermix, mix: Path) -> None:
    ran = thermix("prepare", "mix.yaml")
    assert (ran.status, "there is nothing to prepare" in ran.err) == (2, True)


def test_a_broken_row_is_damaged_data_and_can_be_left_out(thermix: Thermix, raw: Path) -> None:
    with (raw / "web.jsonl").open("a") as file:
        file.write("{}\n")
    words = ("prepare", "raw/web.jsonl", "--tokenizer", "bytes", "--out", "shards")
    ran = thermix(*words)
    assert (ran.status, ran.out) == (3, "")
    assert ran.err.startswith("thermix: raw/web.jsonl, line 31 (byte ")
    ran = thermix(*words, "--skip-bad")
    assert ran.out.splitlines()[-1] == "shards: 1 broken row left out, listed in skipped.jsonl"


def test_sound_shards_pass_the_check(thermix: Thermix, raw: Path) -> None:
    thermix("prepare", "raw", "--tokenizer", "bytes", "--out", "shards")
    ran = thermix("check", "shards")
    tokens = tokens_of("web") + tokens_of("more")
    assert ran.status == 0
    assert " ".join(ran.out.split()) == (
        f"shards: 1 sound shard, 60 documents, {tokens:,} tokens, 2 checksums agree"
    )
    Path("shards/manifest.json").unlink()
    assert "no checksums to compare" in " ".join(thermix("check", "shards").out.split())


@pytest.mark.parametrize("ending", ["bin", "idx"])
def test_a_flipped_byte_is_damage(thermix: Thermix, raw: Path, ending: str) -> None:
    thermix("prepare", "raw", "--tokenizer", "bytes", "--out", "shards")
    file = Path(f"shards/shard-00000-000.{ending}")
    data = bytearray(file.read_bytes())
    data[-40] ^= 1
    file.write_bytes(data)
    ran = thermix("check", "shards", "--json")
    assert ran.status == 3
    assert f"thermix: {file}: it has" in ran.err
    (folder,) = json.loads(ran.out)["folders"]
    assert (folder["shards"], len(folder["problems"])) == (0, 1)


def test_missing_and_foreign_shards_are_problems(thermix: Thermix, raw: Path) -> None:
    thermix("prepare", "raw", "--tokenizer", "bytes", "--out", "shards", "--shard-size", "1KiB")
    Path("shards/shard-00000-000.bin").rename("shards/other.bin")
    Path("shards/shard-00000-000.idx").rename("shards/other.idx")
    ran = thermix("check", "shards")
    assert ran.status == 3
    assert "shard-00000-000.bin: manifest.json names it, and it is not there" in ran.err
    assert "other.bin: manifest.json does not name it" in ran.err


def test_a_token_past_the_vocabulary_is_damage(thermix: Thermix, raw: Path) -> None:
    thermix("prepare", "raw", "--tokenizer", "bytes", "--out", "shards")
    manifest = Path("shards/manifest.json")
    manifest.write_text(manifest.read_text().replace('"vocabulary": 257', '"vocabulary": 256'))
    ran = thermix("check", "shards")
    assert ran.status == 3
    assert "shard-00000-000.bin, byte " in ran.err
    assert "token 256; the tokenizer of manifest.json has 256" in ran.err


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nothing.bin", "there is no such file"),
        ("raw", "the folder holds no shards"),
        ("mix.yaml", "a shard ends in .bin, .idx or .npy"),
    ],
)
def test_what_is_no_shard_is_refused_by_the_check(thermix: Thermix, raw: Path, path: str, said: str) -> None:
    ran = thermix("check", path)
    assert (ran.status, f"thermix: {path}: {said}" in ran.err) == (2, True)


def test_head_ends_the_stream_quietly(thermix: Thermix, raw: Path) -> None:
    thermix("prepare", "mix.yaml", "--processes", "1")
    Path("mix.yaml").write_text(MIX.replace("steps: 6", "steps: 100000"), "utf-8")
    command = f"{sys.executable} -m thermix stream mix.yaml | head -n 3"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert (len(ran.stdout.splitlines()), ran.stderr) == (3, "")


def test_a_terminal_sees_a_bar_and_a_pipe_does_not(raw: Path) -> None:
    ours, theirs = pty.openpty()
    words = [sys.executable, "-m", "thermix", "prepare", "mix.yaml", "--processes", "1"]
    environment = os.environ | {"COLUMNS": "80", "TERM": "xterm"}
    ran = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=theirs, env=environment, check=True, timeout=60
    )
    os.close(theirs)
    assert b"documents" in os.read(ours, 1 << 16)
    os.close(ours)
    assert b"\x1b" not in ran.stdout
