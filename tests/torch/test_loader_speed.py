"""benchmarks/loader_speed.py runs, and measures what it says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "loader_speed.py"
TOLD = ("BatchReader", "memmap", "MixtureLoader", "stacked", "samples", "10,000,000", "the loop waits")


@pytest.mark.slow
def test_a_tiny_run_measures_every_contender() -> None:
    run = subprocess.run(
        [sys.executable, str(SCRIPT), "--tiny"], capture_output=True, text=True, check=False, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert [what for what in TOLD if what not in run.stdout] == []
