"""`thermix demo`: the main job on data found on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["demo"]


def demo(
    out: Annotated[
        Path, typer.Option(metavar="DIR", help="Where to write the data, the configuration and the results.")
    ] = Path("thermix-demo"),
) -> None:
    """Mix real text found on this machine, and check it by plan.

    thermix demo

    It makes sources of the Python files here, anneals the temperature from 5 to 1, draws real items, and
    proves a resumed run the same. It needs no network, and takes some 20 seconds at most.
    """
    from thermix.cli.output import Output
    from thermix.demo import run_demo

    run_demo(out, Output().console)
