"""Raw sources of a configuration: where their shards are, and when those still fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.config.texts import config_file
from thermix.config import load, load_plan, read_config, read_raw
from thermix.config.prepared import folder_name
from thermix.errors import ConfigError
from thermix.prepare.run import prepare

TOP = "steps: 5\nbatch_size: 4\nsequence_length: 8\ntokenizer: bytes\n"
RAW = "{score: 1.0, path: raw.jsonl, field: text}"


def write_raw(folder: Path, name: str = "raw.jsonl", rows: int = 20) -> Path:
    path = folder / name
    path.write_text("".join(json.dumps({"text": f"row {i}"}) + "\n" for i in range(rows)))
    return path


def prepare_all(config: Path) -> None:
    for raw in read_raw(config):
        prepare(raw.paths, raw.folder, tokenizer=raw.tokenizer or "bytes", field=raw.field, processes=1)


def mix(folder: Path, sources: str, top: str = TOP) -> Path:
    return config_file(folder, f"{top}sources: {sources}\n")


def test_a_raw_source_is_its_sequences_once_it_is_prepared(folder: Path) -> None:
    write_raw(folder)
    config = mix(folder, f"{{网页 text: {RAW}}}")
    prepare_all(config)
    plan, sources = load(config)
    source = sources["网页 text"]
    tokens = sum(len(f"row {i}") + 1 for i in range(20))
    assert (
        (source.unit, len(source))
        == ("sequence", tokens // 8)
        == ("sequence", plan.mixture.sources["网页 text"].items)
    )
    assert bytes(source.read([0])[0][:5].astype("uint8")) == b"row 0"
    assert (folder / "prepared" / "网页 text" / "manifest.json").exists()
    source.close()


def test_before_that_the_plan_says_what_to_run(folder: Path) -> None:
    write_raw(folder)
    with pytest.raises(ConfigError) as refused:
        load_plan(mix(folder, f"{{web: {RAW}}}"))
    assert 'mix.yaml: sources.web.path: got "raw.jsonl", raw text that is not prepared yet' in str(
        refused.value
    )
    assert "Run thermix prepare with this file" in str(refused.value)


def test_before_that_a_size_is_enough_to_plan_and_not_to_read(folder: Path) -> None:
    write_raw(folder)
    path = mix(folder, "{web: {path: raw.jsonl, field: text, tokens: 800}}")
    config = read_config(path)
    assert config.plan.mixture.sources["web"].items == 100
    assert config.plan.mixture.sources["web"].unit == "sequence"
    assert [notice.code for notice in config.notices] == ["planned_size"]
    with pytest.raises(ConfigError, match=r"not prepared yet; its size .* is enough for a plan only"):
        load(path)


def test_the_shards_are_enough_when_the_raw_text_is_gone(folder: Path) -> None:
    raw = write_raw(folder)
    config = mix(folder, f"{{web: {RAW}, no: {{score: 1.0, path: [raw.jsonl]}}}}")
    prepare_all(config)
    before = load_plan(config)
    raw.unlink()
    assert load_plan(config) == before


@pytest.mark.parametrize("change", ["longer", "one more", "unfinished", "another tokenizer"])
def test_shards_that_do_not_fit_any_more_are_refused(folder: Path, change: str) -> None:
    write_raw(folder, "a.jsonl")
    config = mix(folder, "{web: {path: '*.jsonl', field: text}}")
    prepare_all(config)
    manifest = folder / "prepared" / "web" / "manifest.json"
    said = "Remove that folder and run thermix prepare again"
    if change == "longer":
        write_raw(folder, "a.jsonl", 21)
    elif change == "one more":
        write_raw(folder, "b.jsonl")
    elif change == "unfinished":
        manifest.unlink()
        (manifest.parent / ".thermix-prepare").mkdir()
        said = "is not prepared to its end"
    else:
        (folder / "tokenizer.json").write_text("{}")
        config = mix(folder, "{web: {path: '*.jsonl', field: text}}", TOP.replace("bytes", "tokenizer.json"))
        manifest.write_text(manifest.read_text().replace('"vocabulary"', '"sha256": "00",\n "vocabulary"'))
    with pytest.raises(ConfigError, match=rf"mix\.yaml: sources\.web\.path: .*{said}"):
        load_plan(config)


def test_shards_of_two_tokenizers_do_not_mix(folder: Path) -> None:
    write_raw(folder)
    config = mix(folder, f"{{web: {RAW}, law: {RAW}}}")
    prepare_all(config)
    manifest = folder / "prepared" / "law" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"vocabulary": 257', '"vocabulary": 258'))
    with pytest.raises(ConfigError, match=r"sources\.law\.path: its shards were made with another tokenizer"):
        load_plan(config)


def test_the_raw_sources_are_those_of_text_with_the_edits(folder: Path) -> None:
    write_raw(folder)
    write_raw(folder, "law.jsonl")
    (folder / "t.bin").write_bytes(bytes(64))
    text = (
        f"{TOP}prepared: /data/shards\n"
        f"sources: {{web: {RAW}, flat: {{score: 1.0, path: t.bin, dtype: uint16}}}}\n"
        "edits: [{at: 2, sources: {law: {score: 2.0, path: law.jsonl}, web: {score: 3.0}}}]\n"
    )
    found = read_raw(config_file(folder, text))
    assert [(raw.name, raw.field, raw.tokenizer, raw.folder) for raw in found] == [
        ("web", "text", "bytes", "/data/shards/web"),
        ("law", "text", "bytes", "/data/shards/law"),
    ]
    assert found[0].paths == (str(folder / "raw.jsonl"),)


def test_without_a_tokenizer_only_a_field_makes_a_source_raw(folder: Path) -> None:
    write_raw(folder)
    top = TOP.replace("tokenizer: bytes\n", "")
    config = mix(folder, f"{{web: {RAW}, rows: {{score: 1.0, path: raw.jsonl}}}}", top)
    assert [raw.name for raw in read_raw(config)] == ["web"]


def test_a_tokenizer_beside_the_file_is_found_from_anywhere(folder: Path) -> None:
    write_raw(folder)
    (folder / "tok").mkdir()
    (folder / "tok" / "tokenizer.json").write_text("{}")
    raw = read_raw(mix(folder, f"{{web: {RAW}}}", TOP.replace("bytes", "tok")))[0]
    assert raw.tokenizer == str(folder / "tok" / "tokenizer.json")


@pytest.mark.parametrize(
    ("top", "said"),
    [
        (TOP.replace("sequence_length: 8\n", ""), "tokenizer: got bytes, and no sequence_length"),
        (
            TOP.replace("tokenizer: bytes", "end_of_document: '0'"),
            "end_of_document: got it without a tokenizer",
        ),
        (
            f"{TOP}prepared: s3://bucket/prepared\n",
            r"prepared: got s3://bucket/prepared, an address; .* thermix prepare RAW --out ADDRESS",
        ),
        (TOP.replace("bytes", "''"), 'tokenizer: got ""; it must not be empty'),
    ],
)
def test_keys_that_do_not_go_together_are_refused(folder: Path, top: str, said: str) -> None:
    write_raw(folder)
    with pytest.raises(ConfigError, match=rf"mix\.yaml: {said}"):
        load_plan(mix(folder, f"{{web: {RAW}}}", top))


def test_two_texts_for_one_source_are_refused(folder: Path) -> None:
    write_raw(folder)
    write_raw(folder, "b.jsonl")
    edits = "edits: [{at: 2, sources: {web: {path: b.jsonl, field: text}}}]"
    text = f"{TOP}sources: {{web: {RAW}}}\n{edits}\n"
    with pytest.raises(ConfigError, match=r"edits\[0\]\.sources\.web\.path: other raw text than above"):
        read_raw(config_file(folder, text))


@pytest.mark.parametrize(
    ("name", "folder_is"),
    [
        ("web", "web"),
        ("网页", "网页"),
        ("a/b", "a%2Fb"),
        ("..", "%2E%2E"),
        (".", "%2E"),
        ("a%2Fb", "a%252Fb"),
        (" a", "%20a"),
        ("a\\b:c", "a%5Cb%3Ac"),
        ("x" * 9, "x" * 9),
        ("../../etc", "..%2F..%2Fetc"),
    ],
)
def test_the_folder_of_a_source_stays_inside(name: str, folder_is: str) -> None:
    assert folder_name(name) == folder_is
