"""Who writes to a folder of an object store: one run, until it is dead or silent."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import uuid
from contextlib import ExitStack
from typing import Any

import pytest

from tests.engines.test_local import wait_until
from thermix.engines import object_lock
from thermix.engines.object_lock import STALE, Holder, ObjectLock
from thermix.engines.object_place import ObjectPlace
from thermix.errors import DataError, InvalidInput
from thermix.sources.manifest import canonical_json

pytest.importorskip("fsspec")

NAME = ".thermix-prepare/lock"


@pytest.fixture
def place() -> ObjectPlace:
    return ObjectPlace(f"memory://{uuid.uuid4().hex}/out", ".thermix-prepare")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_lock, "SETTLE", 0.05)
    monkeypatch.setattr("thermix.sources.stores.WAITS", (0.0,))


def lock_of(place: ObjectPlace) -> ObjectLock:
    return ObjectLock(place, NAME, "prepare")


def holder(place: ObjectPlace) -> Holder | None:
    (text,) = place.read([NAME])
    return None if text is None else Holder.model_validate_json(text)


def left_by(place: ObjectPlace, **changed: Any) -> Holder:
    """The lock of another run."""
    found = Holder.this_run().model_copy(update=changed)
    place.write(NAME, canonical_json(found))
    return found


def elsewhere(silent: float = 0.0) -> dict[str, Any]:
    return {"host": "node-7", "machine": "node-7 x", "pid": 41, "beat": time.time() - silent}


def test_a_second_run_is_refused_with_who_the_first_is(place: ObjectPlace) -> None:
    with lock_of(place).held():
        with pytest.raises(InvalidInput) as refused, lock_of(place).held():
            pass
        said = str(refused.value)
        assert f"{place}: another run of thermix prepare is writing there: process {os.getpid()} on " in said
        assert "UTC, heard of 0 s ago; two would do the same work twice" in said
        assert f"after 300 s of silence, or at once where {place}/{NAME} is removed" in said
        assert holder(place) is not None, "the refused one removed the lock of the first"
    assert holder(place) is None
    with lock_of(place).held():
        pass


def test_the_lock_of_another_machine_holds_until_it_is_silent(place: ObjectPlace) -> None:
    left_by(place, **elsewhere(STALE - 60))
    with (
        pytest.raises(InvalidInput, match=r"process 41 on node-7 since .*, heard of 24\d s ago"),
        lock_of(place).held(),
    ):
        pass
    left_by(place, **elsewhere(STALE + 1))
    with lock_of(place).held():
        found = holder(place)
        assert found is not None
        assert found.pid == os.getpid()


def test_a_clock_that_is_ahead_does_not_make_a_lock_silent(place: ObjectPlace) -> None:
    left_by(place, **elsewhere(-3_600))
    with pytest.raises(InvalidInput, match="heard of 0 s ago"), lock_of(place).held():
        pass


def test_the_lock_of_a_dead_process_of_this_machine_is_taken_over_at_once(place: ObjectPlace) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    left_by(place, pid=process.pid)
    with lock_of(place).held():
        pass
    left_by(place, pid=os.getppid())
    with pytest.raises(InvalidInput, match="another run"), lock_of(place).held():
        pass


def test_of_many_that_take_over_one_lock_at_the_same_time_one_has_it(
    place: ObjectPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_lock, "SETTLE", 0.3)
    left_by(place, **elsewhere(STALE + 1))
    together, results = threading.Barrier(8), []

    def take() -> None:
        with ExitStack() as stack:
            together.wait()
            try:
                stack.enter_context(lock_of(place).held())
                results.append("held")
            except InvalidInput:
                results.append("refused")
            together.wait()

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["held"] + 7 * ["refused"]
    assert holder(place) is None


def test_one_that_was_quicker_is_not_written_over(
    place: ObjectPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = place.create

    def create(name: str, content: bytes) -> bool:
        left_by(place, **elsewhere())
        return inner(name, content)

    monkeypatch.setattr(place, "create", create)
    with pytest.raises(InvalidInput, match="process 41 on node-7"), lock_of(place).held():
        pass
    assert holder(place) is not None


def test_a_lock_whose_making_was_not_answered_is_known_as_ones_own(
    place: ObjectPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = place.create
    monkeypatch.setattr(place, "create", lambda *given: inner(*given) and inner(*given))
    with lock_of(place).held():
        pass


def test_a_lock_is_renewed_while_it_is_held(place: ObjectPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_lock, "BEAT", 0.02)
    with lock_of(place).held():
        first = holder(place)
        assert first is not None
        wait_until(lambda: (now := holder(place)) is not None and now.beat > first.beat)
        now = holder(place)
        assert now is not None
        assert (now.token, now.since) == (first.token, first.since)


@pytest.mark.parametrize(
    ("gone", "said"), [(True, "it was removed"), (False, r"process 41 on node-7 since .* has it")]
)
def test_a_run_that_lost_its_lock_is_told_and_leaves_the_others_alone(
    place: ObjectPlace, monkeypatch: pytest.MonkeyPatch, gone: bool, said: str
) -> None:
    monkeypatch.setattr(object_lock, "BEAT", 0.02)
    other = None
    with lock_of(place).held() as lock:
        lock.confirm()

        def robbed() -> bool:
            nonlocal other
            if lock._other is None:  # a renewal on its way may have been written over it
                if gone:
                    place.remove(NAME)
                else:
                    other = left_by(place, **elsewhere())
                time.sleep(0.1)
            return lock._other is not None

        wait_until(robbed)
        with pytest.raises(
            InvalidInput, match=f"this run has lost its lock: {said}. What is finished is kept"
        ):
            lock.confirm()
    assert holder(place) == other


def test_a_store_that_is_away_for_a_while_does_not_cost_the_lock(
    place: ObjectPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_lock, "BEAT", 0.02)
    inner, away = place.read, 3

    def read(names: Any) -> Any:
        nonlocal away
        if away:
            away -= 1
            raise DataError("the store is away")
        return inner(names)

    with lock_of(place).held() as lock:
        first = holder(place)
        monkeypatch.setattr(place, "read", read)
        wait_until(lambda: not away and holder(place) != first)
        lock.confirm()


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b"\xff"])
def test_a_lock_of_others_is_refused_and_left_alone(place: ObjectPlace, text: bytes) -> None:
    place.write(NAME, text)
    with (
        pytest.raises(DataError, match=rf"{NAME}: it is not what thermix prepare wrote\. See that no run is"),
        lock_of(place).held(),
    ):
        pass
    assert place.read([NAME]) == [text]
