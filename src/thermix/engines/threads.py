"""How many threads the libraries that encode may use in this process.

fastokens, tokenizers and tiktoken have no common setting. The first two read the environment when they
first encode and keep to it, so that it is set before that; threads are never part of the result.
"""

from __future__ import annotations

import os

__all__ = ["limit_threads", "threads"]

_RAYON = "RAYON_NUM_THREADS"


def limit_threads(count: int) -> None:
    """Let encoders of this process use so many threads; for a worker, before it first encodes.

    Args:
        count: at least 1. With 1 neither fastokens nor tokenizers starts a thread.
    """
    os.environ[_RAYON] = str(count)  # tokenizers, and what `threads` returns
    os.environ["FASTOKENS_BPE_THREADS"] = str(count)
    os.environ["TOKENIZERS_PARALLELISM"] = "true" if count > 1 else "false"


def threads() -> int:
    """As limited, or one for each processor that this process may run on."""
    given = os.environ.get(_RAYON, "")
    if given.isdigit() and int(given) > 0:
        return int(given)
    affinity = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(affinity(0)) if affinity else os.cpu_count() or 1
