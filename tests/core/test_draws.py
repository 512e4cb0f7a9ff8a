from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from thermix.core import draws
from thermix.core.bits import derive_key, epoch_keys, hash64
from thermix.core.draws import Era, Stream, draw_steps, grown
from thermix.core.permute import permute, permute_epochs, shuffled_rows

Ints = NDArray[np.int64]
Slots = list[list[tuple[int, ...]]]  # [step][slot] -> (source, item, epoch)
KEY = derive_key(0, "items", "a")


def replay(stream: Stream, count: int) -> list[tuple[int, int]]:
    """(item, epoch) of the first draws, epoch by epoch; an epoch has the size its era says."""
    found: list[tuple[int, int]] = []
    epoch = 0
    while len(found) < count:
        size = next(era.items for era in reversed(stream.eras) if era.first_epoch <= epoch)
        key = int(epoch_keys(stream.key, np.array([epoch]))[0])
        found += [(int(item), epoch) for item in permute(np.arange(size), size, key)]
        epoch += 1
    return found[:count]


def items_of(stream: Stream, numbers: Ints) -> tuple[Ints, Ints]:
    """Item and epoch of increasing draws, where the stream locates them."""
    positions, epochs, spans = stream.locate(numbers)
    parts = [permute_epochs(positions[a:b], epochs[a:b], items, stream.key) for a, b, items in spans]
    assert [b for _, b, _ in spans] == [a for a, _, _ in spans[1:]] + [len(numbers)]
    return np.concatenate(parts), epochs


@st.composite
def streams(draw: st.DrawFn) -> tuple[Stream, int]:
    """A stream that grew up to three times, and the draws by then."""
    eras: tuple[Era, ...] = (Era(0, 0, draw(st.integers(1, 9))),)
    made = 0
    for _ in range(draw(st.integers(0, 3))):
        made += draw(st.integers(0, 25))
        eras = grown(eras, made, eras[-1].items + draw(st.integers(1, 9)))
    return Stream(KEY, eras), made


# ---- Items of one source


@given(streams())
def test_items_are_those_of_epochs_replayed_one_after_the_other(stream_and_draws: tuple[Stream, int]) -> None:
    stream, made = stream_and_draws
    items, epochs = items_of(stream, np.arange(made + 60))
    assert list(zip(items.tolist(), epochs.tolist(), strict=True)) == replay(stream, made + 60)


@given(streams())
def test_every_item_comes_once_in_every_epoch(stream_and_draws: tuple[Stream, int]) -> None:
    stream, made = stream_and_draws
    items, epochs = items_of(stream, np.arange(made + 100))
    for epoch in range(int(epochs[-1])):
        seen = items[epochs == epoch].tolist()
        assert sorted(seen) == list(range(len(seen)))


@given(streams(), st.integers(0, 200))
def test_epochs_begun_are_those_of_the_draw(stream_and_draws: tuple[Stream, int], count: int) -> None:
    stream, _ = stream_and_draws
    _, epochs = items_of(stream, np.arange(count + 1))
    assert int(stream.epochs_at(count)) == epochs[count]


@given(streams(), st.sets(st.integers(0, 150)))
def test_some_draws_are_located_as_they_are_among_all(
    stream_and_draws: tuple[Stream, int], some: set[int]
) -> None:
    stream, _ = stream_and_draws
    items, epochs = items_of(stream, np.arange(151))
    found = items_of(stream, np.array(sorted(some), np.int64))
    assert found[0].tolist() == items[sorted(some)].tolist()
    assert found[1].tolist() == epochs[sorted(some)].tolist()


def test_the_epoch_that_is_begun_is_finished_on_the_old_size() -> None:
    eras = grown((Era(0, 0, 10),), 13, 25)
    assert eras == (Era(0, 0, 10), Era(20, 2, 25))
    items, epochs = items_of(Stream(KEY, eras), np.arange(45))
    assert sorted(items[10:20].tolist()) == list(range(10))
    assert sorted(items[20:45].tolist()) == list(range(25))
    assert epochs[[0, 9, 10, 19, 20, 44]].tolist() == [0, 0, 1, 1, 2, 2]


def test_growth_at_the_end_of_an_epoch_is_seen_at_once() -> None:
    assert grown((Era(0, 0, 10),), 20, 25) == (Era(0, 0, 10), Era(20, 2, 25))


