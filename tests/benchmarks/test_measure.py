"""Clocks, memory and the page cache."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.measure import (
    cached_share,
    drop_from_cache,
    peak_megabytes,
    rate,
    rate_of_all,
    seconds,
)


class Clock:
    """A clock that pieces of work set forward."""

    def __init__(self) -> None:
        self.now = 100.0

    def work(self, *pieces: tuple[float, int]) -> Iterator[int]:
        for took, units in pieces:
            self.now += took
            yield units


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(time, "perf_counter", lambda: made.now)
    return made


def test_seconds_are_those_of_the_call(clock: Clock) -> None:
    assert seconds(lambda: list(clock.work((2.5, 1)))) == 2.5


def test_a_rate_leaves_out_what_warms_up(clock: Clock) -> None:
    slow_first = itertools.chain([(50.0, 7)], itertools.repeat((0.1, 10)))
    assert rate(clock.work(*itertools.islice(slow_first, 30)), 1.0) == pytest.approx(100.0)


def test_a_quarter_of_the_time_warms_up(clock: Clock) -> None:
    pieces = [(0.05, 1000)] * 5 + [(0.1, 10)] * 10
    assert rate(clock.work(*pieces), 1.0) == pytest.approx(100.0)


def test_a_rate_stops_at_its_time(clock: Clock) -> None:
    pieces = clock.work(*[(1.0, 10)] * 100)
    assert rate(pieces, 3.0) == pytest.approx(10.0)
    assert sum(1 for _ in pieces) == 100 - 4


def test_an_iterator_that_ends_early_is_judged_by_what_it_gave(clock: Clock) -> None:
    assert rate(clock.work((1.0, 5), (1.0, 10), (1.0, 20)), 60.0 / 20) == pytest.approx(15.0)


@pytest.mark.parametrize("pieces", [[], [(1.0, 5)]])
def test_fewer_than_two_pieces_are_no_measurement(clock: Clock, pieces: list[tuple[float, int]]) -> None:
    with pytest.raises(RuntimeError, match="nothing to measure"):
        rate(clock.work(*pieces), 1.0)
    with pytest.raises(RuntimeError, match="nothing to measure"):
        rate_of_all(clock.work(*pieces))


def test_a_rate_of_all_counts_from_the_first_piece_to_the_last(clock: Clock) -> None:
    assert rate_of_all(clock.work((9.0, 1), (1.0, 10), (3.0, 30))) == pytest.approx(10.0)


def test_the_peak_holds_what_was_touched() -> None:
    before = peak_megabytes()
    held = np.ones(64 << 17)  # 64 MB
    assert peak_megabytes() > 32
    assert peak_megabytes() >= before
    assert held[-1] == 1


def test_a_file_just_read_is_in_memory_and_one_dropped_is_not(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    path.parent.mkdir()
    path.write_bytes(bytes(8 << 20))
    path.read_bytes()
    assert cached_share(path) == 1.0
    drop_from_cache(tmp_path)
    if cached_share(path) > 0.5:
        pytest.skip("this folder lies in memory")
    assert cached_share(path) < 0.1
