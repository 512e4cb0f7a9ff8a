"""`thermix stream`: the mixed items, in order, as JSON lines."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thermix.errors import InvalidInput

if TYPE_CHECKING:
    from thermix.materialize.lines import Content
    from thermix.prepare.encoders import Encoder
    from thermix.sources import ItemSource
    from thermix.sources.reader import DeliveredBatch

__all__ = ["stream"]


def stream(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG", help="A configuration, such as mix.yaml.", show_default=False)
    ],
    start: Annotated[str, typer.Option(metavar="STEP", help="The first step.")] = "0",
    steps: Annotated[
        str | None, typer.Option(metavar="N", help="So many steps. [default: to the end of the plan]")
    ] = None,
    limit: Annotated[
        str | None, typer.Option(metavar="N", help="At most so many items. [default: all]")
    ] = None,
    rank: Annotated[str, typer.Option(metavar="RANK", help="Only the draws of this rank, from 0.")] = "0",
    world_size: Annotated[str, typer.Option(metavar="RANKS", help="Number of ranks.")] = "1",
    decode: Annotated[bool, typer.Option("--decode", help="Give token sequences as text.")] = False,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            metavar="T", help="Decode with this one. [default: the one the shards were prepared with]"
        ),
    ] = None,
) -> None:
    """Print the mixed items in training order, as JSON lines.

    thermix stream mix.yaml --start 100 --steps 5 | head

    Each line has step, source, item and epoch, and the item itself: tokens, the text of a document, or its
    whole row where the configuration names no field.
    """
    from thermix.cli.output import whole
    from thermix.config import load
    from thermix.sources.reader import BatchReader

    first, most = whole("start", start), None if limit is None else _count("limit", limit)
    plan, sources = load(config)
    with ExitStack() as opened:
        for source in sources.values():
            opened.enter_context(source)
        stop = plan.end if steps is None else min(plan.end, first + _count("steps", steps))
        contents = _contents(sources, decode or tokenizer is not None, tokenizer)
        reader = BatchReader(
            plan, sources, rank=whole("rank", rank), world_size=whole("world-size", world_size), dtype="int64"
        )
        batches = reader.batches(first, max(first, stop))
        with closing(batches):
            for line in islice(_lines(batches, plan.names, contents), most):
                sys.stdout.write(line)


def _count(option: str, text: str) -> int:
    from thermix.cli.output import whole

    number = whole(option, text)
    if number < 0:
        raise InvalidInput(f"--{option}: got {number}; it must be at least 0. Leave it out for all.")
    return number


def _lines(
    batches: Iterator[DeliveredBatch], names: tuple[str, ...], contents: Mapping[str, Content]
) -> Iterator[str]:
    from thermix.materialize.lines import json_lines

    plain = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    for batch in batches:
        yield from json_lines(batch, names, contents, ascii_only=not plain)


def _contents(sources: Mapping[str, ItemSource], decode: bool, tokenizer: str | None) -> dict[str, Content]:
    """How the rows of each source are given."""
    from thermix.materialize.lines import contents_of

    return contents_of(sources, (lambda source: _decoded(_encoder_of(source, tokenizer))) if decode else None)


def _decoded(encoder: Encoder) -> Content:
    def content(row: Any) -> dict[str, Any]:
        return {"text": encoder.decode(row)}

    return content


def _encoder_of(source: ItemSource, tokenizer: str | None) -> Encoder:
    """The encoder that can decode a source's tokens."""
    from thermix.prepare.encoders import encoder_from_identity, open_encoder
    from thermix.sources.manifest import read_manifest

    for folder in getattr(source, "folders", ()):
        manifest = read_manifest(folder)
        if manifest is None:
            continue
        if tokenizer is None:
            return encoder_from_identity(manifest.tokenizer, Path(folder))
        encoder = open_encoder(tokenizer)
        if encoder.vocabulary != manifest.tokenizer.get("vocabulary"):
            raise InvalidInput(
                f"--tokenizer: got {tokenizer}, of {encoder.vocabulary:,} tokens; the shards of "
                f"{source.name} in {folder} are of one with {manifest.tokenizer.get('vocabulary'):,}. "
                "Leave --tokenizer out."
            )
        return encoder
    if tokenizer is None:
        raise InvalidInput(
            f"--decode: the shards of {source.name} have no manifest that names their tokenizer. "
            "Name it: --tokenizer T."
        )
    return open_encoder(tokenizer)
