"""`thermix check`: whether shards are what they say they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from thermix.prepare.check import Checked

__all__ = ["check"]


def check(
    shards: Annotated[
        list[str],
        typer.Argument(
            metavar="SHARDS...",
            help="Folders of shards, also s3://BUCKET/FOLDER, or .bin and .npy files.",
            show_default=False,
        ),
    ],
    dtype: Annotated[
        str | None, typer.Option(metavar="TYPE", help="Type of a token in .bin files without an index.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check that shards and written runs are whole and undamaged.

    thermix check shards/web

    Every byte is read: sizes, headers and indices, and where thermix wrote a manifest the SHA-256 of every
    file and the range of the tokens. Exit status 3 if anything is wrong; all of it is listed.
    """
    from thermix.cli.output import Output, print_json
    from thermix.cli.progress import bytes_bar
    from thermix.errors import DataError

    found: dict[str, Checked] = {}
    for path in shards:
        with bytes_bar(f"checking {path}") as show:
            found[path] = _checked(path, dtype, show)
    problems = [problem for checked in found.values() for problem in checked.problems]
    if json:
        print_json({"folders": [{"path": path, **checked._asdict()} for path, checked in found.items()]})
    else:
        Output().lines(f"{path}: {_summary(checked)}" for path, checked in found.items())
    if problems:
        raise DataError("\n".join(problems))


def _checked(path: str, dtype: str | None, show: Callable[[int, int], None]) -> Checked:
    from thermix.materialize.check import check_materialization
    from thermix.materialize.check_remote import check_remote
    from thermix.prepare.check import check_shards
    from thermix.sources.files import is_remote

    if is_remote(path):
        return check_remote(path, show=show)
    return check_materialization(path, show=show) or check_shards(path, dtype=dtype, show=show)


def _summary(checked: Checked) -> str:
    from thermix.cli.output import counted

    documents = f"{counted(checked.documents, 'document')}, " if checked.documents else ""
    sums = f"{checked.checksums:,} checksums agree" if checked.checksums else "no checksums to compare"
    wrong = f"; {counted(len(checked.problems), 'problem')}" if checked.problems else ""
    shards = counted(checked.shards, "sound shard")
    return f"{shards}, {documents}{counted(checked.tokens, 'token')}, {sums}{wrong}"
