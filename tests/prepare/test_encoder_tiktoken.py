"""tiktoken's encodings: by name, without the network, and with nothing repaired on the way."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.prepare.conftest import documents_of
from thermix.engines.threads import limit_threads, threads
from thermix.errors import DataError, InvalidInput
from thermix.prepare.encoder_tiktoken import TiktokenEncoder
from thermix.prepare.encoders import encoder_from_identity, open_encoder

tiktoken = pytest.importorskip("tiktoken")

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
PATTERN = r"'s|'t| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def small(**changes: Any) -> dict[str, Any]:
    """An encoding made by hand: bytes, four words, a gap in the ids and two special tokens."""
    words = [b"th", b"the", b" the", b"\xc3\xa9"]
    ranks = {bytes([byte]): byte for byte in range(256)} | {word: 256 + i for i, word in enumerate(words)}
    special = {"<|endoftext|>": 300, "<|endofprompt|>": 301}
    return {
        "name": "small",
        "pat_str": PATTERN,
        "mergeable_ranks": ranks,
        "special_tokens": special,
        **changes,
    }


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What tiktoken knows here: `small`, which may be changed."""
    constructors: dict[str, Any] = {"small": small}
    monkeypatch.setattr("tiktoken.registry.ENCODING_CONSTRUCTORS", constructors)
    monkeypatch.setattr("tiktoken.registry.ENCODINGS", {})
    return constructors


@pytest.fixture
def encoder(plugin: dict[str, Any]) -> TiktokenEncoder:
    return TiktokenEncoder("small")


def test_ids_are_those_that_tiktoken_gives_one_by_one(encoder: TiktokenEncoder) -> None:
    twin = tiktoken.Encoding(**small())

    @given(st.lists(TEXT | st.sampled_from(["the the", "café", "<|endoftext|>"]), max_size=5))
    def same(texts: list[str]) -> None:
        tokens, lengths = encoder.encode(texts)
        due = [[*twin.encode_ordinary(text), 300] for text in texts]
        assert documents_of(tokens.tolist(), lengths.tolist()) == due
        assert encoder.decode(tokens) == "".join(texts)

    same()
    assert (encoder.vocabulary, encoder.end_of_document, encoder.dtype) == (302, 300, "uint16")


def test_real_text_comes_back(encoder: TiktokenEncoder, real_texts: list[str]) -> None:
    tokens, lengths = encoder.encode(real_texts[:100])
    assert encoder.decode(tokens) == "".join(real_texts[:100])
    assert (str(tokens.dtype), str(lengths.dtype), len(lengths)) == ("uint16", "int64", 100)


def test_a_document_in_which_the_end_is_typed_does_not_end_there(encoder: TiktokenEncoder) -> None:
    tokens, _ = encoder.encode(["a<|endoftext|>b"])
    assert np.flatnonzero(tokens == 300).tolist() == [len(tokens) - 1]


def test_half_a_surrogate_pair_is_refused_not_replaced(encoder: TiktokenEncoder) -> None:
    with pytest.raises(InvalidInput, match="half a surrogate pair"):
        encoder.encode(["\ud800"])


def test_the_end_of_document_may_be_any_token(plugin: dict[str, Any]) -> None:
    for given_end, due in (("<|endofprompt|>", 301), (" the", 258), ("7", 7)):
        assert TiktokenEncoder("small", given_end).end_of_document == due
    for wrong in ("280", "302", "99999999999", "no such"):  # 280 lies in the gap
        with pytest.raises(InvalidInput, match=f"got '{wrong}', which is no token"):
            TiktokenEncoder("small", wrong)


def test_without_an_end_of_its_own_one_is_asked_for(plugin: dict[str, Any]) -> None:
    plugin["small"] = lambda: small(special_tokens={"<|fim|>": 300})
    with pytest.raises(InvalidInput, match=r"names none; .* one of '<\|fim\|>', or an id"):
        TiktokenEncoder("small")


def test_an_id_in_a_gap_is_refused(encoder: TiktokenEncoder) -> None:
    with pytest.raises(DataError, match=r"280.*tiktoken's small has no such token"):
        encoder.decode([280])


@pytest.mark.parametrize(
    "change",
    [
        {"pat_str": r"\S+|\s+"},
        {"mergeable_ranks": {**small()["mergeable_ranks"], b"he": 260}},
        {"special_tokens": {"<|endoftext|>": 300, "<|other|>": 301}},
    ],
)
def test_whatever_decides_the_ids_is_in_the_identity(
    change: dict[str, Any], plugin: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = TiktokenEncoder("small").identity
    assert TiktokenEncoder("small").identity == before
    assert encoder_from_identity(before, tmp_path).identity == before
    plugin["small"] = lambda: small(**change)
    monkeypatch.setattr("tiktoken.registry.ENCODINGS", {})
    with pytest.raises(DataError, match=r"the tokenizer here is tiktoken, small, SHA-256 .* made with"):
        encoder_from_identity(before, tmp_path)


@pytest.mark.usefixtures("plugin")
def test_an_unknown_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(InvalidInput, match=r"tiktoken knows small\. Did you mean 'tiktoken:small'\?"):
        open_encoder("tiktoken:smal")
    with pytest.raises(InvalidInput, match=r"gpt-4o is a model, and its encoding is 'tiktoken:o200k_base'"):
        open_encoder("tiktoken:gpt-4o")


def test_a_download_that_fails_says_how_to_do_without(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def cut(path: str) -> bytes:
        raise ConnectionError("no route to host\nand much more")

    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr("tiktoken.load.read_file", cut)
    monkeypatch.setattr("tiktoken.registry.ENCODINGS", {})
    with pytest.raises(
        InvalidInput,
        match=r"'tiktoken:gpt2' cannot be opened: ConnectionError: no route to host\. .*TIKTOKEN_CACHE_DIR",
    ):
        open_encoder("tiktoken:gpt2")


class TestThreads:
    def test_a_worker_keeps_to_its_number(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("RAYON_NUM_THREADS", "FASTOKENS_BPE_THREADS", "TOKENIZERS_PARALLELISM"):
            monkeypatch.setenv(name, "")  # so that what is set below is undone
        limit_threads(3)
        assert threads() == 3

    @pytest.mark.parametrize("value", ["", "0", "many"])
    def test_left_alone_there_is_one_for_each_processor(
        self, value: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("RAYON_NUM_THREADS", value)
        assert threads() >= 1

    def test_their_number_changes_nothing(
        self, encoder: TiktokenEncoder, monkeypatch: pytest.MonkeyPatch, real_texts: list[str]
    ) -> None:
        found = []
        for count in ("1", "4"):
            monkeypatch.setenv("RAYON_NUM_THREADS", count)
            found.append(encoder.encode(real_texts[:50])[0].tolist())
        assert found[0] == found[1]
