"""Every error thermix raises on purpose.

    ThermixError
    ├── InvalidInput(ValueError)         a value, a file or a call that breaks a rule     exit 2
    │   ├── ConfigError                  the same, in a configuration file: path and place
    │   ├── PlanError                    a plan that cannot be made, or not be changed so
    │   └── OutOfRange(IndexError)       a step, rank, item or draw that does not exist
    ├── DataError                        data that is damaged or not what it says         exit 3
    ├── CheckFailed                      a check that ran and found a difference          exit 1
    └── MissingExtra(ImportError)        an optional library is not installed             exit 2

A message says, in this order: where (key path, source, file and byte), what was given, the rule, the
way out. Anything else that escapes from thermix is a defect of thermix.
"""

from __future__ import annotations

__all__ = [
    "CheckFailed",
    "ConfigError",
    "DataError",
    "InvalidInput",
    "MissingExtra",
    "OutOfRange",
    "PlanError",
    "SlowSeekWarning",
    "ThermixError",
]


class ThermixError(Exception):
    """Base of every error thermix raises on purpose; `exit_code` is what the command line returns."""

    exit_code = 2


class InvalidInput(ThermixError, ValueError):
    """A value, a file or a call breaks a rule that the message states."""


class ConfigError(InvalidInput):
    """A configuration file breaks a rule; the message begins with the file and the key path."""


class PlanError(InvalidInput):
    """A plan cannot be made, or cannot be changed in the way asked for."""


class OutOfRange(InvalidInput, IndexError):
    """A step, rank, item or draw was asked for that does not exist."""


class DataError(ThermixError):
    """Data is damaged, or is not what it says it is; the message names file and offset."""

    exit_code = 3


class CheckFailed(ThermixError):
    """A check ran to its end and found a difference."""

    exit_code = 1


class MissingExtra(ThermixError, ImportError):
    """An optional library is not installed; the message prints the command that installs it."""

    def __init__(self, library: str, extra: str, purpose: str) -> None:
        self._given = (library, extra, purpose)
        super().__init__(
            f"{purpose} needs {library}, which is not installed. "
            f"Install it with: pip install 'thermix[{extra}]'"
        )

    def __reduce__(self) -> tuple[type[MissingExtra], tuple[str, str, str]]:
        return type(self), self._given


class SlowSeekWarning(UserWarning):
    """A seek will take seconds, because the order asked for has no closed form."""
