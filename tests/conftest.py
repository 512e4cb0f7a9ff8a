"""Settings for every test: the Hypothesis profiles; an object store for those that ask for one.

`ci`, what `make` uses, tries the same examples every time; `dev`, what plain `pytest` uses, tries
new ones; `thorough` tries many: HYPOTHESIS_PROFILE=thorough make test.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.engines.store import RefusingStore, made_bucket, refusing_store, say_where

settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.register_profile("dev", deadline=None)
settings.register_profile("thorough", deadline=None, max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if "CI" in os.environ else "dev"))


@pytest.fixture(autouse=True, scope="session")
def no_loop_is_compiled_by_the_way() -> Iterator[None]:
    """Tests read enough for one, and some count threads and memory; `test_compiled.py` has its own."""
    from thermix.sources import compiled, rows

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "LOOPS", compiled.Loops(worth_bytes=1 << 62))
        yield


@pytest.fixture(scope="module")
def store_server() -> Iterator[RefusingStore]:
    """An object store that this process and those it starts find; skipped where none is installed."""
    pytest.importorskip("s3fs")
    pytest.importorskip("moto.server")
    with refusing_store() as made, pytest.MonkeyPatch.context() as patch:
        say_where(made, patch)
        yield made


@pytest.fixture
def store(
    store_server: RefusingStore, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[RefusingStore]:
    """The same for one test, which leaves nothing behind on the way there."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "scratch").mkdir()
    store_server.requests.clear()
    yield store_server
    store_server.every, store_server.forbidden = 0, set()
    assert list((tmp_path / "scratch").iterdir()) == [], "files on their way were left behind"


@pytest.fixture
def out(store: RefusingStore) -> str:
    """An address in a bucket of its own, at which nothing lies."""
    return f"{made_bucket(f'bucket-{uuid.uuid4().hex}')}/some/folder"
