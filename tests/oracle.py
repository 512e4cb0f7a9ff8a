"""The judge of the fast code: the rules of the draw order, node by node and step by step.

Python integers and Fractions, no NumPy, no chunks, no anchors; written from the rules, not from the code.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import floor

ONE = 1 << 32


def halve(weights: Sequence[int], sources: Sequence[int]) -> object:
    """A nested tuple (left, right) of source indices, heavier half left."""
    leaves = sorted(sources, key=lambda i: (-weights[i], i))
    if len(leaves) == 1:
        return leaves[0]
    total = sum(weights[i] for i in leaves)
    splits = range(1, len(leaves))
    if total == 0:
        m = len(leaves) // 2
    else:
        m = min(splits, key=lambda m: (abs(2 * sum(weights[i] for i in leaves[:m]) - total), m))
    return _branch(weights, leaves[:m]), _branch(weights, leaves[m:])


def _branch(weights: Sequence[int], leaves: Sequence[int]) -> object:
    return halve(weights, leaves) if len(leaves) > 1 else leaves[0]


def leaves_of(tree: object) -> list[int]:
    return [tree] if isinstance(tree, int) else [i for half in tree for i in leaves_of(half)]  # type: ignore[attr-defined]


class Balanced:
    """Divides every step's draws down the tree; `counts` after each step are what the rule says."""

    def __init__(self, tree: object, deficits: dict[int, int], budgets: dict[int, int | None]) -> None:
        self.tree = tree
        self.owed = {i: Fraction(deficits.get(i, 0), ONE) for i in leaves_of(tree)}
        self.counts = dict.fromkeys(self.owed, 0)
        self.budgets = budgets
        self.marks: dict[tuple[int, ...], int] = {}

    def step(self, q: Sequence[int], draws: int) -> dict[int, int]:
        for i in self.owed:
            self.owed[i] += Fraction(draws * q[i], ONE)
        self._divide(self.tree, sum(self.counts.values()) + draws, q)
        return dict(self.counts)

    def _divide(self, node: object, n: int, q: Sequence[int]) -> None:
        if isinstance(node, int):
            self.counts[node] = n
            return
        left, right = (leaves_of(half) for half in node)  # type: ignore[attr-defined]
        n_left, n_right = (sum(self.counts[i] for i in half) for half in (left, right))
        q_left, q_right = (sum(q[i] for i in half) for half in (left, right))
        most_left, most_right = self._budget(left), self._budget(right)
        ahead = n - sum(self.owed[i] for i in left + right)
        ratio = Fraction(q_left, q_left + q_right) if q_left + q_right else Fraction(0)
        wanted = floor(sum(self.owed[i] for i in left) + ahead * ratio + Fraction(1, 2))
        wanted = max(min(wanted, most_left), n - most_right)
        key = tuple(left)
        mark = self.marks[key] = max(self.marks.get(key, 0), wanted)
        if q_right == 0:
            n_left = min(n - n_right, most_left)
        elif q_left == 0:
            n_left = max(n_left, n - most_right)
        else:
            n_left = n - max(n_right, n - mark)
        self.marks[key] = max(mark, n_left)
        self._divide(node[0], n_left, q)  # type: ignore[index]
        self._divide(node[1], n - n_left, q)  # type: ignore[index]

    def _budget(self, half: list[int]) -> int:
        budgets = [self.budgets.get(i) for i in half]
        return 1 << 62 if None in budgets else sum(b for b in budgets if b is not None)
