"""The lock of a folder in an object store: an object that says who writes, renewed while they do.

It is made on the condition that there is none, where the store can (S3, GCS). A lock is over when its process
is seen to be dead, which only its own machine can see, or when it was not renewed for `STALE` seconds; then
the next run takes it over. A run that finds another's lock in place of its own stops.

What the lock saves is work, not bytes: two that write the same job write the same objects.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from thermix.errors import DataError, InvalidInput, ThermixError
from thermix.sources.manifest import canonical_json

__all__ = ["BEAT", "SETTLE", "STALE", "Holder", "ObjectLock"]

BEAT = 30.0
"""Seconds between renewals."""

STALE = 300.0
"""Seconds after which a lock that was not renewed may be taken over."""

SETTLE = 2.0
"""Seconds in which two that take over the same lock find each other."""


class Holder(BaseModel):
    """Who holds a lock.

    Attributes:
        token: of this run alone.
        host: name of the machine.
        machine: what tells apart machines, and containers, of the same name.
        pid: of the process, there.
        since: when it was taken, in seconds since 1970.
        beat: when it was last renewed.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    token: str
    host: str
    machine: str
    pid: int
    since: float
    beat: float

    @classmethod
    def this_run(cls) -> Holder:
        """This process, from now on."""
        now = time.time()
        return cls(
            token=uuid.uuid4().hex,
            host=socket.gethostname(),
            machine=_machine(),
            pid=os.getpid(),
            since=now,
            beat=now,
        )

    def is_over(self) -> bool:
        """Whether it is surely dead, or was silent for so long that it is taken for dead."""
        if self.machine == _machine() and not _is_alive(self.pid):
            return True
        return time.time() - self.beat > STALE

    def __str__(self) -> str:
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(self.since))
        return f"process {self.pid} on {self.host} since {since} UTC"


class _Objects(Protocol):
    """What of a place in a store is needed here."""

    def read(self, names: list[str], /) -> list[bytes | None]: ...

    def create(self, name: str, content: bytes, /) -> bool: ...

    def write(self, name: str, content: bytes, /) -> None: ...

    def remove(self, name: str, /) -> None: ...


class ObjectLock:
    """A lock that is an object.

    Args:
        place: it lies in.
        name: of the object.
        verb: of the command that writes, for errors.
    """

    def __init__(self, place: _Objects, name: str, verb: str) -> None:
        self._place = place
        self._name = name
        self._verb = verb
        self._own = Holder.this_run()
        self._ended = threading.Event()
        self._other: str | None = None

    @contextmanager
    def held(self) -> Iterator[ObjectLock]:
        """It, renewed in a thread for as long as the block runs.

        Raises:
            InvalidInput: another run holds it.
            DataError: it cannot be written, or is no lock.
        """
        self._take()
        thread = threading.Thread(target=self._renew, name="thermix-lock", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._ended.set()
            thread.join()
            with suppress(ThermixError):
                if self._is_ours(self._found()):
                    self._place.remove(self._name)

    def confirm(self) -> None:
        """See that it was not taken over, by the last renewal.

        Raises:
            InvalidInput: it was.
        """
        if self._other is not None:
            raise InvalidInput(
                f"{self._place}: this run has lost its lock: {self._other}. What is finished is kept. Run "
                "the same command again once no other run is writing there."
            )

    def _take(self) -> None:
        found = self._found()
        if found is None:
            self._place.create(self._name, canonical_json(self._own))
        elif found.is_over():
            self._place.write(self._name, canonical_json(self._own))
            time.sleep(SETTLE)
        now = self._found()
        if not self._is_ours(now):
            raise self._busy(now)

    def _found(self) -> Holder | None:
        (text,) = self._place.read([self._name])
        try:
            return None if text is None else Holder.model_validate_json(text)
        except ValidationError as error:
            raise DataError(
                f"{self._place}/{self._name}: it is not what thermix {self._verb} wrote. See that no run is "
                "writing there, and remove it."
            ) from error

    def _is_ours(self, found: Holder | None) -> bool:
        return found is not None and found.token == self._own.token

    def _busy(self, holder: Holder | None) -> InvalidInput:
        who, silent = ("", "") if holder is None else (f": {holder}", f"{_age(holder):.0f} s")
        heard = f", heard of {silent} ago" if silent else ""
        return InvalidInput(
            f"{self._place}: another run of thermix {self._verb} is writing there{who}{heard}; two would do "
            "the same work twice. Wait for it, or give another --out. If it is dead: the next run takes over "
            f"after {STALE:.0f} s of silence, or at once where {self._place}/{self._name} is removed."
        )

    def _renew(self) -> None:
        while not self._ended.wait(BEAT):
            with suppress(ThermixError):  # the store is asked again at the next beat
                found = self._found()
                if not self._is_ours(found):
                    self._other = "it was removed" if found is None else f"{found} has it"
                    return
                renewed = self._own.model_copy(update={"beat": time.time()})
                self._place.write(self._name, canonical_json(renewed))


def _age(holder: Holder) -> float:
    return max(0.0, time.time() - holder.beat)


def _machine() -> str:
    """The running system and the space of its process numbers; where it says neither, its network card."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"{socket.gethostname()} {uuid.getnode():x}"


def _is_alive(pid: int) -> bool:
    if os.name == "nt":  # there it would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is another user's, or the system does not say
        return True
    return True
