"""`thermix probs`: a table of P over T."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from thermix.errors import InvalidInput

if TYPE_CHECKING:
    from thermix.plan.mixture import Mixture, Source

__all__ = ["probs"]

_DEFAULT_TEMPERATURES = ("0.5", "1", "2", "5", "10", "inf")

Kind = Literal["score", "weight", "size"]


def probs(
    config: Annotated[
        Path | None,
        typer.Argument(metavar="CONFIG", help="Or the sources of a configuration.", show_default=False),
    ] = None,
    score: Annotated[
        list[str] | None, typer.Option(metavar="NAME=X", help="A source and its log weight, any number.")
    ] = None,
    weight: Annotated[
        list[str] | None, typer.Option(metavar="NAME=X", help="Or its weight, >= 0; only ratios matter.")
    ] = None,
    size: Annotated[
        list[str] | None, typer.Option(metavar="NAME=N", help="Or its size: at T = 1 shares go by size.")
    ] = None,
    temperature: Annotated[
        list[str] | None,
        typer.Option(
            "-T", "--temperature", metavar="T", help="A number >= 0, or inf. [default: 0.5 1 2 5 10 inf]"
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON with the exact values.")] = False,
) -> None:
    """Show the probability of every source at some temperatures.

    thermix probs --score web=2 --score books=3 --score code=1 -T 1 -T 10

    P(i | T) = exp(w_i / T) / sum_j exp(w_j / T), w the score: inf draws all sources alike, 1 by the
    scores as given, 0 the best only. Give --score, --weight or --size, each as often as needed, or a
    configuration. "Effective sources" is how many equally likely ones would be as diverse.
    """
    from thermix.core.temperature import effective_sources
    from thermix.report.records import probabilities_record

    mixture = _mixture(config, [("score", score or []), ("weight", weight or []), ("size", size or [])])
    temperatures = [_temperature(text) for text in temperature or _DEFAULT_TEMPERATURES]
    rows = mixture.probabilities(temperatures)
    if json:
        from thermix.cli.output import print_json

        print_json(probabilities_record(mixture.names, temperatures, rows))
        return
    from thermix.cli.output import Output
    from thermix.report.tables import probability_tables

    out = Output()
    tables = probability_tables(
        mixture.names, temperatures, rows, effective_sources(rows), out.width, out.glyphs
    )
    for i, table in enumerate(tables):
        if i:
            out.gap()
        out.table(table)


def _mixture(config: Path | None, given: list[tuple[Kind, list[str]]]) -> Mixture:
    from thermix.plan.mixture import Mixture

    texts = [(kind, text) for kind, of_kind in given for text in of_kind]
    if config is not None:
        if texts:
            raise InvalidInput(
                f"probs: got both {config} and --{texts[0][0]} {texts[0][1]}; the sources come "
                "from one of them. Remove the other."
            )
        from thermix.config import load_plan

        return load_plan(config).mixture
    if not texts:
        raise InvalidInput(
            "probs: got no sources; give at least one, as in --score web=2 --score books=3, "
            "or a configuration."
        )
    sources: dict[str, Source] = {}
    for kind, text in texts:
        name, source = _source(kind, text)
        if name in sources:
            raise InvalidInput(
                f"--{kind} {text}: the source {name!r} is given twice; a name stands for one source."
            )
        sources[name] = source
    return Mixture(sources)


def _source(kind: Kind, text: str) -> tuple[str, Source]:
    """Name and source of one option; its name may hold "=", its number cannot."""
    from thermix.plan.mixture import Source

    name, equals, number = text.rpartition("=")
    example = {"score": "web=2", "weight": "web=0.7", "size": "web=3.2e9"}[kind]
    if not equals or not name.strip():
        raise InvalidInput(
            f"--{kind} {text}: got no name and number; it must be NAME=NUMBER, as in --{kind} {example}."
        )
    where = f"--{kind} {text}"
    try:
        value = float(number)
    except ValueError:
        raise InvalidInput(
            f"{where}: got {number!r} for {name!r}; it must be a number, as in --{kind} {example}."
        ) from None
    try:
        if kind == "size":
            return name, Source(items=_whole(number, value))
        return name, Source(score=value, items=1) if kind == "score" else Source(weight=value, items=1)
    except InvalidInput as error:
        raise InvalidInput(f"{where}: {error}") from None


def _whole(text: str, value: float) -> int:
    """A size as written: 3.2e9 is a whole number, 0.5 is none."""
    from fractions import Fraction

    if value != value or abs(value) == float("inf"):
        raise InvalidInput(f"size: got {text}; it must be a finite number.")
    exact = Fraction(text.strip())
    if exact.denominator != 1:
        raise InvalidInput(f"size: got {text}; it must be a whole number. For a fraction use --weight.")
    return int(exact)


def _temperature(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = None
    if value is None or not value >= 0.0:
        raise InvalidInput(
            f"-T {text}: it must be a number >= 0, or inf. 0 takes the best source only, "
            "inf draws all sources alike."
        )
    return value + 0.0  # -0.0 becomes 0.0
