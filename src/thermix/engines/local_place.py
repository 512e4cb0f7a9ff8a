"""A folder of a file system that tasks write into, and files written whole."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from filelock import FileLock, Timeout

from thermix.engines.places import LOCK, Room
from thermix.errors import DataError, InvalidInput

__all__ = ["LocalPlace", "write_whole", "writing"]


class LocalPlace:
    """A folder of a file system, which may be one that all nodes see.

    Args:
        path: of the folder; made when it is held.
        work: name in it of the folder for what is not finished.
    """

    def __init__(self, path: Path, work: str) -> None:
        self.path = path
        self._work = work

    def __str__(self) -> str:
        return str(self.path)

    @property
    def address(self) -> str:
        """Its path, from the root."""
        return str(self.path.absolute())

    def stranger(self, manifest: str) -> str | None:
        """As `Place.stranger` says."""
        if not self.path.exists() and not self.path.is_symlink():
            return None
        if not self.path.is_dir():
            raise InvalidInput(f"{self}: it is a file, and a folder is due there. Give another --out.")
        with writing(self.path):
            names = {child.name for child in self.path.iterdir()}
        ours = self._work in names or (self.path / manifest).exists()
        return None if ours or not names else min(names)

    @contextlib.contextmanager
    def held(self, verb: str, made: str) -> Iterator[None]:
        """As `Place.held` says; the lock ends with the process."""
        work = self.path / self._work
        with writing(work):
            work.mkdir(parents=True, exist_ok=True)
            lock = FileLock(work / LOCK)
        try:
            with writing(work):
                lock.acquire(timeout=0)
        except Timeout:
            raise InvalidInput(
                f"{self}: another run of thermix {verb} is writing there; two would spoil each other's "
                f"{made}. Wait for it, or give another --out."
            ) from None
        try:
            yield
        finally:
            lock.release()

    def confirm(self) -> None:
        """The lock of a file system is not lost."""

    @contextlib.contextmanager
    def alone(self, task: int) -> Iterator[None]:
        """Held while a task is worked on, also by a process whose driver was killed."""
        with writing(self.path), FileLock(self.path / self._work / f"{task:05d}.lock"):
            yield

    @contextlib.contextmanager
    def draft(self, names: Sequence[str]) -> Iterator[Path]:
        """The folder itself: files have temporary names until they are whole."""
        with writing(self.path):
            for name in names:
                folder = (self.path / name).parent
                for file in folder.glob(f"{Path(name).name}*") if folder.is_dir() else ():
                    file.unlink(missing_ok=True)
            yield self.path

    def read(self, names: Sequence[str]) -> list[bytes | None]:
        """As `Place.read` says."""
        return [self._read(self.path / name) for name in names]

    def sizes(self, names: Sequence[str]) -> list[int | None]:
        """As `Place.sizes` says."""
        return [self._size(self.path / name) for name in names]

    def write(self, name: str, content: bytes) -> None:
        """As `Place.write` says, through a power cut too."""
        path = self.path / name
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)

    def clear(self) -> None:
        """As `Place.clear` says."""
        shutil.rmtree(self.path / self._work, ignore_errors=True)

    def room(self, need: int, tasks: int, at_once: int) -> Room:
        """All is written to the disk of the folder."""
        free = shutil.disk_usage(self.path).free
        return Room(need, free, str(self), "are still to be written", "give another --out")

    def _read(self, path: Path) -> bytes | None:
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise DataError(f"{path}: it cannot be read: {error.strerror}. Check its permissions.") from error

    def _size(self, path: Path) -> int | None:
        with contextlib.suppress(OSError):
            return os.stat(path).st_size
        return None


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all, through a power cut too.

    Raises:
        DataError: it cannot be written; nothing of it is left.
    """
    part = path.with_name(f"{path.name}.part")
    with writing(path):
        try:
            with open(part, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what the system says of a write into an error that names the file.

    Raises:
        DataError: in place of an OSError.
    """
    try:
        yield
    except Timeout:  # an OSError too, and not about a write
        raise
    except OSError as error:
        raise DataError(
            f"{error.filename or path}: it cannot be written: {error.strerror or error}. Mend that and run "
            "the same command again: what is finished is kept."
        ) from error
