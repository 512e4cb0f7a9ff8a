"""Which files a path means, and what is said where it means none."""

from __future__ import annotations

from pathlib import Path

import pytest

from thermix.errors import DataError, InvalidInput
from thermix.sources.contents import content_digest
from thermix.sources.files import ending_of, find_paths, is_hub, is_saved


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.jsonl", "a.jsonl", "c/d.jsonl", "[x].jsonl", "网页.jsonl"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def names(path: str | list[str], folder: Path) -> list[str]:
    return [str(p.relative_to(folder)) for p in find_paths(path, "web")]


def test_a_file_or_folder_is_itself(folder: Path) -> None:
    assert names(f"{folder}/b.jsonl", folder) == ["b.jsonl"]
    assert names(f"{folder}/c", folder) == ["c"]


def test_a_glob_is_sorted(folder: Path) -> None:
    assert names(f"{folder}/?.jsonl", folder) == ["a.jsonl", "b.jsonl"]
    assert names(f"{folder}/**/[bd].jsonl", folder) == ["b.jsonl", "c/d.jsonl"]


def test_a_list_keeps_its_order_and_sorts_each_glob(folder: Path) -> None:
    given = [f"{folder}/c/d.jsonl", f"{folder}/[ab].jsonl"]
    assert names(given, folder) == ["c/d.jsonl", "a.jsonl", "b.jsonl"]


def test_a_name_that_looks_like_a_glob_is_the_file_of_that_name(folder: Path) -> None:
    assert names(f"{folder}/[x].jsonl", folder) == ["[x].jsonl"]


def test_the_home_folder_may_be_written_short(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    assert names("~/a.jsonl", folder) == ["a.jsonl"]


REFUSED: dict[str, tuple[str | list[str], str]] = {
    "missing": (
        "{}/x/y.jsonl",
        r"nothing lies at .*y\.jsonl \(from folder .*\)\. Folder .* holds no such name",
    ),
    "typo": ("{}/aa.jsonl", r"nothing lies at .*aa\.jsonl .*Did you mean .*/a\.jsonl\?"),
    "typo in the folder": ("{}/cc/d.jsonl", r"nothing lies at .*Did you mean .*/c\?"),
    "glob": ("{}/*.json", r"'.*\*\.json' matches no file \(from folder .*Did you mean"),
    "no list": ([], r"got an empty list; it must name at least one"),
    "no text": ("", r"got ''; a path is text"),
    "no text in a list": ([""], r"got ''; a path is text"),
    "remote": ("s3://bucket/a.jsonl", r"got 's3://.*'; this version reads local files only"),
    "twice": (["{}/a.jsonl", "{}/?.jsonl"], r"a\.jsonl is named twice; its items would count twice"),
}


@pytest.mark.parametrize(("path", "message"), REFUSED.values(), ids=REFUSED)
def test_a_path_that_means_nothing_is_refused(path: str | list[str], message: str, folder: Path) -> None:
    filled = (
        path.format(folder) if isinstance(path, str) else [str(p).format(folder) if p else p for p in path]
    )
    with pytest.raises(InvalidInput, match=rf"^sources\.web\.path: .*{message}"):
        find_paths(filled, "web")


def test_a_link_to_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").symlink_to(tmp_path / "gone")
    for path in ("a.jsonl", "*.jsonl"):
        with pytest.raises(InvalidInput, match=r"a\.jsonl is a link to .*gone, which does not exist"):
            find_paths(f"{tmp_path}/{path}", "web")


def test_a_file_under_two_names_counts_as_twice(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(InvalidInput, match="is named twice"):
        find_paths(f"{tmp_path}/?", "web")


@pytest.mark.parametrize("size", [0, 1, 4096, 65_536, 65_537, 1_000_000])
def test_the_digest_sees_size_first_and_last_byte(size: int, tmp_path: Path) -> None:
    path = tmp_path / "a"

    def of(data: bytes) -> bytes:
        path.write_bytes(data)
        return content_digest(path)

    data = bytes(size)
    digests = [of(data), of(data + b"\0")]
    if size:
        digests += [of(b"1" + data[1:])]
    if size > 1:
        digests += [of(data[:-1] + b"1")]
    assert len(set(digests)) == len(digests)
    assert of(data) == digests[0]


def test_a_file_without_permission_is_data_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read: Is a directory"):
        content_digest(tmp_path)


@pytest.mark.parametrize(
    ("name", "ending"),
    {
        "web.jsonl": (".jsonl", ""),
        "Web.2024.JSONL.GZ": (".jsonl", ".gz"),
        "web.gz": ("", ".gz"),
        "web": ("", ""),
        ".gz": ("", ""),
        "a.csv.zst.txt": (".txt", ""),
    }.items(),
)
def test_an_ending_is_a_format_and_a_packing(name: str, ending: tuple[str, str]) -> None:
    assert ending_of(name) == ending


def test_hf_is_the_hub_and_hf_with_slashes_an_address() -> None:
    assert is_hub("hf:lab/corpus:en")
    assert not is_hub("hf://datasets/lab/corpus/a.parquet")
    assert not is_hub("data/hf:a")


def test_a_folder_is_a_saved_one_by_the_files_in_it(tmp_path: Path) -> None:
    assert not is_saved(tmp_path)
    (tmp_path / "state.json").touch()
    assert not is_saved(tmp_path)
    (tmp_path / "dataset_info.json").touch()
    assert is_saved(tmp_path)
