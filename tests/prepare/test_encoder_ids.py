"""Types of ids, ends of documents, the way back, and the choice of the end of document."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermix.errors import DataError, InvalidInput
from thermix.prepare.encoder_ids import choose_end, decoded, refuse_half_pairs, smallest_dtype, with_ends
from thermix.sources.megatron import DTYPE_CODES

DOCUMENTS = st.lists(st.lists(st.integers(1, 60_000), max_size=20), max_size=20)


@pytest.mark.parametrize(
    ("vocabulary", "dtype"),
    [
        (1, "uint8"),
        (256, "uint8"),
        (257, "uint16"),
        (65_536, "uint16"),
        (65_537, "int32"),
        (2**31, "int32"),
    ],
)
def test_the_type_is_the_smallest_that_holds_the_highest_id(vocabulary: int, dtype: str) -> None:
    assert smallest_dtype(vocabulary) == dtype
    assert np.array([vocabulary - 1]).astype(dtype)[0] == vocabulary - 1
    assert dtype in DTYPE_CODES.values()


def test_a_vocabulary_above_int32_is_refused() -> None:
    with pytest.raises(
        InvalidInput, match=r"highest id is 2,147,483,648; a token of a shard is at most 2,147,483,647"
    ):
        smallest_dtype(2**31 + 1)


@given(DOCUMENTS)
def test_each_document_is_followed_by_its_end(documents: list[list[int]]) -> None:
    ids = np.array([token for document in documents for token in document], np.uint32)
    tokens, lengths = with_ends(ids, np.array([len(d) for d in documents], np.int64), 0, "uint16")
    assert tokens.tolist() == [token for document in documents for token in (*document, 0)]
    assert lengths.tolist() == [len(document) + 1 for document in documents]
    assert (str(tokens.dtype), str(lengths.dtype)) == ("uint16", "int64")


@given(DOCUMENTS, st.integers(0, 50), st.integers(0, 50))
def test_any_window_decodes_document_by_document(documents: list[list[int]], start: int, size: int) -> None:
    window = [token for document in documents for token in (*document, 0)][start : start + size]
    calls: list[list[int]] = []

    def decode(ids: np.ndarray) -> str:
        calls.append(ids.tolist())
        return "".join(f"{token} " for token in ids)

    assert decoded(window, 0, 60_001, decode) == "".join(f"{token} " for token in window if token)
    assert all(0 not in call and call for call in calls)
    assert len(calls) <= window.count(0) + 1


@pytest.mark.parametrize("wrong", [-1, 10, 1 << 40])
def test_an_id_that_the_tokenizer_does_not_have_is_refused(wrong: int) -> None:
    with pytest.raises(DataError, match=rf"token {wrong}: the tokenizer has the ids 0 to 9\. .* another one"):
        decoded([3, wrong], 0, 10, lambda ids: "")


def test_half_a_surrogate_pair_is_refused_with_its_place() -> None:
    refuse_half_pairs(["", "\U0010ffff"])
    with pytest.raises(InvalidInput, match=r"texts\[1\], character 2: half a surrogate pair, \\ud800, which"):
        refuse_half_pairs(["good", "ab\ud800c"])


def choice(given: str | None, named: dict[str, int]) -> int:
    words = {**named, "the": 40, "7": 41}
    return choose_end(given, named, words.get, lambda token: 0 <= token < 50)


@pytest.mark.parametrize("name", ["<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "[SEP]"])
def test_the_tokenizers_own_end_is_found_by_its_name(name: str) -> None:
    assert choice(None, {"<s>": 1, name: 2, "<pad>": 3}) == 2


@pytest.mark.parametrize(("given", "due"), [("<pad>", 3), ("the", 40), ("0", 0), ("49", 49), ("7", 7)])
def test_an_end_is_given_by_text_or_by_id(given: str, due: int) -> None:
    assert choice(given, {"<|endoftext|>": 2, "<pad>": 3}) == due


def test_two_names_that_may_be_the_end_are_refused() -> None:
    with pytest.raises(
        InvalidInput,
        match=r"has '<\|endoftext\|>' and '</s>', each of which may be it; .*--end-of-document TOKEN, ",
    ):
        choice(None, {"</s>": 2, "<|endoftext|>": 3})


def test_a_tokenizer_without_an_end_is_refused_with_its_special_tokens() -> None:
    with pytest.raises(InvalidInput, match=r"names none; .* one of '<a>', '<b>', or an id"):
        choice(None, {"<a>": 2, "<b>": 3})
    with pytest.raises(InvalidInput, match=r"one of its tokens \(it has no special ones\), or an id"):
        choice(None, {})
    with pytest.raises(InvalidInput, match=r"'<11>' and 88 more, or an id"):
        choice(None, {f"<{number}>": number for number in range(100)})


def test_an_end_that_is_no_token_is_refused_with_the_nearest() -> None:
    named = {"<|endoftext|>": 2, "<pad>": 3}
    with pytest.raises(InvalidInput, match=r"got '<endoftext>', .* Did you mean '<\|endoftext\|>'\?"):
        choice("<endoftext>", named)
    for wrong in ("50", "99999999999999999999", "", "-1", "²"):
        with pytest.raises(InvalidInput, match="which is no token of the tokenizer"):
            choice(wrong, named)
