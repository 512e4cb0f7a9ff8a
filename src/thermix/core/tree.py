"""The tree of sources that the balanced rule halves draws along: built from weights, level by level.

Leaves stand in one order (heaviest first); a node is a half-open range of leaves, its children the two
ranges at its split. Nodes of one level are kept as index arrays, so that a level is worked on at once.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Level", "Tree", "halve"]


@dataclass(frozen=True)
class Level:
    """The nodes of one depth: node v covers leaves [first[v], last[v]) and splits at split[v]."""

    first: NDArray[np.intp]
    split: NDArray[np.intp]
    last: NDArray[np.intp]


@dataclass(frozen=True)
class Tree:
    """A binary tree over sources.

    Attributes:
        leaves: (L,) source indices in leaf order.
        levels: from the root down; together they hold L - 1 nodes.
    """

    leaves: NDArray[np.intp]
    levels: tuple[Level, ...]


def halve(weights: Sequence[int], sources: Sequence[int]) -> Tree:
    """Halve sources again and again by weight, the heavier half left.

    Leaves are sorted by (-weight, position); a node splits where the running weight is nearest to half
    of the node's (the smallest index on ties), and a node of weight 0 in its middle. About log2 K deep
    for even weights, up to K - 1 deep where each source outweighs all that are lighter.

    Args:
        weights: a weight >= 0 for each source of the mixture (Python integers: sums are exact).
        sources: indices of the sources that take part, at least one.
    """
    leaves = sorted(sources, key=lambda i: (-weights[i], i))
    running = [0]
    for i in leaves:
        running.append(running[-1] + weights[i])
    levels: list[Level] = []
    nodes = [(0, len(leaves))]
    while nodes := [(a, b) for a, b in nodes if b - a > 1]:
        splits = [_split(running, a, b) for a, b in nodes]
        firsts, lasts = zip(*nodes, strict=True)
        levels.append(Level(*(np.array(x, np.intp) for x in (firsts, splits, lasts))))
        nodes = [half for (a, b), m in zip(nodes, splits, strict=True) for half in ((a, m), (m, b))]
    return Tree(np.array(leaves, np.intp), tuple(levels))


def _split(running: list[int], first: int, last: int) -> int:
    low, high = running[first], running[last]
    if low == high:
        return (first + last) // 2
    above = bisect_left(running, (low + high + 1) // 2, first + 1, last - 1)
    below = bisect_left(running, running[above - 1], first + 1, above) if above > first + 1 else above
    return min(below, above, key=lambda m: (abs(2 * running[m] - low - high), m))
