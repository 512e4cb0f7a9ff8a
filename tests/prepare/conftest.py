"""Real text found on the machine, and tokenizers trained on it."""

from __future__ import annotations

import json
import sysconfig
from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import pytest

CHARACTERS = 3_000  # of a document


def sources_of_python() -> list[str]:
    """Python's own library, file by file: 31 MB of code, English and some of every script."""
    library = Path(sysconfig.get_paths()["stdlib"])
    files = sorted(file for file in library.rglob("*.py") if "site-packages" not in file.parts)
    return [file.read_text("utf-8", errors="replace") for file in files]


def train_bpe(path: Path, texts: Sequence[str], vocabulary: int, special: Sequence[str]) -> Path:
    """A byte-level BPE, as GPT-2's is."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(special),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.save(str(path))
    return path


def train_word_piece(path: Path, texts: Sequence[str]) -> Path:
    """As BERT's is; fastokens does not take its normalizer."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=1_000, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.save(str(path))
    return path


def make_unigram(path: Path) -> Path:
    """As SentencePiece's are, of letters and its special tokens, which are words of its model too."""
    letters = [(chr(code), -5.0) for code in range(33, 127)]
    vocabulary = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0), ("▁", -3.0), *letters]
    tokens = [
        {
            "id": number,
            "content": vocabulary[number][0],
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for number in range(3)
    ]
    spaces = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    says = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": tokens,
        "normalizer": {"type": "NFKC"},
        "pre_tokenizer": spaces,
        "post_processor": None,
        "decoder": spaces,
        "model": {"type": "Unigram", "unk_id": 0, "vocab": vocabulary, "byte_fallback": False},
    }
    path.write_text(json.dumps(says))
    return path


@pytest.fixture(scope="session")
def real_texts() -> list[str]:
    """1,000 documents of 3,000 characters at most."""
    documents = [
        text[start : start + CHARACTERS]
        for text in sources_of_python()
        for start in range(0, len(text), CHARACTERS)
    ]
    return documents[:: max(1, len(documents) // 1_000)][:1_000]


@pytest.fixture(scope="session")
def real_jsonl(real_texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same documents as a JSON Lines file, in the field "text"."""
    path = tmp_path_factory.mktemp("real") / "real.jsonl"
    lines = (json.dumps({"id": number, "text": text}) for number, text in enumerate(real_texts))
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def bpe_file(real_texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level BPE of 2,000 ids whose end of document is 0, as `tokenizer.json` in its own folder."""
    pytest.importorskip("tokenizers")
    return train_bpe(tmp_path_factory.mktemp("bpe") / "tokenizer.json", real_texts, 2_000, ["<|endoftext|>"])


@pytest.fixture(scope="session")
def large_bpe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level BPE of 32,000 ids; training it takes about 6 s."""
    pytest.importorskip("tokenizers")
    path = tmp_path_factory.mktemp("large") / "tokenizer.json"
    return train_bpe(path, sources_of_python(), 32_000, ["<|endoftext|>"])


@pytest.fixture(scope="session")
def word_piece_file(real_texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A WordPiece of 1,000 ids, which fastokens does not take."""
    pytest.importorskip("tokenizers")
    return train_word_piece(tmp_path_factory.mktemp("word-piece") / "tokenizer.json", real_texts[:100])


@pytest.fixture
def unigram_file(tmp_path: Path) -> Path:
    """A Unigram of 98 ids, in which "</s>" can be typed."""
    return make_unigram(tmp_path / "unigram.json")


def documents_of(tokens: Sequence[int], lengths: Sequence[int]) -> list[list[int]]:
    """Cut tokens into documents, the slow way."""
    ends = [0, *accumulate(int(length) for length in lengths)]
    return [[int(token) for token in tokens[a:b]] for a, b in pairwise(ends)]
