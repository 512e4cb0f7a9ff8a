"""Files, the data they name, and what is opened."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import thermix
from tests.config.texts import SMALL, config_file, parsed, refused, with_sources, write_lines
from thermix.config import Notice, SourceFiles, load, load_plan, parse_config, read_config
from thermix.core.schedule import linear
from thermix.errors import ConfigError, DataError
from thermix.plan.mixture import Mixture, Source
from thermix.plan.plan import Plan

DESIGN = """\
# mix.yaml
seed: 0
steps: 10000
batch_size: 512            # global: sequences per step
sequence_length: 2048      # tokens per sequence
temperature: {schedule: linear, start: 5.0, end: 1.0, until: 80%}     # or a number, or a list of pieces
sources:
  web:   {score: 2.0, path: shards/web, tokens: 100B}
  books: {score: 3.0, path: shards/books, tokens: 10B, max_epochs: 4}
  code:  {score: 1.0, path: "raw/code/*.jsonl", field: text}
  law:   {score: 0.5, tokens: 3.2e9}                     # size only: enough to plan, before the data exists
"""


def told(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load_plan(path)
    return str(caught.value)


def test_the_example_of_the_design_is_the_plan_it_says(folder: Path) -> None:
    write_lines(folder / "raw/code/a.jsonl", 7)
    write_lines(folder / "raw/code/b.jsonl", 4)
    sources = {
        "web": Source(score=2.0, items=48_828_125),
        "books": Source(score=3.0, items=4_882_812, max_epochs=4),
        "code": Source(score=1.0, items=11, unit="document"),
        "law": Source(score=0.5, items=1_562_500),
    }
    mixture = Mixture(sources, temperature=linear(5.0, 1.0, until="80%"))
    plan = Plan(mixture, steps=10_000, batch_size=512, seed=0, sequence_length=2048)
    assert load_plan(config_file(folder, DESIGN)) == plan


def test_it_is_what_thermix_names(folder: Path) -> None:
    assert thermix.load_plan is load_plan
    assert thermix.load is load
    assert thermix.load_plan(str(config_file(folder, SMALL))) == parse_config(SMALL).plan


def test_paths_are_relative_to_the_file(folder: Path) -> None:
    write_lines(folder / "there/raw/a.jsonl", 5)
    path = config_file(folder / "there", with_sources("{web: {path: raw/a.jsonl}}"))
    assert load_plan(Path("there") / path).mixture.sources["web"].items == 5


def test_a_source_may_have_several_paths(folder: Path) -> None:
    write_lines(folder / "a.jsonl", 5)
    write_lines(folder / "b/c.jsonl", 6)
    plan = load_plan(config_file(folder, with_sources("{web: {path: [a.jsonl, b]}}")))
    assert plan.mixture.sources["web"] == Source(items=11, unit="document")


def test_a_byte_order_mark_and_windows_lines_do_not_matter(folder: Path) -> None:
    (folder / "mix.yaml").write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    assert load_plan("mix.yaml") == parse_config(SMALL).plan


def test_data_counts_and_a_size_that_differs_is_told(folder: Path) -> None:
    write_lines(folder / "a.jsonl", 5)
    config = read_config(config_file(folder, with_sources("{web: {path: a.jsonl, items: 1_000}}")))
    assert config.plan.mixture.sources["web"].items == 5
    assert config.files == {"web": SourceFiles(("a.jsonl",), items=1000)}
    message = "mix.yaml: sources.web.items: 1,000 items by the file, 5 in the data, which counts."
    assert config.notices == (Notice("size_differs", "web", message),)


def test_a_size_that_agrees_is_not_told(folder: Path) -> None:
    write_lines(folder / "a.jsonl", 5)
    config = read_config(
        config_file(folder, with_sources("{web: {path: a.jsonl, items: 5, unit: document}}"))
    )
    assert config.notices == ()


def test_data_that_is_not_there_yet_can_be_planned(folder: Path) -> None:
    config = read_config(config_file(folder, with_sources("{网页: {path: a.jsonl, items: 1_000}}")))
    assert config.plan.mixture.sources["网页"].items == 1000
    assert config.notices == (
        Notice(
            "planned_size",
            "网页",
            'mix.yaml: sources.网页.path: got "a.jsonl", where nothing lies; the plan goes by the size in '
            "the "
            "file, 1,000 items.",
        ),
    )


def test_a_field_says_that_items_are_documents() -> None:
    sources = (
        "{a: {path: a.jsonl, field: text, items: 9}, b: {path: b, items: 9}, c: {items: 9, unit: document}}"
    )
    plan = parsed(text=with_sources(sources)).plan
    assert [source.unit for source in plan.mixture.sources.values()] == ["document", "sequence", "document"]


def test_a_length_in_tokens_is_the_whole_steps_in_it() -> None:
    config = parse_config(
        "{steps: 1B tokens, batch_size: 512, sequence_length: 2048, sources: {web: {items: 9}}}"
    )
    assert config.plan.steps == 10**9 // (512 * 2048)
    message = "configuration: steps: 1B tokens are 953 whole steps; 707,072 tokens are left over."
    assert config.notices == (Notice("steps_rounded", None, message),)
    assert parse_config("{steps: 80 draws, batch_size: 8, sources: {web: {items: 9}}}").notices == ()


def test_a_length_of_less_than_a_step_is_refused() -> None:
    text = "{steps: 7 draws, batch_size: 8, sources: {web: {items: 9}}}"
    assert refused(text) == "mix.yaml: steps: got 7 draws, less than one step of 8 draws. Make it longer."


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        (
            "{web: {path: shard/web}}",
            'sources.web.path: got "shard/web", where nothing lies. There is no folder {folder}/shard. '
            "Correct "
            "the path, or plan before the data exists with tokens: or items:.",
        ),
        (
            '{"a b": {path: ther.jsonl}}',
            'sources."a b".path: got "ther.jsonl", where nothing lies. Did you mean there.jsonl? Correct the '
            "path, or plan before the data exists with tokens: or items:.",
        ),
        (
            '{web: {path: "*.zip"}}',
            'sources.web.path: got "*.zip", where nothing lies. It is looked for in {folder}. Correct the '
            "path, "
            "or plan before the data exists with tokens: or items:.",
        ),
        (
            "{web: {path: [there.jsonl, gone.jsonl], items: 9}}",
            'sources.web.path: got "gone.jsonl", where nothing lies, while other paths of the source do '
            "exist. "
            "Correct it, or remove it.",
        ),
        (
            "{web: {path: there.jsonl, unit: sequence}}",
            "sources.web.unit: got sequence; its data are documents. Remove unit, or correct the path.",
        ),
    ],
)
def test_data_that_is_not_as_the_file_says_is_refused(folder: Path, sources: str, message: str) -> None:
    write_lines(folder / "there.jsonl", 2)
    expected = message.replace("{folder}", str(folder))
    assert told(config_file(folder, with_sources(sources))) == f"mix.yaml: {expected}"


def test_data_without_items_is_refused(folder: Path) -> None:
    (folder / "empty.jsonl").write_text("")
    with pytest.raises((ConfigError, DataError), match=r"empty\.jsonl"):
        load_plan(config_file(folder, with_sources("{web: {path: empty.jsonl}}")))


def test_what_a_source_cannot_be_read_from_is_refused_at_its_path(folder: Path) -> None:
    (folder / "a.odt").write_text("x")
    message = told(config_file(folder, with_sources("{web: {path: a.odt}}")))
    assert message.startswith(f"mix.yaml: sources.web.path: {folder}/a.odt has '.odt'; ")


def test_a_wrong_dtype_is_refused_at_its_key(folder: Path) -> None:
    write_lines(folder / "a.jsonl", 2)
    message = told(config_file(folder, with_sources("{网页: {path: a.jsonl, dtype: uint16}}")))
    assert message.startswith("mix.yaml: sources.网页.dtype: got 'uint16' for JSON Lines; ")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone.yaml", "there is no such file. Correct the path, or write the file first."),
        ("inside", "it is a folder; a configuration is a file. Name the file in it."),
    ],
)
def test_a_file_that_cannot_be_read_is_refused(folder: Path, name: str, message: str) -> None:
    (folder / "inside").mkdir()
    assert told(Path(name)) == f"{name}: {message}"


def test_a_file_that_is_not_utf8_is_refused(folder: Path) -> None:
    (folder / "mix.yaml").write_bytes(SMALL.encode("utf-16"))
    assert told(Path("mix.yaml")) == (
        "mix.yaml: byte 0: got 0xff, which is not UTF-8; a configuration is UTF-8 text. Save it as UTF-8."
    )


def test_a_text_alone_must_have_its_sizes() -> None:
    assert refused(with_sources("{web: {path: a.jsonl}}")) == (
        'mix.yaml: sources.web.path: got "a.jsonl" alone; no file is read here, so that the size must be in '
        "the "
        "text. Add items: or tokens:."
    )


def test_a_text_alone_touches_no_file(folder: Path) -> None:
    write_lines(folder / "a.jsonl", 2)
    plan = parsed(text=with_sources("{web: {path: a.jsonl, items: 9}}")).plan
    assert plan.mixture.sources["web"].items == 9


def test_nothing_heavy_is_loaded_for_a_plan_of_sizes(folder: Path) -> None:
    config_file(folder, SMALL)
    probe = (
        "import sys, thermix; thermix.load_plan('mix.yaml'); "
        "print(*sorted({name.split('.')[0] for name in sys.modules} - sys.stdlib_module_names)); "
        "print('thermix.sources' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    packages, sources = run.stdout.splitlines()
    heavy = {"torch", "datasets", "pyarrow", "pandas", "rich", "typer", "scipy", "tokenizers"}
    assert not heavy & set(packages.split())
    assert sources == "False"
