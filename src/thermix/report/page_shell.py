"""The frame of a page: its style, its script, and the charts' specifications as data in it.

The page asks nothing of any network (its own policy forbids it), follows the reader's light or dark, and
draws the charts as wide as there is room.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any

from thermix.report.charts_base import WIDTH, Figure
from thermix.report.charts_export import libraries
from thermix.report.charts_theme import INK, PAPER, THEMES, Theme, looks

__all__ = ["figure_html", "page_html"]

_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline' 'unsafe-eval'; img-src data: blob:"
)

_STYLE = """
:root { color-scheme: light dark; --ink: %(ink_light)s; --paper: %(paper_light)s; --faint: #5c6370;
  --line: #d9dde3; --warn: #9a5b00; }
%(dark)s
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 64rem;
  color: var(--ink); background: var(--paper);
  font: 16px/1.5 system-ui, "Noto Sans", "Noto Sans CJK SC", "Noto Sans Arabic", sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .3rem; }
p { margin: .3rem 0; } .faint, figcaption { color: var(--faint); }
figure { margin: 0; } .chart { min-height: 12rem; }
.chart, .wide, pre { overflow-x: auto; max-width: 100%%; }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums; margin: .6rem 0; }
th, td { padding: .25rem .7rem; text-align: right; white-space: nowrap; }
tr > * { border-bottom: 1px solid var(--line); }
th:first-child { text-align: left; } thead th { color: var(--faint); font-weight: 500; }
tbody th { font-weight: 500; max-width: 20rem; overflow: hidden; text-overflow: ellipsis; }
pre { padding: .8rem; border: 1px solid var(--line); border-radius: 6px; font-size: .85rem; }
code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; overflow-wrap: anywhere; }
ul { padding-left: 1.2rem; } .warnings strong { color: var(--warn); } li { overflow-wrap: anywhere; }
"""

_DARK = "--ink: %(ink_dark)s; --paper: %(paper_dark)s; --faint: #a2a9b4; --line: #343a44; --warn: #f0b45a;"

_SCRIPT = """
(() => {
  const given = JSON.parse(document.getElementById("charts").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const theme = () => given.theme || (dark.matches ? "dark" : "light");
  const narrow = 560;
  // Every view of a chart scaled to a width; on a narrow page panels stand one below the other.
  const fitted = (part, width, room) => {
    if (Array.isArray(part)) return part.map(one => fitted(one, width, room));
    if (part === null || typeof part !== "object") return part;
    const result = {};
    for (const [key, value] of Object.entries(part))
      result[key] = key === "datasets" ? value : fitted(value, width, room);
    if (typeof part.width === "number")
      result.width = Math.round(room < narrow ? width : part.width * width / given.width);
    if (room < narrow && part.concat) result.columns = 1;
    if (room < narrow && part.legend && part.legend.columns) result.legend = {...result.legend, columns: 2};
    return result;
  };
  const options = () => ({renderer: "svg", tooltip: {theme: theme()}, downloadFileName: "thermix",
    actions: {export: true, source: false, compiled: false, editor: false}});
  const draw = async (box, spec) => {
    const room = box.clientWidth, config = structuredClone(given.looks[theme()]);
    config.padding = 2; config.background = "transparent";
    if (room < narrow) { config.axis.labelLimit = 90; config.text.limit = 110; }
    let width = given.width;
    for (let turn = 0; turn < 2; turn++) {
      const whole = {...fitted(spec, width, room), config};
      const shown = await vegaEmbed(box, whole, options());
      const over = shown.view.container().querySelector("svg").getBoundingClientRect().width - room;
      if (over <= 0 || turn) break;
      shown.finalize();
      width = Math.max(140, width - Math.ceil(over));
    }
    box.dataset.drawn = theme();
  };
  const all = async () => {
    for (const [name, spec] of Object.entries(given.specs)) await draw(document.getElementById(name), spec);
    document.documentElement.dataset.ready = "yes";
  };
  let drawing = all(), last = innerWidth;
  const again = () => { drawing = drawing.then(all); };
  dark.addEventListener("change", again);
  let timer;
  addEventListener("resize", () => {
    clearTimeout(timer);
    timer = setTimeout(() => { if (innerWidth !== last) { last = innerWidth; again(); } }, 200);
  });
})();
"""


def figure_html(figure: Figure, number: int) -> str:
    """The place of a figure in a page, with its title and remark."""
    return (
        f'<figure id="figure-{figure.name}"><h2>{escape(figure.title)}</h2>'
        f"<figcaption>{escape(figure.remark)}</figcaption>"
        f'<div class="chart" id="chart-{number}" role="img" tabindex="0" '
        f'aria-label="{escape(figure.title)}"></div></figure>'
    )


def page_html(title: str, body: str, figures: Sequence[Figure], theme: Theme | None = None) -> str:
    """Return a whole page.

    Args:
        title: plain text.
        body: HTML that holds the places of the figures, numbered in their order.
        figures: what is drawn in it.
        theme: light or dark; None follows the reader.
    """
    data: dict[str, Any] = {
        "theme": theme,
        "width": WIDTH,
        "looks": {name: looks(name) for name in THEMES},
        "specs": {f"chart-{number}": figure.spec() for number, figure in enumerate(figures)},
    }
    scripts = f"<script>{_inert(libraries())}</script>\n" if figures else ""
    scripts += (
        f'<script type="application/json" id="charts">{_json(data)}</script>\n<script>{_SCRIPT}</script>'
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="icon" href="data:,">\n'
        f"<title>{escape(title)}</title>\n<style>{_style(theme)}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n{scripts}\n</body>\n</html>\n"
    )


def _style(theme: Theme | None) -> str:
    colours = {f"ink_{name}": INK[name] for name in THEMES} | {
        f"paper_{name}": PAPER[name] for name in THEMES
    }
    dark = _DARK % colours
    if theme is None:
        rule = f"@media (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}"
    else:
        rule = f":root {{ color-scheme: {theme}; {dark if theme == 'dark' else ''} }}"
    return _STYLE % (colours | {"dark": rule})


def _json(data: object) -> str:
    """JSON that can end no script element."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _inert(script: str) -> str:
    """A script of which no text can end its element."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")
