"""`thermix batch`: the items of a step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thermix.errors import InvalidInput

if TYPE_CHECKING:
    from thermix.cli.output import Output
    from thermix.plan.plan import Batch, Plan

__all__ = ["batch"]

_ROWS = 20


def batch(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="A configuration, such as mix.yaml.", show_default=False)
    ],
    step: Annotated[str, typer.Option(metavar="STEP", help="Which step, from 0.", show_default=False)],
    rank: Annotated[str, typer.Option(metavar="RANK", help="Only the draws of this rank, from 0.")] = "0",
    world_size: Annotated[str, typer.Option(metavar="RANKS", help="Number of ranks.")] = "1",
    limit: Annotated[
        str | None,
        typer.Option(metavar="N", help="Show the first N draws. [default: 20 in the table, all in JSON]"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON with the exact values.")] = False,
) -> None:
    """Show which items a step draws.

    thermix batch mix.yaml --step 123 --rank 1 --world-size 4

    The slot is a draw's place in the global batch; the ranks' batches one after the other are the
    global batch. The item is an index into its source; the epoch counts passes over it, from 0.
    """
    from thermix.cli.output import whole
    from thermix.config import load_plan

    at, of_rank, ranks = (
        whole(option, text) for option, text in (("step", step), ("rank", rank), ("world-size", world_size))
    )
    shown = None if limit is None else whole("limit", limit)
    if shown is not None and shown < 0:
        raise InvalidInput(f"--limit: got {shown}; it must be at least 0. Leave it out for the default.")
    plan = load_plan(config)
    drawn = plan.batch(at, of_rank, ranks)
    if json:
        from thermix.cli.output import print_json
        from thermix.report.records import batch_record

        print_json(batch_record(plan.names, at, plan.temperature(at), drawn, shown))
        return
    from thermix.cli.output import Output

    _print(Output(), plan, drawn, (at, of_rank, ranks), _ROWS if shown is None else shown)


def _print(out: Output, plan: Plan, drawn: Batch, place: tuple[int, int, int], limit: int) -> None:
    """Print the first draws of a batch; `place` is its step, rank and number of ranks."""
    from thermix.plan.plan import rank_slice
    from thermix.report.tables import batch_table
    from thermix.report.text import temperature_text

    step, rank, ranks = place
    draws = len(drawn.item)
    rows = min(draws, limit)
    whose = f", rank {rank} of {ranks}" if ranks > 1 else ""
    warmth = temperature_text(plan.temperature(step))
    out.lines([f"step {step:,} of {plan.end:,}, temperature {warmth}{whose}, {draws:,} draws"])
    if rows:
        segment = next(s for s in plan.segments if s.start <= step < s.end)
        first = rank_slice(rank, ranks, segment.batch_size).start
        names = [plan.names[s] for s in drawn.source[:rows]]
        items, epochs = drawn.item[:rows].tolist(), drawn.epoch[:rows].tolist()
        out.gap()
        out.table(batch_table(range(first, first + rows), names, items, epochs, out.width, out.glyphs))
    if rows < draws:
        out.gap()
        out.lines([f"{rows:,} of {draws:,} draws shown; for all of them: --limit {draws}"])
