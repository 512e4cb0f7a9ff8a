"""Without PyTorch there is nothing to test here but that it is said (`test_package.py`)."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

_FILES = {path.name for path in Path(__file__).parent.glob("*.py")}
collect_ignore = [] if find_spec("torch") else sorted(_FILES - {"test_package.py"})
