"""Where a verb's output goes: tables to a terminal or a pipe, JSON as it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from thermix.errors import InvalidInput

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from thermix.report.text import Glyphs

__all__ = ["Output", "counted", "encoding", "print_json", "shown_path", "whole"]

_WIDTH_OF_A_PIPE = 80
_LEAST_WIDTH = 40


def encoding() -> str:
    """What standard output can hold."""
    return sys.stdout.encoding or "utf-8"


def print_json(record: dict[str, Any]) -> None:
    """Print a record as JSON, which any encoding can hold."""
    from thermix.report.records import json_text

    print(json_text(record, encoding()))


def counted(number: int, noun: str) -> str:
    """As in "1 shard", "1,200 shards"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def shown_path(path: str | os.PathLike[str]) -> str:
    """A path as a person would type it here: relative where it lies below the current folder.

    An address is shown without secrets.
    """
    from thermix.sources.addresses import shown
    from thermix.sources.files import is_remote

    if is_remote(path):
        return shown(str(path))
    absolute, here = os.path.abspath(path), os.path.join(os.getcwd(), "")
    return absolute.removeprefix(here) if absolute.startswith(here) else os.fspath(path)


def whole(option: str, text: str) -> int:
    """The whole number that an option gives; its name is without the dashes.

    Raises:
        InvalidInput: it is none.
    """
    try:
        return int(text)
    except ValueError:
        raise InvalidInput(f"--{option}: got {text!r}; it must be a whole number.") from None


class Output:
    """Standard output for people: as wide as the terminal, or 80 columns and without colour in a pipe.

    COLUMNS sets the width, NO_COLOR turns colours off.
    """

    def __init__(self) -> None:
        from thermix.report.text import glyphs_for

        self.console: Console = _console()
        self.glyphs: Glyphs = glyphs_for(encoding())

    @property
    def width(self) -> int:
        """Cells in a line."""
        return max(self.console.width, _LEAST_WIDTH)

    def table(self, table: RenderableType) -> None:
        """Print what is laid out already, without cutting it."""
        self.console.print(table, crop=False, width=max(self.width, getattr(table, "width", None) or 0))

    def lines(self, lines: Iterable[str], style: str = "") -> None:
        """Print paragraphs, wrapped between words."""
        from rich.text import Text

        for line in lines:
            self.console.print(Text(line, style=style), width=self.width)

    def gap(self) -> None:
        """Print an empty line."""
        self.console.print()


def _console() -> Console:
    from rich.console import Console

    class Plain(Console):
        def on_broken_pipe(self) -> None:  # rich would end the process with status 1
            raise BrokenPipeError

    return Plain(file=sys.stdout, width=_width(), highlight=False, markup=False, emoji=False)


def _width() -> int | None:
    """None lets rich ask the terminal."""
    if "COLUMNS" in os.environ or sys.stdout.isatty():
        return None
    return _WIDTH_OF_A_PIPE
