"""How failures end: the message, the status, and that nothing else is printed."""

from __future__ import annotations

import errno
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tests.cli.conftest import Thermix
from thermix.cli.failures import guarded
from thermix.errors import (
    CheckFailed,
    ConfigError,
    DataError,
    MissingExtra,
    SlowSeekWarning,
    ThermixError,
)


def raising(error: BaseException) -> Callable[[], int]:
    def job() -> int:
        raise error

    return job


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ThermixError("told"), 2),
        (ConfigError("told"), 2),
        (CheckFailed("told"), 1),
        (DataError("told"), 3),
    ],
)
def test_an_error_is_its_message_and_its_status(
    error: ThermixError, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded(raising(error)) == status
    assert capsys.readouterr() == ("", "thermix: told\n")


def test_a_missing_library_prints_the_command_that_installs_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(raising(MissingExtra("torch", "torch", "loading"))) == 2
    assert "pip install 'thermix[torch]'" in capsys.readouterr().err


def test_control_characters_of_a_message_do_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert guarded(raising(ConfigError("a\x1b[2Jb\n网页\udcff"))) == 2
    assert capsys.readouterr().err == "thermix: a\\x1b[2Jb\n网页\\udcff\n"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            FileNotFoundError(errno.ENOENT, "No such file or directory", "a/b"),
            "a/b: no such file or directory.",
        ),
        (PermissionError(errno.EACCES, "Permission denied", b"bytes"), "bytes: permission denied."),
        (OSError(errno.ENOSPC, "No space left on device"), "no space left on device."),
        (OSError(), "oSError."),
    ],
)
def test_a_file_that_fails_is_one_line(
    error: OSError, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded(raising(error)) == 2
    assert capsys.readouterr().err.lower() == f"thermix: {message}\n".lower()


def test_ctrl_c_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr() == ("", "")


def test_a_defect_shows_its_traceback_and_asks_for_a_report(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(raising(ZeroDivisionError("by nothing"))) == 70
    err = capsys.readouterr().err
    assert err.startswith("Traceback (most recent call last):\n")
    assert err.endswith(
        "ZeroDivisionError: by nothing\nthermix: this is a defect of thermix, not a mistake of yours. "
        "Please report it with all the lines above.\n"
    )


def test_a_warning_is_one_line_too(capsys: pytest.CaptureFixture[str]) -> None:
    def job() -> int:
        warnings.simplefilter("default")
        warnings.warn(SlowSeekWarning("this takes seconds"), stacklevel=1)
        return 0

    assert guarded(job) == 0
    assert capsys.readouterr() == ("", "thermix: warning: this takes seconds\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["prob"], "no such command 'prob'. Did you mean 'probs'? See: thermix --help"),
        (["xyzzy"], "no such command 'xyzzy'. See: thermix --help"),
        (["--jsn"], "no such option: --jsn. See: thermix --help"),
        (["plan"], "plan: missing argument 'CONFIG'. See: thermix plan --help"),
        (["plan", "a", "b"], "plan: got unexpected extra argument(s) (b). See: thermix plan --help"),
        (
            ["plan", "a", "--jsn"],
            "plan: there is no option --jsn. Did you mean --json? See: thermix plan --help",
        ),
        (
            ["batch", "a", "--stp", "3"],
            "batch: there is no option --stp. Did you mean --step? See: thermix batch --help",
        ),
    ],
)
def test_wrong_words_name_the_nearest(thermix: Thermix, words: list[str], message: str) -> None:
    ran = thermix(*words)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err == f"thermix: {message}\n"


def with_demo(monkeypatch: pytest.MonkeyPatch, run_demo: Callable[..., object]) -> None:
    module = ModuleType("thermix.demo")
    module.run_demo = run_demo  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "thermix.demo", module)


def test_the_demo_is_given_its_folder_and_a_console(
    thermix: Thermix, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Path] = []

    def run_demo(out: Path, console: object) -> None:
        calls.append(out)
        console.print("网页 [bold]")  # type: ignore[attr-defined]

    with_demo(monkeypatch, run_demo)
    assert thermix("demo", "--out", "there") == (0, "网页 [bold]\n", "")
    assert thermix("demo").status == 0
    assert calls == [Path("there"), Path("thermix-demo")]


def test_a_demo_that_finds_a_difference_ends_with_status_1(
    thermix: Thermix, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_demo(out: Path, console: object) -> None:
        raise CheckFailed("the resumed run differs")

    with_demo(monkeypatch, run_demo)
    assert thermix("demo") == (1, "", "thermix: the resumed run differs\n")


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), 130), (BrokenPipeError(errno.EPIPE, "x"), 141)]
)
def test_an_interrupted_verb_is_quiet(
    thermix: Thermix, monkeypatch: pytest.MonkeyPatch, error: BaseException, status: int
) -> None:
    def run_demo(out: Path, console: object) -> None:
        raise error

    with_demo(monkeypatch, run_demo)
    assert thermix("demo") == (status, "", "")
