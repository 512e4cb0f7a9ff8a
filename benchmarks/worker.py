"""The process in which one contender does one case: `python -m benchmarks.worker TASK RESULT`.

It reads its task from a file and appends a line of JSON to another for each row as soon as it is done:
libraries print to both streams, and what was measured before a crash stays.
"""

from __future__ import annotations

import json
import resource
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.measure import peak_megabytes
from benchmarks.settings import Settings, Skip

__all__ = ["main", "run_task"]

Result = dict[str, Any]


def run_task(task: dict[str, Any], write: Callable[[Result], None]) -> None:
    """Write a result a row, under the row's label: `figures` and `peak`, `skipped`, or `failed`."""
    contender: ModuleType | None = None
    for values in task["rows"]:
        settings = Settings.from_plain(values)
        result: Result = {"label": settings.label}
        try:
            contender = contender or import_module(f"{task['package']}.{task['contender']}")
            result |= _one(task, contender, settings)
        except Skip as why:
            result["skipped"] = str(why)
        except ImportError as missing:
            result["skipped"] = f"not installed: {missing}"
        except Exception as error:
            print(traceback.format_exc(), file=sys.stderr)
            result["failed"] = f"{type(error).__name__}: {error}"
        write(result)


def _one(task: dict[str, Any], contender: ModuleType, settings: Settings) -> Result:
    if task["job"] == "prepare":
        contender.prepare(settings)
        return {"figures": {}, "peak": peak_megabytes()}
    if not hasattr(contender, task["case"]):
        raise Skip(getattr(contender, "CANNOT", {}).get(task["case"], "has no part for this"))
    case = import_module(f"benchmarks.cases.{task['case']}")
    return {"figures": case.measure(contender, settings), "peak": peak_megabytes()}


def main() -> None:
    """Run the task of one file, its results to the other."""
    given, results = map(Path, sys.argv[1:])
    task = json.loads(given.read_text("utf-8"))
    if task["memory"]:
        resource.setrlimit(resource.RLIMIT_DATA, (task["memory"], task["memory"]))

    def write(result: Result) -> None:
        with results.open("a", encoding="utf-8") as file:
            file.write(json.dumps(result) + "\n")

    run_task(task, write)


if __name__ == "__main__":
    main()
