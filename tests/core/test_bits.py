from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from tests.core.permutation_twin import splitmix64
from thermix.core.bits import _encode, derive_key, epoch_keys, hash64, mix64
from thermix.errors import InvalidInput

Words = NDArray[Any]
words64 = st.integers(0, 2**64 - 1)
fields = st.lists(st.one_of(st.text(), st.integers()), max_size=6)


# ---- Known answers


def test_hash64_is_the_published_splitmix64() -> None:
    # Rosetta Code, "Pseudo-random numbers/Splitmix64", seed 1234567; and splitmix64.c with seed 0.
    published = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert hash64(1234567, np.arange(5)).tolist() == published
    assert int(hash64(0, 0)) == 0xE220A8397B1DCDAF


def test_keys_and_hashes_of_draw_order_1() -> None:
    assert derive_key(0, "items", "web") == 517071077667209274
    assert derive_key(-1, "slots") == 7178627531122231564
    assert derive_key(10**40, "items", "网页文本", 3) == 9724993940299619004
    assert mix64(np.array([0, 1, 2**64 - 1], np.uint64)).tolist() == [
        0,
        6238072747940578789,
        13029008266876403067,
    ]


@given(words64, st.lists(st.integers(0, 2**63 - 1), max_size=20))
def test_hash64_is_its_twin(key: int, counters: list[int]) -> None:
    expected = [splitmix64(key, counter) for counter in counters]
    assert hash64(key, np.array(counters, np.int64)).tolist() == expected


# ---- Keys


def decoded(encoded: bytes) -> list[str | int]:
    found: list[str | int] = []
    while encoded:
        length = int.from_bytes(encoded[1:9], "little")
        content, tag = encoded[9 : 9 + length], encoded[:1]
        found.append(content.decode() if tag == b"s" else int.from_bytes(content, "little", signed=True))
        encoded = encoded[9 + length :]
    return found


@given(fields)
def test_the_fields_can_be_read_back_from_their_encoding_so_no_two_lists_share_one(
    field_list: list[str | int],
) -> None:
    assert decoded(b"".join(map(_encode, field_list))) == field_list


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((0, "items", "a", "b"), (0, "items", "ab")),
        ((0, "items", "1"), (0, "items", 1)),
        ((0, "items"), (0, "items", "")),
        ((1, "items"), (-1, "items")),
        ((255, "items"), (-1, "items")),
        ((2**64, "items"), (0, "items")),
        ((0, "items", "\u00e9"), (0, "items", "e\u0301")),
    ],
)
def test_fields_that_look_alike_have_different_keys(first: Any, second: Any) -> None:
    assert derive_key(*first) != derive_key(*second)


def test_an_integer_is_the_same_field_from_numpy() -> None:
    assert derive_key(int(np.int64(7)), "items") == derive_key(np.int64(7), "items")


def test_a_field_that_is_neither_text_nor_integer_is_refused() -> None:
    for field in (1.5, True, None, b"web"):
        with pytest.raises(InvalidInput, match=r"key field .*: got \w+; .* Pass str or int\.$"):
            derive_key(0, "items", field)  # type: ignore[arg-type]


def test_text_that_utf8_cannot_write_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"'\\udc80'.*lone surrogate.*valid Unicode\.$"):
        derive_key(0, "items", "\udc80")


def test_a_key_out_of_range_is_refused() -> None:
    for key in (-1, 2**64, np.arange(3)):
        with pytest.raises(InvalidInput, match=r"^key: got .* \[0, 2\^64\).* Use derive_key\.$"):
            hash64(key, [0])  # type: ignore[arg-type]


def test_counters_that_are_not_integers_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"^counters: got float64; they must be integers\."):
        hash64(0, [0.5])


# ---- Shapes and purity


