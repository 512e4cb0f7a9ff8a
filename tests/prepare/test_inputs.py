"""Which files are read, and the pieces they are cut into."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.prepare.raw_files import texts_of, texts_of_part, write_raw
from thermix.errors import DataError, InvalidInput
from thermix.prepare.inputs import InputFile, Part, find_inputs, split_inputs

KIND = ["jsonl", "text", "jsonl.gz", "csv", "json"]


def found(path: Path | str | list[str]) -> list[str]:
    paths = path if isinstance(path, list) else [str(path)]
    return [Path(file.path).name for file in find_inputs(paths)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.jsonl", "a.jsonl.gz", "c.txt", "d.csv", "e.tsv.xz", "f.json", "g.ndjson"):
        write_raw(tmp_path / name, ["eins", "zwei"])
    for name in ("README.md", ".hidden.jsonl", "_temporary.jsonl", "LICENSE"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "below").mkdir()
    write_raw(tmp_path / "below" / "x.jsonl", ["drei"])
    return tmp_path


def test_a_folder_gives_the_files_it_holds_of_any_format_in_order(folder: Path) -> None:
    files = find_inputs([str(folder)])
    assert [(Path(f.path).name, f.format) for f in files] == [
        ("a.jsonl.gz", "jsonl.gz"),
        ("b.jsonl", "jsonl"),
        ("c.txt", "text"),
        ("d.csv", "csv"),
        ("e.tsv.xz", "tsv.xz"),
        ("f.json", "json"),
        ("g.ndjson", "jsonl"),
    ]
    assert [f.bytes for f in files] == [os.path.getsize(f.path) for f in files]
    assert texts_of(files) == ["eins", "zwei"] * 7


def test_paths_keep_their_order_and_globs_are_sorted(folder: Path) -> None:
    assert found([f"{folder}/d.csv", f"{folder}/[ab].*", f"{folder}/**/x.jsonl"]) == [
        "d.csv",
        "a.jsonl.gz",
        "b.jsonl",
        "x.jsonl",
    ]


def test_a_relative_path_stays_relative(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert [file.path for file in find_inputs(["b.jsonl", "below"])] == ["b.jsonl", "below/x.jsonl"]


def test_the_ending_counts_in_any_case(tmp_path: Path) -> None:
    path = write_raw(tmp_path / "a.jsonl", ["x"])
    assert find_inputs([str(path.rename(tmp_path / "A.JSONL"))])[0].format == "jsonl"


def test_a_folder_with_the_name_of_a_file_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").mkdir()
    write_raw(tmp_path / "x.jsonl" / "a.txt", ["x"])
    assert found(tmp_path / "x.jsonl") == ["a.txt"]


def test_the_digest_sees_another_content_of_the_same_size(tmp_path: Path) -> None:
    digests = set()
    for text in ("one", "two"):
        digests.add(find_inputs([str(write_raw(tmp_path / "a.jsonl", [text]))])[0].digest)
    assert len(digests) == 2


REFUSED: dict[str, tuple[list[str], str]] = {
    "nothing": ([], "got nothing to read; name at least one"),
    "missing": (["{}/nix.jsonl"], r"nothing lies at .*nix\.jsonl"),
    "no match": (["{}/*.parquet"], r"'.*\*\.parquet' matches no file"),
    "other ending": (
        ["{}/README.md"],
        r"README\.md ends in '\.md'; the ending says the format, and \.jsonl,",
    ),
    "no ending": (["{}/LICENSE"], r"LICENSE ends in nothing; the ending says"),
    "packed without a format": (["{}/y.gz"], r"y\.gz ends in '\.gz'"),
    "packed parquet": (["{}/y.parquet.gz"], r"y\.parquet\.gz ends in '\.gz'"),
    "twice": (["{}/b.jsonl", "{}"], r"b\.jsonl is named twice; its rows would be prepared twice"),
    "empty folder": (
        ["{}/empty"],
        r"folder .*empty holds no files; \.jsonl, .*glob such as .*\*\*/\*\.jsonl",
    ),
    "other folder": (["{}/other"], r"folder .*other holds 1 files of other kinds, such as a\.md"),
    "fifo": (["{}/fifo.jsonl"], r"fifo\.jsonl is no file and no folder"),
    "loop": (["{}/loop.jsonl"], r"loop\.jsonl is a link to .*loop\.jsonl"),
}


@pytest.mark.parametrize(("paths", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_input_is_refused(paths: list[str], message: str, folder: Path) -> None:
    for name in ("y.gz", "y.parquet.gz"):
        (folder / name).write_bytes(b"x")
    (folder / "empty").mkdir()
    (folder / "other").mkdir()
    (folder / "other" / "a.md").write_text("x")
    os.mkfifo(folder / "fifo.jsonl")
    (folder / "loop.jsonl").symlink_to(folder / "loop.jsonl")
    with pytest.raises(InvalidInput, match=rf"^mix\.yaml: sources\.web: .*{message}"):
        find_inputs([path.format(folder) for path in paths], "mix.yaml: sources.web")


def test_a_file_under_two_names_is_named_twice(tmp_path: Path) -> None:
    write_raw(tmp_path / "a.jsonl", ["x"])
    (tmp_path / "b.jsonl").symlink_to(tmp_path / "a.jsonl")
    with pytest.raises(InvalidInput, match="is named twice"):
        find_inputs([str(tmp_path)])


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_damaged_data(tmp_path: Path) -> None:
    write_raw(tmp_path / "a.jsonl", ["x"]).chmod(0)
    with pytest.raises(DataError, match=r"a\.jsonl: it cannot be read"):
        find_inputs([str(tmp_path)])


class TestSavedDatasets:
    @pytest.fixture(autouse=True)
    def datasets(self) -> Any:
        self.module = pytest.importorskip("datasets")

    def test_a_saved_dataset_is_its_arrow_files(self, tmp_path: Path) -> None:
        texts = [f"文书 {i}" for i in range(100)]
        self.module.Dataset.from_dict({"text": texts}).save_to_disk(str(tmp_path / "d"), num_shards=3)
        files = find_inputs([str(tmp_path / "d")])
        assert [file.format for file in files] == ["arrow"] * 3
        assert texts_of(files) == texts

    def test_of_several_splits_one_must_be_named(self, tmp_path: Path) -> None:
        dataset = self.module.Dataset.from_dict({"text": ["a"]})
        self.module.DatasetDict({"train": dataset, "test": dataset}).save_to_disk(str(tmp_path / "d"))
        with pytest.raises(InvalidInput, match=r"holds several splits .*d/test, .*d/train"):
            find_inputs([str(tmp_path / "d")])
        assert found(tmp_path / "d" / "train") == ["data-00000-of-00001.arrow"]

    def test_a_dataset_named_as_on_the_hub_is_its_files(self, tmp_path: Path) -> None:
        write_raw(tmp_path / "train.jsonl", ["a", "b"])
        write_raw(tmp_path / "test.jsonl", ["c"])
        assert texts_of(find_inputs([f"hf:{tmp_path}"])) == ["a", "b"]
        assert texts_of(find_inputs([f"hf:{tmp_path}::test"])) == ["c"]
        with pytest.raises(InvalidInput, match=r"no split 'tset'; its splits are .*Did you mean test\?"):
            find_inputs([f"hf:{tmp_path}::tset"])
        with pytest.raises(InvalidInput, match=r"hf:.*:nix: BuilderConfig 'nix' not found.*Correct the name"):
            find_inputs([f"hf:{tmp_path}:nix"])


class TestRemoteFiles:
    @pytest.fixture(autouse=True)
    def memory(self) -> Any:
        fsspec = pytest.importorskip("fsspec")
        self.system = fsspec.filesystem("memory")
        self.system.makedirs("/raw", exist_ok=True)
        yield
        self.system.rm("/raw", recursive=True)

    def put(self, tmp_path: Path, name: str, texts: list[str]) -> None:
        self.system.pipe(f"/raw/{name}", write_raw(tmp_path / name, texts).read_bytes())

    @pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv", "a.parquet", "a.arrow", "a.json"])
    def test_a_remote_file_reads_as_a_local_one(self, name: str, tmp_path: Path) -> None:
        if name.endswith(("parquet", "arrow")):
            pytest.importorskip("pyarrow")
        texts = [f"文书 {i}" for i in range(200)]
        self.put(tmp_path, name, texts)
        for split_bytes in (1000, 1 << 30):
            assert texts_of(find_inputs([f"memory://raw/{name}"]), split_bytes) == texts

    def test_folders_and_globs_are_sorted_and_pass_over_other_files(self, tmp_path: Path) -> None:
        for name in ("b.jsonl", "a.jsonl", "c.txt"):
            self.put(tmp_path, name, [name])
        self.system.pipe("/raw/x.md", b"x")
        assert texts_of(find_inputs(["memory://raw"])) == ["a.jsonl", "b.jsonl", "c.txt"]
        assert texts_of(find_inputs(["memory://raw/*.jsonl"])) == ["a.jsonl", "b.jsonl"]
        with pytest.raises(InvalidInput, match=r"^INPUT: no file to read lies at memory://raw/\*\.csv"):
            find_inputs(["memory://raw/*.csv"])
        with pytest.raises(InvalidInput, match=r"no file to read lies at memory://raw/nix\.jsonl"):
            find_inputs(["memory://raw/nix.jsonl"])
        with pytest.raises(InvalidInput, match=r"a\.jsonl is named twice"):
            find_inputs(["memory://raw", "memory://raw/a.jsonl"])

    def test_an_unknown_kind_of_address_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match=r"nix://a\.jsonl: .*nix"):
            find_inputs(["nix://a.jsonl"])


def a_file(number: int, kind: str, size: int) -> InputFile:
    return InputFile(f"{number}.{kind}", kind, size, "")


sizes = st.lists(st.tuples(st.sampled_from(KIND), st.integers(0, 10_000)), max_size=12)


@given(sizes, st.integers(1, 12_000))
def test_pieces_hold_every_byte_once_in_order(given_files: list[tuple[str, int]], split: int) -> None:
    files = [a_file(number, *file) for number, file in enumerate(given_files)]
    pieces = split_inputs(files, split)
    assert pieces == split_inputs(list(files), split)
    parts = [part for piece in pieces for part in piece]
    assert all(pieces)
    for file in files:
        own = [part for part in parts if part.path == file.path]
        assert [part.start for part in own] == sorted(part.start for part in own)
        assert all(one.stop == other.start for one, other in pairwise(own))
        assert all(part.format == file.format for part in own)
        assert sum(part.stop - part.start for part in own) == file.bytes
        assert all(part.stop - part.start <= split for part in own if file.format in ("jsonl", "text"))
    order = [int(part.path.split(".")[0]) for part in parts]
    assert order == sorted(order)
    for piece in pieces:
        assert len(piece) == 1 or sum(part.stop - part.start for part in piece) <= split


@given(sizes, st.integers(1, 12_000))
def test_pieces_are_not_needlessly_small(given_files: list[tuple[str, int]], split: int) -> None:
    files = [a_file(number, *file) for number, file in enumerate(given_files)]
    held = [sum(part.stop - part.start for part in piece) for piece in split_inputs(files, split)]
    assert all(one + other > split for one, other in pairwise(held))


def test_what_cannot_be_cut_is_one_part() -> None:
    for kind in ("jsonl.gz", "csv", "json", "tsv.zst"):
        assert split_inputs([a_file(0, kind, 1000)], 10) == [(Part(f"0.{kind}", kind, 0, 1000),)]
    assert len(split_inputs([a_file(0, "jsonl", 1000)], 10)) == 100


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_large_column_files_are_cut_and_no_piece_is_without_rows(name: str, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = write_raw(tmp_path / name, ["".join(f"{i * j}" for j in range(200)) for i in range(70)])
    files = find_inputs([str(path)])
    whole = texts_of(files)
    for split in (1, 5_000, 20_000):
        pieces = split_inputs(files, split)
        assert len(pieces) > 1
        assert all([text for part in piece for text in texts_of_part(part)] for piece in pieces)
        assert texts_of(files, split) == whole


def test_a_damaged_column_file_is_damaged_data_when_it_is_cut(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    for name in ("a.parquet", "b.arrow"):
        (tmp_path / name).write_bytes(b"no such thing" * 100)
        with pytest.raises(DataError, match=rf"{name[0]}\.\w+: it cannot be read: .*make the file again"):
            split_inputs(find_inputs([str(tmp_path / name)]), 10)
