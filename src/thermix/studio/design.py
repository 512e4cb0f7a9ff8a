"""A text to its plan, its forecast and its charts, by the code that reads every configuration.

No file is opened: the sizes of sources that lie in files are those found when the configuration was
opened. The invariant: a text is refused with the words that the command line has for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from thermix.config.build import Config, build
from thermix.config.checks import check_together
from thermix.config.place import Place
from thermix.config.problems import validated
from thermix.plan.mixture import Source
from thermix.plan.plan import Plan
from thermix.report.charts_base import Subject
from thermix.report.charts_cast import steady_cast
from thermix.report.charts_data import sampled_steps
from thermix.studio.knobs import ABSENT, value_at, with_value
from thermix.studio.yaml_text import text_data

__all__ = ["Design", "Measured", "Place", "measured_in", "read_data"]

Measured = Mapping[str, tuple[int, str]]
"""What a source is read from -> how many items that has, and of which unit."""

_READ_FROM = ("path", "field", "dtype")
_SAMPLED = 60


@dataclass(frozen=True)
class Design:
    """A configuration on the page.

    Attributes:
        where: what errors call it.
        text: its YAML.
        measured: the sizes of data that was found.
        follows: what was in the charts before it, whose colours are kept; None for the first.
    """

    where: str
    text: str
    measured: Measured
    follows: Subject | None = field(default=None, compare=False)

    @cached_property
    def config(self) -> Config:
        """What the text says.

        Raises:
            ConfigError: it breaks a rule.
        """
        place = Place(self.where)
        model = validated(_sized(text_data(self.text, place), self.measured), place)
        check_together(model, place)
        return build(model, place, None)

    @property
    def plan(self) -> Plan:
        """The plan that it makes."""
        return self.config.plan

    @cached_property
    def subject(self) -> Subject:
        """The plan with who is named in its charts, as in the design that it follows."""
        shares = self.plan.probabilities(sampled_steps(self.plan, _SAMPLED)).mean(axis=0).tolist()
        same = self.follows is not None and self.follows.plan.names == self.plan.names
        before = self.follows.cast if self.follows is not None and same else None
        return Subject(self.plan, steady_cast(self.plan.names, shares, before))


def read_data(text: str, where: str) -> dict[str, Any] | None:
    """The keys and values of a text; None where it has none at all.

    Raises:
        ConfigError: it is not YAML.
    """
    data = text_data(text, Place(where))
    return data if isinstance(data, dict) else None


def measured_in(config: Config, data: object) -> Measured:
    """The sizes of the sources of a configuration that were found in data, not said by its text."""
    said = {notice.source for notice in config.notices if notice.code == "planned_size"}
    made: list[tuple[tuple[str | int, ...], Mapping[str, Source | None]]] = [
        ((), config.plan.mixture.sources)
    ]
    made += [(("edits", i), edit.sources or {}) for i, edit in enumerate(config.plan.edits)]
    return {
        key: (source.items, source.unit)
        for path, sources in made
        for name, source in sources.items()
        if source is not None and name not in said
        for key in _read_from(value_at(data, (*path, "sources", name)))
    }


def _read_from(source: object) -> Iterator[str]:
    """What a definition is read from, as a text; nothing where it names no path."""
    if value_at(source, ("path",)) is not ABSENT:
        yield repr([value_at(source, (key,)) for key in _READ_FROM if value_at(source, (key,)) is not ABSENT])


def _sized(data: Any, measured: Measured) -> Any:
    """The data with the sizes of its files as `items`, where they are known."""
    edits = value_at(data, ("edits",))
    tops: Iterable[tuple[str | int, ...]] = (
        [(), *(("edits", i) for i in range(len(edits)) if edits[i])] if (isinstance(edits, list)) else [()]
    )
    for top in tops:
        sources = value_at(data, (*top, "sources"))
        for name, source in list(sources.items()) if isinstance(sources, Mapping) else ():
            for key in _read_from(source):
                if key in measured:
                    items, unit = measured[key]
                    said = {k: v for k, v in source.items() if k != "tokens"} | {"items": items, "unit": unit}
                    data = with_value(data, (*top, "sources", name), said)
    return data
