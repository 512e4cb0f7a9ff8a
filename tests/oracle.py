"""The judge of the fast code: the rules of the draw order, node by node and step by step.

Python integers, no NumPy, no chunks, no anchors; written from the rules (`docs` of `core/order.py`),
not from the code. Everything owed is in units of 2^-32 draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

ONE = 1 << 32
HALF = 1 << 31
LAG = 1


@dataclass(frozen=True)
class Node:
    """A leaf where `halves` is None."""

    leaves: tuple[int, ...]
    halves: tuple[Node, Node] | None = None


def halve(weights: Sequence[int], sources: Sequence[int]) -> Node:
    """The tree: heaviest first, split where the running weight is nearest to half, weight 0 in its middle."""
    return _branch(weights, tuple(sorted(sources, key=lambda i: (-weights[i], i))))


def _branch(weights: Sequence[int], leaves: tuple[int, ...]) -> Node:
    if len(leaves) == 1:
        return Node(leaves)
    total = sum(weights[i] for i in leaves)

    def off_half(m: int) -> tuple[int, int]:
        return abs(2 * sum(weights[i] for i in leaves[:m]) - total), m

    m = min(range(1, len(leaves)), key=off_half) if total else len(leaves) // 2
    return Node(leaves, (_branch(weights, leaves[:m]), _branch(weights, leaves[m:])))


def depth(node: Node) -> int:
    return 0 if node.halves is None else 1 + max(depth(half) for half in node.halves)


class Balanced:
    """Divides every step's draws down the tree; `counts` and `owed` are what the rule says so far."""

    def __init__(self, tree: Node, deficits: Mapping[int, int], budgets: Mapping[int, int]) -> None:
        self.tree = tree
        self.owed = {i: deficits.get(i, 0) for i in tree.leaves}
        self.counts = dict.fromkeys(tree.leaves, 0)
        self.budgets = budgets
        self.marks: dict[tuple[int, ...], int] = {}

    def step(self, q: Sequence[int], draws: int) -> dict[int, int]:
        """Counts after one more step (or several of the same shares)."""
        for i in self.owed:
            self.owed[i] += draws * q[i]
        self._divide(self.tree, sum(self.counts.values()) + draws, q)
        return dict(self.counts)

    def deviation(self) -> float:
        """The largest |owed - count| now, in draws."""
        return max(abs(self.owed[i] - (n << 32)) for i, n in self.counts.items()) / ONE

    def _divide(self, node: Node, n: int, q: Sequence[int]) -> None:
        if node.halves is None:
            self.counts[node.leaves[0]] = n
            return
        left, right = node.halves
        n_left, n_right = _sum(self.counts, left), _sum(self.counts, right)
        q_left, q_right = (sum(q[i] for i in half.leaves) for half in node.halves)
        most_left, most_right = self._budget(left), self._budget(right)
        ahead = (n << 32) - _sum(self.owed, node)
        product = ahead * q_left // (q_left + q_right) if q_left + q_right else 0
        wanted = (_sum(self.owed, left) + product + HALF) >> 32
        within = max(min(wanted, most_left), n - most_right)
        mark = self.marks[node.leaves] = max(self.marks.get(node.leaves, 0), within)
        new = n - n_left - n_right
        if q_right == 0:  # a half whose share is 0 gets what it lacks by more than a draw, no more
            n_left = n - max(n_right, min(n - wanted - LAG, n_right + new))
        elif q_left == 0:
            n_left = max(n_left, min(wanted - LAG, n_left + new))
        else:
            n_left = n - max(n_right, n - mark)
        n_left = max(min(n_left, most_left), n - most_right)
        self.marks[node.leaves] = max(mark, n_left)
        self._divide(left, n_left, q)
        self._divide(right, n - n_left, q)

    def _budget(self, half: Node) -> int:
        return sum(self.budgets.get(i, 1 << 80) for i in half.leaves)


def _sum(values: Mapping[int, int], node: Node) -> int:
    return sum(values[i] for i in node.leaves)


def scan(
    columns: Sequence[Sequence[int]],
    draws: Sequence[int],
    deficits: Mapping[int, int] | None = None,
    budgets: Mapping[int, int] | None = None,
    weights: Sequence[int] | None = None,
) -> list[list[int]]:
    """Counts before every step and at the end; `columns[s]` are step s's shares, `draws[s]` its draws.

    The tree is halved by `weights`, else by the sum of all columns (right up to 64 steps).
    """
    sources = range(len(columns[0]))
    weights = weights if weights is not None else [sum(q[i] for q in columns) for i in sources]
    rule = Balanced(halve(weights, sources), deficits or {}, budgets or {})
    rows = [[0] * len(sources)]
    for q, n in zip(columns, draws, strict=True):
        counts = rule.step(q, n)
        rows.append([counts[i] for i in sources])
    return rows


def quantised(p: Sequence[float], rest_to: int) -> list[int]:
    """Shares of one step: nearest integers in units of 2^-32, one source takes the rest."""
    q = [round(x * ONE) for x in p]  # halves to even
    q[rest_to] += ONE - sum(q)
    return q
