"""The charts by name; each is defined in a file of its own.

    plan -> Subject (forecast, who is named) -> Figure (an altair chart, and its rows) -> charts_export.py

The invariant: a chart's rows are what the plan says, to the last digit (`charts_data.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from thermix.report.charts_base import Figure, Subject, unchecked
from thermix.report.charts_compare import compare_figure
from thermix.report.charts_deviation import deviation_figure
from thermix.report.charts_epochs import epochs_figure
from thermix.report.charts_probabilities import probabilities_figure
from thermix.report.charts_run import run_figure
from thermix.report.run_log import Realised

__all__ = ["CHARTS", "USUAL", "figures"]

_OF_A_PLAN: Final[dict[str, Callable[[Subject], Figure]]] = {
    "probabilities": probabilities_figure,
    "run": run_figure,
    "epochs": epochs_figure,
}

CHARTS: Final = (*_OF_A_PLAN, "deviation", "compare")
"""The names of the charts."""

USUAL: Final = ("linear", "cosine", "step")
"""Schedules that are compared where none are named."""


def figures(
    subject: Subject,
    names: Sequence[str],
    compared: Sequence[str] = USUAL,
    realised: Realised | None = None,
) -> list[Figure]:
    """Return charts of a plan.

    Args:
        subject: the plan.
        names: of `CHARTS`.
        compared: the schedules of the chart "compare".
        realised: what was counted in the log of a run, for the chart "deviation".

    Raises:
        InvalidInput: the schedules cannot be compared.
    """
    made = _OF_A_PLAN | {
        "deviation": lambda subject: deviation_figure(subject, realised),
        "compare": lambda subject: compare_figure(subject, compared),
    }
    with unchecked():
        return [made[name](subject) for name in names]
