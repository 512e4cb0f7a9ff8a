"""A SHA-256 that is computed beside the writing, in a thread: hashing lets others run."""

from __future__ import annotations

import hashlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

__all__ = ["SideDigest"]

_AHEAD = 4  # pieces waiting, so that memory stays small


class SideDigest:
    """Hashes pieces in the order they are given; they must not change afterwards."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._thread = ThreadPoolExecutor(1, "thermix-digest")
        self._waiting: deque[Future[None]] = deque()

    def update(self, piece: Any) -> None:
        """Take one more piece; waits while several are still to be hashed."""
        self._waiting.append(self._thread.submit(self._sha256.update, piece))
        if len(self._waiting) > _AHEAD:
            self._waiting.popleft().result()

    def hexdigest(self) -> str:
        """Of all pieces so far."""
        while self._waiting:
            self._waiting.popleft().result()
        return self._sha256.hexdigest()
