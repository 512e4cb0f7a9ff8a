"""What a report is asked for: a configuration read with its text, its warnings, and a run's log."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from thermix.config.build import Config
from thermix.config.data import SourceFiles
from thermix.config.load import read_config
from thermix.config.place import Place
from thermix.config.read import decoded
from thermix.plan.advice import Advice, advise
from thermix.plan.forecast import Forecast
from thermix.report.ahead import load_ahead
from thermix.report.run_log import Realised, read_log

__all__ = ["Asked", "read_asked", "read_from"]


@dataclass(frozen=True)
class Asked:
    """What a report is of.

    Attributes:
        path: of the configuration, as it was given.
        text: its text.
        config: what it says.
        forecast: of its plan.
        warnings: about its plan.
        log: the log of a run, as it was given, and what was counted in it.
        compared: schedules to compare; none leaves that chart out.
    """

    path: Path
    text: str
    config: Config
    forecast: Forecast
    warnings: tuple[Advice, ...]
    log: tuple[Path, Realised] | None = None
    compared: Sequence[str] = ()


def read_asked(path: Path, log: Path | None = None, compared: Sequence[str] = ()) -> Asked:
    """Read all that a report shows.

    Args:
        path: of the configuration.
        log: of a run (`run_log.py`).
        compared: schedules to compare.

    Raises:
        ConfigError, DataError, MissingExtra: as for `read_config`.
        InvalidInput, DataError: as for `read_log`.
    """
    config = read_config(path)
    load_ahead(page=True)
    text = decoded(path.read_bytes(), Place(str(path)))
    realised = None if log is None else (log, read_log(log, config.plan))
    forecast = config.plan.forecast()
    warnings = advise(forecast, {name: read_from(files) for name, files in config.files.items()})
    return Asked(path, text, config, forecast, warnings, realised, compared)


def read_from(files: SourceFiles) -> list[str]:
    """What a source is read from: its paths, with the field where it names one (two fields are two texts)."""
    field = f" (field {files.field})" if files.field is not None else ""
    return [(path if "://" in path else os.path.normpath(path)) + field for path in files.path]
