"""`thermix export`: a plan for trainers that mix by themselves."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from thermix.cli.output import Output
    from thermix.export.run import Exported

__all__ = ["export"]


def export(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="A configuration, such as mix.yaml.", show_default=False)
    ],
    to: Annotated[
        str,
        typer.Option(
            metavar="TRAINER", help="megatron, levanter, nanotron, energon or mosaic.", show_default=False
        ),
    ],
    stages: Annotated[
        str, typer.Option(metavar="N", help="At most so many stages of constant weights.")
    ] = "8",
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder for the files. [default: export-TRAINER]")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON with the exact values.")] = False,
) -> None:
    """Write the plan for a trainer that mixes by itself, in stages.

    thermix export mix.yaml --to megatron --stages 8

    Such trainers know weights, no temperature: the plan is cut into stages where constant weights come
    nearest, and the table says how far they are from it, in draws. Exact instead: use thermix in the training
    loop, or thermix materialize.
    """
    from thermix.cli.output import Output, print_json, whole
    from thermix.export.run import export as run
    from thermix.export.run import export_record

    folder = Path(f"export-{to}") if out is None else out
    done = run(config, folder, to=to, stages=whole("stages", stages))
    if json:
        print_json(export_record(done) | {"folder": str(folder)})
        return
    output = Output()
    output.lines(_summary(done, folder))
    output.gap()
    output.table(_table(done, output))
    output.gap()
    output.lines(f"not said: {text}" for text in done.cannot)


def _summary(done: Exported, folder: Path) -> Iterator[str]:
    from thermix.cli.output import counted, shown_path

    files = ", ".join(_shortened(sorted(done.files)))
    yield f"{shown_path(folder)}: {files}; {counted(len(done.stages), 'stage')} for {done.trainer.name}"
    far = done.distance.farthest
    share = abs(far.largest) / max(1, done.plan.draws)
    yield (
        f"farthest from the plan: {far.name}, {_signed(far.largest)} draws before step {far.at_step:,} "
        f"({share:.2%} of all draws)"
    )


def _shortened(names: list[str]) -> list[str]:
    return names if len(names) <= 3 else [names[0], "...", names[-1]]


def _table(done: Exported, output: Output) -> Table:
    from thermix.report.layout import Column, lay_out
    from thermix.report.text import count_text, legible

    sources, length = done.distance.sources, done.plan.sequence_length
    columns = [
        Column("source", [legible(s.name, output.glyphs.encoding) for s in sources], right=False, clip=True),
        Column("draws", [count_text(s.draws) for s in sources]),
        Column("largest\ndeviation", [_signed(s.largest) for s in sources]),
        Column("before\nstep", [f"{s.at_step:,}" for s in sources]),
        Column("final\ndeviation", [_signed(s.final) for s in sources]),
        Column("its own\nnoise", [f"{s.noise:,.1f}" for s in sources]),
    ]
    if length is not None:
        tokens = [count_text(round(abs(s.largest) * length)) for s in sources]
        columns.insert(3, Column("in\ntokens", tokens))
    return lay_out(columns, output.width, output.glyphs)


def _signed(draws: float) -> str:
    return f"{round(draws, 1) + 0.0:+,.1f}"  # no "-0.0"
