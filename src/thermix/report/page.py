"""The report: one page that says what was asked, what it does, and how to do it again.

Charts in `charts.py`, tables in `page_parts.py`, the frame in `page_shell.py`. The invariant: the page
is one file, loads nothing, and every number on it is the plan's.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from html import escape

from thermix import __version__
from thermix.plan.plan import Plan
from thermix.report.asked import Asked
from thermix.report.charts import CHARTS, figures
from thermix.report.charts_base import Figure, Subject, subject_of
from thermix.report.charts_theme import Theme
from thermix.report.page_parts import forecast_html, realised_html, realised_words, remarks_html
from thermix.report.page_shell import figure_html, page_html
from thermix.report.plan_text import plan_summary
from thermix.report.text import UNICODE, legible

__all__ = ["charts_page", "report_page"]


def charts_page(title: str, shown: Sequence[Figure], theme: Theme | None = None) -> str:
    """Return a page of charts alone."""
    places = "\n".join(figure_html(figure, number) for number, figure in enumerate(shown))
    return page_html(title, f"<h1>{escape(legible(title, 'utf-8'))}</h1>\n{places}", shown, theme)


def report_page(asked: Asked) -> str:
    """Return the report of a configuration.

    Raises:
        InvalidInput: schedules that cannot be compared.
    """
    subject = subject_of(asked.config.plan, asked.forecast)
    names = [name for name in CHARTS if name != "compare" or asked.compared]
    realised = None if asked.log is None else asked.log[1]
    shown = figures(subject, names, asked.compared, realised)
    parts = [
        _head(asked, subject),
        _remarks(asked),
        f"<h2>Forecast</h2>{_how_to_read()}{forecast_html(subject.forecast)}",
        _realised(asked, subject.plan),
        *(figure_html(figure, number) for number, figure in enumerate(shown)),
        _configuration(asked),
        _again(asked, subject.plan),
    ]
    return page_html(f"thermix: {asked.path.name}", "\n".join(part for part in parts if part), shown)


def _head(asked: Asked, subject: Subject) -> str:
    lines = plan_summary(subject.forecast, asked.path.name, UNICODE)
    title = escape(legible(asked.path.name, "utf-8"))
    rest = "".join(f"<p>{escape(legible(line, 'utf-8'))}</p>" for line in lines)
    return f"<h1>{title}</h1>\n{rest}"


def _remarks(asked: Asked) -> str:
    said = remarks_html("warning", asked.warnings) + remarks_html("note", asked.config.notices)
    return f"<h2>Worth a second look</h2>{said}" if said else "<p>Nothing calls for a second look.</p>"


def _how_to_read() -> str:
    return (
        '<p class="faint">Shares are probabilities at the first step, on average, and at the last. Draws and '
        "epochs (passes over a source) are exact. Worth: epochs of new data that teach as much, after "
        "Muennighoff et al. 2023, a heuristic.</p>"
    )


def _realised(asked: Asked, plan: Plan) -> str:
    if asked.log is None:
        return ""
    path, realised = asked.log
    words = f"<p>{escape(realised_words(realised))}</p>"
    return f"<h2>Realised in {escape(str(path))}</h2>{words}{realised_html(plan.names, realised)}"


def _configuration(asked: Asked) -> str:
    text = "".join(c if c.isprintable() or c in "\n\t" else legible(c, "utf-8") for c in asked.text)
    return f'<h2>What was asked</h2><pre tabindex="0"><code>{escape(text)}</code></pre>'


def _again(asked: Asked, plan: Plan) -> str:
    config = shlex.quote(str(asked.path))
    run = f" --run {shlex.quote(str(asked.log[0]))}" if asked.log is not None else ""
    compared = "".join(f" --compare {shape}" for shape in asked.compared)
    commands = (
        f"pip install 'thermix[report]=={__version__}'",
        f"thermix plan {config}",
        f"thermix batch {config} --step 0",
        f"thermix report {config}{run}{compared} -o report.html",
    )
    lines = escape(legible("\x00".join(commands), "utf-8").replace("\\x00", "\n"))
    return (
        "<h2>Do it again</h2><p>The same configuration and data make the same plan: its fingerprint is the "
        f"SHA-256 of all that can change the order of draws.</p><p><code>{plan.fingerprint}</code></p>"
        f'<pre tabindex="0"><code>{lines}</code></pre>'
    )
