"""A folder of this machine for files on their way elsewhere.

Invariant: it goes when the block ends, and where its process was killed, with the next one that is made.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from thermix.engines.local_place import writing

__all__ = ["scratch_folder", "scratch_root"]

_PREFIX = "thermix-"
_LOCK = "lock"
_YOUNG = 60  # seconds: one that is being made has no lock yet


def scratch_root() -> Path:
    """The folder for them: TMPDIR, or as the system has it."""
    return Path(tempfile.gettempdir())


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder, for as long as the block runs.

    Raises:
        DataError: it cannot be made.
    """
    root = scratch_root()
    _remove_dead(root)
    with writing(root):
        home = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=root))
        lock = FileLock(home / _LOCK)
        lock.acquire()
        (home / "files").mkdir()
    try:
        yield home / "files"
    finally:
        lock.release()
        shutil.rmtree(home, ignore_errors=True)


def _remove_dead(root: Path) -> None:
    """Remove the folders of killed processes: nobody holds their locks."""
    for file in root.glob(f"{_PREFIX}*/{_LOCK}"):
        with suppress(OSError):
            if time.time() - file.stat().st_mtime > _YOUNG:
                _remove_unheld(file)


def _remove_unheld(file: Path) -> None:
    lock = FileLock(file)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return
    shutil.rmtree(file.parent, ignore_errors=True)
    lock.release()
