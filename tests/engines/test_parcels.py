"""Tasks as bytes: equal when they arrive, and what they have in common is sent once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermix.engines.parcels import Packer, unpacked

LARGE = 1 << 16


class Load(NamedTuple):
    number: int
    common: bytes
    own: bytes


class Store:
    """Keeps what it is sent, and counts."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def send(self, part: bytes) -> int:
        self.parts.append(part)
        return len(self.parts) - 1

    def fetch(self, keys: Sequence[int]) -> list[bytes]:
        return [self.parts[key] for key in keys]


def test_a_large_part_goes_once_for_all_tasks() -> None:
    store, common = Store(), bytes(1 << 20)
    packer = Packer(store.send)
    parcels = [packer.pack(Load(number, common, b"own")) for number in range(100)]
    assert store.parts == [common]
    assert max(len(parcel.task) for parcel in parcels) < 500
    assert [unpacked(parcel, store.fetch) for parcel in parcels] == [
        Load(n, common, b"own") for n in range(100)
    ]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(LARGE - 2, LARGE + 2)), max_size=8))
def test_what_arrives_is_what_was_sent(sizes: list[tuple[int, int]]) -> None:
    store, made = Store(), {pair: bytes([pair[0]]) * pair[1] for pair in sizes}
    packer = Packer(store.send)
    tasks = [{"parts": [made[pair] for pair in sizes[:n]], "n": n} for n in range(len(sizes) + 1)]
    assert [unpacked(packer.pack(task), store.fetch) for task in tasks] == tasks
    assert len(store.parts) == sum(size >= LARGE for _, size in made)


@pytest.mark.parametrize("fresh", [False, True])
def test_a_part_whose_owner_is_gone_is_not_taken_for_another(fresh: bool) -> None:
    """An `id` is used again once its object is gone."""
    store = Store()
    packer = Packer(store.send)
    for value in range(50):
        task = Load(0, bytes([value]) * LARGE, b"")
        assert unpacked(packer.pack(task), store.fetch) == task
        if fresh:
            packer = Packer(store.send)
