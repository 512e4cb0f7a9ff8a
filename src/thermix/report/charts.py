"""The charts by name; each is defined in a file of its own.

    plan -> Subject (forecast, who is named) -> Figure (an altair chart, and its rows) -> charts_export.py

The invariant: a chart's rows are what the plan says, to the last digit (`charts_data.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from thermix.report.charts_base import Figure, Subject
from thermix.report.charts_compare import compare_figure
from thermix.report.charts_deviation import deviation_figure
from thermix.report.charts_epochs import epochs_figure
from thermix.report.charts_probabilities import probabilities_figure
from thermix.report.charts_run import run_figure

__all__ = ["CHARTS", "USUAL", "figures"]

_OF_A_PLAN: Final[dict[str, Callable[[Subject], Figure]]] = {
    "probabilities": probabilities_figure,
    "run": run_figure,
    "epochs": epochs_figure,
    "deviation": deviation_figure,
}

CHARTS: Final = (*_OF_A_PLAN, "compare")
"""The names of the charts."""

USUAL: Final = ("linear", "cosine", "step")
"""Schedules that are compared where none are named."""


def figures(subject: Subject, names: Sequence[str], compared: Sequence[str] = USUAL) -> list[Figure]:
    """Return charts of a plan.

    Args:
        subject: the plan.
        names: of `CHARTS`.
        compared: the schedules of the chart "compare".

    Raises:
        InvalidInput: the schedules cannot be compared.
    """
    return [
        compare_figure(subject, compared) if name == "compare" else _OF_A_PLAN[name](subject)
        for name in names
    ]
