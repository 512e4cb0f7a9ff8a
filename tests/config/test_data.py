"""What is opened for a file, with what, and closed again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.texts import config_file, with_sources, write_lines
from thermix.config import load, load_plan
from thermix.errors import ConfigError, DataError, InvalidInput


def test_load_opens_every_source(folder: Path) -> None:
    write_lines(folder / "a.jsonl", 5)
    write_lines(folder / "b.jsonl", 3)
    text = with_sources("{网页: {path: a.jsonl, field: text}, no: {path: b.jsonl}}")
    plan, sources = load(config_file(folder, text))
    assert list(sources) == ["网页", "no"] == list(plan.names)
    assert sources["网页"].read([4, 0]) == ["4", "0"]
    assert [len(source) for source in sources.values()] == [5, 3]
    for source in sources.values():
        source.close()


def test_load_gives_a_source_as_it_is_at_last(folder: Path) -> None:
    write_lines(folder / "a.jsonl", 5)
    write_lines(folder / "b.jsonl", 3)
    edit = "edits: [{at: 50, sources: {web: {path: [a.jsonl, b.jsonl]}, law: {path: b.jsonl}}}]"
    plan, sources = load(config_file(folder, with_sources("{web: {path: a.jsonl}}", edit)))
    assert plan.mixture.sources["web"].items == 5
    assert {name: len(source) for name, source in sources.items()} == {"web": 8, "law": 3}
    for source in sources.values():
        source.close()


def test_load_refuses_sources_that_have_only_a_size(folder: Path) -> None:
    write_lines(folder / "a.jsonl", 5)
    sources = "{web: {path: a.jsonl}, law: {tokens: 3.2e9}, 'a.b': {path: b.jsonl, items: 7}}"
    text = with_sources(sources, "sequence_length: 2048\nedits: [{at: 5, sources: {no: {items: 3}}}]")
    with pytest.raises(ConfigError) as caught:
        load(config_file(folder, text))
    only = "it has only a size"
    assert str(caught.value).splitlines() == [
        f"mix.yaml: sources.law: {only} (tokens: 3200000000); its items cannot be read. Give it a path.",
        'mix.yaml: sources."a.b".path: got "b.jsonl", where nothing lies; its size (items: 7) is enough for '
        "a plan "
        "only. Prepare the data, or correct the path.",
        f"mix.yaml: edits[0].sources.no: {only} (items: 3); its items cannot be read. Give it a path.",
    ]


def test_a_data_set_on_the_hub_is_no_path_of_this_machine(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def open_source(path: object, **keys: object) -> Opened:
        asked.append(path)
        return Opened()

    monkeypatch.setattr("thermix.sources.open_source", open_source)
    load(config_file(folder, with_sources("{web: {path: 'hf:lab/corpus:en', field: text, unit: sequence}}")))
    assert asked == ["hf:lab/corpus:en"]


class Opened:
    """Stands for an opened source, and remembers that it was closed."""

    unit = "sequence"
    tokens = None
    fingerprint = "00"

    def __init__(self) -> None:
        self.closed = False

    def __len__(self) -> int:
        return 6

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Opened, dict[str, object]]]:
    """Every source that is opened, with what it was opened with."""
    calls: list[tuple[Opened, dict[str, object]]] = []

    def open_source(path: object, **keys: object) -> Opened:
        calls.append((Opened(), {"path": path, **keys}))
        return calls[-1][0]

    monkeypatch.setattr("thermix.sources.open_source", open_source)
    return calls


Calls = list[tuple[Opened, dict[str, object]]]


def test_a_source_is_opened_with_what_the_file_says_of_it(folder: Path, opened: Calls) -> None:
    (folder / "web.bin").touch()
    (folder / "b").mkdir()
    sources = "{web: {path: web, dtype: uint16}, b: {path: [b, 's3://far/c'], field: text}}"
    plan = load_plan(config_file(folder, with_sources(sources, "sequence_length: 4")))
    assert [keys for _, keys in opened] == [
        {"path": f"{folder}/web", "name": "web", "field": None, "sequence_length": 4, "dtype": "uint16"},
        {
            "path": [f"{folder}/b", "s3://far/c"],
            "name": "b",
            "field": "text",
            "sequence_length": 4,
            "dtype": None,
        },
    ]
    assert [source.items for source in plan.mixture.sources.values()] == [6, 6]


def test_a_plan_alone_leaves_nothing_open(folder: Path, opened: Calls) -> None:
    (folder / "b").mkdir()
    load_plan(config_file(folder, with_sources("{web: {path: b}, law: {path: [b, b]}}")))
    assert [source.closed for source, _ in opened] == [True, True]


def test_load_opens_once_and_leaves_open_what_it_returns(folder: Path, opened: Calls) -> None:
    (folder / "b").mkdir()
    edit = "edits: [{at: 5, sources: {web: {path: [b, b]}}}]"
    _, sources = load(config_file(folder, with_sources("{web: {path: b}, law: {path: b}}", edit)))
    assert len(opened) == 3
    assert [source.closed for source, _ in opened] == [True, False, False]
    assert [id(source) for source in sources.values()] == [id(opened[2][0]), id(opened[1][0])]


def test_load_leaves_nothing_open_when_it_refuses(folder: Path, opened: Calls) -> None:
    (folder / "b").mkdir()
    path = config_file(folder, with_sources("{web: {path: b}, law: {items: 3}}"))
    with pytest.raises(ConfigError, match="only a size"):
        load(path)
    assert [source.closed for source, _ in opened] == [True]


def test_damaged_data_stays_a_data_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_source(path: object, **keys: object) -> None:
        raise DataError("web.bin: byte 7: damaged.")

    (folder / "b").mkdir()
    monkeypatch.setattr("thermix.sources.open_source", open_source)
    with pytest.raises(DataError, match=r"^web\.bin: byte 7: damaged\.$"):
        load(config_file(folder, with_sources("{web: {path: b}}")))


def test_a_refusal_that_names_no_key_is_about_the_path(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_source(path: object, **keys: object) -> None:
        raise InvalidInput("it is no data. Give data.")

    (folder / "b").mkdir()
    monkeypatch.setattr("thermix.sources.open_source", open_source)
    with pytest.raises(ConfigError) as caught:
        load_plan(config_file(folder, with_sources("{web: {path: b}}")))
    assert str(caught.value) == "mix.yaml: sources.web.path: it is no data. Give data."
