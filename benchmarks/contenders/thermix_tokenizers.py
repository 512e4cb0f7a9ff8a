"""thermix, encoding with `tokenizers` as the others do: what it falls back to where fastokens is missing.

https://pypi.org/project/tokenizers/; the rest is as in `thermix.py`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from benchmarks.contenders import thermix as usual
from benchmarks.settings import Settings


def text(settings: Settings) -> Callable[[], object]:
    """The same, in a process whose fastokens, and that of its children, cannot be imported."""
    folder = Path(settings.work, "without")
    folder.mkdir()
    (folder / "fastokens.py").write_text("raise ImportError('left out of this measurement')\n", "ascii")
    sys.path.insert(0, str(folder))
    os.environ["PYTHONPATH"] = os.pathsep.join((str(folder), os.environ.get("PYTHONPATH", "")))
    return usual.text(settings)
