"""`thermix report`: a page to share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thermix.cli.plot import compared_schedules

__all__ = ["report"]


def report(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="A configuration, such as mix.yaml.", show_default=False)
    ],
    more: Annotated[
        list[str] | None,
        typer.Argument(metavar="SCHEDULE", help="More schedules for --compare.", show_default=False),
    ] = None,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="The page, an .html.")] = Path(
        "report.html"
    ),
    run: Annotated[
        Path | None,
        typer.Option(metavar="LOG", help="A run's log: JSON lines with step and source, or step and counts."),
    ] = None,
    compare: Annotated[
        list[str] | None,
        typer.Option(metavar="SCHEDULE", help="Compare with it, such as: linear cosine step."),
    ] = None,
) -> None:
    """Write a page of what a configuration does.

    thermix report mix.yaml -o report.html

    One file that works offline: what was asked, the forecast, charts with values under the pointer, warnings
    in words, and the commands to do it again. With --run the draws in a run's log are counted beside those
    planned: lines as thermix stream prints them, or {"step": 7, "counts": {"web": 12}}.
    """
    schedules = compared_schedules(compare, more)
    from thermix.report.output_file import checked_output, write_whole

    checked_output(out, ("html",))
    from thermix.report.asked import read_asked

    asked = read_asked(config, run, schedules)
    from thermix.report.page import report_page

    write_whole(out, report_page(asked).encode())
    from thermix.cli.output import Output

    Output().lines([f"wrote {out}"])
