"""Keyed 64-bit hashing: the only source of randomness in thermix.

Not a generator: there is no state to advance. A key is derived once from (seed, purpose, names) by
a cryptographic hash; all that follows is a pure function of (key, counter) in unsigned wraparound
arithmetic, so that every platform, NumPy version and CPU gives the same bits.
"""

from __future__ import annotations

import hashlib
import operator
from typing import Final, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermix.errors import InvalidInput

__all__ = ["derive_key", "epoch_keys", "hash64", "mix64"]

Words = NDArray[np.uint64]

_DOMAIN: Final = b"thermix draw order 1\0"  # changes together with DRAW_ORDER
_BLOCK: Final = 1 << 14  # words mixed at a time: block and scratch stay in a 256 KiB cache

_GAMMA: Final = np.uint64(0x9E3779B97F4A7C15)
_MIX64: Final[tuple[tuple[np.uint64, np.uint64 | None], ...]] = (
    (np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)),
    (np.uint64(27), np.uint64(0x94D049BB133111EB)),
    (np.uint64(31), None),
)


def derive_key(seed: SupportsIndex, purpose: str, *parts: str | SupportsIndex) -> int:
    """Derive the 64-bit key of one purpose.

    The first 8 bytes, little endian, of SHA-256 over the fields (seed, purpose, *parts), each
    written as type, length and content: no two different lists of fields are encoded alike. Text is
    not normalised: names that differ in a code point have different keys.

    Args:
        seed: any integer, of any size and sign.
        purpose: what the key is for.
        parts: what tells keys of one purpose apart: names, numbers.

    Returns:
        An integer in [0, 2^64).

    Raises:
        InvalidInput: a field is neither text nor an integer, or text that UTF-8 cannot write.

    Source:
        SHA-256: FIPS 180-4. The encoding: our choice, because sums such as seed + epoch collide.

    >>> derive_key(0, "items", "web")
    517071077667209274
    >>> derive_key(0, "items", "web") == derive_key(0, "items", "we", "b")
    False
    """
    encoded = b"".join(_encode(field) for field in (seed, purpose, *parts))
    return int.from_bytes(hashlib.sha256(_DOMAIN + encoded).digest()[:8], "little")


def mix64(words: Words) -> Words:
    """Mix every word by a bijection in which each input bit flips each output bit half the time.

    Args:
        words: uint64 of any shape.

    Returns:
        uint64 of the same shape. Distinct words stay distinct; 0 stays 0.

    Source:
        Stafford, "Better Bit Mixing" (2011), variant 13.

    Cost:
        2 ns a word.
    """
    return _mix(np.array(words, np.uint64, order="C"), _MIX64)


def hash64(key: int | Words, counters: ArrayLike) -> Words:
    """Hash counters under a key.

    `mix64(key + (counter + 1) * 0x9E3779B97F4A7C15)` modulo 2^64: output number `counter` of
    SplitMix64 seeded with `key`. For one key, distinct counters have distinct hashes.

    Args:
        key: in [0, 2^64), an integer or a uint64 array. Take keys from `derive_key` or `hash64`:
            keys a multiple of the constant apart give shifted copies of one sequence.
        counters: integers of any shape that broadcasts with `key`, modulo 2^64.

    Returns:
        uint64 of the broadcast shape.

    Raises:
        InvalidInput: the key is out of range, or the counters are not integers.

    Source:
        Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators" (2014).

    Cost:
        2.5 ns a hash.

    >>> hash64(1234567, [0, 1]).tolist()
    [6457827717110365317, 3203168211198807973]
    """
    starts, steps = _key_words(key), _counter_words(counters)
    hashed = np.empty(np.broadcast_shapes(starts.shape, steps.shape), np.uint64)
    np.add(np.add(starts, _GAMMA), np.multiply(steps, _GAMMA), out=hashed)
    return _mix(hashed, _MIX64)


def epoch_keys(key: int | Words, epochs: ArrayLike) -> Words:
    """Key of each epoch of the source with this key: `hash64(key, epochs)`.

    Args:
        key: in [0, 2^64), from `derive_key`; or uint64, one for each epoch.
        epochs: integers >= 0 of any shape.

    Returns:
        uint64 of the same shape; distinct epochs have distinct keys.
    """
    return hash64(key, epochs)


def _encode(field: str | SupportsIndex) -> bytes:
    """Type, length and content of a field: no encoding is the beginning of another."""
    if isinstance(field, str):
        try:
            tag, content = b"s", field.encode()
        except UnicodeEncodeError as error:
            raise InvalidInput(
                f"key field {field!r}: it holds a lone surrogate, which UTF-8 cannot write. "
                "Name it in valid Unicode."
            ) from error
    else:
        number = _integer(field)
        tag, content = b"i", number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True)
    return tag + len(content).to_bytes(8, "little") + content


def _integer(field: SupportsIndex) -> int:
    if not isinstance(field, bool):
        try:
            return operator.index(field)
        except TypeError:
            pass
    raise InvalidInput(
        f"key field {field!r}: got {type(field).__name__}; a key is made of text and integers. "
        "Pass str or int."
    )


def _key_words(key: int | Words) -> Words:
    if isinstance(key, np.ndarray) and key.dtype == np.uint64:
        return key
    if isinstance(key, np.ndarray) or not 0 <= operator.index(key) < 1 << 64:
        raise InvalidInput(f"key: got {key!r}; it must be in [0, 2^64), or a uint64 array. Use derive_key.")
    return np.array(key, np.uint64)


def _counter_words(counters: ArrayLike) -> Words:
    array = np.asarray(counters)
    if array.dtype.kind not in "iu":
        raise InvalidInput(f"counters: got {array.dtype}; they must be integers. Pass an integer array.")
    return array.astype(np.uint64, copy=False)


def _mix(words: Words, stages: tuple[tuple[np.uint64, np.uint64 | None], ...]) -> Words:
    """Mix contiguous words in place, a cacheful at a time."""
    flat = words.reshape(-1)
    scratch = np.empty(min(flat.size, _BLOCK), flat.dtype)
    for start in range(0, flat.size, _BLOCK):
        block = flat[start : start + _BLOCK]
        spare = scratch[: block.size]
        for shift, multiplier in stages:
            np.right_shift(block, shift, out=spare)
            np.bitwise_xor(block, spare, out=block)
            if multiplier is not None:
                np.multiply(block, multiplier, out=block)
    return words
