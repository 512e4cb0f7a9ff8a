"""The one file that the command line names: read when the page opens, written when someone asks for it.

The invariant: what another program wrote into the file meanwhile is not lost without a word.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from thermix.config.load import read_config
from thermix.config.place import Place
from thermix.config.read import decoded
from thermix.errors import InvalidInput, ThermixError
from thermix.report.output_file import write_whole
from thermix.studio.design import Measured, measured_in, read_data

__all__ = ["EXAMPLE", "UNNAMED", "Opened", "check_file", "open_file"]

UNNAMED = "mix.yaml"
"""What a design without a file is called, and downloaded as."""

EXAMPLE = """\
steps: 10B tokens
batch_size: 512
sequence_length: 2048
temperature: {schedule: linear, start: 5.0, end: 1.0, until: 80%}
sources:
  web:   {score: 2.0, tokens: 20B}
  books: {score: 3.0, tokens: 2B, max_epochs: 4}
  code:  {score: 1.0, tokens: 1B}
"""


@dataclass(frozen=True)
class Opened:
    """A configuration as it was found.

    Attributes:
        path: of its file; None where the command line names none.
        text: its YAML; an example where there is no file yet.
        measured: sizes found in its data.
        problem: what is wrong with it; None where nothing is.
        remarks: how sizes were found that a reader may want to know.
        on_disk: the bytes of the file; None where there is none.
    """

    path: Path | None
    text: str
    measured: Measured
    problem: str | None = None
    remarks: tuple[str, ...] = ()
    on_disk: bytes | None = None

    @property
    def where(self) -> str:
        """What errors call it."""
        return UNNAMED if self.path is None else str(self.path)

    @property
    def file_name(self) -> str:
        """What it is downloaded as."""
        return UNNAMED if self.path is None else self.path.name

    def saved(self, text: str) -> Opened:
        """Write a text to the file, and return what is there then.

        Raises:
            InvalidInput: another program has changed the file since.
            OSError: it cannot be written; the file is as before.
        """
        assert self.path is not None
        now = _bytes_of(self.path)
        if now != self.on_disk:
            raise InvalidInput(
                f"{self.path}: it was changed since it was opened here; saving would lose that. Copy the "
                "YAML of this page, then reload the page."
            )
        data = text.encode()
        write_whole(self.path, data)
        return replace(self, text=text, on_disk=data)


def check_file(path: Path) -> None:
    """Refuse a path where no configuration can be, nor be written.

    Raises:
        InvalidInput: a folder, or a path in a folder that is not there.
    """
    if path.is_dir():
        raise InvalidInput(f"{path}: it is a folder; a configuration is a file. Name the file in it.")
    if not path.parent.is_dir():
        raise InvalidInput(f"{path}: there is no folder {str(path.parent)!r}. Make it, or correct the path.")


def open_file(path: Path | None) -> Opened:
    """Read a configuration, with the sizes of its data; whatever is wrong with it is told, not raised."""
    data = None if path is None else _bytes_of(path)
    if path is None or data is None:
        return Opened(path, EXAMPLE, {})
    text = data.decode("utf-8-sig", "replace")
    try:
        text = decoded(data, Place(str(path)))
        config = read_config(path)
    except (ThermixError, OSError) as error:
        return Opened(path, text, {}, str(error), on_disk=data)
    remarks = tuple(notice.message for notice in config.notices if notice.code == "size_differs")
    return Opened(path, text, measured_in(config, read_data(text, str(path))), None, remarks, data)


def _bytes_of(path: Path) -> bytes | None:
    """What is in a file; None where there is none."""
    try:
        return Path(os.fspath(path)).read_bytes()
    except FileNotFoundError:
        return None
