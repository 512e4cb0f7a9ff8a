"""`thermix batch`: the items of a step."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from thermix.errors import InvalidInput

__all__ = ["batch"]

_ROWS = 20


def batch(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="A configuration, such as mix.yaml.", show_default=False)
    ],
    step: Annotated[int, typer.Option(metavar="STEP", help="Which step, from 0.", show_default=False)],
    rank: Annotated[int, typer.Option(metavar="RANK", help="Only the draws of this rank, from 0.")] = 0,
    world_size: Annotated[int, typer.Option(metavar="RANKS", help="Number of ranks.")] = 1,
    limit: Annotated[
        int | None,
        typer.Option(metavar="N", help="Show the first N draws. [default: 20 in the table, all in JSON]"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON with the exact values.")] = False,
) -> None:
    """Show which items a step draws.

    thermix batch mix.yaml --step 123 --rank 1 --world-size 4

    The slot is a draw's place in the global batch; the ranks' batches one after the other are the
    global batch. The item is an index into its source; the epoch counts passes over it, from 0.
    """
    from thermix.config import load_plan

    if limit is not None and limit < 0:
        raise InvalidInput(f"--limit: got {limit}; it must be at least 0. Leave it out for the default.")
    plan = load_plan(config)
    drawn = plan.batch(step, rank, world_size)
    temperature = plan.temperature(step)
    if json:
        from thermix.cli.output import print_json
        from thermix.report.records import batch_record

        print_json(batch_record(plan.names, step, temperature, drawn, limit))
        return
    from thermix.cli.output import Output
    from thermix.plan.plan import rank_slice
    from thermix.report.tables import batch_table
    from thermix.report.text import temperature_text

    out = Output()
    draws = len(drawn.item)
    rows = min(draws, _ROWS if limit is None else limit)
    segment = next(s for s in plan.segments if s.start <= step < s.end)
    first = rank_slice(rank, world_size, segment.batch_size).start
    whose = f", rank {rank} of {world_size}" if world_size > 1 else ""
    warmth = temperature_text(temperature)
    out.lines([f"step {step:,} of {plan.end:,}, temperature {warmth}{whose}, {draws:,} draws"])
    if rows:
        out.gap()
        slots = range(first, first + rows)
        names = [plan.names[s] for s in drawn.source[:rows]]
        items, epochs = drawn.item[:rows].tolist(), drawn.epoch[:rows].tolist()
        out.table(batch_table(slots, names, items, epochs, out.width, out.glyphs))
    if rows < draws:
        out.gap()
        out.lines([f"{rows:,} of {draws:,} draws shown; for all of them: --limit {draws}"])
