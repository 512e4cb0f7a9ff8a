"""`thermix studio`: what it refuses, and what it starts."""

from __future__ import annotations

import socket
import sys
from importlib import util
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Thermix
from thermix.errors import InvalidInput
from thermix.studio import server


def test_a_missing_library_is_an_install_command(
    thermix: Thermix, mix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = util.find_spec
    monkeypatch.setattr(server, "find_spec", lambda name: None if name == "streamlit" else there(name))
    ran = thermix("studio", "mix.yaml")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == (
        "thermix: thermix studio needs streamlit, which is not installed. "
        "Install it with: pip install 'thermix[studio]'\n"
    )


@pytest.mark.parametrize(
    ("what", "value", "message"),
    [
        (
            "_PYTHON",
            (99, 0),
            "Streamlit needs 99.0 for this page. Use Python 99.0 or newer, or `thermix report`.",
        ),
        (
            "_STREAMLIT",
            (99, 1),
            "the page needs 99.1 or newer. Update it: pip install --upgrade 'thermix[studio]'.",
        ),
    ],
)
def test_what_is_too_old_is_said_before_anything_starts(
    thermix: Thermix, mix: Path, monkeypatch: pytest.MonkeyPatch, what: str, value: Any, message: str
) -> None:
    pytest.importorskip("streamlit")
    monkeypatch.setattr(server, what, value)
    ran = thermix("studio", "mix.yaml")
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith("thermix: thermix studio: ")
    assert ran.err.rstrip().endswith(message)


class TestWithTheExtra:
    @pytest.fixture(autouse=True)
    def _extra(self) -> None:
        pytest.importorskip("streamlit")
        pytest.importorskip("altair")

    @pytest.mark.parametrize(
        ("words", "message"),
        [
            (["no/mix.yaml"], "no/mix.yaml: there is no folder 'no'. Make it, or correct the path."),
            (["."], ".: it is a folder; a configuration is a file. Name the file in it."),
            (["--address", "999.1.1.1"], "--port, --address: nothing can listen at 999.1.1.1:"),
        ],
    )
    def test_a_mistake_is_one_line(self, thermix: Thermix, mix: Path, words: list[str], message: str) -> None:
        ran = thermix("studio", *words)
        assert (ran.status, ran.out) == (2, "")
        assert ran.err.startswith(f"thermix: {message}")

    def test_it_listens_on_this_machine_alone_and_tells_nobody(
        self, thermix: Thermix, mix: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from streamlit.web import cli

        started: list[Any] = []
        monkeypatch.setattr(cli, "main", lambda args, **options: started.append(args))
        monkeypatch.setattr(server, "free_port", lambda address, port: port or 8501)
        assert thermix("studio", "mix.yaml") == (
            0,
            "thermix studio: http://127.0.0.1:8501 (Ctrl-C ends it)\n",
            "",
        )
        assert thermix("studio", "--address", "::1", "--port", "9000", "--open").status == 0
        first, second = started
        usual = {"--server.address=127.0.0.1", "--browser.gatherUsageStats=false", "--server.headless=true"}
        assert usual <= set(first)
        assert {"--server.fileWatcherType=none", "--server.port=8501"} <= set(first)
        assert first[-2:] == ["--", "mix.yaml"]
        assert {"--server.address=::1", "--server.port=9000", "--server.headless=false"} <= set(second)
        assert second[-1] == "--"
        assert Path(first[1]).read_text("utf-8").endswith("main()\n")


def test_a_port_that_is_taken_is_refused_or_passed_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidInput, match=rf"nothing can listen at 127.0.0.1:{port}: .*Name another"):
            server.free_port("127.0.0.1", port)
    assert 8501 <= server.free_port("127.0.0.1") < 8551


def test_the_command_line_loads_no_streamlit() -> None:
    import subprocess

    code = "import sys, thermix.cli.app; print('streamlit' in sys.modules, 'altair' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False False\n"
