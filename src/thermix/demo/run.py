"""The demo from its first block to its last."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

import thermix.config
from thermix.demo.blocks import Page
from thermix.demo.folder import CONFIG, write_folder
from thermix.demo.mixture import Bars, watch
from thermix.demo.proofs import Proof, prove_counts, prove_epochs, prove_ranks, prove_resume
from thermix.demo.reading import Tally, read_steps
from thermix.demo.report import LOG, REPORT, write_log, write_report
from thermix.demo.texts import Collection, find_collections
from thermix.errors import CheckFailed

__all__ = ["run_demo"]


def run_demo(out: Path, console: Console, *, seconds: float = 2.5) -> None:
    """Mix real text found on this machine by temperature, read a whole run of it, and check it.

    Args:
        out: folder for the data and `mix.yaml`; made if needed. Its own files are written anew, no others.
        console: where to print; on a terminal the mixture is shown live.
        seconds: how long the live part takes at least; 0 for none.

    Raises:
        InvalidInput: too little text on this machine, or `out` holds files that are not the demo's.
        CheckFailed: what was read is not what was planned; the blocks before say what.
    """
    page = Page(console)
    with page.waiting("Looking for text on this machine"):
        collections = find_collections()
    sizes = write_folder(out, collections, [LOG, REPORT])
    page.sources(collections, sizes, out)
    live = seconds if page.is_live else 0.0
    proofs = _read_and_prove(out / CONFIG, page, collections, live)
    page.proofs(proofs)
    _refuse_failures(proofs)
    with page.waiting("Writing the report"):
        path, said = write_report(out, out / CONFIG, out / LOG)
    page.report(path, said)
    page.files(out, list(sizes), collections)


def _read_and_prove(config: Path, page: Page, collections: Sequence[Collection], live: float) -> list[Proof]:
    plan, sources = thermix.config.load(config)
    with ExitStack() as stack:
        for source in sources.values():
            stack.enter_context(source)
        tally, bars = Tally.of(collections), Bars(plan, page.width, page.glyphs)
        page.mixture(plan)
        reads = watch(read_steps(plan, sources, 0, plan.end), tally, bars, page.console, live)
        write_log(config.parent, reads, tally)
        forecast = plan.forecast()
        page.items(plan, reads)
        page.shares(forecast, tally)
        page.epochs(forecast, tally)
        with page.waiting("Checking"):
            return [
                prove_counts(forecast, tally),
                prove_epochs(forecast, tally),
                prove_resume(config, reads),
                prove_ranks(plan, sources, reads),
            ]


def _refuse_failures(proofs: Sequence[Proof]) -> None:
    failed = [proof.name for proof in proofs if not proof.holds]
    if failed:
        raise CheckFailed(
            f"demo: {', '.join(failed)}: what was read is not what was planned; every check must hold. "
            "This is a defect of thermix: report it with the output above."
        )
