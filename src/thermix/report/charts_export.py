"""Figures to files: PNG, SVG and PDF by vl-convert, without a browser, and what a page needs of them.

A picture uses the fonts of this machine. The invariant: a name that they cannot show is never drawn as
empty boxes without a word (`MissingFontWarning`); SVG and pages use the fonts of whoever looks at them.
"""

from __future__ import annotations

import textwrap
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from html import escape
from threading import Lock
from typing import Any, Literal

from thermix.errors import MissingExtra
from thermix.report.charts_base import Figure, strip
from thermix.report.charts_theme import PAPER, Theme, looks

try:
    import vl_convert
except ImportError as error:
    raise MissingExtra("vl-convert-python", "report", "drawing charts") from error

__all__ = ["PICTURES", "MissingFontWarning", "libraries", "picture", "unseen", "warm_up"]

Picture = Literal["png", "svg", "pdf"]

PICTURES = ("png", "svg", "pdf")

_SCALE = 2.0
_LINE = 105
_APART = 48
_MOST_TRIED = 400
_NO_CHARACTER = "\U0010fffd"
_ONCE = Lock()


class MissingFontWarning(UserWarning):
    """No font of this machine has some characters of the sources' names."""


def picture(figures: Sequence[Figure], kind: Picture, theme: Theme = "light") -> bytes:
    """Return figures as one picture, one below the other.

    Args:
        figures: one or more.
        kind: PNG (two pixels a point), SVG or PDF.
        theme: its looks.

    Warns:
        MissingFontWarning: some characters are boxes in it.
    """
    spec = _together(figures, theme)
    if kind != "svg":
        _warn_of_boxes(figures)
    if kind == "png":
        return bytes(vl_convert.vegalite_to_png(spec, scale=_SCALE))
    if kind == "pdf":
        return bytes(vl_convert.vegalite_to_pdf(spec))
    return str(vl_convert.vegalite_to_svg(spec)).encode()


def _together(figures: Sequence[Figure], theme: Theme) -> dict[str, Any]:
    """One specification; the data of each figure has names of its own."""
    parts: list[dict[str, Any]] = []
    datasets: dict[str, Any] = {}
    for figure in figures:
        spec = strip(figure.spec())
        prefix = f"{figure.name} "
        datasets |= {prefix + name: rows for name, rows in spec.pop("datasets").items()}
        title = {"text": figure.title, "subtitle": textwrap.wrap(figure.remark, _LINE)}
        parts.append(_renamed(spec, prefix) | {"title": title})
    top = {"$schema": parts[0]["$schema"], "config": looks(theme), "background": PAPER[theme]}
    whole = parts[0] if len(parts) == 1 else {"vconcat": parts, "spacing": _APART}
    for part in parts:
        del part["$schema"]
    if len(parts) > 1:
        whole["resolve"] = {"scale": {"color": "independent", "shape": "independent"}}
    return top | whole | {"datasets": datasets}


def _renamed(spec: Any, prefix: str) -> Any:
    """The same with the names of data set apart from those of other figures."""
    if isinstance(spec, list):
        return [_renamed(part, prefix) for part in spec]
    if not isinstance(spec, dict):
        return spec
    return {
        key: {"name": prefix + part["name"]}
        if key == "data" and isinstance(part, dict) and "name" in part
        else _renamed(part, prefix)
        for key, part in spec.items()
    }


def _warn_of_boxes(figures: Sequence[Figure]) -> None:
    boxes = unseen("".join(_texts(figures)))
    if boxes:
        shown = " ".join(boxes[:8]) + (f" and {len(boxes) - 8} more" if len(boxes) > 8 else "")
        warnings.warn(
            f"no font on this machine has {shown}; the picture shows boxes in their place. Install a font "
            "that has them (Debian: apt-get install fonts-noto-cjk fonts-noto-core), or write .svg or .html, "
            "which use the fonts of whoever looks.",
            MissingFontWarning,
            stacklevel=3,
        )


def _texts(figures: Sequence[Figure]) -> Iterator[str]:
    for figure in figures:
        for rows in figure.data.values():
            yield from {row[key] for row in rows for key in ("source", "name") if key in row}


def unseen(text: str) -> list[str]:
    """Return the characters of a text that no font of this machine can draw, in their order.

    Each is drawn, and compared with one that no font has. The first 400 that are no ASCII are tried.
    """
    tried = [c for c in dict.fromkeys(text) if not c.isascii() and c.isprintable()][:_MOST_TRIED]
    box = _drawn(_NO_CHARACTER) if tried else b""
    return [c for c in tried if not c.isspace() and _drawn(c) == box]


@lru_cache(maxsize=1024)
def _drawn(character: str) -> bytes:
    text = f'<text x="8" y="30" font-size="24" font-family="sans-serif">{escape(character)}</text>'
    return bytes(
        vl_convert.svg_to_png(f'<svg xmlns="http://www.w3.org/2000/svg" width="48" height="48">{text}</svg>')
    )


def libraries() -> str:
    """Return Vega, Vega-Lite and Vega-Embed as one script that needs no network."""
    with _ONCE:
        return _libraries()


@lru_cache(maxsize=1)
def _libraries() -> str:
    return str(vl_convert.javascript_bundle())  # type: ignore[call-arg]


def warm_up() -> None:
    """Draw nothing, so that what comes next is drawn at once."""
    vl_convert.vegalite_to_svg({"data": {"values": []}, "mark": "point"})