def test_a_source_that_was_never_drawn_has_only_its_new_size() -> None:
    assert grown((Era(0, 0, 10),), 0, 25) == (Era(0, 0, 25),)


def test_growing_again_before_the_first_growth_is_reached_forgets_it() -> None:
    once = grown((Era(0, 0, 10),), 3, 20)
    assert grown(once, 7, 30) == (Era(0, 0, 10), Era(10, 1, 30))


def test_draws_near_2_to_the_50_have_epochs_near_2_to_the_31() -> None:
    stream = Stream(KEY, (Era(0, 0, 1 << 19),))
    items, epochs = items_of(stream, np.array([(1 << 50) - 1]))
    assert epochs.tolist() == [(1 << 31) - 1]
    key = int(epoch_keys(KEY, epochs)[0])
    assert items.tolist() == permute(np.array([(1 << 19) - 1]), 1 << 19, key).tolist()


# ---- Slots of steps


def brute(counts: Ints, first: int, batch: int, streams: list[Stream], key: int) -> Slots:
    """(source, item, epoch) of every slot: draws source by source, put in slots by the step's row."""
    rows = []
    for s in range(len(counts) - 1):
        standing: list[tuple[int, ...]] = []
        for i, stream in enumerate(streams):
            drawn = replay(stream, int(counts[s + 1, i]))[int(counts[s, i]) :]
            standing += [(i, item, epoch) for item, epoch in drawn]
        slots = shuffled_rows(hash64(key, np.array([first + s], np.uint64)), batch)[0]
        rows.append([standing[slot] for slot in slots])
    return rows


def random_counts(rng: np.random.Generator, steps: int, sources: int, batch: int) -> Ints:
    made = rng.multinomial(batch, rng.dirichlet(np.ones(sources)), size=steps)
    start = rng.integers(0, 50, sources)
    return np.concatenate([start[None], start + np.cumsum(made, axis=0)])


def some_streams(sources: int) -> list[Stream]:
    grew = Stream(KEY, (Era(0, 0, 7), Era(21, 3, 19)))
    plain = [Stream(derive_key(0, "items", str(i)), (Era(0, 0, 3 + 5 * i),)) for i in range(1, sources)]
    return [grew, *plain]


def triples(found: tuple[NDArray[np.int32], Ints, NDArray[np.int32]]) -> list[list[tuple[int, ...]]]:
    rows = zip(*(array.tolist() for array in found), strict=True)
    return [list(zip(*row, strict=True)) for row in rows]


@given(st.integers(0, 10**6), st.integers(1, 8), st.integers(1, 5), st.integers(1, 40))
def test_slots_hold_what_going_through_the_step_gives(
    seed: int, steps: int, sources: int, batch: int
) -> None:
    rng = np.random.default_rng(seed)
    counts, streams = random_counts(rng, steps, sources, batch), some_streams(sources)
    expected = brute(counts, seed, batch, streams, 99)
    assert triples(draw_steps(counts, seed, batch, streams, 99, slice(0, batch))) == expected
    start = int(rng.integers(0, batch))
    stop = int(rng.integers(start, batch + 1))
    part = draw_steps(counts, seed, batch, streams, 99, slice(start, stop))
    assert triples(part) == [row[start:stop] for row in expected]


def test_blocks_of_steps_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    counts, streams = random_counts(np.random.default_rng(1), 50, 4, 16), some_streams(4)
    whole = draw_steps(counts, 7, 16, streams, 5, slice(0, 16))
    for slots in (1, 16, 100, 10**6):
        monkeypatch.setattr(draws, "_SLOTS", slots)
        for found, expected in zip(draw_steps(counts, 7, 16, streams, 5, slice(0, 16)), whole, strict=True):
            np.testing.assert_array_equal(found, expected)


def test_types_and_shapes_are_those_of_a_batch() -> None:
    counts, streams = random_counts(np.random.default_rng(1), 3, 2, 8), some_streams(2)
    source, item, epoch = draw_steps(counts, 0, 8, streams, 5, slice(2, 7))
    assert [a.dtype for a in (source, item, epoch)] == [np.int32, np.int64, np.int32]
    assert source.shape == item.shape == epoch.shape == (3, 5)
    empty = draw_steps(counts[:1], 0, 8, streams, 5, slice(0, 8))
    assert [a.shape for a in empty] == [(0, 8)] * 3
