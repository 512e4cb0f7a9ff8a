"""The chart: for every case the row that stands for it, a point a contender, on a log scale.

`python -m benchmarks.chart RESULTS.json RESULTS.svg`
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.contenders import TITLES

__all__ = ["draw", "values_of"]

SHOWN = {
    "draws": "20 sources, T changing, source and item",
    "start": "10^7 draws",
    "resume": "at draw 10^6",
    "delivery": "64 x 2,048, no workers",
    "accuracy": "32 sources, Zipf: deviation",
    "text": "JSON Lines to batches of 64 x 2,048",
}


def draw(cases: Mapping[str, Any], path: Path) -> None:
    """Write the picture, in the format that the path's suffix names.

    Raises:
        ImportError: altair or vl-convert-python is missing.
    """
    import altair as alt
    import vl_convert  # noqa: F401 # altair says too little where it is missing

    panels = [_panel(alt, *values_of(name, case), case) for name, case in cases.items() if _measured(case)]
    chart = alt.concat(*panels, columns=2).resolve_scale(x="independent", y="independent", color="shared")
    chart.save(str(path))


def _measured(case: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [record for record in case["rows"] if "median" in record]


def values_of(name: str, case: Mapping[str, Any]) -> tuple[str, list[dict[str, Any]]]:
    """The row that stands for a case, the first where that was not run, and its points.

    A log scale has no 0: a figure of 0 is put at a billionth of the greatest.
    """
    measured = _measured(case)
    labels = [record["row"] for record in measured]
    label = SHOWN[name] if SHOWN[name] in labels else labels[0]
    shown = [record for record in measured if record["row"] == label]
    least = max(record["median"] for record in shown) / 1e9
    return label, [
        {
            "contender": TITLES[record["contender"]],
            "median": max(record["median"], least),
            "who": "thermix" if record["contender"].startswith("thermix") else "others",
        }
        for record in shown
    ]


def _panel(alt: Any, label: str, values: list[dict[str, Any]], case: Mapping[str, Any]) -> Any:
    order = "-x" if case["better"] == "higher" else "x"
    unit = case["unit"].partition(" (")[0]
    colours = alt.Scale(domain=["thermix", "others"], range=["#d1495b", "#54707f"])
    return (
        alt.Chart(alt.Data(values=values), title=[case["title"], label])
        .mark_point(filled=True, size=90)
        .encode(
            x=alt.X("median:Q", scale=alt.Scale(type="log"), title=f"{unit} ({case['better']} is better)"),
            y=alt.Y("contender:N", sort=order, title=None),
            color=alt.Color("who:N", scale=colours, legend=None),
        )
        .properties(width=330, height=180)
    )


def main() -> None:
    """Draw what was given."""
    results, picture = map(Path, sys.argv[1:])
    draw(json.loads(results.read_text("utf-8"))["cases"], picture)


if __name__ == "__main__":
    try:
        main()
    except ImportError as missing:
        raise SystemExit(f"{missing}") from None
