"""`thermix plot`: charts of a configuration, as a picture or a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thermix.errors import InvalidInput

if TYPE_CHECKING:
    from thermix.report.charts_base import Figure

__all__ = ["compared_schedules", "plot"]

_KINDS = ("png", "svg", "pdf", "html")
_NAMES = ("probabilities", "run", "epochs", "deviation", "compare", "all")


def plot(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="A configuration, such as mix.yaml.", show_default=False)
    ],
    more: Annotated[
        list[str] | None,
        typer.Argument(metavar="SCHEDULE", help="More schedules for --compare.", show_default=False),
    ] = None,
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FILE", help="A .png, .svg, .pdf or .html.", show_default=False),
    ] = ...,  # type: ignore[assignment]
    chart: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHART",
            help=f"{', '.join(_NAMES)}; may be given again. [default: run]",
            show_default=False,
        ),
    ] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(metavar="SCHEDULE", help="Compare with it, such as: linear cosine step."),
    ] = None,
    run: Annotated[
        Path | None,
        typer.Option(
            metavar="LOG", help="A run's log, for the chart deviation: what was drawn in place of the plan."
        ),
    ] = None,
    theme: Annotated[
        str | None,
        typer.Option(metavar="THEME", help="light or dark. [default: light; a page follows its reader]"),
    ] = None,
) -> None:
    """Draw what a configuration does.

    thermix plot mix.yaml -o mix.png

    probabilities: the shares by temperature. run: temperature and shares over the run. epochs: passes over
    each source, first repeats, caps, and what repeats are worth. deviation: draws made minus draws owed.
    compare: the mixture under other schedules (linear, cosine, geometric, inverse_linear, step, constant).
    It needs sizes, no data. With --run LOG the chart deviation shows what a run drew, as its log has it.
    """
    schedules = compared_schedules(compare, more)
    names = _chosen(chart or (["deviation"] if run and not schedules else None), schedules)
    if run is not None and "deviation" not in names:
        raise InvalidInput(
            f"--run: with --chart {names[0]}; it is for the chart deviation. Add --chart deviation."
        )
    look = _theme(theme)
    from thermix.report.output_file import checked_output, write_whole

    kind = checked_output(out, _KINDS)
    from thermix.config import load_plan

    plan = load_plan(config)
    from thermix.report.ahead import load_ahead

    load_ahead(page=kind == "html")
    from thermix.report.run_log import read_log

    realised = None if run is None else read_log(run, plan)
    forecast = plan.forecast()
    from thermix.report.charts import USUAL, figures
    from thermix.report.charts_base import subject_of

    shown = figures(subject_of(plan, forecast), names, schedules or USUAL, realised)
    write_whole(out, _made(shown, kind, config.name, look))
    from thermix.cli.output import Output

    Output().lines([f"wrote {out} ({', '.join(names)})"])


def compared_schedules(compare: list[str] | None, more: list[str] | None) -> list[str]:
    """The schedules that `--compare` names: `a b`, `a --compare b` and `a,b` say the same.

    Raises:
        InvalidInput: further words, but no `--compare`.
    """
    if more and not compare:
        raise InvalidInput(f"got {more[0]!r} after the configuration; schedules go with --compare.")
    words = [*(compare or ()), *(more or ())]
    return list(dict.fromkeys(word for part in words for word in part.split(",") if word))


def _chosen(chart: list[str] | None, schedules: list[str]) -> list[str]:
    asked = list(dict.fromkeys(chart or (["compare"] if schedules else ["run"])))
    for name in asked:
        if name not in _NAMES:
            raise InvalidInput(f"--chart: got {name!r}; it is one of {', '.join(_NAMES)}.")
    if "all" in asked:
        return [name for name in _NAMES[:-1] if name != "compare" or schedules]
    if schedules and "compare" not in asked:
        raise InvalidInput(
            f"--compare: with --chart {asked[0]}; it is for the chart compare. Add --chart compare."
        )
    return asked


def _theme(theme: str | None) -> Any:
    if theme not in (None, "light", "dark"):
        raise InvalidInput(f"--theme: got {theme!r}; it is light or dark.")
    return theme


def _made(shown: list[Figure], kind: Any, title: str, theme: Any) -> bytes:
    if kind == "html":
        from thermix.report.page import charts_page

        return charts_page(title, shown, theme).encode()
    from thermix.report.charts_export import picture

    return picture(shown, kind, theme or "light")
