"""The data of a run: random tokens in three sources, and text found on this machine.

Tokens lie as Megatron-LM shards, which thermix and Megatron read as they are; other contenders make their own
format from `rows` before anything is measured.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.settings import NAMES, SHARES
from thermix.sources.shard_writer import TokenShardWriter

__all__ = ["TOKENIZER", "VOCABULARY", "batched_texts", "make_text", "make_tokens", "rows", "shard_of"]
__all__ += ["text_file", "text_tokens", "versions"]

VOCABULARY = 32_768
DOCUMENT = 1024
TEXT, TOKENIZER, COUNT = "text.jsonl", "tokenizer.json", "tokens.txt"


def make_tokens(folder: Path, tokens: int) -> None:
    """One uint16 shard a source, ids drawn evenly, documents of 1,024 tokens, a multiple of 8,192 in all."""
    rng = np.random.default_rng(0)
    for name, share in zip(NAMES, SHARES, strict=True):
        count = max(8, int(tokens * share) // 8192) * 8192
        ids = rng.integers(1, VOCABULARY, count, dtype=np.uint16)
        with TokenShardWriter(folder / name, dtype="uint16") as shard:
            shard.extend(ids, np.full(count // DOCUMENT, DOCUMENT))


def shard_of(folder: Path, name: str) -> Path:
    """The file of a source's tokens."""
    return folder / f"{name}.bin"


def rows(folder: Path, name: str, length: int) -> NDArray[np.uint16]:
    """A source as an array (rows, length) over its file."""
    return np.memmap(shard_of(folder, name), np.uint16, "r").reshape(-1, length)


def make_text(folder: Path, megabytes: int, vocabulary: int = VOCABULARY) -> None:
    """Documents as JSON Lines, a tokenizer for them, and how many tokens it makes of them."""
    from benchmarks.prepare_speed import write_raw, write_tokenizer

    whole, tenth, _ = write_raw(folder, megabytes)
    write_tokenizer(tenth, folder / TOKENIZER, vocabulary)
    tenth.unlink()
    whole.rename(text_file(folder))
    (folder / COUNT).write_text(str(_count(folder)), "ascii")


def _count(folder: Path) -> int:
    """Tokens of the text, with one behind each document."""
    from tokenizers import Tokenizer

    bpe, count = Tokenizer.from_file(str(folder / TOKENIZER)), 0
    for texts in batched_texts(folder):
        count += sum(len(found.ids) + 1 for found in bpe.encode_batch_fast(texts, add_special_tokens=False))
    return count


def text_file(folder: Path) -> Path:
    """The documents."""
    return folder / TEXT


def text_tokens(folder: Path) -> int:
    """How many tokens the documents have."""
    return int((folder / COUNT).read_text("ascii"))


def batched_texts(folder: Path, each: int = 1000) -> Iterator[list[str]]:
    """The documents, so many at a time."""
    with text_file(folder).open(encoding="utf-8") as file:
        while lines := list(itertools.islice(file, each)):
            yield [json.loads(line)["text"] for line in lines]


def versions(packages: Sequence[str]) -> dict[str, str]:
    """What of these is installed for the interpreter that runs, with Python itself."""
    from importlib.metadata import PackageNotFoundError, version

    import thermix

    found = {"thermix": thermix.__version__, "python": sys.version.split()[0]}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
