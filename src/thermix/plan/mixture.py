"""What is wanted: sources with scores, and the schedule of the temperature. Values only, checked once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermix.core import exact
from thermix.core.schedule import Constant, Schedule
from thermix.core.temperature import probabilities
from thermix.errors import InvalidInput
from thermix.plan.notebook import notebook_html

__all__ = ["MAX_ITEMS", "MAX_SOURCES", "WHEN_CAPPED", "Mixture", "Source", "Unit", "WhenCapped"]

Unit = Literal["sequence", "document"]
WhenCapped = Literal["spread", "drop", "stop", "error"]
WHEN_CAPPED: tuple[WhenCapped, ...] = ("spread", "drop", "stop", "error")

MAX_ITEMS = 1 << 62
"""Most items a source may have."""

MAX_SOURCES = 1 << 14
"""Most sources a mixture may have."""


@dataclass(frozen=True)
class Source:
    """One named collection of items, as far as a plan needs to know it.

    A score is a log weight: give `score`, or `weight` = exp(score) up to a common factor, or neither,
    and the size is the weight. All sources of a mixture say it the same way.

    Args:
        score: any finite number.
        weight: >= 0; a source of weight 0 is never drawn, at any temperature.
        items: the size, 1 to 2^62, in items of `unit`.
        max_epochs: most passes over the source, > 0, fractions allowed; None for no limit.
        unit: what an item is: a fixed-length token "sequence" or a "document".

    Raises:
        InvalidInput: a value out of range, or both `score` and `weight`.

    >>> Source(score=2.0, items=10_000)
    Source(score=2.0, items=10000)
    >>> Source(items=500, max_epochs=1.5).epoch_limit()
    Fraction(3, 2)
    """

    score: float | None = None
    weight: float | None = None
    items: int = 0
    max_epochs: float | None = None
    unit: Unit = "sequence"

    def __post_init__(self) -> None:
        if self.score is not None and self.weight is not None:
            raise InvalidInput(
                f"score, weight: got both {self.score!r} and {self.weight!r}; a source has one of them. "
                "A score is a log weight: remove one."
            )
        if self.score is not None:
            object.__setattr__(self, "score", _finite("score", self.score))
        if self.weight is not None:
            weight = _finite("weight", self.weight)
            if weight < 0:
                raise InvalidInput(
                    f"weight: got {weight!r}; it must be >= 0. Use 0 to never draw the source."
                )
            object.__setattr__(self, "weight", weight)
        object.__setattr__(self, "items", _size(self.items))
        if self.max_epochs is not None:
            object.__setattr__(self, "max_epochs", checked_max_epochs(self.max_epochs))
        if self.unit not in ("sequence", "document"):
            raise InvalidInput(f"unit: got {self.unit!r}; it is 'sequence' or 'document'.")

    def __repr__(self) -> str:
        given = [
            ("score", self.score),
            ("weight", self.weight),
            ("items", self.items),
            ("max_epochs", self.max_epochs),
        ]
        parts = [f"{name}={value!r}" for name, value in given if value is not None]
        parts += [f"unit={self.unit!r}"] if self.unit != "sequence" else []
        return f"Source({', '.join(parts)})"

    @property
    def kind(self) -> Literal["score", "weight", "size"]:
        """What says how much of the source is wanted."""
        if self.score is not None:
            return "score"
        return "weight" if self.weight is not None else "size"

    @property
    def log_weight(self) -> float:
        """The score w: as given, or log(weight), or log(items); -inf for weight 0."""
        if self.score is not None:
            return self.score
        return exact.log(self.weight if self.weight is not None else self.items)

    def epoch_limit(self, default: float | None = None) -> Fraction | None:
        """Most passes over it, exactly as written in decimals: its own, else `default`; None: no cap."""
        limit = self.max_epochs if self.max_epochs is not None else default
        return None if limit is None else decimal_text(limit)


def decimal_text(value: float) -> Fraction:
    """The number a person wrote: 0.1 is one tenth, not the nearest binary fraction."""
    return Fraction(Decimal(repr(value)))


def checked_max_epochs(value: object) -> float:
    """A cap as a plain int or float; refused where it is no finite number > 0."""
    number = _plain_number(value)
    if number is None or not math.isfinite(number) or number <= 0:
        raise InvalidInput(
            f"max_epochs: got {_shown(value)}; it must be a number > 0. "
            "To leave the source out, remove it or give it weight 0."
        )
    return number


def _finite(name: str, value: object) -> float:
    number = _plain_number(value)
    if number is None:
        raise InvalidInput(f"{name}: got {_shown(value)}; it must be a number that a float64 can hold.")
    if not math.isfinite(number):
        out = "To never draw a source, give it weight 0." if name == "score" else "Give any number >= 0."
        raise InvalidInput(f"{name}: got {value!r}; it must be finite. {out}")
    return float(number)


def _plain_number(value: object) -> int | float | None:
    """A number of Python or NumPy as an int or a float; None for anything else, or too large for a float."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return None
    try:
        decimal = float(value)
    except OverflowError:
        return None
    return int(value) if isinstance(value, int | np.integer) else decimal


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:20]}...{text[-10:]} ({len(text)} characters)"


