"""From rows to statistics and Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from benchmarks.harness import Row

__all__ = ["markdown", "number", "ratio", "records"]

OURS = "thermix"
Better = Literal["higher", "lower"]
Record = dict[str, Any]
Titles = Mapping[str, str]


def ratio(ours: Sequence[float], theirs: Sequence[float], better: Better) -> float | None:
    """How many times better thermix is: the median of the turns' ratios.

    Below 1 the other is better. None where a figure that would divide is 0, or the turns differ in number.
    """
    pairs = [(a, b) if better == "higher" else (b, a) for a, b in zip(ours, theirs, strict=False)]
    if len(ours) != len(theirs) or not pairs or any(below == 0 for _, below in pairs):
        return None
    return statistics.median(above / below for above, below in pairs)


def records(rows: Sequence[Row], better: Better) -> list[Record]:
    """Rows as plain values, with what the tables and the chart show."""
    ours = {row.label: row.values for row in rows if row.contender == OURS and row.values}
    found = []
    for row in rows:
        record: Record = {"row": row.label, "contender": row.contender}
        if row.values:
            times = ratio(ours.get(row.label, ()), row.values, better)
            record |= {"median": statistics.median(row.values), "min": min(row.values)}
            record |= {"max": max(row.values), "thermix_times_better": times, "values": row.values}
            record |= {"peak_mb": statistics.median(row.peaks)}
        if row.reason:
            record |= {"status": "failed" if row.failed else "skipped", "reason": row.reason}
        found.append(record)
    return found


def markdown(case: Mapping[str, Any], titles: Titles) -> str:
    """One case: the medians, who is missing and why, and every figure below."""
    figures = [record for record in case["rows"] if "median" in record]
    lines = [f"## {case['title']}", "", case["note"], ""]
    lines += [f"Medians, in {case['unit']}; {case['better']} is better, the best of a row is bold.", ""]
    lines += _medians(figures, case["better"], titles)
    lines += _missing(case["rows"], titles)
    lines += ["", "<details><summary>Every figure</summary>", "", *_all(figures, case["better"], titles)]
    return "\n".join([*lines, "", "</details>", ""])


def _medians(figures: Sequence[Record], better: Better, titles: Titles) -> list[str]:
    """A line a row of the case, a column a contender."""
    contenders = _in_order(figures, titles)
    by_place = {(record["row"], record["contender"]): record["median"] for record in figures}
    lines = [_line(("", *(titles[name] for name in contenders))), _rule(1, len(contenders))]
    for label in dict.fromkeys(record["row"] for record in figures):
        found = [by_place.get((label, name)) for name in contenders]
        best = (max if better == "higher" else min)(value for value in found if value is not None)
        lines.append(_line((label, *(_cell(value, best) for value in found))))
    return lines


def _cell(value: float | None, best: float) -> str:
    if value is None:
        return "-"
    return f"**{number(value)}**" if value == best else number(value)


def _all(figures: Sequence[Record], better: Better, titles: Titles) -> list[str]:
    """A line a row and contender, the best of each row first."""
    lines = [_line(("", "", "median", "min", "max", "thermix is", "peak MB")), _rule(2, 5)]
    for label in dict.fromkeys(record["row"] for record in figures):
        rows = [record for record in figures if record["row"] == label]
        for record in sorted(rows, key=lambda record: record["median"], reverse=better == "higher"):
            times = record["thermix_times_better"]
            shown = "" if record["contender"] == OURS or times is None else f"{number(times)}x"
            values = (number(record[key]) for key in ("median", "min", "max"))
            lines.append(
                _line((label, titles[record["contender"]], *values, shown, f"{record['peak_mb']:,.0f}"))
            )
    return lines


def _missing(rows: Sequence[Record], titles: Titles) -> list[str]:
    """Contenders and reasons, rows of one reason together."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for record in rows:
        if "reason" in record:
            word = "failed" if record["status"] == "failed" else "left out"
            reason = " ".join(record["reason"].split())[:300].replace("|", "\\|").replace("<", "&lt;")
            reasons.setdefault((titles[record["contender"]], f"{word}: {reason}"), []).append(record["row"])
    if not reasons:
        return []
    every = len({record["row"] for record in rows})
    lines = ["", "Not measured:", ""]
    for (name, reason), labels in reasons.items():
        where = "" if len(labels) >= every else f", {'; '.join(labels)}"
        lines.append(f"- {name}{where} - {reason}")
    return lines


def _in_order(figures: Sequence[Record], titles: Titles) -> list[str]:
    present = {record["contender"] for record in figures}
    return [name for name in titles if name in present]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rule(words: int, numbers: int) -> str:
    return f"|{'---|' * words}{'--:|' * numbers}"


def number(value: float) -> str:
    """Three significant digits, with commas."""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) >= 0.001 else f"{value:.1e}"
