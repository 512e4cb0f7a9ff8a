from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests import oracle
from thermix.core.tree import Tree, halve

WEIGHTS = st.lists(st.one_of(st.integers(0, 3), st.integers(0, 2**38)), min_size=1, max_size=40)


def splits(tree: Tree) -> set[tuple[int, int, int]]:
    """(first, split, last) of every node."""
    return {
        (int(a), int(m), int(b))
        for level in tree.levels
        for a, m, b in zip(level.first, level.split, level.last, strict=True)
    }


def twin_splits(node: oracle.Node, first: int = 0) -> set[tuple[int, int, int]]:
    if node.halves is None:
        return set()
    left, right = node.halves
    split = first + len(left.leaves)
    here = {(first, split, first + len(node.leaves))}
    return here | twin_splits(left, first) | twin_splits(right, split)


def depth(tree: Tree) -> int:
    return len(tree.levels)


@given(WEIGHTS)
def test_the_tree_is_the_one_found_by_trying_every_split(weights: list[int]) -> None:
    tree, twin = halve(weights, range(len(weights))), oracle.halve(weights, range(len(weights)))
    assert tree.leaves.tolist() == list(twin.leaves)
    assert splits(tree) == twin_splits(twin)
    assert depth(tree) == oracle.depth(twin)


@given(WEIGHTS, st.data())
def test_only_sources_that_take_part_become_leaves(weights: list[int], data: st.DataObject) -> None:
    some = data.draw(st.sets(st.sampled_from(range(len(weights))), min_size=1))
    tree = halve(weights, sorted(some))
    assert sorted(tree.leaves.tolist()) == sorted(some)
    assert len(splits(tree)) == len(some) - 1


@given(WEIGHTS)
def test_halves_of_a_level_stand_below_the_nodes_of_the_level_above(weights: list[int]) -> None:
    tree = halve(weights, range(len(weights)))
    nodes = {(0, len(weights))}
    for level in tree.levels:
        found = list(zip(level.first.tolist(), level.last.tolist(), strict=True))
        assert set(found) <= nodes
        cuts = zip(found, level.split.tolist(), strict=True)
        nodes = {half for (a, b), m in cuts for half in ((a, m), (m, b))}


def test_one_source_is_a_tree_without_nodes() -> None:
    tree = halve([7], [0])
    assert tree.leaves.tolist() == [0]
    assert tree.levels == ()


def test_equal_weights_are_halved_evenly_in_the_order_they_stand() -> None:
    tree = halve([5] * 8, range(8))
    assert tree.leaves.tolist() == list(range(8))
    assert depth(tree) == 3


def test_of_two_splits_equally_near_to_half_the_first_is_taken() -> None:
    assert splits(halve([1, 1, 1], range(3))) == {(0, 1, 3), (1, 2, 3)}


def test_weights_of_zero_come_last_and_are_cut_in_their_middle() -> None:
    tree = halve([0, 9, 0, 0, 0], range(5))
    assert tree.leaves.tolist() == [1, 0, 2, 3, 4]
    assert splits(tree) == {(0, 1, 5), (1, 3, 5), (1, 2, 3), (3, 4, 5)}


def test_a_source_heavier_than_all_lighter_ones_makes_the_tree_as_deep_as_it_can_be() -> None:
    weights = [2**k for k in range(10)]
    assert depth(halve(weights, range(10))) == 9


def test_even_weights_make_it_as_shallow_as_it_can_be() -> None:
    assert depth(halve([1] * 1000, range(1000))) == 10
