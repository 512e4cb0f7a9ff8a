"""`thermix prepare`: raw text to token shards."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from thermix.errors import InvalidInput

if TYPE_CHECKING:
    from thermix.prepare.run import Prepared

__all__ = ["prepare"]

_FIELD = "text"
_SHARD_SIZE = "64MiB"


def prepare(
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Files, folders or globs of raw text; or one configuration, such as mix.yaml.",
            show_default=False,
        ),
    ],
    tokenizer: Annotated[
        str | None,
        typer.Option(
            metavar="T", help="bytes, a tokenizer.json, tiktoken:NAME or hf:NAME.", show_default=False
        ),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Folder for the shards, or s3://BUCKET/FOLDER.", show_default=False),
    ] = None,
    field: Annotated[
        str | None, typer.Option(metavar="NAME", help="Field of a row that holds its text. [default: text]")
    ] = None,
    end_of_document: Annotated[
        str | None,
        typer.Option(metavar="TOKEN", help="Put behind each document. [default: the tokenizer's own]"),
    ] = None,
    shard_size: Annotated[
        str, typer.Option(metavar="SIZE", help="About so much text in a shard, such as 64MiB or 1GB.")
    ] = _SHARD_SIZE,
    processes: Annotated[
        str | None,
        typer.Option(metavar="N", help="The shards do not depend on it. [default: one a processor]"),
    ] = None,
    engine: Annotated[
        str, typer.Option(metavar="E", help="local: processes here. ray: a Ray cluster.")
    ] = "local",
    address: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Of the Ray cluster. [default: as Ray finds it]")
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="List broken rows in skipped.jsonl instead of stopping.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Turn raw text into token shards, once and without risk.

    thermix prepare "raw/web/*.jsonl" --tokenizer tokenizer.json --out shards/web

    Reads JSON Lines (plain, gz, zst, bz2, xz), Parquet, CSV, text and Arrow; writes Megatron-LM .bin/.idx and
    a manifest with checksums. After a crash the same command goes on where it was, to the same bytes. With
    a configuration it prepares every raw source of it, so that thermix plan mix.yaml just works.
    """
    from thermix.cli.engines import chosen_engine
    from thermix.cli.output import whole

    options = {
        "engine": chosen_engine(engine, address, processes),
        "end_of_document": end_of_document,
        "split_bytes": _size(shard_size),
        "processes": None if processes is None else whole("processes", processes),
        "skip_bad": skip_bad,
    }
    if _is_config(inputs):
        done = list(_config_sources(inputs[0], tokenizer, out, field, options))
        if not done:
            raise InvalidInput(
                f"{inputs[0]}: none of its sources is raw text; there is nothing to prepare. "
                "Raw sources name a field, or the file a tokenizer."
            )
    else:
        done = [_one(inputs, tokenizer, out, field, options)]
    if json:
        from thermix.cli.output import print_json

        print_json({"prepared": [_record(folder, prepared) for folder, prepared in done]})
        return
    from thermix.cli.output import Output

    Output().lines(line for folder, prepared in done for line in _summary(folder, prepared))


def _is_config(inputs: Sequence[str]) -> bool:
    configs = [path for path in inputs if path.lower().endswith((".yaml", ".yml"))]
    if configs and len(inputs) > 1:
        raise InvalidInput(
            f"INPUT: got {configs[0]} and {len(inputs) - 1} more; a configuration is prepared by itself. "
            "Name it alone, or raw files only."
        )
    return bool(configs)


def _one(
    inputs: Sequence[str], tokenizer: str | None, out: str | None, field: str | None, options: dict[str, Any]
) -> tuple[str, Prepared]:
    from thermix.cli.output import shown_path
    from thermix.cli.progress import PrepareBar
    from thermix.prepare.run import prepare as run

    if tokenizer is None or out is None:
        missing = "--tokenizer" if tokenizer is None else "--out"
        raise InvalidInput(
            f"{missing}: it is needed to prepare files. For example: thermix prepare {inputs[0]} "
            f"--tokenizer {tokenizer or 'bytes'} --out {out or 'shards'}"
        )
    with PrepareBar(shown_path(out)) as bar:
        return out, run(inputs, out, tokenizer=tokenizer, field=field or _FIELD, watcher=bar, **options)


def _config_sources(
    config: str, tokenizer: str | None, out: str | None, field: str | None, options: dict[str, Any]
) -> Iterator[tuple[str, Prepared]]:
    from thermix.cli.progress import PrepareBar
    from thermix.config import read_raw
    from thermix.prepare.run import prepare as run

    for option, key, value in (("--out", "prepared", out), ("--field", "field", field)):
        if value is not None:
            raise InvalidInput(
                f"{option}: got {value}, and a configuration, which says that itself. "
                f"Write {key}: {value} in {config}."
            )
    for source in read_raw(config):
        given = source.tokenizer or tokenizer
        if given is None or tokenizer not in (None, given):
            raise InvalidInput(
                f"{config}: tokenizer: got {source.tokenizer or 'none'} in the file and "
                f"{tokenizer or 'none'} by --tokenizer; one must be given, and no other. "
                "Write tokenizer: T in the file."
            )
        with PrepareBar(source.name) as bar:
            more = options | {"end_of_document": source.end_of_document or options["end_of_document"]}
            where = f"{config}: sources.{source.name}.path"
            yield (
                source.folder,
                run(
                    source.paths,
                    source.folder,
                    tokenizer=given,
                    field=source.field,
                    watcher=bar,
                    name=where,
                    **more,
                ),
            )


def _summary(folder: str, prepared: Prepared) -> Iterator[str]:
    from thermix.cli.output import counted, shown_path

    manifest, folder = prepared.manifest, shown_path(folder)
    what = (
        f"{counted(len(manifest.shards), 'shard')}, {counted(manifest.documents, 'document')}, "
        f"{counted(manifest.tokens, 'token')} of {manifest.dtype}"
    )
    resumed = prepared.tasks - prepared.made
    if not prepared.made:
        yield f"{folder}: it was prepared already: {what}"
    elif resumed:
        yield f"{folder}: {what}; {resumed:,} of {prepared.tasks:,} pieces were done before"
    else:
        yield f"{folder}: {what}"
    if manifest.skipped:
        from thermix.prepare.folder import SKIPPED

        yield f"{folder}: {counted(manifest.skipped, 'broken row')} left out, listed in {SKIPPED}"


def _record(folder: str, prepared: Prepared) -> dict[str, Any]:
    manifest = prepared.manifest
    return {
        "folder": folder,
        "shards": len(manifest.shards),
        "documents": manifest.documents,
        "tokens": manifest.tokens,
        "skipped": manifest.skipped,
        "dtype": manifest.dtype,
        "tokenizer": manifest.tokenizer,
        "pieces": prepared.tasks,
        "pieces_done_before": prepared.tasks - prepared.made,
    }


def _size(text: str) -> int:
    from thermix.sources.byte_size import byte_size

    return byte_size("--shard-size", text)
