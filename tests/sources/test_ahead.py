from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from thermix.sources.ahead import in_order, next_ahead


def running() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("thermix-draws")]


def groups(*made: list[int], seen: list[int] | None = None) -> Iterator[list[int]]:
    for group in made:
        if seen is not None:
            seen.append(group[0])
        yield group


def test_the_members_come_in_order_and_the_thread_ends() -> None:
    assert list(next_ahead(groups([1, 2], [3], [4, 5, 6]))) == [1, 2, 3, 4, 5, 6]
    assert list(next_ahead(groups())) == []
    assert running() == []


def test_one_group_is_made_ahead_and_no_more() -> None:
    seen: list[int] = []
    ahead = next_ahead(groups([1, 2], [3], [4], seen=seen))
    assert next(ahead) == 1
    for _ in range(1000):  # by its thread
        if len(seen) == 2:
            break
        time.sleep(0.01)
    assert next(ahead) == 2
    assert seen == [1, 3]
    ahead.close()
    assert running() == []


def test_an_exception_comes_in_place_of_its_group() -> None:
    def failing() -> Iterator[list[int]]:
        yield [1]
        raise ValueError("no more")

    ahead = next_ahead(failing())
    assert next(ahead) == 1
    with pytest.raises(ValueError, match="no more"):
        next(ahead)
    assert running() == []


@pytest.mark.parametrize("threads", [0, 1, 3])
@pytest.mark.parametrize("good", [0, 1, 2, 9])
def test_results_come_before_what_keeps_further_tasks_from_coming(threads: int, good: int) -> None:
    def tasks() -> Iterator[int]:
        yield from range(good)
        raise ValueError("no more")

    results = in_order(str, tasks(), threads)
    assert [next(results) for _ in range(good)] == [str(number) for number in range(good)]
    with pytest.raises(ValueError, match="no more"):
        next(results)
