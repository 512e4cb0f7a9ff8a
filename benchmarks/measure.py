"""Clocks, memory and the page cache, for the process in which a contender runs."""

from __future__ import annotations

import ctypes
import mmap
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path

__all__ = ["cached_share", "drop_from_cache", "peak_megabytes", "rate", "rate_of_all", "seconds"]


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def rate(pieces: Iterable[int], least: float) -> float:
    """Units a second of an iterator that says how many units each piece of its work had.

    The first piece, and all within a quarter of the time, warms up and is not counted. An iterator that
    ends sooner is judged by what it gave after that.
    """
    start = now = time.perf_counter()
    units, began = 0, 0.0
    for piece in pieces:
        now = time.perf_counter()
        if began:
            units += piece
            if now - began >= least:
                break
        elif now - start >= least / 4:
            began = now
    if not units:
        raise RuntimeError(f"no two pieces of work once {least / 4:.2f} s had passed: nothing to measure")
    return units / (now - began)


def rate_of_all(pieces: Iterable[int]) -> float:
    """Units a second from the first piece of work to the last, which is not counted but for its time."""
    units, began = 0, 0.0
    for piece in pieces:
        now = time.perf_counter()
        if began:
            units += piece
        else:
            began = now
    if not units:
        raise RuntimeError("fewer than two pieces of work: nothing to measure")
    return units / (now - began)


def peak_megabytes() -> float:
    """The most memory this process had at once, pages of mapped files that it touched among it.

    `ru_maxrss` will not do: a process inherits its parent's.
    """
    for line in Path("/proc/self/status").read_text("ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("/proc/self/status has no VmHWM")


def drop_from_cache(folder: Path) -> None:
    """Take every file below a folder out of the page cache."""
    for path in folder.rglob("*"):
        if path.is_file():
            file = os.open(path, os.O_RDONLY)
            try:
                os.fsync(file)  # what is not on the disk yet would stay
                os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(file)


def cached_share(path: Path) -> float:
    """The share of a file's pages that are in memory, 0 to 1."""
    size = path.stat().st_size
    pages = -(-size // mmap.PAGESIZE)
    found = ctypes.create_string_buffer(pages)
    with path.open("rb") as file, mmap.mmap(file.fileno(), size, mmap.MAP_PRIVATE) as mapped:
        buffer = (ctypes.c_char * size).from_buffer(mapped)
        failed = ctypes.CDLL(None, use_errno=True).mincore(ctypes.byref(buffer), ctypes.c_size_t(size), found)
        del buffer
    if failed:
        raise OSError(ctypes.get_errno(), "mincore failed")
    return sum(byte & 1 for byte in found.raw) / pages
