from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.permutation_twin import sorted_order
from tests.core.randomness import Ints
from thermix.core.bits import derive_key, epoch_keys, hash64
from thermix.core.permute import permute, permute_epochs, shuffled_rows
from thermix.errors import InvalidInput

# ---- Known answers of draw order 1


PINNED = {  # values at positions 0, 1, n // 2 and n - 1
    1: [0, 0, 0, 0],
    6: [0, 2, 5, 1],
    4_096: [1668, 369, 2719, 2277],
    4_097: [3066, 191, 583, 2107],
    1_000_003: [288495, 187168, 288103, 597660],
    2**32: [784156744, 691405244, 4183956161, 2429071035],
    2**32 + 1: [3033689773, 722543463, 3321322015, 2185304440],
    10**12: [398951060997, 11152393433, 106263017807, 581257866718],
    2**62: [4187972199484556660, 2595728784081692550, 1914123295377629722, 1141127809352361271],
}


def test_permutations_of_draw_order_1() -> None:
    key = derive_key(0, "items", "web")
    at = {n: np.array([0, 1 % n, n // 2, n - 1]) for n in PINNED}
    assert {n: permute(at[n], n, key).tolist() for n in PINNED} == PINNED


def test_epochs_of_draw_order_1() -> None:
    draws = np.arange(12)
    assert permute_epochs(draws % 3, draws // 3, 3, 1).tolist() == [2, 0, 1, 1, 2, 0, 1, 0, 2, 2, 0, 1]
    assert permute_epochs(draws % 4, draws // 4, 10**6, 1).tolist() == [
        914704,
        800311,
        710837,
        682148,
        357502,
        737555,
        410511,
        839025,
        452323,
        827296,
        121063,
        419336,
    ]


def test_rows_of_draw_order_1() -> None:
    assert shuffled_rows(hash64(0, np.arange(3)), 6).tolist() == [
        [5, 2, 0, 3, 1, 4],
        [3, 1, 0, 4, 5, 2],
        [4, 3, 2, 1, 5, 0],
    ]
    wide = shuffled_rows(hash64(0, np.arange(1)), 5_000)
    assert wide[0, [0, 1, 2_500, 4_999]].tolist() == [591, 2114, 2579, 502]


# ---- One to one, and the twin


def test_every_value_comes_once_for_every_size_to_5000() -> None:
    for n in range(1, 5_001):
        assert not np.any(np.bincount(permute(np.arange(n), n, n * n), minlength=n) - 1), n


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 10, 300, 4_095, 4_096, 4_097, 6_000])
def test_rows_are_those_of_the_twin(n: int) -> None:
    keys = hash64(6, np.arange(7))
    rows = shuffled_rows(keys, n)
    assert rows.dtype == np.int64
    assert rows.tolist() == [sorted_order(n, key) for key in keys.tolist()]
    if n <= 4_096:
        assert [permute(np.arange(n), n, key).tolist() for key in keys.tolist()] == rows.tolist()


@pytest.mark.parametrize("n", [65_537, 2**20])
def test_long_rows_hold_each_slot_once(n: int) -> None:
    for row in shuffled_rows(hash64(6, np.arange(2)), n):
        assert not np.any(np.bincount(row, minlength=n) - 1)


def test_blocks_of_rows_do_not_show() -> None:
    keys = hash64(6, np.arange(5_000))
    rows = shuffled_rows(keys, 50)
    np.testing.assert_array_equal(shuffled_rows(keys[::7], 50), rows[::7])


@pytest.mark.parametrize("n", [5, 5_000, 2**40])
def test_shapes_are_kept_and_arguments_left_alone(n: int) -> None:
    positions = (np.arange(24) % min(n, 24)).reshape(2, 3, 4)
    before = positions.copy()
    for values in (permute(positions, n, 3), permute_epochs(positions, positions, n, 3)):
        assert values.dtype == np.int64
        assert values.shape == (2, 3, 4)
    np.testing.assert_array_equal(permute(positions.T, n, 3), permute(positions, n, 3).T)
    np.testing.assert_array_equal(positions, before)
    assert permute(positions[:0], n, 3).shape == (0, 3, 4)
    assert permute_epochs(positions[:0], positions[:0], n, 3).shape == (0, 3, 4)
    assert shuffled_rows(np.zeros(0, np.uint64), 5).shape == (0, 5)


def test_a_result_can_be_written_to_without_changing_the_next() -> None:
    values = permute(np.arange(10), 10, 3)
    expected = values.copy()
    values[:] = -1
    np.testing.assert_array_equal(permute(np.arange(10), 10, 3), expected)


# ---- Epochs


def one_by_one(positions: Ints, epochs: Ints, n: int, key: int) -> list[int]:
    keys = epoch_keys(key, epochs).tolist()
    return [int(permute(np.array([p]), n, k)[0]) for p, k in zip(positions.tolist(), keys, strict=True)]


@given(
    st.sampled_from([1, 2, 10, 300, 4_096, 4_097, 10**6, 2**32 + 1]),
    st.lists(st.tuples(st.integers(0, 2**62), st.integers(0, 9)), max_size=30),
    st.booleans(),
)
def test_an_epoch_is_permuted_with_its_own_key(n: int, draws: list[tuple[int, int]], in_order: bool) -> None:
    draws = sorted(draws, key=lambda draw: draw[1]) if in_order else draws
    positions = np.array([position % n for position, _ in draws], np.int64)
    epochs = np.array([epoch for _, epoch in draws], np.int64)
    expected = one_by_one(positions, epochs, n, 77)
    assert permute_epochs(positions, epochs, n, 77).tolist() == expected


@pytest.mark.parametrize(
    ("n", "count", "draws_per_epoch"),
    [(1, 5_000, 1), (2, 5_000, 2), (10, 20_000, 10), (300, 9_000, 100), (4_096, 40, 1),
     (5_000, 300, 3), (5_000, 20_000, 5_000), (10**12, 300, 1), (10**12, 3_000, 1_000)],
)  # fmt: skip
def test_many_or_long_epochs_in_any_order_are_the_same(n: int, count: int, draws_per_epoch: int) -> None:
    draws = np.arange(count)
    positions, epochs = (draws * 7) % n, draws // draws_per_epoch + 10**9
    values = permute_epochs(positions, epochs, n, 5)
    some = draws[:: max(1, count // 40)]
    assert values[some].tolist() == one_by_one(positions[some], epochs[some], n, 5)
    mixed = permute(draws, count, 1)
    np.testing.assert_array_equal(permute_epochs(positions[mixed], epochs[mixed], n, 5), values[mixed])


@pytest.mark.parametrize(("n", "count"), [(4_096, 1_000), (2, 100_000), (10**6, 30_000)])
def test_scratch_is_bounded_however_many_epochs(n: int, count: int) -> None:
    positions, epochs = np.arange(count) % n, np.arange(count)
    tracemalloc.start()
    permute_epochs(positions, epochs, n, 5)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < (4 << 20) + 10 * positions.nbytes


# ---- Refusals


@pytest.mark.parametrize(
    ("positions", "n", "key", "message"),
    [
        ([0], 0, 1, r"^n: got 0; it must be in \[1, 2\^62\]\.$"),
        ([0], 2**62 + 1, 1, r"^n: got .*; it must be in \[1, 2\^62\]\.$"),
        ([0], 5, -1, r"^key: got -1; it must be in \[0, 2\^64\)\. Make it with derive_key\.$"),
        ([0], 5, 2**64, r"^key: got 18446744073709551616; it must be"),
        ([0, 5], 5, 1, r"^positions: got 5 at index 1; they must be in \[0, 5\)\. .*divmod\(draw, n\)"),
        ([0, -1], 5_000, 1, r"^positions: got -1 at index 1; they must be in \[0, 5000\)\."),
        ([0.0], 5, 1, r"^positions: got float64; they must be integers\. Use int64\.$"),
        ([True], 5, 1, r"^positions: got bool; they must be integers"),
    ],
)  # fmt: skip
def test_what_cannot_be_permuted_is_refused(positions: list[int], n: int, key: int, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        permute(np.array(positions), n, key)
    with pytest.raises(InvalidInput, match=message):
        permute_epochs(np.array(positions), np.zeros(len(positions), np.int64), n, key)


def test_epochs_that_do_not_fit_are_refused() -> None:
    two = np.arange(2)
    with pytest.raises(InvalidInput, match=r"^epochs: got shape \(3,\); .* \(2,\)\. Use np\.broad"):
        permute_epochs(two, np.arange(3), 5, 1)
    with pytest.raises(InvalidInput, match=r"^epochs: got -1; they count from 0\.$"):
        permute_epochs(two, two - 1, 5, 1)
    with pytest.raises(InvalidInput, match=r"^epochs: got float64; they must be integers"):
        permute_epochs(two, two / 1, 5, 1)  # type: ignore[arg-type]


def test_rows_that_cannot_be_made_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"^n: got 1,073,741,825; it must be in \[1, 2\^30\]\.$"):
        shuffled_rows(np.zeros(1, np.uint64), 2**30 + 1)
    for keys in (np.zeros(1, np.int64), np.zeros((1, 1), np.uint64)):
        with pytest.raises(InvalidInput, match=r"^keys: got .* \(S,\) uint64\. Use hash64\.$"):
            shuffled_rows(keys, 5)  # type: ignore[arg-type]


# ---- The same on every CPU

DIGEST = """
import hashlib, json, numpy as np
from thermix.core.bits import hash64
from thermix.core.permute import permute, permute_epochs, shuffled_rows
at = np.arange(5_000)
parts = [permute(at, n, 7) for n in (5_000, 65_537, 2**32, 2**32 + 1, 2**62)]
parts += [permute_epochs(at % n, at // n, n, 7) for n in (3, 300, 5_000)]
parts += [shuffled_rows(hash64(1, np.arange(9)), n) for n in (8, 1_000, 70_000)]
features = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
print(json.dumps([features, hashlib.sha256(b"".join(p.tobytes() for p in parts)).hexdigest()]))
"""


def digest(**environment: str) -> tuple[list[str], str]:
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DIGEST],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment,
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    features, value = json.loads(found.stdout)
    return features, value


def test_results_do_not_depend_on_the_instructions_of_the_cpu() -> None:
    features, value = digest()
    if not features:
        pytest.skip("NumPy found no instructions here beyond its baseline")
    assert digest(NPY_DISABLE_CPU_FEATURES=" ".join(features)) == ([], value)
