"""The command line: `thermix VERB`, one file a verb.

    app.py       the verbs and their help        failures.py  what went wrong, as one line and an exit status
    output.py    tables to a terminal, JSON      progress.py  bars
    and one file for each verb

Nothing is computed here. `main` is the console script; its imports wait until they are needed, so that
`thermix --version` is instant and `thermix probs` loads neither pydantic nor YAML.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line, and return its exit status.

    Args:
        argv: the words after `thermix`; those of this process by default.

    Returns:
        0 fine, 1 a check failed, 2 wrong use or config, 3 damaged data, 70 a defect of thermix, 130 stopped
        by Ctrl-C, 141 nobody reads the output any more.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words == ["--version"]:
        from thermix import __version__

        print(f"thermix {__version__}")
        return 0
    from thermix.cli.failures import guarded

    return guarded(lambda: _run(words))


def _run(words: list[str]) -> int:
    from thermix.cli.app import run

    if words:
        return run(words)
    run(["--help"])
    return 2
