"""How a notebook shows a mixture, a plan or a forecast: the one way up, to what the `report` extra draws.

The invariant: nothing above is imported before a notebook asks, and without the extra plain text is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from thermix.errors import MissingExtra

if TYPE_CHECKING:
    from thermix.plan.forecast import Forecast
    from thermix.plan.mixture import Mixture
    from thermix.plan.plan import Plan

__all__ = ["notebook_html"]


def notebook_html(value: Mixture | Plan | Forecast) -> str | None:
    """A small table and a chart as HTML; None where the libraries for it are not installed."""
    try:
        from thermix.report.notebook import small_html
    except MissingExtra:
        return None
    return small_html(value)
