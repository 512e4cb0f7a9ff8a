"""The demo's report: the page that `thermix report` writes, of the plan and of what was really read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from thermix.demo.folder import add_file
from thermix.demo.reading import ReadStep, Tally
from thermix.errors import MissingExtra

__all__ = ["LOG", "REPORT", "write_log", "write_report"]

LOG = "run.jsonl"
REPORT = "report.html"


def write_log(folder: Path, reads: Sequence[ReadStep], tally: Tally) -> Path:
    """Write how many texts of each source every step had, told by the texts."""
    lines = []
    for read in reads:
        counts = Counter(tally.names[tally.owner[text]] for text in read.texts)
        lines.append(json.dumps({"step": read.step, "counts": counts}, ensure_ascii=False) + "\n")
    return add_file(folder, LOG, "".join(lines).encode())


def write_report(folder: Path, config: Path, log: Path) -> tuple[Path | None, str]:
    """Write the report of a configuration and a log of its run.

    Returns:
        Where it is, and what to say of it; None and how to install what it needs, where that is not there.
    """
    try:
        from thermix.report.asked import read_asked
        from thermix.report.page import report_page
    except MissingExtra as missing:
        return None, str(missing)
    page = report_page(read_asked(config, log))
    return add_file(
        folder, REPORT, page.encode()
    ), "Charts and tables of the plan and of this run, in one page."
