"""The rest of a run in a process of its own: loads the configuration, reads on from a step, prints the hash.

It knows nothing but the file and the step.
"""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import thermix.config
from thermix.demo.reading import digest_of, read_steps
from thermix.errors import CheckFailed

__all__ = ["digest_from", "digest_in_new_process"]

_CODE = """
import sys
sys.path[:] = [entry for entry in sys.path if entry] + [sys.argv[1]]
from thermix.demo.resume import digest_from
print(digest_from(sys.argv[2], int(sys.argv[3])))
"""
_SECONDS = 60


def digest_from(config: str, step: int) -> str:
    """The hash of all that a configuration's plan reads from a step on."""
    plan, sources = thermix.config.load(config)
    with ExitStack() as stack:
        for source in sources.values():
            stack.enter_context(source)
        return digest_of(read_steps(plan, sources, step, plan.end))


def digest_in_new_process(config: Path, step: int) -> str:
    """`digest_from` in a new Python.

    Raises:
        CheckFailed: the process failed, or took more than a minute.
    """
    package = str(Path(thermix.config.__file__).parents[2])
    command = [sys.executable, "-c", _CODE, package, str(config.absolute()), str(step)]
    try:
        run = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CheckFailed(f"demo: resume: the new process did not answer: {error}. Try again.") from error
    if run.returncode != 0:
        said = (run.stderr.strip().splitlines() or ["nothing"])[-1]
        raise CheckFailed(
            f"demo: resume: the new process failed; it said: {said}. This is a defect: report it."
        )
    return run.stdout.strip()
