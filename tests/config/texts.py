"""Configurations as text, shared by the tests of `thermix.config`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from thermix.config import Config, parse_config
from thermix.errors import ConfigError

SMALL = (
    "steps: 100\nbatch_size: 8\nsources: {web: {score: 2.0, items: 800}, books: {score: 3.0, items: 90}}\n"
)


def parsed(extra: str = "", text: str = SMALL) -> Config:
    """A configuration with more keys."""
    return parse_config(f"{text}{extra}", "mix.yaml")


def refused(text: str) -> str:
    """The whole message with which a text is refused."""
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "mix.yaml")
    return str(caught.value)


def with_sources(sources: str, extra: str = "") -> str:
    """A text of these sources."""
    return f"steps: 100\nbatch_size: 8\nsources: {sources}\n{extra}"


def write_lines(path: Path, count: int) -> None:
    """A JSON Lines file of so many documents."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"text": f"{i}"}) + "\n" for i in range(count)), "utf-8")


def config_file(folder: Path, text: str, name: str = "mix.yaml") -> Path:
    """A file in the folder one stands in."""
    (folder / name).write_text(text, "utf-8")
    return Path(name)
