"""Keyed bijections of range(n): the order of a source's items in an epoch, and of a step's slots.

Not a shuffle: nothing is stored but a few small tables, and a position is found without the others.
Up to 4,096 numbers are sorted by a hash of each; more go through the network of `feistel.py`. Only
unsigned wraparound arithmetic on 32- and 64-bit words: the same order on every machine. The
invariant: for each n and key, `permute` maps range(n) onto range(n), each value once.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, SupportsIndex, TypeAlias

import numpy as np
from numpy.typing import NDArray

from thermix.core.bits import epoch_keys, hash64
from thermix.core.feistel import feistel
from thermix.errors import InvalidInput

__all__ = ["MAX_ITEMS", "Run", "permute", "permute_epochs", "permute_sources", "shuffled_rows"]

Ints: TypeAlias = NDArray[np.int64]
Keys: TypeAlias = NDArray[np.uint64]
Words: TypeAlias = NDArray[Any]  # of uint32 or of uint64, the same throughout a call

MAX_ITEMS: Final = 1 << 62
_SORTED: Final = 1 << 12  # up to here by sorting: a small Feistel network is far from uniform
_ROW_BLOCK: Final = 1 << 15  # slots hashed and sorted at a time
_MAX_ROW: Final = 1 << 30
_WIDE: Final = 1 << 32  # above, words of 64 bits
_CALL: Final = 512  # positions of one epoch from which a call for it alone is cheaper


def permute(positions: Ints, n: int, key: int) -> Ints:
    """Look positions up in the permutation of range(n) that belongs to a key.

    Up to n = 4096 numbers in the order of their hashes, a row of `shuffled_rows`; above, `feistel`.

    Args:
        positions: integers in [0, n), any shape and order, repeats allowed.
        n: number of items, 1 <= n <= 2^62.
        key: in [0, 2^64), from `derive_key` or `epoch_keys`.

    Returns:
        int64 in [0, n) of the same shape; distinct positions have distinct values. For one key, the
        orders of n and of n + 1 items are alike.

    Raises:
        InvalidInput: n, the key or a position is out of range, or positions are not integers.

    Cost:
        40 us a call and 11 ns a position for n <= 2^32, 18 ns above. Up to 4096 items 1 ns a
        position, after 10 to 20 ns an item for the table; the last 64 tables are kept.

    Source:
        Our choice to sort small n: the Feistel network has a pattern there, sorting has none.

    >>> permute(np.arange(8), 8, key=1).tolist()
    [4, 3, 7, 0, 1, 5, 6, 2]
    >>> permute(np.array([0, 1, 999_999_999_999]), 10**12, key=1).tolist()
    [661335537436, 464752543896, 273511169745]
    """
    items = _checked_items(n, MAX_ITEMS)
    flat = _checked_positions(positions, items)
    return _permute(flat, items, _checked_key(key)).reshape(np.shape(positions))


def permute_epochs(positions: Ints, epochs: Ints, n: int, key: int) -> Ints:
    """Look positions up, each in the permutation of its own epoch.

    Element i is `permute(positions[i], n, epoch_keys(key, epochs[i]))`.

    Args:
        positions: integers in [0, n), any shape.
        epochs: integers >= 0 of the same shape. Epochs that never fall save a sort.
        n: number of items, 1 <= n <= 2^62.
        key: the source's key, in [0, 2^64).

    Returns:
        int64 in [0, n) of the same shape.

    Raises:
        InvalidInput: as `permute`, and for epochs below 0 or of another shape.

    Cost:
        As `permute` for few epochs, and 17 ns a position where they need sorting. For many, 6 to
        40 ns an item of each epoch up to 4096 items, 120 ns a position above. Under 4 MB of scratch
        beside arrays of the positions' size.

    >>> draws = np.arange(6)
    >>> permute_epochs(draws % 3, draws // 3, 3, key=1).tolist()
    [2, 0, 1, 1, 2, 0]
    """
    items, source_key = _checked_items(n, MAX_ITEMS), _checked_key(key)
    flat = _checked_positions(positions, items)
    passes = _checked_epochs(epochs, np.shape(positions))
    if items == 1 or flat.size == 0:
        return np.zeros(np.shape(positions), np.int64)
    if np.any(passes[1:] < passes[:-1]):
        order = np.argsort(passes, kind="stable")
        permuted = np.empty_like(flat)
        permuted[order] = _permute_runs(flat[order], passes[order], items, source_key)
    else:
        permuted = _permute_runs(flat, passes, items, source_key)
    return permuted.reshape(np.shape(positions))


class Run(NamedTuple):
    """Consecutive positions [start, stop) of one source: its number of items and its key."""

    start: int
    stop: int
    n: int
    key: int


def permute_sources(positions: Ints, epochs: Ints, runs: Sequence[Run]) -> Ints:
    """Look up positions of several sources, each as `permute_epochs` does.

    Args:
        positions: int64 (m,), each in [0, n) of its run.
        epochs: int64 (m,), >= 0.
        runs: they cover range(m) without gap.

    Returns:
        int64 (m,).

    Cost:
        As `permute_epochs` for long runs; short ones of large sources are looked up together, at 120 ns
        a position, because a call of their own is 100 us.
    """
    permuted = np.empty_like(positions)
    together: tuple[list[Run], list[Run]] = ([], [])  # by width of word
    for run in runs:
        if run.n > _SORTED and run.stop - run.start < _CALL:
            together[run.n > _WIDE].append(run)
        else:
            part = slice(run.start, run.stop)
            permuted[part] = permute_epochs(positions[part], epochs[part], run.n, run.key)
    for short in together:
        if short:
            where = np.concatenate([np.arange(run.start, run.stop) for run in short])
            lengths = [run.stop - run.start for run in short]
            keys = np.repeat(np.array([run.key for run in short], np.uint64), lengths)
            n = np.repeat(np.array([run.n for run in short]), lengths)
            permuted[where] = feistel(positions[where], n, epoch_keys(keys, epochs[where]))
    return permuted


def shuffled_rows(keys: Keys, n: int) -> Ints:
    """Permute range(n) once for each key.

    A row is sorted by words that hold a hash above and the number below. Two hashes are equal with
    probability 2^-20 or less; either number may then be first: a mask of the row is xored to all.

    Args:
        keys: (S,) uint64.
        n: length of a row, 1 <= n <= 2^30.

    Returns:
        (S, n) int64, each row holding each of range(n) once. For n <= 4096 row s is
        `permute(np.arange(n), n, keys[s])`.

    Raises:
        InvalidInput: the keys are not (S,) uint64, or n is out of range.

    Cost:
        5 ns a slot at n = 64, 9 at 1024, 13 at 4096 (words of 32 bits), 40 at 65,536 (64 bits).

    Source:
        Our choice, because NumPy sorts plain words several times faster than it argsorts.

    >>> shuffled_rows(np.array([1, 2], np.uint64), 4).tolist()
    [[3, 0, 1, 2], [0, 2, 1, 3]]
    """
    length = _checked_items(n, _MAX_ROW)
    if keys.dtype != np.uint64 or keys.ndim != 1:
        raise InvalidInput(
            f"keys: got {keys.dtype} of shape {keys.shape}; they must be (S,) uint64. Use hash64."
        )
    rows = np.empty((len(keys), length), np.int64)
    if length == 1:
        rows[...] = 0
        return rows
    block = max(1, _ROW_BLOCK // length)
    for first in range(0, len(keys), block):
        _shuffle_into(rows[first : first + block], keys[first : first + block])
    return rows


def _shuffle_into(rows: Ints, keys: Keys) -> None:
    n = rows.shape[1]
    words: Words = hash64(keys[:, None], np.arange(n, dtype=np.uint64))
    flip: Words = hash64(keys[:, None], n)
    if n <= _SORTED:
        words, flip = (np.right_shift(w, np.uint64(32)).astype(np.uint32) for w in (words, flip))
    word = words.dtype.type
    mask = word((1 << (n - 1).bit_length()) - 1)
    np.bitwise_and(flip, mask, out=flip)
    np.bitwise_and(words, ~mask, out=words)
    np.bitwise_or(words, np.arange(n, dtype=word) ^ flip, out=words)
    words.sort(axis=1)
    np.bitwise_and(words, mask, out=words)
    np.bitwise_xor(words, flip, out=rows, casting="same_kind")


def _permute(positions: Ints, n: int, key: int) -> Ints:
    if n > _SORTED:
        return feistel(positions, n, key)
    values: Ints = _table(n, key).take(positions)
    return values


@lru_cache(maxsize=64)
def _table(n: int, key: int) -> Ints:
    table: Ints = shuffled_rows(np.array([key], np.uint64), n)[0]
    table.flags.writeable = False
    return table


def _permute_runs(positions: Ints, epochs: Ints, n: int, key: int) -> Ints:
    """`permute_epochs` for epochs that never fall."""
    starts = np.flatnonzero(np.diff(epochs, prepend=-1))
    keys = epoch_keys(key, epochs[starts])
    if len(keys) <= max(4, positions.size // _CALL):
        runs = zip(np.split(positions, starts[1:]), keys.tolist(), strict=True)
        return np.concatenate([_permute(run, n, epoch_key) for run, epoch_key in runs])
    lengths = np.diff(starts, append=positions.size)
    if n <= _SORTED:
        return _permute_by_rows(positions, lengths, n, keys)
    return feistel(positions, n, np.repeat(keys, lengths))


def _permute_by_rows(positions: Ints, lengths: NDArray[np.intp], n: int, keys: Keys) -> Ints:
    """The tables of a few epochs at a time; the first lengths[0] positions belong to keys[0]."""
    permuted, ends = np.empty_like(positions), np.cumsum(lengths)
    block, start = max(1, _ROW_BLOCK // n), 0
    for first in range(0, len(keys), block):
        chunk = slice(first, first + block)
        stop = int(ends[chunk][-1])
        row = np.repeat(np.arange(len(keys[chunk])), lengths[chunk])
        permuted[start:stop] = shuffled_rows(keys[chunk], n)[row, positions[start:stop]]
        start = stop
    return permuted


def _checked_items(n: SupportsIndex, most: int) -> int:
    items = operator.index(n)
    if not 1 <= items <= most:
        raise InvalidInput(f"n: got {items:,}; it must be in [1, 2^{most.bit_length() - 1}].")
    return items


def _checked_key(key: SupportsIndex) -> int:
    number = operator.index(key)
    if not 0 <= number < 1 << 64:
        raise InvalidInput(f"key: got {number}; it must be in [0, 2^64). Make it with derive_key.")
    return number


def _checked_ints(name: str, values: Ints) -> Ints:
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise InvalidInput(f"{name}: got {array.dtype}; they must be integers. Use int64.")
    return array.astype(np.int64, copy=False).reshape(-1)


def _checked_positions(positions: Ints, n: int) -> Ints:
    flat = _checked_ints("positions", positions)
    if flat.size and int(flat.view(np.uint64).max()) >= n:  # as unsigned, negative ones are large
        wrong = np.flatnonzero((flat < 0) | (flat >= n))[0]
        raise InvalidInput(
            f"positions: got {flat[wrong]} at index {wrong}; they must be in [0, {n}). "
            "Take epoch and position of a draw by divmod(draw, n)."
        )
    return flat


def _checked_epochs(epochs: Ints, shape: tuple[int, ...]) -> Ints:
    flat = _checked_ints("epochs", epochs)
    if np.shape(epochs) != shape:
        raise InvalidInput(
            f"epochs: got shape {np.shape(epochs)}; it must be that of positions, {shape}. "
            "Use np.broadcast_to."
        )
    if flat.size and flat.min() < 0:
        raise InvalidInput(f"epochs: got {flat.min()}; they count from 0.")
    return flat
