"""One file a case: its rows at each size, and how what a contender gives is measured.

`NAME`, `TITLE`, `UNIT`, `BETTER` and `NOTE` are for the table; `groups(size)` are the rows whose contenders
run in turns; `measure(contender, settings)` gives the figures of a row by the row's label, or by that and
the name of the figure.
"""

from __future__ import annotations

from typing import Literal

__all__ = ["CASES", "Size"]

CASES = ("draws", "start", "resume", "delivery", "accuracy", "text")
Size = Literal["tiny", "quick", "full"]
