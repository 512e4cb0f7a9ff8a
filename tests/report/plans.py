"""Plans and consoles that the tests of the reports share."""

from __future__ import annotations

from io import StringIO

from rich.console import Console, RenderableType

from thermix.core.schedule import linear
from thermix.plan.mixture import Mixture, Source
from thermix.plan.plan import Plan


def small_plan() -> Plan:
    """Three sources under a falling temperature; books repeat, the Chinese ones are rare."""
    sources = {
        "web": Source(score=2.0, items=10_000_000),
        "books": Source(score=3.0, items=2_000),
        "网页文本": Source(score=0.5, items=50_000),
    }
    mixture = Mixture(sources, temperature=linear(5.0, 1.0, until="80%"))
    return Plan(mixture, steps=1_000, batch_size=64, sequence_length=2_048)


def printed(renderable: RenderableType, width: int = 80) -> list[str]:
    """The lines that a plain console prints."""
    file = StringIO()
    Console(file=file, width=width, highlight=False, markup=False, color_system=None).print(
        renderable, crop=False
    )
    return file.getvalue().splitlines()
