"""What went wrong, as one message on standard error and an exit status.

A user's mistake is never a traceback; a defect of thermix always is one, with the request to report it.
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any, Final, TextIO

from thermix.errors import InvalidInput, ThermixError

__all__ = ["DEFECT", "INTERRUPTED", "UNREAD", "guarded"]

DEFECT: Final = 70
"""Exit status for a defect of thermix: EX_SOFTWARE of sysexits.h."""

INTERRUPTED: Final = 130
"""Exit status after Ctrl-C: 128 + SIGINT."""

UNREAD: Final = 141
"""Exit status when the reader of a pipe has gone, as in `| head`: 128 + SIGPIPE."""

_WRONG_USE: Final = InvalidInput.exit_code


def guarded(job: Callable[[], int]) -> int:
    """Run a job; return its exit status, or that of how it failed, which is then said on standard error."""
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            status = job()
        sys.stdout.flush()
    except BrokenPipeError:
        _silence_stdout()
        return UNREAD
    except KeyboardInterrupt:
        return INTERRUPTED
    except ThermixError as error:
        _say(str(error))
        return error.exit_code
    except OSError as error:
        _say(_os_text(error))
        return _WRONG_USE
    except Exception as error:
        usage = _usage_text(error)
        if usage is not None:
            _say(usage)
            return _WRONG_USE
        traceback.print_exc()
        _say(
            "this is a defect of thermix, not a mistake of yours. Please report it with all the lines above."
        )
        return DEFECT
    return status


def _say(message: str) -> None:
    printable = "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in message)
    sys.stdout.flush()
    print(f"thermix: {printable}", file=sys.stderr)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    _say(f"warning: {message}")


def _os_text(error: OSError) -> str:
    """As in "mix.yaml: no such file or directory."."""
    said = error.strerror or type(error).__name__
    reason = f"{said[:1].lower()}{said[1:]}."
    return reason if error.filename is None else f"{os.fsdecode(error.filename)}: {reason}"


def _usage_text(error: Exception) -> str | None:
    """What typer says of a wrong use, in our words; None for any other exception.

    Typer keeps the classes to itself, so that they are known by what they can do.
    """
    said = getattr(error, "format_message", None)
    if said is None or not hasattr(error, "exit_code"):
        return None
    context: Any = getattr(error, "ctx", None)
    verb = "thermix" if context is None else str(context.command_path)
    where = verb.removeprefix("thermix").strip()
    message = _reworded(error, str(said()))
    return f"{where + ': ' if where else ''}{message} See: {verb} --help"


def _reworded(error: Exception, message: str) -> str:
    option = getattr(error, "option_name", None)
    near = getattr(error, "possibilities", None)
    if option is not None and near:
        return f"there is no option {option}. Did you mean {' or '.join(sorted(near))}?"
    stop = "" if message.endswith((".", "?")) else "."
    return f"{message[:1].lower()}{message[1:]}{stop}"


def _silence_stdout() -> None:
    """Let the interpreter flush what nobody reads into nothing, without a word."""
    try:
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
    except (OSError, ValueError):  # standard output is no file, as in a test
        pass
