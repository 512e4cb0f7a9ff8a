"""What the demo prints: one function a block, each a heading, a sentence that says what it means, a table.

Nothing is computed here but text. Invariant: whatever is in a text, no line is wider than the
console, but for commands to copy.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from thermix.demo.mixture import STYLES
from thermix.demo.proofs import Proof
from thermix.demo.reading import ReadStep, Tally
from thermix.demo.texts import Collection
from thermix.plan.forecast import Forecast
from thermix.plan.plan import Plan
from thermix.report.layout import Column, lay_out, width_of
from thermix.report.text import Glyphs, epochs_text, glyphs_for, legible, share_text

__all__ = ["Page"]

_WIDEST = 100
_SHOWN = 5
_STEP = 123


@dataclass(frozen=True)
class Page:
    """Where the blocks go."""

    console: Console

    @property
    def width(self) -> int:
        """Cells in a line: of the console, at most 100."""
        return min(self.console.width, _WIDEST)

    @property
    def glyphs(self) -> Glyphs:
        """Signs that the console can show."""
        return glyphs_for(self.console.encoding)

    @property
    def is_live(self) -> bool:
        """Whether what is printed can be moved over: a terminal, not a pipe."""
        return self.console.is_terminal and not self.console.is_dumb_terminal

    def waiting(self, what: str) -> AbstractContextManager[object]:
        """Show on a terminal what is being done, for as long as it takes."""
        return self.console.status(Text(what, style="dim"), spinner="line") if self.is_live else nullcontext()

    def heading(self, title: str, meaning: str) -> None:
        """Print a title, and in a sentence what follows."""
        self.console.print()
        self.console.print(Text(title, style="bold"), width=self.width)
        self._paragraph(Text(), meaning, "dim")
        self.console.print()

    def sources(self, collections: Sequence[Collection], sizes: dict[str, int], out: Path) -> None:
        """The sources as they were written."""
        self.heading(
            "Sources",
            f"Real text found on this machine, written to {out} as JSON Lines. A score says how much of a "
            "source is wanted.",
        )
        self._table(
            Column("source", [c.name for c in collections], right=False),
            Column("items", [f"{len(c.rows):,}" for c in collections]),
            Column("size", [f"{sizes[f'{c.name}.jsonl'] / 1e6:.1f} MB" for c in collections]),
            Column("score", [f"{c.score:g}" for c in collections]),
            Column("what its items are", [c.what for c in collections], right=False, clip=True),
        )

    def mixture(self, plan: Plan) -> None:
        """The heading over the bars."""
        first, last = plan.temperature(0), plan.temperature(plan.end - 1)
        self.heading(
            "The mixture over the run",
            "A draw picks a source with probability proportional to exp(score / T). T falls "
            f"from {first:.2g} (breadth) to {last:.2g} (focus) in {plan.end:,} steps. All {plan.draws:,} "
            "items are read.",
        )

    def items(self, plan: Plan, reads: Sequence[ReadStep]) -> None:
        """The first draws of the first and of the last step, a line each."""
        self.heading(
            "Some of the items", "The first draws of the first step and of the last, as they were read."
        )
        shown = [(read, slot) for read in (reads[0], reads[-1]) for slot in range(_SHOWN)]
        columns = [
            Column("step", [str(read.step) for read, _ in shown]),
            Column("source", [plan.names[read.batch.source[slot]] for read, slot in shown], right=False),
            Column("item", [f"{read.batch.item[slot]:,}" for read, slot in shown]),
            Column("epoch", [str(read.batch.epoch[slot]) for read, slot in shown]),
        ]
        room = max(self.width - width_of(columns) - 2, 10)
        texts = [self._one_line(read.texts[slot], room) for read, slot in shown]
        self._table(*columns, Column("text", texts, right=False))

    def shares(self, forecast: Forecast, tally: Tally) -> None:
        """Planned beside realised."""
        self.heading(
            "Planned and realised",
            "Planned: the formula's probabilities, added up over all draws. Realised: counted in the "
            "texts that were read.",
        )
        total = sum(tally.drawn)
        self._table(
            Column("source", tally.names, right=False),
            Column("planned\ndraws", [f"{s.expected_draws:,.1f}" for s in forecast]),
            Column("realised\ndraws", [f"{drawn:,}" for drawn in tally.drawn]),
            Column("planned\nshare", [share_text(s.share_mean) for s in forecast]),
            Column("realised\nshare", [share_text(drawn / total) for drawn in tally.drawn]),
            Column("share at\nthe start", [share_text(s.share_first) for s in forecast]),
            Column("share at\nthe end", [share_text(s.share_last) for s in forecast]),
        )

    def epochs(self, forecast: Forecast, tally: Tally) -> None:
        """How often each source was gone through."""
        self.heading(
            "Epochs",
            "Every item of a source comes once before any comes again; then all again, in a new "
            "order. Counted in the texts that were read.",
        )
        spans = [tally.fewest_and_most(i) for i in range(len(tally.names))]
        self._table(
            Column("source", tally.names, right=False),
            Column("items", [f"{s.items:,}" for s in forecast]),
            Column("drawn", [f"{drawn:,}" for drawn in tally.drawn]),
            Column("epochs", [epochs_text(d / s.items) for d, s in zip(tally.drawn, forecast, strict=True)]),
            Column("each item came", [_times(*span) for span in spans]),
            Column("first repeat", [self._at_step(step) for step in tally.first_repeat]),
        )

    def proofs(self, proofs: Sequence[Proof]) -> None:
        """What was checked, and whether it holds."""
        self.heading("Checks", "What comes out is what was planned: from any step, on any number of ranks.")
        for proof in proofs:
            style, word = ("green", "ok") if proof.holds else ("bold red", "FAILED")
            line = Text.assemble((f"{word:<6}", style), f"  {proof.name:<6}  ")
            self._paragraph(line, proof.said)

    def report(self, path: Path | None, said: str) -> None:
        """Where the report is, or what it needs."""
        self.heading("The report", said)
        if path is not None:
            self.console.print(Text(f"  {path}", style=STYLES[0]), soft_wrap=True)

    def files(self, out: Path, files: Sequence[str], collections: Sequence[Collection]) -> None:
        """Where everything is, and what to try."""
        self.heading("Try next", f"{files[-1]} is the whole experiment. In {out}: {', '.join(files)}")
        config = shlex.quote(str(out / files[-1]))
        command = _command()
        scores = " ".join(f"--score {c.name}={c.score:g}" for c in collections)
        for line in (
            f"{command} plan {config}",
            f"{command} batch {config} --step {_STEP}",
            f"{command} batch {config} --step {_STEP} --rank 1 --world-size 4",
            f"{command} probs {scores} -T 5 -T 1",
        ):
            self.console.print(Text(f"  {line}", style=STYLES[0]), soft_wrap=True)

    def _table(self, *columns: Column) -> None:
        self.console.print(lay_out(columns, self.width, self.glyphs))

    def _paragraph(self, start: Text, sentence: str, style: str = "") -> None:
        """Print a sentence after what begins its first line; further lines are indented as far."""
        indent = " " * cell_len(start.plain)
        wrapped = Text(sentence, style=style).wrap(self.console, max(self.width - len(indent), 20))
        for i, line in enumerate(wrapped):
            line.rstrip()
            self.console.print((start if i == 0 else Text(indent)) + line)

    def _one_line(self, text: str, room: int) -> str:
        """The beginning of a text, white space as single spaces, cut to cells."""
        line = legible(re.sub(r"\s+", " ", text[: 4 * room]).strip(), self.glyphs.encoding)
        if cell_len(line) <= room and len(text) <= 4 * room:
            return line
        short = Text(line)
        short.truncate(room - cell_len(self.glyphs.ellipsis), overflow="crop")
        return short.plain.rstrip() + self.glyphs.ellipsis

    def _at_step(self, step: int | None) -> str:
        return self.glyphs.none if step is None else f"step {step:,}"


def _times(fewest: int, most: int) -> str:
    between = "or" if most - fewest == 1 else "to"
    return f"{most} times" if fewest == most else f"{fewest} {between} {most} times"


def _command() -> str:
    """How this thermix is called from here."""
    if shutil.which("thermix"):
        return "thermix"
    called = Path(sys.argv[0])
    return shlex.quote(str(called)) if called.name == "thermix" else "python -m thermix"
