"""Both ways with Megatron-LM's own reader and writer, where megatron-core is installed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from thermix.sources.shard_writer import TokenShardWriter
from thermix.sources.tokens import TokenShards

torch = pytest.importorskip("torch")
indexed_dataset = pytest.importorskip("megatron.core.datasets.indexed_dataset")

DTYPES = ("uint8", "uint16", "int8", "int16", "int32", "int64")
SHAPES: dict[str, list[int]] = {
    "one document": [5],
    "empty documents": [0, 3, 0, 0, 2, 0],
    "long and short": [1, 700, 2, 31],
    "many documents": [i % 7 for i in range(20_000)],
}


def made_up(lengths: Sequence[int], dtype: str) -> list[np.ndarray[Any, Any]]:
    """Documents that hold the largest and the smallest token of the type too."""
    bounds = np.iinfo(dtype)
    tokens = np.random.default_rng(0).integers(0, 100, sum(lengths)).astype(dtype)
    tokens[0], tokens[-1] = bounds.max, bounds.min
    return np.split(tokens, np.cumsum(lengths)[:-1])


def write_theirs(path: Path, documents: Sequence[np.ndarray[Any, Any]], dtype: str) -> None:
    builder = indexed_dataset.IndexedDatasetBuilder(f"{path}.bin", dtype=getattr(np, dtype))
    for document in documents:
        builder.add_document(document, [len(document)])
    builder.finalize(f"{path}.idx")


def write_ours(path: Path, documents: Sequence[np.ndarray[Any, Any]], dtype: str) -> None:
    with TokenShardWriter(path, dtype=dtype) as shard:
        for document in documents:
            shard.append(document)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
class TestBothWays:
    def test_both_files_are_byte_for_byte_theirs(self, dtype: str, shape: str, tmp_path: Path) -> None:
        documents = made_up(SHAPES[shape], dtype)
        write_theirs(tmp_path / "theirs", documents, dtype)
        write_ours(tmp_path / "ours", documents, dtype)
        for ending in (".idx", ".bin"):
            assert (tmp_path / f"ours{ending}").read_bytes() == (tmp_path / f"theirs{ending}").read_bytes()

    def test_they_read_what_is_written_here(self, dtype: str, shape: str, tmp_path: Path) -> None:
        documents = made_up(SHAPES[shape], dtype)
        write_ours(tmp_path / "ours", documents, dtype)
        dataset = indexed_dataset.IndexedDataset(str(tmp_path / "ours"))
        assert len(dataset) == len(documents)
        assert dataset.document_indices.tolist() == list(range(len(documents) + 1))
        for number in [*range(min(len(documents), 40)), len(documents) - 1]:
            assert dataset[number].dtype == np.dtype(dtype)
            assert dataset[number].tolist() == documents[number].tolist()

    def test_what_they_write_is_read_here(self, dtype: str, shape: str, tmp_path: Path) -> None:
        documents = made_up(SHAPES[shape], dtype)
        write_theirs(tmp_path / "theirs", documents, dtype)
        tokens = np.concatenate(documents)
        length = min(4, len(tokens))
        with TokenShards([tmp_path / "theirs.bin"], name="web", sequence_length=length) as source:
            assert source.dtype == np.dtype(dtype)
            count = len(tokens) // length
            rows = source.read(np.arange(count))
            assert np.array_equal(rows, tokens[: count * length].reshape(count, length))
            found = source.documents(np.arange(count)).cu_seqlens
        starts = {start for start in np.cumsum([0, *SHAPES[shape]]).tolist() if start < count * length}
        assert found.tolist() == sorted(starts | set(range(0, count * length + 1, length)))


def test_documents_of_several_sequences_begin_where_they_say(tmp_path: Path) -> None:
    builder = indexed_dataset.IndexedDatasetBuilder(str(tmp_path / "a.bin"), dtype=np.uint16)
    builder.add_document(np.arange(6), [2, 4])  # a document of two sequences
    builder.add_document(np.arange(6), [6])
    builder.finalize(str(tmp_path / "a.idx"))
    with TokenShards([tmp_path / "a.bin"], name="web", sequence_length=12) as source:
        assert source.documents([0]).cu_seqlens.tolist() == [0, 6, 12]


def test_an_index_of_multimodal_data_is_read_too(tmp_path: Path) -> None:
    builder = indexed_dataset.IndexedDatasetBuilder(str(tmp_path / "a.bin"), dtype=np.int32, multimodal=True)
    builder.add_item(torch.arange(8), mode=1)
    builder.end_document()
    builder.finalize(str(tmp_path / "a.idx"))
    with TokenShards([tmp_path / "a.bin"], name="web", sequence_length=4) as source:
        assert source.read([1, 0]).tolist() == [[4, 5, 6, 7], [0, 1, 2, 3]]  # type: ignore[union-attr]
