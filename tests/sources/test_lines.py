"""Where lines begin, against Python's own splitting."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from thermix.errors import DataError
from thermix.sources import lines
from thermix.sources.lines import index_lines, line_number

PIECES = st.sampled_from(
    [b"\n", b"\r\n", b" ", b"\t", b"{}", b"a", b"\xe6\x96\x87", b"\x00", b"\r", b"abcdefg"]
)


def twin(data: bytes) -> list[int]:
    """Offsets of the lines that are not blank, one line after the other."""
    mark = len(b"\xef\xbb\xbf") if data.startswith(b"\xef\xbb\xbf") else 0
    starts, offset = [], mark
    for line in data[mark:].split(b"\n"):
        if line.strip():
            starts.append(offset)
        offset += len(line) + 1
    return starts


@given(parts=st.lists(PIECES, max_size=60), mark=st.booleans(), chunk=st.integers(1, 20))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_lines_are_those_that_splitting_finds_whatever_the_chunks(
    parts: list[bytes], mark: bool, chunk: int, tmp_path: Path
) -> None:
    data = b"\xef\xbb\xbf" * mark + b"".join(parts)
    path = tmp_path / "a"
    path.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "_CHUNK", chunk)
        patch.setattr(lines, "_BLANK_CHUNK", 3)
        index = index_lines(path)
        assert index.starts.tolist() == twin(data)
        assert index.size == len(data)
        for start in twin(data):
            assert line_number(path, start) == data[:start].count(b"\n") + 1


def test_a_line_takes_4_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"{}\n" * 10)
    assert index_lines(tmp_path / "a").starts.nbytes == 40


@pytest.mark.slow
def test_lines_past_4_gib_keep_their_place(tmp_path: Path) -> None:
    with open(tmp_path / "a", "wb") as file:
        file.write(b"a\nb")
        file.seek((1 << 32) + 5)  # a hole: nothing is written in between
        file.write(b"\nlast\n")
    index = index_lines(tmp_path / "a")
    assert index.starts.tolist() == [0, 2, (1 << 32) + 6]
    assert index.starts.dtype == np.uint64
    assert index.place(2) == ((1 << 32) + 6, (1 << 32) + 11)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone: it cannot be read: No such file"):
        index_lines(tmp_path / "gone")
