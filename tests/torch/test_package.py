"""The package itself: its names, and what it says without PyTorch."""

from __future__ import annotations

import subprocess
import sys

import pytest

WITHOUT = """
import sys
sys.modules["torch"] = None
import thermix
from thermix.errors import MissingExtra
for name in ("thermix.torch", "thermix.torch.loader"):
    try:
        __import__(name)
    except MissingExtra as error:
        print(error)
try:
    thermix.torch
except MissingExtra as error:
    print(error)
"""


def test_without_pytorch_it_says_what_to_install() -> None:
    run = subprocess.run([sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True)
    line = "thermix.torch needs torch, which is not installed. Install it with: pip install 'thermix[torch]'"
    assert run.stdout.splitlines() == [line] * 3


def test_every_public_name_is_there_and_pytorch_is_not_shadowed() -> None:
    torch = pytest.importorskip("torch")
    import thermix
    import thermix.torch

    assert sorted(thermix.torch.__all__) == list(thermix.torch.__all__)
    assert all(getattr(thermix.torch, name).__doc__ for name in thermix.torch.__all__)
    assert vars(thermix.torch)["torch"] is sys.modules["torch"] is torch
