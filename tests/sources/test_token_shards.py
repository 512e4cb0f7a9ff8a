"""Token shards: what Megatron-LM's format says, windows against a brute-force twin, delivery by a plan."""

from __future__ import annotations

import errno
import re
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.sources.contract import Case, SourceContract
from thermix import DataError, InvalidInput, Mixture, Plan, Source, linear
from thermix.sources import ItemSource, open_source
from thermix.sources.reader import BatchReader
from thermix.sources.shard_writer import TokenShardWriter
from thermix.sources.tokens import TokenShards

DOCUMENTS = ([5, 1, 2, 3], [9], [4, 4, 4, 8, 8, 7, 7], [1000, 65535], list(range(30)))


def write_megatron(path: Path, documents: Any = DOCUMENTS, dtype: str = "uint16") -> list[int]:
    writer = TokenShardWriter(path, dtype=dtype)
    for document in documents:
        writer.append(np.array(document, dtype))
    writer.close()
    return [token for document in documents for token in document]


def windows(tokens: list[int], length: int, stride: int | None = None) -> list[list[int]]:
    starts = range(0, len(tokens) - length + 1, stride or length)
    return [tokens[start : start + length] for start in starts]


def case_of(reopen: Callable[[], ItemSource], rows: list[list[int]], dtype: str = "uint16") -> Case:
    return Case(reopen(), [np.array(row, dtype) for row in rows], reopen)


class TestMegatronShards(SourceContract):
    @pytest.fixture
    def case(self, tmp_path: Path) -> Case:
        tokens = write_megatron(tmp_path / "a")
        write_megatron(tmp_path / "b", DOCUMENTS[::-1])
        reverse = [token for document in DOCUMENTS[::-1] for token in document]
        folder = str(tmp_path)
        return case_of(
            lambda: open_source(folder, name="web", sequence_length=4),
            windows(tokens, 4) + windows(reverse, 4),
        )

    @pytest.fixture
    def empty(self) -> ItemSource:
        return TokenShards([], name="web", sequence_length=4)


class TestAnArrayFile(SourceContract):
    @pytest.fixture
    def case(self, tmp_path: Path) -> Case:
        path = tmp_path / "tokens.npy"
        np.save(path, np.arange(41, dtype=np.int32))
        rows = windows(list(range(41)), 8)
        return case_of(lambda: open_source(str(path), name="web", sequence_length=8), rows, "int32")

    @pytest.fixture
    def empty(self) -> ItemSource:
        return TokenShards([], name="web", sequence_length=8)


class TestAFileWithoutHeader(SourceContract):
    @pytest.fixture
    def case(self, tmp_path: Path) -> Case:
        path = tmp_path / "tokens.bin"
        np.arange(41, dtype="<u2").tofile(path)
        rows = windows(list(range(41)), 8)
        return case_of(lambda: open_source(str(path), name="web", sequence_length=8, dtype="uint16"), rows)

    @pytest.fixture
    def empty(self) -> ItemSource:
        return TokenShards([], name="web", sequence_length=8)


def test_a_shard_is_byte_for_byte_what_the_format_says(tmp_path: Path) -> None:
    write_megatron(tmp_path / "a", ([7, 8, 9], [1]))
    lengths, pointers, documents = [3, 1], [0, 6], [0, 1, 2]
    index = b"MMIDIDX\0\0" + struct.pack("<QBQQ", 1, 8, 2, 3)
    index += struct.pack("<2i", *lengths) + struct.pack("<2q", *pointers) + struct.pack("<3q", *documents)
    assert (tmp_path / "a.idx").read_bytes() == index
    assert (tmp_path / "a.bin").read_bytes() == np.array([7, 8, 9, 1], "<u2").tobytes()


@settings(max_examples=30)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=4),
    st.integers(1, 12),
    st.integers(1, 15),
    st.booleans(),
)
def test_windows_of_any_length_and_stride_are_those_of_each_shard(
    sizes: list[int], length: int, stride: int, target: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths, rows = [], []
        for number, size in enumerate(sizes):
            paths.append(Path(folder) / f"{number}.npy")
            np.save(paths[-1], np.arange(size, dtype=np.int64) + 100 * number)
            tokens = list(range(100 * number, 100 * number + size))
            rows += windows(tokens, length + target, stride)
        if not rows:
            with pytest.raises(InvalidInput, match="sequence_length"):
                TokenShards(paths, name="a", sequence_length=length, stride=stride, with_target=target)
            return
        with TokenShards(
            paths, name="a", sequence_length=length, stride=stride, with_target=target
        ) as source:
            assert source.read(np.arange(len(rows))).tolist() == rows  # type: ignore[union-attr]
            assert len(source) == len(rows)


def patched(path: Path, at: int, value: int, size: int = 8) -> None:
    """Write a whole number over bytes of a file, from its end where `at` is below 0."""
    content = bytearray(path.read_bytes())
    start = at % len(content)
    content[start : start + size] = value.to_bytes(size, "little", signed=True)
    path.write_bytes(content)


def cut(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])


