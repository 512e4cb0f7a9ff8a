"""docs/scale.md shows what benchmarks/scale.py prints, and the arithmetic follows its arguments."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
SCRIPT = ROOT / "benchmarks" / "scale.py"


@pytest.fixture(scope="module")
def scale() -> Any:
    """The script, as a module."""
    spec = importlib.util.spec_from_file_location("scale_script", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["scale_script"] = module  # its dataclass looks there for its types
    spec.loader.exec_module(module)
    return module


def test_the_page_shows_what_the_script_prints() -> None:
    printed = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=True).stdout
    page = (ROOT / "docs" / "scale.md").read_text("utf-8")
    parts = printed.strip().split("\n\n")
    assert len(parts) == 3
    for part in parts:
        assert f"```text\n{part}\n```" in page, "write the new output into docs/scale.md"


def test_figures_follow_their_arguments(scale: Any) -> None:
    small = scale.Scale(ranks=8, ranks_per_host=8, batch_size=64, tokens=1e9, shards=10, cache_gb=10.0)
    rows = dict(scale.running(small))
    assert rows["start: requests of all ranks"] == "16,000"
    assert rows["fetching: a host, once its cache of 10 GB is full"] == "0 bytes a step"
    assert "too much" not in "".join(rows.values())
    assert dict(scale.planning(small))["steps"] == "7,629 of 64 sequences"


def test_a_cache_a_fifth_of_the_data_leaves_four_fifths_to_fetch(scale: Any) -> None:
    rows = dict(scale.running(scale.Scale(cache_gb=4_000.0)))  # of 20 TB, 16 shards of 200 MB a step
    assert rows["fetching: a host, in its first step"].startswith("3.2 GB")
    assert rows["fetching: a host, once its cache of 4 TB is full"] == "2.56 GB a step"


@pytest.mark.parametrize(
    ("change", "row"),
    [
        ({"store_gbit": 100.0}, "fetching: all hosts"),
        ({"step_seconds": 0.5}, "fetching: network of a host"),
        ({"shard_gb": 0.064}, "pieces of 0.064 GB"),
        ({"system_gb": 1.0}, "on 4 nodes of 64 cores"),
    ],
)
def test_what_gives_way_is_said(scale: Any, change: dict[str, float], row: str) -> None:
    given = scale.Scale(**change)
    rows = dict([*scale.running(given), *scale.preparing(given)])
    assert "times too much" in rows[row]


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (999, "999 bytes"), (65_536, "65.5 kB"), (2e13, "20 TB"), (3e18, "3,000 PB")],
)
def test_bytes_have_three_digits(scale: Any, count: float, text: str) -> None:
    assert scale.size(count) == text


@pytest.mark.slow
def test_rates_are_measured_here(scale: Any) -> None:
    asked = scale.Scale(sources=20, tokens=1e9, batch_size=64, ranks=8)
    found = scale.measured(asked)
    for rate in ("grid_us", "draw_us", "step_ms", "shard_us"):
        assert getattr(found, rate) > 0
        assert getattr(found, rate) != getattr(asked, rate)
