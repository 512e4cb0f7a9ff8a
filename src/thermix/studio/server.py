"""Streamlit, started on this machine alone: no telemetry, no file watched, no browser opened unasked."""

from __future__ import annotations

import socket
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from thermix.errors import InvalidInput, MissingExtra

__all__ = ["LOOPBACK", "free_port", "serve"]

LOOPBACK = "127.0.0.1"

_PYTHON = (3, 11)
_STREAMLIT = (1, 67)  # as in pyproject.toml
_FIRST_PORT = 8501
_PORTS = 50


def check_extra() -> None:
    """Refuse to start without the libraries of the page.

    Raises:
        MissingExtra: one is not installed.
        InvalidInput: Python, or Streamlit, is older than the page needs.
    """
    if sys.version_info < _PYTHON:
        here, least = (".".join(map(str, each[:2])) for each in (sys.version_info, _PYTHON))
        raise InvalidInput(
            f"thermix studio: this is Python {here}; Streamlit needs {least} for this page. Use "
            f"Python {least} or newer, or `thermix report`."
        )
    for module, library, extra in (("streamlit", "streamlit", "studio"), ("altair", "altair", "studio")):
        if find_spec(module) is None:
            raise MissingExtra(library, extra, "thermix studio")
    there = version("streamlit")
    if tuple(int(part) for part in there.split(".")[:2]) < _STREAMLIT:
        least = ".".join(map(str, _STREAMLIT))
        raise InvalidInput(
            f"thermix studio: Streamlit is {there}; the page needs {least} or newer. "
            "Update it: pip install --upgrade 'thermix[studio]'."
        )


def free_port(address: str, port: int | None = None) -> int:
    """The port asked for, or the first free one from 8501 on.

    Raises:
        InvalidInput: it is taken, or the address is none of this machine.
    """
    for number in (port,) if port is not None else range(_FIRST_PORT, _FIRST_PORT + _PORTS):
        try:
            with socket.create_server((address, number)):
                return number
        except OSError as error:
            said = (error.strerror or str(error)).lower()
    raise InvalidInput(f"--port, --address: nothing can listen at {address}:{number}: {said}. Name another.")


def serve(path: Path | None, address: str, port: int, *, open_browser: bool) -> None:
    """Serve the page until it is stopped.

    Args:
        path: of the configuration that it opens and may save.
        address: to listen on.
        port: that is free there.
        open_browser: whether to show the page in a browser of this machine.
    """
    from streamlit.web import cli

    options = {
        "server.address": address,
        "server.port": port,
        "server.headless": not open_browser,
        "server.showEmailPrompt": False,
        "server.fileWatcherType": "none",
        "server.runOnSave": False,
        "server.maxUploadSize": 1,
        "browser.gatherUsageStats": False,
        "client.toolbarMode": "minimal",
        "logger.hideWelcomeMessage": True,
        "logger.level": "error",
        "theme.light.primaryColor": "#0072b2",
        "theme.dark.primaryColor": "#4ba3dc",
    }
    flags = [f"--{name}={str(value).lower()}" for name, value in options.items()]
    page = Path(__file__).with_name("page.py")
    words = ["run", str(page), *flags, "--", *([] if path is None else [str(path)])]
    cli.main(args=words, prog_name="thermix studio", standalone_mode=False)
