"""`thermix studio` in a process of its own, and its page in a headless Chromium."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


@contextmanager
def studio(*words: str, folder: Path, home: Path) -> Iterator[str]:
    """The address of a running page, which is ended by Ctrl-C; it must have said nothing else."""
    with socket.create_server(("127.0.0.1", 0)) as free:  # tests run beside each other: each has its own
        port = str(free.getsockname()[1])
    command = [sys.executable, "-m", "thermix", "studio", *words, "--port", port]
    env = {**os.environ, "HOME": str(home), "COLUMNS": "80"}
    process = subprocess.Popen(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("thermix studio: http://"), line + process.stdout.read()
        address = line.split()[2]
        _wait_for(f"{address}/_stcore/health", process)
        yield address
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=30)[0]
        assert (process.returncode, said.strip()) == (0, "Stopping..."), said
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _wait_for(address: str, process: subprocess.Popen[str]) -> None:
    for _ in range(300):
        assert process.poll() is None, "the page ended"
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"nothing answers at {address}")


@contextmanager
def seen(address: str, width: int = 1280, scheme: str = "light") -> Iterator[tuple[Any, list[str]]]:
    """The page once its charts are there, and all errors, warnings and requests to elsewhere."""
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as engine:
        browser = engine.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, accept_downloads=True
        )
        page, said = context.new_page(), []
        page.set_default_timeout(60_000)
        page.on("console", lambda m: said.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on(
            "request", lambda r: None if r.url.startswith((address, "data:", "blob:")) else said.append(r.url)
        )
        page.goto(address)
        page.get_by_test_id("stAppViewContainer").wait_for()
        yield page, said
        browser.close()


def settled(page: Any) -> None:
    """Wait until the page has done what it was asked to do."""
    page.wait_for_timeout(400)  # a slider waits a moment before it says that it was moved
    page.wait_for_function("!document.querySelector('[data-test-script-state=running]')")
    page.wait_for_timeout(300)
