"""A text to its plan, and the one file that is opened and saved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("altair")

from thermix.config import read_config
from thermix.errors import ConfigError, InvalidInput
from thermix.studio.design import Design
from thermix.studio.opened import EXAMPLE, Opened, check_file, open_file

CONFIG = """\
steps: 100
batch_size: 8
temperature: {schedule: linear, start: 5.0, end: 1.0}
sources:
  raw:   {score: 1.0, path: raw.jsonl, field: text}   # on disk
  later: {score: 2.0, path: later.jsonl, field: text, items: 50}
edits:
  - {at: 60, sources: {raw: {score: 0.5}}}
"""


@pytest.fixture
def mix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("raw.jsonl").write_text("".join(json.dumps({"text": f"t{i}"}) + "\n" for i in range(33)), "utf-8")
    Path("mix.yaml").write_text(CONFIG, encoding="utf-8")
    return Path("mix.yaml")


def design_of(opened: Opened, text: str | None = None) -> Design:
    return Design(opened.where, opened.text if text is None else text, opened.measured)


def test_what_is_opened_is_the_plan_of_the_file(mix: Path) -> None:
    opened = open_file(mix)
    assert (opened.text, opened.problem) == (CONFIG, None)
    assert design_of(opened).plan == read_config(mix).plan


def test_the_data_is_read_once(mix: Path) -> None:
    opened = open_file(mix)
    Path("raw.jsonl").unlink()
    plan = design_of(
        opened, CONFIG.replace("raw:   {score: 1.0", "other: {score: 3.0").replace("raw: {s", "other: {s")
    ).plan
    assert plan.mixture.sources["other"].items == 33


def test_a_size_that_the_text_says_can_be_turned_where_there_is_no_data(mix: Path) -> None:
    design = design_of(open_file(mix), CONFIG.replace("items: 50", "items: 70"))
    assert design.plan.mixture.sources["later"].items == 70


def test_a_path_that_was_not_read_needs_a_size(mix: Path) -> None:
    with pytest.raises(ConfigError, match=r"mix.yaml: sources.raw.path: got .* no file is read here"):
        _ = design_of(open_file(mix), CONFIG.replace("path: raw.jsonl", "path: new.jsonl")).plan


@pytest.mark.parametrize(
    ("old", "new"),
    [("items: 50", "items: 0"), ("steps: 100", "stepz: 100"), ("steps:", "steps: ["), ("at: 60", "at: 0")],
)
def test_a_mistake_has_the_words_of_the_command_line(mix: Path, old: str, new: str) -> None:
    text = CONFIG.replace(old, new)
    mix.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as everywhere:
        read_config(mix)
    opened = open_file(mix)
    assert opened.problem == str(everywhere.value)
    with pytest.raises(ConfigError) as here:
        _ = design_of(opened).plan
    assert str(here.value) in str(everywhere.value) or "raw" in str(here.value)


def test_what_is_no_text_is_told(mix: Path) -> None:
    mix.write_bytes(b"steps: \xff")
    assert "byte 7: got 0xff, which is not UTF-8" in str(open_file(mix).problem)


def test_without_a_file_there_is_an_example_that_works(tmp_path: Path) -> None:
    for opened in (open_file(None), open_file(tmp_path / "new.yaml")):
        assert (opened.text, opened.problem, opened.on_disk) == (EXAMPLE, None, None)
        assert design_of(opened).plan.steps == 9536


def test_saving_writes_the_text_and_only_that(mix: Path) -> None:
    opened = open_file(mix).saved("steps: 5\n")
    assert mix.read_text("utf-8") == opened.text == "steps: 5\n"
    assert sorted(path.name for path in Path().iterdir()) == ["mix.yaml", "raw.jsonl"]
    assert opened.saved("steps: 6\n").text == mix.read_text("utf-8")


def test_a_file_that_changed_meanwhile_is_not_overwritten(mix: Path) -> None:
    opened = open_file(mix)
    mix.write_text("steps: 7\n", encoding="utf-8")
    with pytest.raises(InvalidInput) as refused:
        opened.saved("steps: 5\n")
    assert str(refused.value) == (
        "mix.yaml: it was changed since it was opened here; saving would lose that. Copy the YAML of this "
        "page, then reload the page."
    )
    assert mix.read_text("utf-8") == "steps: 7\n"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (".", ".: it is a folder; a configuration is a file. Name the file in it."),
        ("no/mix.yaml", "no/mix.yaml: there is no folder 'no'. Make it, or correct the path."),
    ],
)
def test_where_no_file_can_be_is_refused(mix: Path, path: str, message: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_file(Path(path))
    assert str(refused.value) == message


class TestColours:
    def test_they_stay_while_something_is_turned(self) -> None:
        first = Design("x", EXAMPLE, {})
        second = Design("x", EXAMPLE.replace("score: 1.0", "score: 9.0"), {}, first.subject)
        assert second.subject.cast == first.subject.cast
        assert Design("x", second.text, {}).subject.cast.labels[0] == "code"

    def test_other_sources_are_named_anew(self) -> None:
        first = Design("x", EXAMPLE, {})
        second = Design("x", EXAMPLE.replace("code:", "law:"), {}, first.subject)
        assert set(second.subject.cast.labels) == {"web", "books", "law"}

    def test_a_source_that_grows_past_half_of_the_named_is_named(self) -> None:
        rows = "".join(f"  s{i}: {{score: {-i / 10}, items: 99}}\n" for i in range(30))
        text = f"steps: 10\nbatch_size: 4\nsources:\n{rows}"
        first = Design("x", text, {})
        assert "s29" not in first.subject.cast.labels
        little = Design("x", text.replace("s29: {score: -2.9", "s29: {score: -1.0"), {}, first.subject)
        assert little.subject.cast == first.subject.cast
        much = Design("x", text.replace("s29: {score: -2.9", "s29: {score: 3.0"), {}, first.subject)
        assert much.subject.cast.labels[0] == "s29"
