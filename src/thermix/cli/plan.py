"""`thermix plan`: what a configuration will do."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["plan"]


def plan(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="A configuration, such as mix.yaml.", show_default=False)
    ],
    json: Annotated[bool, typer.Option("--json", help="Print JSON with the exact values.")] = False,
) -> None:
    """Show what a configuration will do to every source.

    thermix plan mix.yaml

    It needs sizes, no data. Shares are probabilities at the first step, on average, and at the last.
    Draws and epochs (passes over a source) are exact. "First repeat" is the step that draws an item for
    the second time; "ends at" the step from which on a source is drawn no more. Warnings name what may
    not be meant. The curves begin at 0: full is the highest temperature, and the highest share.
    """
    from thermix.config import read_config
    from thermix.plan.advice import advise
    from thermix.report.asked import read_from

    said = read_config(config)
    forecast = said.plan.forecast()
    advice = advise(forecast, {name: read_from(files) for name, files in said.files.items()})
    if json:
        from thermix.cli.output import print_json
        from thermix.report.records import plan_record

        print_json(plan_record(forecast, advice, said.notices))
        return
    from thermix.cli.output import Output
    from thermix.report.plan_text import curves_text, forecast_table, plan_summary, remarks_text

    out = Output()
    out.lines(plan_summary(forecast, config.name, out.glyphs))
    out.gap()
    out.table(forecast_table(forecast, out.width, out.glyphs))
    out.gap()
    out.table(curves_text(forecast, out.width, out.glyphs))
    warnings = list(remarks_text("warning", advice, out.glyphs))
    notes = list(remarks_text("note", said.notices, out.glyphs))
    if warnings or notes:
        out.gap()
    out.lines(warnings, style="yellow")
    out.lines(notes)
