"""From a path to the class that reads it, or to a clear no."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from thermix.errors import InvalidInput
from thermix.sources import ItemSource, open_source
from thermix.sources.jsonlines import JsonLines


def made(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_text(f'{{"text": "{name}"}}\n')
    return folder


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    made(tmp_path, "b.jsonl", "a.jsonl", "c.ndjson", "README.md", ".hidden.jsonl", "_SUCCESS")
    with open_source(str(tmp_path), name="web", field="text") as source:
        assert isinstance(source, JsonLines)
        assert source.read([0, 1, 2]) == ["a.jsonl", "b.jsonl", "c.ndjson"]


def test_a_file_a_glob_and_a_list_open_too(tmp_path: Path) -> None:
    made(tmp_path, "a.jsonl", "B.JSONL")
    for path in (f"{tmp_path}/a.jsonl", f"{tmp_path}/*.jsonl", [f"{tmp_path}/a.jsonl"]):
        with open_source(path, name="web") as source:
            assert source.read([0]) == [{"text": "a.jsonl"}]
    assert len(open_source(f"{tmp_path}/B.JSONL", name="web")) == 1


def test_documents_pass_over_the_sequence_length(tmp_path: Path) -> None:
    source: ItemSource = open_source(str(made(tmp_path, "a.jsonl")), name="web", sequence_length=2048)
    assert source.unit == "document"


REFUSED = {
    "gz": (
        ["a.gz"],
        r"a\.gz: it is packed, and its name does not say .*rename it, such as to web\.jsonl\.gz\.$",
    ),
    "tar": (["a.tar.gz"], r"a\.tar\.gz: it is packed, and its name does not say"),
    "packed tokens": (["a.bin.zst"], r"a\.bin\.zst: it is packed, .*Unpack it first"),
    "packed parquet": (["a.parquet.gz"], r"a\.parquet\.gz: it is packed, .*Unpack it first"),
    "shards": (["a.bin", "a.idx"], r"a\.bin: a token file, and no sequence_length.*Set sequence_length"),
    "npy": (["a.npy"], r"a\.npy: a token file, and no sequence_length"),
    "two formats": (
        ["a.jsonl", "b.npy"],
        r"a\.jsonl and .*b\.npy are of different formats; a source has one",
    ),
    "two document formats": (["a.csv.gz", "b.tsv"], r"different formats; .*such as '\*\.csv\.gz'"),
    "rows and a description": (
        ["a.jsonl", "info.json"],
        r"a\.jsonl and .*info\.json are of different formats",
    ),
    "nothing": ([], r"folder .* holds no files; data files end in .*\.jsonl.*\*\*.*\.jsonl"),
    "no data": (["LICENSE"], r"folder .* holds 1 files of other kinds, such as LICENSE"),
}


@pytest.mark.parametrize(("names", "message"), REFUSED.values(), ids=REFUSED)
def test_a_folder_that_holds_nothing_to_read_is_refused(
    names: list[str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInput, match=rf"^sources\.web\.path: .*{message}"):
        open_source(str(made(tmp_path, *names)), name="web")


@pytest.mark.parametrize(("name", "said"), [("a.xyz", r"'\.xyz'"), ("LICENSE", "no ending")])
def test_a_file_of_unknown_ending_is_refused(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=rf"{name} has {said}; the ending says the format, and \.jsonl"):
        open_source(f"{made(tmp_path, name)}/{name}", name="web")


def test_what_is_neither_file_nor_folder_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(InvalidInput, match=r"pipe\.jsonl is no file and no folder"):
        open_source(f"{tmp_path}/pipe.jsonl", name="web")


def test_a_dtype_for_documents_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidInput, match=r"^sources\.web\.dtype: got 'uint16' for JSON Lines; only token files"
    ):
        open_source(str(made(tmp_path, "a.jsonl")), name="web", dtype="uint16")


@pytest.mark.parametrize("name", ["a.json", "a.jsonl.gz", "a.csv", "a.txt", "a.parquet"])
def test_a_dtype_for_documents_of_any_format_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"^sources\.web\.dtype: got 'uint16' for .*; only token files"):
        open_source(str(made(tmp_path, name)), name="web", dtype="uint16")


def test_several_saved_folders_are_refused(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        made(tmp_path / name, "state.json", "dataset_info.json")
    with pytest.raises(InvalidInput, match=r"got 2 folders that HF datasets saved; a source is one"):
        open_source([f"{tmp_path}/a", f"{tmp_path}/b"], name="web")
