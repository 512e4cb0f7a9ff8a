"""`thermix materialize`: a mixed run written out in training order."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thermix.errors import InvalidInput

if TYPE_CHECKING:
    from thermix.materialize.run import Materialized

__all__ = ["materialize"]


def materialize(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="A configuration, such as mix.yaml.", show_default=False)
    ],
    out: Annotated[
        str,
        typer.Option(metavar="DIR", help="Folder for the files, or s3://BUCKET/FOLDER.", show_default=False),
    ],
    format: Annotated[
        str,
        typer.Option(metavar="F", help="jsonl, parquet, or bin (token sequences).", show_default=False),
    ],
    steps: Annotated[
        str,
        typer.Option(
            metavar="A:B", help="Steps A up to B, such as 0:500. [default: all]", show_default=False
        ),
    ] = ":",
    ranks: Annotated[
        str | None, typer.Option(metavar="N", help="One folder a rank, for N ranks. [default: none]")
    ] = None,
    steps_per_file: Annotated[
        str | None, typer.Option(metavar="N", help="[default: 256 MB of tokens, or 50,000 documents]")
    ] = None,
    processes: Annotated[
        str | None,
        typer.Option(metavar="N", help="The files do not depend on it. [default: one a processor]"),
    ] = None,
    engine: Annotated[
        str, typer.Option(metavar="E", help="local: processes here. ray: a Ray cluster.")
    ] = "local",
    address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Of the Ray cluster. [default: as Ray finds it]")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write the mixed items to files, in training order.

    thermix materialize mix.yaml --out run --format jsonl --steps 0:500

    For trainers that cannot mix as they go: read the files front to back, without shuffling. JSONL has the
    lines of thermix stream, Parquet the same as columns, bin Megatron-LM .bin/.idx with one sequence a
    document. After a crash the same command goes on where it was, to the same bytes.
    """
    from thermix.cli.engines import chosen_engine
    from thermix.cli.output import Output, print_json, shown_path, whole
    from thermix.cli.progress import ItemsBar
    from thermix.config import load
    from thermix.materialize.run import materialize as run

    start, stop = _span(steps)
    options: dict[str, Any] = {
        "ranks": 0 if ranks is None else whole("ranks", ranks),
        "steps_per_file": None if steps_per_file is None else whole("steps-per-file", steps_per_file),
        "processes": None if processes is None else whole("processes", processes),
        "engine": chosen_engine(engine, address, processes),
    }
    plan, sources = load(config)
    with ExitStack() as opened:
        for source in sources.values():
            opened.enter_context(source)
        bar = opened.enter_context(ItemsBar(shown_path(out)))
        done = run(plan, sources, out, layout=format, start=start, stop=stop, watcher=bar, **options)  # type: ignore[arg-type]
    if json:
        print_json(_record(out, done))
    else:
        Output().lines([_summary(out, done)])


def _span(text: str) -> tuple[int, int | None]:
    first, colon, last = text.partition(":")
    try:
        if not colon:
            raise ValueError
        return int(first or "0"), int(last) if last else None
    except ValueError:
        raise InvalidInput(
            f"--steps: got {text!r}; a span is written A:B, and holds steps A to B - 1. For example 0:500."
        ) from None


def _summary(out: str, done: Materialized) -> str:
    from thermix.cli.output import counted, shown_path

    manifest = done.manifest
    files = sum(len(span.files) for span in manifest.spans)
    tokens = f", {counted(manifest.tokens, 'token')}" if manifest.tokens else ""
    steps = f"steps {manifest.job.start:,} to {manifest.job.stop:,}"
    what = f"{steps}, {counted(manifest.items, 'item')}{tokens}, {counted(files, 'file')}"
    if not done.made:
        return f"{shown_path(out)}: it was materialized already: {what}"
    if done.made < done.tasks:
        before = done.tasks - done.made
        return f"{shown_path(out)}: {what}; {before:,} of {done.tasks:,} spans were done before"
    return f"{shown_path(out)}: {what}"


def _record(out: str, done: Materialized) -> dict[str, Any]:
    manifest = done.manifest
    return {
        "folder": out,
        "fingerprint": manifest.job.fingerprint,
        "steps": [manifest.job.start, manifest.job.stop],
        "format": manifest.job.layout,
        "items": manifest.items,
        "tokens": manifest.tokens,
        "files": sum(len(span.files) for span in manifest.spans),
        "bytes": sum(file.bytes for span in manifest.spans for file in span.files),
        "spans": done.tasks,
        "spans_done_before": done.tasks - done.made,
    }