def folder_for(path: Path) -> None:
    path.unlink()
    path.mkdir()


def lead_nowhere(path: Path) -> None:
    path.unlink()
    path.symlink_to("gone")


# What is done to the files of a shard of 5 sequences and 44 tokens, the file that is named, and what is said.
BAD: dict[str, tuple[Callable[[Path], object], str, str]] = {
    "foreign index": (
        lambda p: p.with_suffix(".idx").write_bytes(b"GARBAGE!!" * 20),
        "a.idx",
        r"byte 0: got b'GARBAGE!!'; a Megatron-LM index begins with b'MMIDIDX.*Write the shard again",
    ),
    "empty index": (
        lambda p: cut(p.with_suffix(".idx"), 0),
        "a.idx",
        r"byte 0: got b''; a Megatron-LM index",
    ),
    "another version": (
        lambda p: patched(p.with_suffix(".idx"), 9, 7),
        "a.idx",
        "byte 9: got version 7; this reads version 1",
    ),
    "an unknown type": (
        lambda p: patched(p.with_suffix(".idx"), 17, 99, 1),
        "a.idx",
        "byte 17: got dtype code 99; codes are 1 to 8",
    ),
    "a type of fractions": (
        lambda p: patched(p.with_suffix(".idx"), 17, 6, 1),
        "a.idx",
        "byte 17: got dtype code 6, float64; tokens are whole numbers",
    ),
    "a header cut short": (
        lambda p: cut(p.with_suffix(".idx"), 30),
        "a.idx",
        "the file ends at byte 30, and an index has a header of 34 bytes; it is cut short",
    ),
    "an index cut short": (
        lambda p: cut(p.with_suffix(".idx"), 141),
        "a.idx",
        "the file ends at byte 141; its header says 5 sequences and 6 document indices, which is 142 bytes",
    ),
    "an index with something behind it": (
        lambda p: p.with_suffix(".idx").open("ab").write(b"?"),
        "a.idx",
        "the file is 143 bytes long; .* which is 142 bytes. It is no index",
    ),
    "more sequences than there can be": (
        lambda p: patched(p.with_suffix(".idx"), 18, 1 << 60),
        "a.idx",
        "the file ends at byte 142; its header says 1152921504606846976 sequences",
    ),
    "a last sequence of negative length": (
        lambda p: patched(p.with_suffix(".idx"), 34 + 16, -3, 4),
        "a.idx",
        "byte 50: got -3 for the last sequence; lengths and pointers are not below 0",
    ),
    "a last sequence before the first byte": (
        lambda p: patched(p.with_suffix(".idx"), 34 + 20 + 32, -8),
        "a.idx",
        "byte 86: got -8 for the last sequence",
    ),
    "tokens cut short": (
        lambda p: cut(p.with_suffix(".bin"), 10),
        "a.bin",
        r"is 10 bytes long, shorter than the 88 bytes its index .*a\.idx says. It is cut short, or",
    ),
    "more tokens than the index says": (
        lambda p: p.with_suffix(".bin").open("ab").write(b"??"),
        "a.bin",
        "is 90 bytes long, longer than the 88 bytes its index",
    ),
    "no tokens file": (
        lambda p: p.with_suffix(".bin").unlink(),
        "a.bin",
        "it cannot be read: No such file or directory. Put it back, or take its shard out",
    ),
    "a folder for the index": (
        lambda p: folder_for(p.with_suffix(".idx")),
        "a.idx",
        "is a folder, and a file is due there. Take it out, or name a file",
    ),
    "a folder for the tokens": (
        lambda p: folder_for(p.with_suffix(".bin")),
        "a.bin",
        "is a folder, and a file is due there",
    ),
    "a link to nothing for the index": (
        lambda p: lead_nowhere(p.with_suffix(".idx")),
        "a.idx",
        "it cannot be read: No such file or directory",
    ),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")
def test_a_damaged_shard_is_a_data_error_that_names_file_and_place(name: str, tmp_path: Path) -> None:
    write_megatron(tmp_path / "a")
    damage, file, said = BAD[name]
    damage(tmp_path / "a")
    before = {path: path.lstat().st_size for path in tmp_path.iterdir()}
    with pytest.raises(DataError, match=rf"^sources\.web: .*{re.escape(file)}.*{said}") as error:
        TokenShards([tmp_path / "a.bin"], name="web", sequence_length=4)
    assert error.value.exit_code == 3
    assert {path: path.lstat().st_size for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("size", range(142))
def test_an_index_cut_anywhere_is_a_data_error(size: int, tmp_path: Path) -> None:
    write_megatron(tmp_path / "a")
    cut(tmp_path / "a.idx", size)
    with pytest.raises(DataError, match=r"a\.idx"):
        TokenShards([tmp_path / "a.bin"], name="web", sequence_length=4)


@given(st.binary(max_size=200))
def test_an_index_of_any_bytes_is_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a.idx").write_bytes(content)
        (Path(folder) / "a.bin").write_bytes(b"tokens")
        with pytest.raises(DataError, match=r"a\.idx"):
            TokenShards([Path(folder) / "a.bin"], name="web", sequence_length=4)


def test_a_file_that_may_not_be_read_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_megatron(tmp_path / "a")

    def forbidden(path: str, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr("builtins.open", forbidden)
    with pytest.raises(DataError, match=r"a\.idx: it cannot be read: Permission denied. Check its perm"):
        TokenShards([tmp_path / "a.bin"], name="web", sequence_length=4)


def no_tokens(folder: Path) -> dict[str, Path]:
    TokenShardWriter(folder / "indexed", dtype="uint16").close()
    (folder / "flat.bin").write_bytes(b"")
    np.save(folder / "array.npy", np.empty(0, np.uint16))
    return {name.split(".")[0]: folder / name for name in ("indexed.bin", "flat.bin", "array.npy")}


@pytest.mark.parametrize("kind", ["indexed", "flat", "array"])
def test_a_shard_without_tokens_is_a_data_error(kind: str, tmp_path: Path) -> None:
    path = no_tokens(tmp_path)[kind]
    with pytest.raises(DataError, match=rf"{kind}.* holds no tokens; .* Take it out, or write it again"):
        TokenShards([path], name="web", sequence_length=4, dtype="uint16")


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((3, 4), np.int32), r"it holds int32 of shape \(3, 4\); tokens are whole numbers of shape"),
        (np.zeros(9), r"it holds float64 of shape \(9,\)"),
        (np.zeros(9, "<U4"), r"it holds <U4 of shape"),
        (np.array([{}, {}]), r"it holds object of shape"),
    ],
)
def test_an_array_file_of_anything_but_tokens_is_a_data_error(
    array: np.ndarray[Any, Any], said: str, tmp_path: Path
) -> None:
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(DataError, match=rf"a\.npy: {said}"):
        TokenShards([tmp_path / "a.npy"], name="web", sequence_length=4)


