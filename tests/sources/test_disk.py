from __future__ import annotations

import errno

import pytest

from thermix import DataError
from thermix.sources import disk
from thermix.sources.disk import Maps, map_limit


class Mapped:
    """What stands for the map of a file."""

    def __init__(self, file: int) -> None:
        self.file = file


class Files:
    """Maps of files, of which so many may be alive at once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, kept: int, at_once: int = 1 << 30) -> None:
        monkeypatch.setattr(disk, "map_limit", lambda share: kept)
        monkeypatch.setattr(disk, "_FEWEST", 1)
        self.made: list[int] = []
        self.at_once = at_once
        self.maps = Maps(self.make, "{}.bin".format, "web")

    def make(self, file: int) -> Mapped:
        if len(self.maps._alive) >= self.at_once:
            raise OSError(errno.EMFILE, "Too many open files")
        self.made.append(file)
        return Mapped(file)


def test_a_bounded_number_is_kept_and_the_first_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    files = Files(monkeypatch, kept=3)
    assert [files.maps.get(file).file for file in (0, 1, 2, 0, 3, 1, 2, 3, 0)] == [0, 1, 2, 0, 3, 1, 2, 3, 0]
    assert files.made == [0, 1, 2, 3, 0]
    assert len(files.maps._alive) == 3


def test_what_is_in_use_elsewhere_is_not_made_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    files = Files(monkeypatch, kept=1)
    held = files.maps.get(0)
    files.maps.get(1)
    assert files.maps.get(0) is held
    del held
    files.maps.get(1)
    files.maps.get(0)
    assert files.made == [0, 1, 1, 0]


def test_what_was_dropped_is_made_again_whoever_holds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    files = Files(monkeypatch, kept=2)
    old = files.maps.get(0)
    files.maps.drop(lambda file: file == 0)
    assert files.maps.get(0) is not old
    assert files.made == [0, 0]


def test_where_handles_run_out_half_as_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    files = Files(monkeypatch, kept=100, at_once=8)
    for _ in range(3):
        assert [files.maps.get(file).file for file in range(20)] == list(range(20))
    assert len(files.maps._alive) <= 4


def test_and_where_all_are_in_use_it_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    files = Files(monkeypatch, kept=100, at_once=8)
    held = [files.maps.get(file) for file in range(8)]
    with pytest.raises(DataError, match=r"sources\.web: 8\.bin: .* raise the limit"):
        files.maps.get(8)
    del held
    assert files.maps.get(8).file == 8


def test_maps_are_a_share_of_the_files_that_may_be_open(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(disk, "_NO_HANDLE", {})
    for allowed, expected in ((1024, 256), (40, 10), (3, 1), (1 << 20, 4096), (resource.RLIM_INFINITY, 4096)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, soft=allowed: (soft, soft))
        assert map_limit(4) == expected
    monkeypatch.setattr(disk, "_NO_HANDLE", {"trackfd": False})
    assert map_limit(4) == 4096
