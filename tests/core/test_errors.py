from __future__ import annotations

import inspect
import pickle

import pytest

from thermix import errors
from thermix.errors import (
    CheckFailed,
    ConfigError,
    DataError,
    InvalidInput,
    MissingExtra,
    OutOfRange,
    PlanError,
    SlowSeekWarning,
    ThermixError,
)

RAISED = (CheckFailed, ConfigError, DataError, InvalidInput, OutOfRange, PlanError)


def test_every_error_is_a_thermix_error() -> None:
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, Exception)]
    assert {c for c in classes if not issubclass(c, ThermixError)} == {SlowSeekWarning}
    assert {c.__name__ for c in classes} == set(errors.__all__)


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (InvalidInput, ValueError),
        (OutOfRange, IndexError),
        (PlanError, ValueError),
        (MissingExtra, ImportError),
    ],
)
def test_errors_can_be_caught_as_the_builtin_ones_they_are(
    error: type[Exception], builtin: type[Exception]
) -> None:
    assert issubclass(error, builtin)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidInput, 2),
        (ConfigError, 2),
        (PlanError, 2),
        (OutOfRange, 2),
        (MissingExtra, 2),
        (DataError, 3),
        (CheckFailed, 1),
    ],
)
def test_exit_codes_are_those_of_the_drawing(error: type[ThermixError], code: int) -> None:
    assert error.exit_code == code


def test_the_drawing_names_every_error() -> None:
    drawing = errors.__doc__ or ""
    missing = [name for name in errors.__all__ if name not in drawing and name != "SlowSeekWarning"]
    assert missing == []


def test_a_missing_library_comes_with_the_command_that_installs_it() -> None:
    error = MissingExtra("altair", "report", "A chart")
    assert "A chart needs altair" in str(error)
    assert "pip install 'thermix[report]'" in str(error)


@pytest.mark.parametrize("error", RAISED)
def test_errors_come_back_from_another_process_as_they_were(error: type[ThermixError]) -> None:
    back = pickle.loads(pickle.dumps(error("sources: got none.")))
    assert type(back) is error
    assert str(back) == "sources: got none."


def test_a_missing_library_comes_back_from_another_process() -> None:
    error = MissingExtra("altair", "report", "A chart")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
