"""`thermix studio`: a page to design a mixture on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["studio"]


def studio(
    config: Annotated[
        Path | None,
        typer.Argument(
            metavar="[CONFIG]", help="A configuration to open, and to save to.", show_default=False
        ),
    ] = None,
    address: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Where to listen. Others see it there as well.")
    ] = "127.0.0.1",
    port: Annotated[
        int | None, typer.Option(metavar="PORT", help="[default: the first free one from 8501 on]")
    ] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
) -> None:
    """Design a mixture on a page in the browser.

    thermix studio mix.yaml

    Sliders for scores, temperatures and the length of the run, shapes of schedules, caps: every chart and the
    forecast follow. Variants can be pinned side by side, and the YAML copied, downloaded or saved. The page
    is on this machine alone, sends nothing anywhere, and reads and writes no file but the one named here;
    the sizes of its sources are read once, from the data.
    """
    from thermix.studio.server import check_extra, free_port, serve

    check_extra()
    if config is not None:
        from thermix.studio.opened import check_file

        check_file(config)
    number = free_port(address, port)
    from thermix.cli.output import Output

    host = f"[{address}]" if ":" in address else address
    Output().lines([f"thermix studio: http://{host}:{number} (Ctrl-C ends it)"])
    serve(config, address, number, open_browser=open_browser)