def _size(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise InvalidInput(f"items: got {value!r}; it must be a whole number of items.")
    if not 1 <= value <= MAX_ITEMS:
        rule = "a source needs at least 1 item. Remove the empty source" if value < 1 else "the most is 2^62"
        raise InvalidInput(f"items: got {value}; {rule}.")
    return int(value)


@dataclass(frozen=True)
class Mixture:
    """Sources, their scores, and the schedule of the temperature: what is wanted of every draw.

    Args:
        sources: name -> `Source`; names are any text. Their order is that of every array about them.
        temperature: a schedule, or a number >= 0 (inf allowed) for a constant one.
        max_epochs: the cap of every source that has none of its own.
        when_capped: what happens to a capped source that is asked for more: "spread" scales its
            probabilities so that its budget lasts; "drop" draws as asked until the budget ends;
            "stop" ends the plan there; "error" refuses the plan.

    Raises:
        InvalidInput: no sources, too many (> 16,384), all weights zero, mixed kinds of score, a value
            out of range.

    >>> m = Mixture({"web": Source(score=2.0, items=10_000), "books": Source(score=3.0, items=2_000)})
    >>> m.probabilities(1.0).round(4)
    array([0.2689, 0.7311])
    """

    sources: Mapping[str, Source]
    temperature: Schedule = Constant(1.0)  # noqa: RUF009 (an immutable value)
    max_epochs: float | None = None
    when_capped: WhenCapped = "spread"

    if TYPE_CHECKING:  # what may be given; the field is a schedule always

        def __init__(
            self,
            sources: Mapping[str, Source],
            temperature: Schedule | float = ...,
            max_epochs: float | None = None,
            when_capped: WhenCapped = "spread",
        ) -> None: ...

    def __post_init__(self) -> None:
        object.__setattr__(self, "sources", dict(self.sources))
        object.__setattr__(self, "temperature", as_schedule(self.temperature))
        _check_names(self.sources)
        _check_kinds(self.sources)
        if all(source.log_weight == -math.inf for source in self.sources.values()):
            raise InvalidInput("sources: all weights are 0; at least one source must have a weight > 0.")
        if self.max_epochs is not None:
            object.__setattr__(self, "max_epochs", checked_max_epochs(self.max_epochs))
        if self.when_capped not in WHEN_CAPPED:
            raise InvalidInput(
                f"when_capped: got {self.when_capped!r}; it is one of {', '.join(WHEN_CAPPED)}."
            )

    def __repr__(self) -> str:
        parts = [repr(self.sources), f"temperature={self.temperature!r}"]
        parts += [f"max_epochs={self.max_epochs!r}"] if self.max_epochs is not None else []
        parts += [f"when_capped={self.when_capped!r}"] if self.when_capped != "spread" else []
        return f"Mixture({', '.join(parts)})"

    def _repr_html_(self) -> str | None:
        return notebook_html(self)

    def __eq__(self, other: object) -> bool:
        """Whether all is equal, the order of the sources too: it is that of every array about them."""
        if not isinstance(other, Mixture):
            return NotImplemented
        return self._compared == other._compared

    def __hash__(self) -> int:
        return hash(self._compared)

    @property
    def _compared(self) -> tuple[object, ...]:
        return (tuple(self.sources.items()), self.temperature, self.max_epochs, self.when_capped)

    @property
    def names(self) -> tuple[str, ...]:
        """The sources' names, in order."""
        return tuple(self.sources)

    @property
    def scores(self) -> NDArray[np.float64]:
        """(K,) scores w, log weights; -inf for weight 0."""
        return np.array([source.log_weight for source in self.sources.values()])

    def probabilities(self, temperature: ArrayLike) -> NDArray[np.float64]:
        """softmax(w / T): (K,) for a scalar T, (S, K) for T of shape (S,); caps are a plan's matter."""
        return probabilities(self.scores, temperature)


def as_schedule(value: object) -> Schedule:
    """A schedule as it is, a number as a constant one."""
    if isinstance(value, Schedule):
        return value
    number = _plain_number(value)
    if number is None:
        raise InvalidInput(
            f"temperature: got {_shown(value)}; it must be a number >= 0 or a schedule such as "
            "thermix.linear(5.0, 1.0). "
            "A function cannot be written down with the plan: use thermix.piecewise for other shapes."
        )
    return Constant(float(number))


def _check_names(sources: Mapping[str, Source]) -> None:
    if not sources:
        raise InvalidInput("sources: got none; a mixture needs at least one source.")
    if len(sources) > MAX_SOURCES:
        raise InvalidInput(f"sources: got {len(sources)}; the most is {MAX_SOURCES}. Merge small ones.")
    for name, source in sources.items():
        if not str(name).strip() or str(name) != name:
            raise InvalidInput(f"sources: got the name {name!r}; a name is text that is not empty.")
        if not isinstance(source, Source):
            raise InvalidInput(f"sources.{name}: got {source!r}; it must be a thermix.Source.")


def _check_kinds(sources: Mapping[str, Source]) -> None:
    by_kind = _first_of_each_kind(sources.items())
    if len(by_kind) > 1:
        said = ", ".join(f"{name!r} by {kind}" for kind, name in by_kind.items())
        raise InvalidInput(
            f"sources: mixed kinds of score: {said}; all sources say it the same way. "
            "Give every source a score, or every source a weight, or none of them either (then the "
            "size counts)."
        )


def _first_of_each_kind(sources: Iterable[tuple[str, Source]]) -> dict[str, str]:
    first: dict[str, str] = {}
    for name, source in sources:
        first.setdefault(source.kind, name)
    return first
