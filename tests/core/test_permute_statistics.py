"""Whether `permute`, `permute_epochs` and `shuffled_rows` are as good as random; see `randomness.py`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.core.randomness import Fit, Ints, joint_fit, patterns, total, uniform_fit, upper
from thermix.core.bits import derive_key, epoch_keys, hash64
from thermix.core.feistel import feistel
from thermix.core.permute import permute, permute_epochs, shuffled_rows

Keys = NDArray[np.uint64]


def failing(fits: dict[str, Fit]) -> dict[str, float]:
    return {name: fit.ratio for name, fit in fits.items() if not fit.passes}


# ---- All orders of a few items
#
# Counts of the n! orders over the keys: chi-square, n! - 1 degrees. Seen with m keys, half of the time:
# orders off by sqrt(4.8 * sqrt(2 n!) / m) of their chance: 6 % (n = 4) to 13 % (n = 6) at 10,000 seeds
# or names, 1.3 to 3 % at 200,000 epochs or steps.

SEEDS = 10_000


def orders_fit(orders: Ints) -> Fit:
    n = orders.shape[1]
    number = np.zeros(len(orders), np.int64)
    for i in range(n):  # Lehmer code
        number = number * (n - i) + (orders[:, i + 1 :] < orders[:, i : i + 1]).sum(axis=1)
    return uniform_fit(number, np.ones(math.factorial(n)))


def by_seed(n: int) -> Ints:
    keys = [derive_key(seed, "items", "web") for seed in range(SEEDS)]
    return np.array([permute(np.arange(n), n, key) for key in keys])


def by_name(n: int) -> Ints:
    keys = [derive_key(0, "items", f"source {i}") for i in range(SEEDS)]
    return np.array([permute(np.arange(n), n, key) for key in keys])


def by_epoch(n: int) -> Ints:
    draws = np.arange(200_000 * n)
    return permute_epochs(draws % n, draws // n, n, derive_key(0, "items", "web")).reshape(-1, n)


def by_step(n: int) -> Ints:
    return shuffled_rows(hash64(derive_key(0, "slots"), np.arange(200_000)), n)


def by_small_network(n: int) -> Ints:
    keys = np.repeat(hash64(1, np.arange(200_000)), n)
    return feistel(np.tile(np.arange(n), 200_000), n, keys).reshape(-1, n)


@pytest.mark.parametrize("n", [4, 5, 6])
@pytest.mark.parametrize("orders", [by_seed, by_name, by_epoch, by_step])
def test_all_orders_of_a_few_items_are_equally_likely(orders: Callable[[int], Ints], n: int) -> None:
    assert orders_fit(orders(n)).passes


@pytest.mark.parametrize("n", [5, 6])
def test_the_test_of_orders_fails_the_network_that_is_used_for_many_items(n: int) -> None:
    assert orders_fit(by_small_network(n)).ratio > 20


# ---- Patterns in one order

PATTERNS = [(3_000, 200), (4_096, 150), (40_000, 30), (200_000, 6), (1_000_003, 2)]


@pytest.mark.parametrize(("n", "keys"), PATTERNS)
def test_the_epochs_of_a_source_have_no_pattern(n: int, keys: int) -> None:
    epochs = epoch_keys(derive_key(0, "items", "web"), np.arange(keys)).tolist()
    orders = (permute(np.arange(n), n, key) for key in epochs)
    assert failing(patterns(orders, bits=(n - 1).bit_length() // 2)) == {}


@pytest.mark.parametrize(("n", "rows"), [(1_024, 600), (4_096, 150), (8_192, 80)])
def test_the_slots_of_the_steps_have_no_pattern(n: int, rows: int) -> None:
    orders = shuffled_rows(hash64(derive_key(0, "slots"), np.arange(rows)), n)
    assert failing(patterns(orders, bits=(n - 1).bit_length() // 2)) == {}


def test_the_pattern_test_fails_rotations() -> None:
    starts = hash64(1, np.arange(200)) % np.uint64(3_000)
    orders = [(np.arange(3_000) + start) % 3_000 for start in starts.tolist()]
    assert len(failing(patterns(orders, bits=6))) >= 8


# ---- Who stands where
#
# Counts of (slot, draw) over m rows. A row has each slot and each draw once, so that the sum is
# n / (n - 1) times chi-square with (n - 1)^2 degrees. Seen: a chance off by 2 % (n = 2) to 50 % (n = 300).


def standing(rows: Ints) -> Fit:
    n = rows.shape[1]
    counts = np.bincount((rows + np.arange(n) * n).ravel(), minlength=n * n)
    expected = len(rows) / n
    return Fit(float(((counts - expected) ** 2 / expected).sum()) * (n - 1) / n, (n - 1) ** 2)


@pytest.mark.parametrize("n", [2, 3, 10, 64, 300])
def test_every_draw_stands_in_every_slot_alike(n: int) -> None:
    assert standing(shuffled_rows(hash64(derive_key(0, "slots"), np.arange(8_000)), n)).passes


@pytest.mark.parametrize("n", [10, 64, 300])
def test_the_test_of_standing_fails_rows_turned_by_less_than_half(n: int) -> None:
    turns = (hash64(1, np.arange(8_000)) % np.uint64(n // 2)).astype(np.int64)
    assert standing((np.arange(n) + turns[:, None]) % n).ratio > 10


# ---- One position through the epochs
#
# The item at a position in m epochs: chi-square over items. What it is in one epoch against the next:
# chi-square over pairs. Seen: a chance off by sqrt(4.8 * sqrt(2 df) / m), 1.5 to 7 %.


@pytest.mark.parametrize(("n", "position"), [(2, 1), (10, 0), (300, 299), (5_000, 0), (10**12, 7)])
def test_a_position_meets_all_items_alike_and_forgets_the_last_epoch(n: int, position: int) -> None:
    epochs = np.arange(20_000)
    items = permute_epochs(np.full(epochs.size, position), epochs, n, derive_key(0, "items", "web"))
    bins = min(n, 20)
    binned = upper(items, n, bins)
    fits = {"items": uniform_fit(binned, np.ones(bins)), "pairs": joint_fit(binned[:-1], binned[1:])}
    assert failing(fits) == {}


def test_the_test_through_epochs_fails_a_fixed_stride() -> None:
    items = (np.arange(20_000) * 7) % 300
    assert joint_fit(upper(items[:-1], 300, 20), upper(items[1:], 300, 20)).ratio > 100


# ---- Two orders
#
# Bins of pi_a(i) against bins of pi_b(i), 32 x 32, summed over pairs: chi-square, 961 degrees a pair; 60
# pairs see a ratio that is off by 0.03. And the correlation of pi_a(i) and pi_b(i), z ~ N(0, 1) over all
# pairs: fails over 5 by chance with 6e-7, sees a correlation of 5 / sqrt(60 n) (n = 3,000: 0.012).

PAIRS = 60


def seeds(purpose: str, name: str, first: int = 0) -> Iterator[int]:
    return (derive_key(first + seed, purpose, name) for seed in range(PAIRS))


def epochs_of(seed: int, first: int) -> list[int]:
    keys = epoch_keys(derive_key(seed, "items", "web"), np.arange(first, first + PAIRS))
    return [int(key) for key in keys]


TWO = {
    "epoch and the next": (epochs_of(0, 0), epochs_of(0, 1)),
    "epoch of a seed and of the next": (epochs_of(0, 0), epochs_of(1, 0)),
    "next epoch of a seed and epoch of the next seed": (epochs_of(0, 1), epochs_of(1, 0)),
    "seed and the next": (list(seeds("items", "web")), list(seeds("items", "web", 1))),
    "two sources": (list(seeds("items", "web")), list(seeds("items", "wec"))),
    "slots and items": (list(seeds("slots", "web")), list(seeds("items", "web"))),
    "slots and sources": (list(seeds("slots", "web")), list(seeds("sources", "web"))),
}


def compared(n: int, keys: tuple[list[int], list[int]]) -> tuple[Fit, float]:
    fits, products = [], 0.0
    for pair in zip(*keys, strict=True):
        a, b = (permute(np.arange(n), n, key) for key in pair)
        fits.append(joint_fit(upper(a, n, 32), upper(b, n, 32)))
        centred = (a - (n - 1) / 2) / n, (b - (n - 1) / 2) / n
        products += float(centred[0] @ centred[1]) * 12 / math.sqrt(n - 1)
    return total(fits), products / math.sqrt(len(fits))


@pytest.mark.parametrize("n", [3_000, 20_000])
@pytest.mark.parametrize("name", TWO)
def test_orders_of_different_keys_are_independent(name: str, n: int) -> None:
    fit, z = compared(n, TWO[name])
    assert fit.passes
    assert abs(z) < 5


@pytest.mark.parametrize("n", [3_000, 20_000])
def test_the_test_of_two_orders_fails_keys_that_are_seed_plus_epoch(n: int) -> None:
    sums = [seed + 1 for seed in range(PAIRS)], [1 + epoch for epoch in range(PAIRS)]
    fit, z = compared(n, sums)
    assert fit.ratio > 50
    assert z > 100


def test_slots_of_a_step_say_nothing_of_its_items_or_of_the_next_step() -> None:
    slots = shuffled_rows(hash64(derive_key(0, "slots"), np.arange(301)), 1_024)
    items = shuffled_rows(epoch_keys(derive_key(0, "items", "web"), np.arange(300)), 1_024)
    binned = upper(slots, 1_024, 16), upper(items, 1_024, 16)
    fits = {
        "items": total(map(joint_fit, binned[0][:-1], binned[1])),
        "next step": total(map(joint_fit, binned[0][:-1], binned[0][1:])),
    }
    assert failing(fits) == {}
