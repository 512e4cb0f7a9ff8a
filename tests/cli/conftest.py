"""Running the command line in this process, on a configuration in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from thermix.cli import main

CONFIG = """\
seed: 0
steps: 1000
batch_size: 64
sequence_length: 2048
temperature: {schedule: linear, start: 5.0, end: 1.0, until: 80%}
sources:
  web:      {score: 2.0, items: 10000000}
  books:    {score: 3.0, items: 2000}
  网页文本: {score: 0.5, items: 50000}
"""


class Ran(NamedTuple):
    """What a command line did."""

    status: int
    out: str
    err: str


Thermix = Callable[..., Ran]


@pytest.fixture
def thermix(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Thermix:
    """Runs `thermix WORDS` at 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")

    def run(*words: str) -> Ran:
        status = main(words)
        return Ran(status, *capsys.readouterr())

    return run


@pytest.fixture
def mix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`mix.yaml` in the current folder, which is an empty one."""
    monkeypatch.chdir(tmp_path)
    Path("mix.yaml").write_text(CONFIG, encoding="utf-8")
    return Path("mix.yaml")
