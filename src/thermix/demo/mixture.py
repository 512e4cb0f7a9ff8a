"""The mixture falling into place: a bar for every tenth of the run, growing while it is read.

On a terminal it is drawn live, for about as long as asked; elsewhere only the finished table is printed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from thermix.demo.reading import ReadStep, Tally
from thermix.plan.plan import Plan
from thermix.report.text import Glyphs

__all__ = ["STYLES", "Bars", "watch"]

STYLES = ("cyan", "yellow", "magenta")
_SHADES = "█▓░"
_ASCII_SHADES = "#=."
_ROWS = 10
_LEFT = len("from step    5.00  ")
_LEAST_BAR = 10


@dataclass
class Bars:
    """Counts for each tenth of a run, and the lines that show them.

    Attributes:
        plan: the run.
        width: cells in a line.
        glyphs: of the console.
        drawn: a row a tenth that has begun: texts of each source.
    """

    plan: Plan
    width: int
    glyphs: Glyphs
    drawn: list[list[int]] = field(default_factory=list)

    def add(self, step: int, counts: Sequence[int]) -> None:
        """Count the texts of a step."""
        row = self._row_of(step)
        if row == len(self.drawn):
            self.drawn.append([0] * len(counts))
        self.drawn[row] = [before + now for before, now in zip(self.drawn[row], counts, strict=True)]

    def _row_of(self, step: int) -> int:
        return step * _ROWS // self.plan.end

    def lines(self) -> Group:
        """The tenths that have begun: their first step, T there, a bar of the shares, the shares."""
        marked = [f"{shade} {name}" for shade, name in zip(self._shades(), self.plan.names, strict=False)]
        room = max(self.width - _LEFT - sum(len(name) + 2 for name in marked) - 2, _LEAST_BAR)
        title = "drawn in this tenth of the run"[:room]
        heads = f"{'from step':>9}  {'T':>4}  {title:<{room}}" + "".join(f"  {name}" for name in marked)
        rule = self.glyphs.rule * len(heads)
        rows = [self._row(row, counts, marked, room) for row, counts in enumerate(self.drawn)]
        return Group(Text(heads, "bold", no_wrap=True), Text(rule, no_wrap=True), *rows)

    def _row(self, row: int, counts: Sequence[int], marked: Sequence[str], room: int) -> Text:
        first = -(-row * self.plan.end // _ROWS)
        line = Text(f"{first:>9,}  {self.plan.temperature(first):>4.2f}  ", no_wrap=True)
        shares = [count / sum(counts) for count in counts]
        edges = [round(sum(shares[:i]) * room) for i in range(len(shares) + 1)]
        for i, (shade, style) in enumerate(zip(self._shades(), STYLES, strict=False)):
            if i < len(shares):
                line.append(shade * (edges[i + 1] - edges[i]), style=style)
        for share, name in zip(shares, marked, strict=True):
            line.append(f"  {share:>{len(name)}.0%}")
        return line

    def _shades(self) -> str:
        try:
            _SHADES.encode(self.glyphs.encoding)
        except (UnicodeEncodeError, LookupError):
            return _ASCII_SHADES
        return _SHADES


def watch(
    reads: Iterable[ReadStep], tally: Tally, bars: Bars, console: Console, seconds: float
) -> list[ReadStep]:
    """Read the whole run, counting it, and show the bars; live where `seconds` is more than 0."""
    done = []
    with Live(console=console, auto_refresh=False) if seconds > 0 else nullcontext() as live:
        for read in _paced(reads, bars.plan.end, seconds):
            bars.add(read.step, tally.add(read))
            done.append(read)
            if live is not None:
                live.update(Group(bars.lines(), _progress(bars.plan, read.step)), refresh=True)
        if live is not None:
            live.update(bars.lines(), refresh=True)
    if seconds <= 0:
        console.print(bars.lines())
    return done


def _paced(reads: Iterable[ReadStep], steps: int, seconds: float) -> Iterator[ReadStep]:
    """The same, spread over the time given."""
    began = time.monotonic()
    for read in reads:
        time.sleep(max(began + seconds * read.step / steps - time.monotonic(), 0.0))
        yield read


def _progress(plan: Plan, step: int) -> Text:
    warmth = plan.temperature(step)
    return Text(f"\nstep {step + 1:,} of {plan.end:,}   T {warmth:.2f}", style="dim")
