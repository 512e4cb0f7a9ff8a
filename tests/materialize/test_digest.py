"""A SHA-256 computed beside the writing is that of the file."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from thermix.materialize.digest import SideDigest
from thermix.sources.manifest import file_record
from thermix.sources.shard_writer import TokenShardWriter


@given(st.lists(st.binary(max_size=10_000), max_size=40))
def test_pieces_are_hashed_in_order(pieces: list[bytes]) -> None:
    digest = SideDigest()
    for piece in pieces:
        digest.update(piece)
    assert digest.hexdigest() == hashlib.sha256(b"".join(pieces)).hexdigest()


def test_no_thread_stays_behind() -> None:
    before = threading.active_count()
    for _ in range(20):
        digest = SideDigest()
        digest.update(bytes(100_000))
        digest.hexdigest()
    del digest
    deadline = threading.Event()
    while threading.active_count() > before and not deadline.wait(0.05):
        pass
    assert threading.active_count() <= before


@given(st.lists(st.integers(0, 3_000), max_size=12), st.booleans())
def test_the_records_of_a_shard_are_those_of_its_files(lengths: list[int], beside: bool) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "shard")
        writer = TokenShardWriter(path, dtype="uint16", digest=SideDigest() if beside else None)
        for length in lengths:
            writer.append(np.arange(length))
        writer.close()
        assert writer.records == (file_record(f"{path}.bin"), file_record(f"{path}.idx"))
