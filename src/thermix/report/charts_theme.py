"""The looks of the charts: light and dark, as Vega-Lite configurations.

Text and lines in ink, data in its own colours; a scale of temperatures grows darker in light and lighter
in dark, so that it can be read in grey too.
"""

from __future__ import annotations

from typing import Any, Final, Literal

__all__ = ["FONT", "INK", "PAPER", "THEMES", "Theme", "looks"]

Theme = Literal["light", "dark"]

THEMES: Final[tuple[Theme, ...]] = ("light", "dark")
PAPER: Final[dict[Theme, str]] = {"light": "#ffffff", "dark": "#14171c"}
INK: Final[dict[Theme, str]] = {"light": "#1f2328", "dark": "#e4e7eb"}
_FAINT: Final[dict[Theme, str]] = {"light": "#5c6370", "dark": "#a2a9b4"}
_GRID: Final[dict[Theme, str]] = {"light": "#e3e6ea", "dark": "#2d323a"}
_RAMP: Final[dict[Theme, list[float]]] = {"light": [0.88, 0.05], "dark": [0.3, 1.0]}

FONT: Final = "sans-serif"
"""What a picture's renderer brings itself: the same on every machine. Other scripts come from other fonts."""


def looks(theme: Theme) -> dict[str, Any]:
    """Return the Vega-Lite configuration of a theme."""
    ink, faint, grid = INK[theme], _FAINT[theme], _GRID[theme]
    return {
        "background": PAPER[theme],
        "font": FONT,
        "padding": 14,
        "view": {"stroke": None},
        "title": {
            "color": ink,
            "subtitleColor": faint,
            "anchor": "start",
            "fontSize": 15,
            "subtitleFontSize": 12,
            "subtitleLineHeight": 16,
            "frame": "group",
            "offset": 12,
        },
        "axis": {
            "labelColor": faint,
            "titleColor": faint,
            "titleFontWeight": "normal",
            "labelFontSize": 11,
            "titleFontSize": 11,
            "gridColor": grid,
            "domainColor": faint,
            "tickColor": faint,
            "labelLimit": 240,
        },
        "legend": {
            "labelColor": ink,
            "titleColor": faint,
            "titleFontWeight": "normal",
            "labelFontSize": 11,
            "titleFontSize": 11,
            "symbolStrokeWidth": 1.5,
        },
        "header": {"labelColor": ink, "titleColor": faint, "labelFontSize": 12},
        "text": {"color": ink, "fontSize": 11, "limit": 280},
        "rule": {"color": faint},
        "tick": {"color": ink, "thickness": 2},
        "area": {"stroke": PAPER[theme], "strokeWidth": 0.8},
        "point": {"stroke": ink},
        "range": {"ordinal": {"scheme": "viridis", "extent": _RAMP[theme]}},
    }
