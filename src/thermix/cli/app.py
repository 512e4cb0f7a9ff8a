"""The verbs and their help; what each does is in its own file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from thermix.cli.batch import batch
from thermix.cli.check import check
from thermix.cli.demo import demo
from thermix.cli.export import export
from thermix.cli.materialize import materialize
from thermix.cli.plan import plan
from thermix.cli.plot import plot
from thermix.cli.prepare import prepare
from thermix.cli.probs import probs
from thermix.cli.report import report
from thermix.cli.schema import schema
from thermix.cli.stream import stream
from thermix.cli.studio import studio

__all__ = ["run"]


class _Verbs(TyperGroup):
    """The verbs in the order of their use; a reader that went away is a status of its own."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise _ReaderGone from None


class _ReaderGone(Exception):
    """Typer makes status 1 of a broken pipe, which is a failed check here."""


app = typer.Typer(
    cls=_Verbs,
    add_completion=False,
    rich_markup_mode=None,  # plain help: the same everywhere, and without 0.2 s of imports
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from thermix import __version__

        print(f"thermix {__version__}")
        raise typer.Exit


@app.callback(
    help="""Mix the sources of a training set by temperature.

    \b
    thermix demo              see it at work, on files of this machine
    thermix plan mix.yaml     forecast a configuration, before any data exists

    The draws of every step are a function of the plan and the step. Each verb prints tables for people,
    and with --json the exact values. Exit status: 0 fine, 1 a check failed, 2 wrong use or
    configuration, 3 damaged data."""
)
def _thermix(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


for _verb in (
    demo,
    probs,
    plan,
    plot,
    report,
    studio,
    batch,
    prepare,
    check,
    stream,
    materialize,
    export,
    schema,
):
    app.command()(_verb)


def run(words: Sequence[str]) -> int:
    """Run the verb that the words name; return its exit status.

    Raises:
        BrokenPipeError: nobody reads the output any more.
        Exception: whatever the verb raises, and typer's own for a wrong use.
    """
    try:
        status = get_command(app).main(args=list(words), prog_name="thermix", standalone_mode=False)
    except _ReaderGone:
        raise BrokenPipeError from None
    return status if isinstance(status, int) else 0