@pytest.mark.parametrize("size", [0, 5, 9, 60, 127, 128, 200])
def test_an_array_file_cut_anywhere_is_a_data_error(size: int, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(100, dtype=np.uint16))
    cut(tmp_path / "a.npy", size)
    with pytest.raises(DataError, match=r"a\.npy(, byte 0)?: (not read as \.npy|it is \d+ bytes long)"):
        TokenShards([tmp_path / "a.npy"], name="web", sequence_length=4)


def test_an_array_file_with_something_behind_it_is_a_data_error(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(100, dtype=np.uint16))
    with (tmp_path / "a.npy").open("ab") as file:
        file.write(b"?")
    with pytest.raises(DataError, match=r"which end at byte 328\. Something was written behind it"):
        TokenShards([tmp_path / "a.npy"], name="web", sequence_length=4)


def test_a_flat_file_that_is_no_whole_number_of_tokens_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"1234567")
    with pytest.raises(DataError, match=r"a\.bin, byte 4: 3 bytes are left over; a token of uint32 is 4"):
        TokenShards([tmp_path / "a.bin"], name="web", sequence_length=1, dtype="uint32")


def test_a_flat_file_needs_its_type_said(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(b"1234")
    with pytest.raises(InvalidInput, match=r"dtype: .*a\.bin has no index \(a\.idx\) beside it") as error:
        TokenShards([tmp_path / "a.bin"], name="web", sequence_length=1)
    assert error.value.exit_code == 2
    with pytest.raises(InvalidInput, match=r"dtype: got 'unit16'; .* Did you mean uint16\?"):
        TokenShards([tmp_path / "a.bin"], name="web", sequence_length=1, dtype="unit16")


@pytest.mark.parametrize("change", ["cut", "grown", "gone"])
def test_a_file_that_changed_since_it_was_opened_is_a_data_error(change: str, tmp_path: Path) -> None:
    write_megatron(tmp_path / "a")
    with TokenShards([tmp_path / "a.bin"], name="web", sequence_length=4) as source:
        path = tmp_path / "a.bin"
        before = path.read_bytes()
        path.unlink() if change == "gone" else path.write_bytes(before[:8] if change == "cut" else before * 2)
        size = {"cut": 8, "grown": 176, "gone": 0}[change]
        said = "it cannot be read: No such file" if not size else f"is {size} bytes long, and was 88 when"
        with pytest.raises(DataError, match=rf"^sources\.web: .*a\.bin:? {said}"):
            source.read([0])
        path.write_bytes(before)
        assert source.read([0]).tolist() == [[5, 1, 2, 3]]  # type: ignore[union-attr]


def test_shards_of_two_types_are_refused(tmp_path: Path) -> None:
    write_megatron(tmp_path / "a")
    write_megatron(tmp_path / "b", ([1, 2],), "int32")
    with pytest.raises(InvalidInput, match=r"a\.bin holds uint16 and .*b\.bin int32; .* Make two sources"):
        TokenShards([tmp_path / "a.bin", tmp_path / "b.bin"], name="web", sequence_length=2)


def test_files_of_other_endings_are_no_token_files(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"got .*a\.txt; token files end in \.bin, \.idx or \.npy"):
        TokenShards([tmp_path / "a.txt"], name="web", sequence_length=2)


def test_a_window_longer_than_every_shard_is_refused_with_the_longest(tmp_path: Path) -> None:
    write_megatron(tmp_path / "a")
    write_megatron(tmp_path / "b", ([1, 2],))
    with pytest.raises(
        InvalidInput,
        match=r"^sources\.web\.sequence_length: got 4096, rows of 4096 tokens; the longest .*a\.bin, has 44",
    ):
        open_source(str(tmp_path), name="web", sequence_length=4096)
    with pytest.raises(InvalidInput, match="got 44, rows of 45 tokens"):
        TokenShards([tmp_path / "a.bin"], name="web", sequence_length=44, with_target=True)


def test_shards_too_short_for_a_window_are_passed_over_and_counted(tmp_path: Path) -> None:
    write_megatron(tmp_path / "a")
    write_megatron(tmp_path / "b", ([1, 2],))
    with TokenShards([tmp_path / "b.bin", tmp_path / "a.bin"], name="web", sequence_length=10) as source:
        assert len(source) == 4
        assert source.tokens_left_out == 2 + 4
        assert source.read([0])[0][:4].tolist() == [5, 1, 2, 3]


def test_token_files_need_a_sequence_length_and_have_no_field(tmp_path: Path) -> None:
    write_megatron(tmp_path / "a")
    with pytest.raises(InvalidInput, match="Set sequence_length"):
        open_source(str(tmp_path), name="web")
    with pytest.raises(InvalidInput, match="only documents have fields"):
        open_source(str(tmp_path), name="web", sequence_length=4, field="text")


def test_another_dtype_than_the_shards_is_refused(tmp_path: Path) -> None:
    write_megatron(tmp_path / "a")
    with pytest.raises((InvalidInput, DataError), match="uint16"):
        open_source(str(tmp_path), name="web", sequence_length=4, dtype="int32")


def plan_and_sources(folder: Path) -> tuple[Plan, dict[str, ItemSource]]:
    sources: dict[str, ItemSource] = {}
    for number, name in enumerate(("web", "books", "code")):
        np.save(folder / f"{name}.npy", (np.arange(400, dtype=np.uint16) + 1000 * number))
        sources[name] = open_source(str(folder / f"{name}.npy"), name=name, sequence_length=8)
    named = {
        name: Source(score=float(i), items=len(source)) for i, (name, source) in enumerate(sources.items())
    }
    return Plan(Mixture(named, temperature=linear(5.0, 1.0)), steps=40, batch_size=12), sources


@pytest.mark.parametrize("world_size", [1, 4])
def test_delivery_gives_the_rows_the_plan_names_however_it_is_asked(tmp_path: Path, world_size: int) -> None:
    plan, sources = plan_and_sources(tmp_path)
    for rank in range(world_size):
        reader = BatchReader(plan, sources, rank=rank, world_size=world_size)
        delivered = list(reader.batches(0, plan.end))
        assert [batch.step for batch in delivered] == list(range(plan.end))
        for batch in delivered:
            drawn = plan.batch(batch.step, rank, world_size)
            wanted = [
                sources[plan.names[source]].read([item])[0].tolist()
                for source, item in zip(drawn.source, drawn.item, strict=True)
            ]
            assert np.asarray(batch.rows).tolist() == wanted
            assert np.asarray(batch.rows).dtype == np.int64
            assert np.asarray(reader.read(batch.step)).tolist() == wanted


def test_delivery_refuses_a_source_that_is_missing(tmp_path: Path) -> None:
    plan, sources = plan_and_sources(tmp_path)
    del sources["books"]
    with pytest.raises(InvalidInput, match="books"):
        BatchReader(plan, sources)
