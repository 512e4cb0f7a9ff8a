"""What a page needs is loaded while the plan is counted."""

from __future__ import annotations

import sys
import threading

import pytest

from thermix.report.ahead import load_ahead


def ended() -> None:
    for thread in threading.enumerate():
        if thread.name.startswith("thermix: libraries"):
            thread.join()


def test_the_scripts_are_there_and_made_once() -> None:
    pytest.importorskip("altair")
    pytest.importorskip("vl_convert")
    from thermix.report.charts_export import _libraries, libraries

    for _ in range(3):
        load_ahead(page=True)
    assert "vegaEmbed" in libraries()
    ended()
    assert _libraries.cache_info().misses == 1
    load_ahead(page=False)
    ended()


def test_a_missing_library_is_told_by_who_needs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("thermix.report.charts")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "altair", None)
    load_ahead(page=True)
    ended()
    assert capsys.readouterr() == ("", "")
