"""Which sources a chart names, in which order and colour: the same in every chart of a plan.

Up to 20 sources all have a name in a chart; of more, the 12 with the most draws, and the others are
shown together. The invariant: labels are unique, of at most 28 cells, and none is a word of the charts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from thermix.plan.forecast import Forecast
from thermix.report.text import clipped, legible

__all__ = ["COLOURS", "MOST_NAMED", "Cast", "cast_of", "steady_cast", "unique_labels"]

MOST_NAMED = 20
_NAMED_OF_MORE = 12
_CELLS = 28
_WORDS = ("step", "temperature", "T")

COLOURS = ("#0072b2", "#dd8d00", "#009e73", "#c4608f", "#4ba3dc", "#c8500a", "#8567c4", "#8c7a3d")
"""After Okabe and Ito: told apart without red and green, on white and on black; neighbours differ in grey."""

_GREYS = ("#8f8f8f", "#b9b9b9")


@dataclass(frozen=True)
class Cast:
    """The sources of a plan as its charts show them.

    Attributes:
        named: indices into the plan's sources, most draws first.
        rest: indices of the sources without a name of their own.
        labels: one a named source.
        rest_label: of all others together; "" where there are none.
    """

    named: tuple[int, ...]
    rest: tuple[int, ...]
    labels: tuple[str, ...]
    rest_label: str

    @property
    def domain(self) -> list[str]:
        """Every label, that of the others last."""
        return [*self.labels, *([self.rest_label] if self.rest else [])]

    @property
    def colours(self) -> list[str]:
        """A colour a label: eight of their own, greys for those that are named beyond."""
        greys = (_GREYS[i % 2] for i in range(len(self.domain)))
        own = COLOURS[: len(self.labels)]
        return [*own, *(next(greys) for _ in range(len(self.domain) - len(own)))]

    @property
    def remark(self) -> str:
        """What a reader must know of the others; "" where there are none."""
        if not self.rest:
            return ""
        return f"The {len(self.named)} sources with the most draws are named; {self.rest_label} are grey."


def cast_of(forecast: Forecast) -> Cast:
    """Return who is named in the charts of a plan, most draws first."""
    draws = [source.draws for source in forecast]
    named, rest = _divided(draws)
    return _cast([source.name for source in forecast], named, rest)


def steady_cast(names: Sequence[str], wanted: Sequence[float], before: Cast | None = None) -> Cast:
    """Return who is named in charts that change while someone looks: order and colours stay.

    Args:
        names: of the sources.
        wanted: how much each is drawn, about.
        before: who was named a moment ago, of the same names; kept, unless a source that it does not name
            is now wanted more than half of those it names.
    """
    if before is not None:
        ranked = sorted((wanted[i] for i in before.named), reverse=True)
        if max((wanted[i] for i in before.rest), default=0.0) <= ranked[len(ranked) // 2]:
            return before
    return _cast(names, *_divided(wanted))


def _divided(wanted: Sequence[float]) -> tuple[list[int], list[int]]:
    """Who is named, and who is not, the most wanted first."""
    order = sorted(range(len(wanted)), key=lambda i: (-wanted[i], i))
    room = len(order) if len(order) <= MOST_NAMED else _NAMED_OF_MORE
    return order[:room], order[room:]


def _cast(names: Sequence[str], named: list[int], rest: list[int]) -> Cast:
    rest_label = f"{len(rest):,} others" if rest else ""
    labels = unique_labels([names[i] for i in named], (*_WORDS, rest_label))
    return Cast(tuple(named), tuple(rest), tuple(labels), rest_label)


def unique_labels(names: Sequence[str], taken: Sequence[str] = ()) -> list[str]:
    """Return names short enough for a chart, told apart by a number where shortening makes two equal.

    >>> unique_labels(["web", "step", "a" * 30 + "1" + "b" * 30, "a" * 30 + "2" + "b" * 30], ["step"])
    ['web', 'step (2)', 'aaaaaaaaaaaaaaaaa…bbbbbbbbbb', 'aaaaaaaaaaaaaa…bbbbbbbbb (2)']
    """
    seen = set(taken)
    labels = []
    for name in names:
        text = legible(name, "utf-8")
        label, number = clipped(text, _CELLS, "…"), 1
        while label in seen:
            number += 1
            label = f"{clipped(text, _CELLS - 4, '…')} ({number})"
        seen.add(label)
        labels.append(label)
    return labels
