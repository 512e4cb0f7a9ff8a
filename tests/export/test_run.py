"""What is written for each trainer, read as that trainer reads it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from thermix import Mixture, Plan, Source, load_plan
from thermix.errors import InvalidInput
from thermix.export.megatron import MEGATRON
from thermix.export.places import SourcePlace
from thermix.export.run import DISTANCE, TRAINERS, Exported, export
from thermix.export.stages import cut_stages, draws_before
from thermix.export.trainer import Asked
from thermix.sources.shard_writer import TokenShardWriter

MIX = """\
seed: 3
steps: 600
batch_size: 48
sequence_length: 8
temperature: {schedule: linear, start: 6.0, end: 0.5}
sources:
  web:   {score: 2.0, path: shards/web}
  网页 a: {score: 1.0, path: shards/more}
  law:   {score: 0.2, tokens: 9000}
"""


@pytest.fixture
def mix(tmp_path: Path) -> Path:
    """A configuration with shards of two sources, one of them in three shards of different sizes."""
    for name, sizes in (("web", (400, 100, 300)), ("more", (200,))):
        (tmp_path / "shards" / name).mkdir(parents=True)
        for number, size in enumerate(sizes):
            with TokenShardWriter(tmp_path / "shards" / name / f"part {number}", dtype="uint16") as shard:
                shard.append(np.arange(size))
    (tmp_path / "mix.yaml").write_text(MIX, "utf-8")
    return tmp_path / "mix.yaml"


def read(folder: Path, name: str) -> Any:
    text = (folder / name).read_text("utf-8")
    return yaml.safe_load(text)  # JSON is YAML


def weights_of(done: Exported, number: int) -> dict[str, float]:
    stage = done.stages[number]
    return {
        name: weight for name, weight in zip(done.plan.names, stage.weights.tolist(), strict=True) if weight
    }


@pytest.mark.parametrize("to", sorted(TRAINERS))
def test_the_distance_is_written_beside_and_is_that_of_the_stages(tmp_path: Path, mix: Path, to: str) -> None:
    done = export(mix, tmp_path / "out", to=to, stages=4)
    record = json.loads((tmp_path / "out" / DISTANCE).read_text("utf-8"))
    assert record["fingerprint"] == load_plan(mix).fingerprint
    assert [stage["start"] for stage in record["stages"]] == [stage.start for stage in done.stages]
    given = np.zeros(3)
    for stage in record["stages"]:
        given += np.array([stage["weights"][name] for name in done.plan.names]) * stage["draws"]
    for i, source in enumerate(record["sources"]):
        assert source["draws"] == done.plan.counts(done.plan.end)[i]
        assert source["final"] == pytest.approx(given[i] - source["draws"], abs=1e-6)
        assert source["final_tokens"] == pytest.approx(8 * source["final"])
        assert abs(source["largest"]) >= abs(source["final"])
    assert any(said.startswith("temperature: ") for said in record["cannot_say"])
    assert any("law is known" in said for said in record["cannot_say"])
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == sorted([*done.files, DISTANCE])


def test_four_stages_come_nearer_than_one_for_every_trainer(tmp_path: Path, mix: Path) -> None:
    for to in TRAINERS:
        one, four = (export(mix, tmp_path / f"{to}{n}", to=to, stages=n) for n in (1, 4))
        assert len(one.stages) == 1
        assert abs(four.distance.farthest.largest) < abs(one.distance.farthest.largest) / 4


def places_with(path: str) -> Asked:
    plan = Plan(Mixture({"web": Source(score=1.0, items=50)}), steps=4, batch_size=4)
    place = SourcePlace("web", (path,), None, None, 50)
    return Asked(plan, tuple(cut_stages(plan, 1)), (place,))


def test_a_path_without_data_is_written_and_said(tmp_path: Path, mix: Path) -> None:
    mix.write_text(
        MIX.replace("{score: 1.0, path: shards/more}", "{score: 1.0, path: soon, tokens: 800}"), "utf-8"
    )
    done = export(mix, tmp_path / "out", to="megatron")
    soon = str(tmp_path / "soon")
    assert soon in read(tmp_path / "out", "stage-000.json")["train"]
    assert any(said.startswith(f"paths: nothing lies at {soon} yet") for said in done.cannot)


@pytest.mark.parametrize(
    "more",
    [
        "order: multinomial",
        "pick: batch",
        "max_epochs: 30",
        "max_epochs: 2\nwhen_capped: stop",
        "max_epochs: 30\nwhen_capped: drop",
        "edits: [{at: 300, batch_size: 7, sources: {late: {score: 9.0, tokens: 900}, web: null}}]",
    ],
)
@pytest.mark.parametrize("to", sorted(TRAINERS))
def test_every_kind_of_plan_can_be_said(tmp_path: Path, mix: Path, to: str, more: str) -> None:
    mix.write_text(f"{MIX}{more}\n", "utf-8")
    done = export(mix, tmp_path / "out", to=to, stages=5)
    assert sum(stage.draws for stage in done.stages) == done.plan.draws
    for stage in done.stages:
        assert stage.weights.sum() == pytest.approx(1)
        assert stage.weights.min() >= 0
    slack = 1e-6 if to != "levanter" else done.plan.draws / 100
    assert all(abs(source.final) <= slack * max(1, source.draws) for source in done.distance.sources)


class TestMegatron:
    def test_a_blend_has_every_shard_with_its_part_of_the_weight(self, tmp_path: Path, mix: Path) -> None:
        done = export(mix, tmp_path / "out", to="megatron", stages=3)
        for number in range(3):
            blend = read(tmp_path / "out", f"stage-{number:03d}.json")
            assert (blend["valid"], blend["test"]) == (None, None)
            pairs = dict(zip(blend["train"][1::2], map(float, blend["train"][::2]), strict=True))
            web = {Path(path).name: weight for path, weight in pairs.items() if "/web/" in path}
            due = weights_of(done, number)
            assert web == pytest.approx(
                {f"part {i}": due["web"] * n / 800 for i, n in enumerate((400, 100, 300))}
            )
            assert sum(pairs.values()) == pytest.approx(1)
            assert pairs["law"] == pytest.approx(due["law"])
            assert all(Path(f"{path}.idx").exists() for path in pairs if path != "law")

    def test_the_arguments_name_the_phases(self, tmp_path: Path, mix: Path) -> None:
        done = export(mix, tmp_path / "out", to="megatron", stages=3)
        lines = (tmp_path / "out" / "arguments.txt").read_text().splitlines()[1::2]
        assert len(lines) == 3
        cuts = ",".join(str(stage.start) for stage in done.stages[1:])
        for number, line in enumerate(lines):
            words = line.split()
            assert words[:2] == ["--per-split-data-args-path", f"stage-{number:03d}.json"]
            options = dict(zip(words[::2], words[1::2], strict=True))
            assert options["--phase-transition-iterations"] == cuts
            assert (options["--train-iters"], options["--global-batch-size"]) == ("600", "48")

    def test_megatron_core_takes_it_and_draws_as_the_stage_says(self, tmp_path: Path, mix: Path) -> None:
        pytest.importorskip("torch")
        utils = pytest.importorskip("megatron.core.datasets.utils")
        helpers = pytest.importorskip("megatron.core.datasets.helpers_cpp")
        done = export(mix, tmp_path / "out", to="megatron", stages=3)
        blend = read(tmp_path / "out", "stage-001.json")
        assert utils.get_blend_from_list(blend["valid"]) is None
        prefixes, weights = utils.get_blend_from_list(blend["train"])
        assert [Path(prefix).name for prefix in prefixes] == ["part 0", "part 1", "part 2", "part 0", "law"]
        draws = done.stages[1].draws
        index, inside = np.zeros(draws, np.int16), np.zeros(draws, np.int64)
        helpers.build_blending_indices(index, inside, utils.normalize(weights), len(weights), draws, False)
        drawn = np.bincount(index, minlength=5)
        found = np.array([drawn[:3].sum(), drawn[3], drawn[4]])
        assert np.abs(found - done.stages[1].weights * draws).max() <= 3

    def test_raw_text_is_refused_until_it_is_prepared(self, tmp_path: Path) -> None:
        from thermix.prepare.run import prepare

        (tmp_path / "a.jsonl").write_text('{"text": "some words"}\n' * 50)
        text = "steps: 9\nbatch_size: 4\nsequence_length: 4\ntokenizer: bytes\n"
        text += "sources: {a: {path: a.jsonl, tokens: 500}}\n"
        (tmp_path / "raw.yaml").write_text(text)
        with pytest.raises(InvalidInput, match=r"sources\.a: it is raw text; Megatron-LM reads token shards"):
            export(tmp_path / "raw.yaml", tmp_path / "out", to="megatron")
        assert not (tmp_path / "out").exists()
        prepare([str(tmp_path / "a.jsonl")], tmp_path / "prepared" / "a", tokenizer="bytes", processes=1)
        export(tmp_path / "raw.yaml", tmp_path / "out", to="megatron")
        (_, prefix) = read(tmp_path / "out", "stage-000.json")["train"]
        assert prefix == str(tmp_path / "prepared" / "a" / "shard-00000-000")

    def test_a_folder_at_an_address_is_refused_and_its_files_are_not(self) -> None:
        asked = places_with("s3://b/more")
        with pytest.raises(
            InvalidInput, match=r"sources\.web: s3://b/more is no \.bin; a blend names every shard"
        ):
            MEGATRON.files(asked)
        blend = json.loads(MEGATRON.files(places_with("s3://b/more/x.bin"))["stage-000.json"])
        assert blend["train"] == ["1", "s3://b/more/x"]

    def test_other_token_files_are_refused(self, tmp_path: Path, mix: Path) -> None:
        np.save(tmp_path / "flat.npy", np.arange(100, dtype=np.uint16))
        mix.write_text(MIX.replace("shards/more", "flat.npy"), "utf-8")
        with pytest.raises(InvalidInput, match=r"flat\.npy is no \.bin with an \.idx beside it"):
            export(mix, tmp_path / "out", to="megatron")


class TestLevanter:
    def test_blocks_give_the_counts_that_the_distance_is_of(self, tmp_path: Path, mix: Path) -> None:
        done = export(mix, tmp_path / "out", to="levanter", stages=4)
        data = read(tmp_path / "out", "levanter.yaml")["data"]
        size = data["mixture_block_size"]
        assert size == 1 << (size.bit_length() - 1), "whole numbers would not stay whole"
        assert size < 1 << 16
        for (start, weights), stage in zip(data["train_weights"], done.stages, strict=True):
            assert start == stage.start
            assert draws_before(done.plan, np.array([start]))[0] % size == 0
            total = sum(weights.values())
            block = {name: int(weight / total * size) for name, weight in weights.items()}
            block[max(block, key=lambda name: block[name])] += size - sum(block.values())
            assert {name: count / size for name, count in block.items() if count} == {
                name: weight
                for name, weight in zip(done.plan.names, stage.weights.tolist(), strict=True)
                if weight
            }

    def test_raw_text_is_named_with_its_field(self, tmp_path: Path) -> None:
        (tmp_path / "a.jsonl").write_text('{"body": "some words"}\n')
        (tmp_path / "raw.yaml").write_text(
            "{steps: 9, batch_size: 4, sources: {a: {path: a.jsonl, field: body}, b: {items: 5}}}"
        )
        done = export(tmp_path / "raw.yaml", tmp_path / "out", to="levanter")
        components = read(tmp_path / "out", "levanter.yaml")["data"]["components"]
        assert components["a"]["source"] == {"type": "url", "train_urls": [str(tmp_path / "a.jsonl")]}
        assert components["a"]["format"] == {"type": "text", "text_key": "body"}
        assert any(said.startswith("documents: ") for said in done.cannot)


def test_nanotron_stages_begin_at_step_1_with_weights_for_each_folder(tmp_path: Path, mix: Path) -> None:
    done = export(mix, tmp_path / "out", to="nanotron", stages=4)
    read_back = read(tmp_path / "out", "nanotron.yaml")
    stages = read_back["data_stages"]
    assert [stage["start_training_step"] for stage in stages] == [stage.start + 1 for stage in done.stages]
    assert len({stage["name"] for stage in stages}) == len(stages) == 4
    assert read_back["tokens"] == {"train_steps": 600, "sequence_length": 8}
    for number, stage in enumerate(stages):
        dataset = stage["data"]["dataset"]
        folders = [str(mix.parent / "shards" / "web"), str(mix.parent / "shards" / "more"), "law"]
        assert dataset["dataset_folder"] == folders
        assert dataset["dataset_weights"] == pytest.approx(list(weights_of(done, number).values()))


def test_energon_has_a_metadataset_for_each_stage(tmp_path: Path, mix: Path) -> None:
    done = export(mix, tmp_path / "out", to="energon", stages=3)
    for number in range(3):
        file = read(tmp_path / "out", f"stage-{number:03d}.yaml")
        assert (file["__module__"], file["__class__"]) == ("megatron.energon", "MetadatasetV2")
        blend = {entry["path"]: entry["weight"] for entry in file["splits"]["train"]["blend"]}
        assert list(blend.values()) == pytest.approx(list(weights_of(done, number).values()))
        assert os.path.isabs(next(iter(blend)))


def test_mosaic_chooses_the_draws_of_the_plan(tmp_path: Path, mix: Path) -> None:
    done = export(mix, tmp_path / "out", to="mosaic", stages=3)
    config = read(tmp_path / "out", "mosaic.yaml")
    schedule = config["callbacks"]["curriculum_learning"]["schedule"]
    assert config["max_duration"] == "3ep"
    assert [mix["duration"] for mix in schedule] == ["1ep"] * 3
    assert schedule[0]["train_loader"] == config["train_loader"]
    chosen = [
        {name: stream["choose"] for name, stream in mix["train_loader"]["dataset"]["streams"].items()}
        for mix in schedule
    ]
    assert [list(each.values()) for each in chosen] == [stage.counts.tolist() for stage in done.stages]
    assert all(source.final == pytest.approx(0, abs=1e-6) for source in done.distance.sources)


def test_a_source_without_draws_in_a_stage_is_left_out(tmp_path: Path, mix: Path) -> None:
    text = MIX + "edits: [{at: 300, sources: {late: {score: 2.0, tokens: 700}}}]\n"
    mix.write_text(text, "utf-8")
    done = export(mix, tmp_path / "out", to="nanotron", stages=6)
    stages = read(tmp_path / "out", "nanotron.yaml")["data_stages"]
    has = ["late" in stage["data"]["dataset"]["dataset_folder"] for stage in stages]
    assert has == [stage.stop > 300 for stage in done.stages]
    assert True in has
    assert False in has


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("tokens: 9000", "tokens: 9000, max_epochs: 2"), "caps: max_epochs of law"),
        (("seed: 3", "pick: batch"), "pick: batch"),
        (("seed: 3", "edits: [{at: 7, batch_size: 50}]"), "batch sizes: 48 from step 0, 50 from step 7"),
    ],
)
def test_what_this_plan_has_and_no_trainer_says_is_named(
    tmp_path: Path, mix: Path, change: tuple[str, str], said: str
) -> None:
    plain = export(mix, tmp_path / "plain", to="energon").cannot
    mix.write_text(MIX.replace(*change), "utf-8")
    found = export(mix, tmp_path / "out", to="energon").cannot
    assert any(text.startswith(said) for text in found)
    assert not any(text.startswith(said) for text in plain)


def test_the_same_export_again_is_no_change_and_another_is_refused(tmp_path: Path, mix: Path) -> None:
    export(mix, tmp_path / "out", to="nanotron", stages=3)
    before = {file: file.read_bytes() for file in (tmp_path / "out").iterdir()}
    export(mix, tmp_path / "out", to="nanotron", stages=3)
    for to, stages in (("nanotron", 2), ("mosaic", 3)):
        with pytest.raises(InvalidInput, match=r"it holds .*; nothing is written over"):
            export(mix, tmp_path / "out", to=to, stages=stages)
    assert {file: file.read_bytes() for file in (tmp_path / "out").iterdir()} == before
    with pytest.raises(InvalidInput, match="it is a file; an export goes into a folder"):
        export(mix, mix, to="mosaic")


def test_an_address_is_no_folder_to_write_to(mix: Path) -> None:
    with pytest.raises(InvalidInput, match="it is an address"):
        export(mix, "s3://bucket/export", to="mosaic")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"to": "spark"}, "to: got 'spark'; it is one of megatron, levanter, nanotron, energon, mosaic"),
        ({"to": "mosaic", "stages": 0}, "stages: got 0; it must be at least 1"),
        ({"to": "mosaic", "stages": 256}, "stages: got 256; it must be below"),
    ],
)
def test_wrong_values_are_refused(tmp_path: Path, mix: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        export(mix, tmp_path / "out", **options)
    assert said in str(refused.value)
    assert not (tmp_path / "out").exists()
