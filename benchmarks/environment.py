"""The machine, the versions, and the environment of the contenders."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

__all__ = ["ROOT", "install", "machine", "python_of", "python_path", "versions_in"]

ROOT = Path(__file__).parent.parent
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
TORCH_FOR_CPUS = "https://download.pytorch.org/whl/cpu"
PACKAGES: tuple[str, ...] = (
    "numpy",
    "torch",
    "grain",
    "litdata",
    "mosaicml-streaming",
    "megatron-core",
    "datasets",
)
PACKAGES += ("torchdata", "webdataset", "numba", "tokenizers", "fastokens")


def install(folder: Path) -> None:
    """Make an environment of this Python's version with all that `requirements.txt` names.

    For torch alone PyTorch's own index is asked too, for its build for CPUs. Where that cannot be reached,
    and pip is not set up to find such a build, the usual one comes, which needs CUDA's libraries.
    """
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [python_of(folder), "-m", "pip", "install", "--no-deps"]
    torch = next(line for line in REQUIREMENTS.read_text("utf-8").splitlines() if line.startswith("torch=="))
    subprocess.run([*pip, "--retries", "1", "--extra-index-url", TORCH_FOR_CPUS, torch], check=True)
    subprocess.run([*pip, "-r", str(REQUIREMENTS)], check=True)


def python_of(folder: Path) -> str:
    """The interpreter of an environment."""
    found = folder.absolute() / "bin" / "python"
    if not found.exists():
        raise SystemExit(f"--env: {folder} has no bin/python. Make it with: --install {folder}")
    return str(found)


def python_path() -> dict[str, str]:
    """Environment variables under which an interpreter finds thermix and the harness."""
    paths = (str(ROOT / "src"), str(ROOT), os.environ.get("PYTHONPATH", ""))
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}


def versions_in(python: str) -> dict[str, str]:
    """Versions of Python, of thermix and of the contenders that are installed for an interpreter."""
    code = f"import json; from benchmarks.data import versions; print(json.dumps(versions({PACKAGES!r})))"
    printed = subprocess.check_output([python, "-c", code], env=python_path(), text=True)
    found: dict[str, str] = json.loads(printed.splitlines()[-1])
    return found


def machine() -> dict[str, str]:
    """What the figures were taken on."""
    return {
        "system": f"{platform.system()} {platform.release()}",
        "processor": _line("/proc/cpuinfo", "model name") or platform.processor(),
        "processors": str(os.cpu_count()),
        "memory": _gigabytes(_line("/proc/meminfo", "MemTotal")),
    }


def _line(path: str, key: str) -> str:
    """The value of the first line of a file that begins with a key."""
    try:
        lines = Path(path).read_text("utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")


def _gigabytes(kilobytes: str) -> str:
    return f"{int(kilobytes.split()[0]) / 1e6:.0f} GB" if kilobytes else "unknown"