@pytest.mark.parametrize("size", [0, 1, 16383, 16384, 16385, 50000])
def test_blocks_do_not_show(size: int) -> None:
    hashed = hash64(5, np.arange(size))
    assert hashed.dtype == np.uint64
    assert hashed.shape == (size,)
    for i in {0, size // 2, size - 1} & set(range(size)):
        assert int(hashed[i]) == splitmix64(5, i)


def test_keys_and_counters_broadcast() -> None:
    keys = hash64(1, np.arange(3))
    table = hash64(keys[:, None], np.arange(4))
    assert table.shape == (3, 4)
    assert [row.tolist() for row in table] == [hash64(int(k), np.arange(4)).tolist() for k in keys]


def test_mixing_leaves_its_argument_alone_and_its_layout_does_not_matter() -> None:
    words: Words = np.arange(12, dtype=np.uint64).reshape(3, 4)
    before = words.copy()
    mixed = mix64(words)
    np.testing.assert_array_equal(words, before)
    np.testing.assert_array_equal(mix64(words.T), mixed.T)
    np.testing.assert_array_equal(mix64(words[:, ::2]), mixed[:, ::2])
    assert len(np.unique(mixed)) == 12


# ---- Avalanche
#
# Flip input bit i of `SAMPLES` words: output bit j flips Binomial(SAMPLES, 1/2) times. Largest |z|
# of the 4,096 pairs over 7 by chance: 4096 * 2.6e-12 = 1e-8. Seen, half of the time: a bit that
# flips with a chance off by 7 / (2 sqrt(SAMPLES)) = 2.7 %.

SAMPLES = 1 << 14


def worst_avalanche(mix: Callable[[Words], Words], words: Words) -> float:
    bits = words.dtype.itemsize * 8
    one = words.dtype.type(1)
    mixed, worst = mix(words), 0.0
    for i in range(bits):
        changed = mixed ^ mix(words ^ (one << words.dtype.type(i)))
        for j in range(bits):
            flips = int(((changed >> words.dtype.type(j)) & one).sum())
            worst = max(worst, abs(flips - len(words) / 2) / (len(words) / 4) ** 0.5)
    return worst


def one_round(words: Words) -> Words:
    mixed = (words ^ (words >> words.dtype.type(15))) * words.dtype.type(0x21F0AAAD)
    return np.asarray(mixed ^ (mixed >> words.dtype.type(15)))


def hash_under_a_key(words: Words) -> Words:
    return hash64(3, words)


@pytest.mark.parametrize("mix", [mix64, hash_under_a_key])
def test_every_bit_of_a_counter_flips_every_bit_of_its_hash_half_the_time(
    mix: Callable[[Words], Words],
) -> None:
    golden = np.arange(1, SAMPLES + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    assert worst_avalanche(mix, golden) < 7


def test_the_avalanche_test_fails_a_single_round() -> None:
    golden = np.arange(1, SAMPLES + 1, dtype=np.uint32) * np.uint32(0x9E3779B9)
    assert worst_avalanche(one_round, golden) > 100


# ---- Neighbours
#
# Two independent words differ in 32 +- 4 bits. The mean over n pairs has z ~ N(0, 1): |z| > 5.5 by
# chance 4e-8. Seen: a mean off by 22 / sqrt(n) bits.


def hamming_z(first: Words, second: Words) -> float:
    differ = int(np.unpackbits((first ^ second).view(np.uint8)).sum())
    return float((differ - 32 * first.size) / (16 * first.size) ** 0.5)


def keys_of(seeds: range, *parts: str | int) -> Words:
    return np.array([derive_key(seed, "items", *parts) for seed in seeds], np.uint64)


def test_neighbouring_seeds_names_and_epochs_have_independent_keys() -> None:
    seeds = keys_of(range(10_001), "web")
    epochs = epoch_keys(derive_key(0, "items", "web"), np.arange(100_001))
    epochs_of_next_seed = epoch_keys(derive_key(1, "items", "web"), np.arange(100_001))
    pairs = {
        "seed and seed + 1": (seeds[:-1], seeds[1:]),
        "two sources": (seeds, keys_of(range(10_001), "wec")),
        "epoch and epoch + 1": (epochs[:-1], epochs[1:]),
        "epoch of seed and of seed + 1": (epochs, epochs_of_next_seed),
        "epoch + 1 of seed and epoch of seed + 1": (hash64(seeds[:-1], 1), hash64(seeds[1:], 0)),
    }
    assert {name: z for name, pair in pairs.items() if abs(z := hamming_z(*pair)) > 5.5} == {}
    assert len(np.unique(epochs)) == len(epochs)


def test_the_neighbour_test_fails_seed_plus_epoch() -> None:
    sums = np.arange(10_000, dtype=np.uint64)
    assert abs(hamming_z(sums, sums + np.uint64(1))) > 500
