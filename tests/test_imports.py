"""What may import what, and what `import thermix` loads.

The imports are read from the source text, so that one inside a function, under `TYPE_CHECKING` or
by name through `import_module` counts as well. Each rule is shown to see a text that breaks it.
"""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import thermix

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "thermix"
FILES = sorted(SOURCE.rglob("*.py"))

LAYERS = {
    "errors": -1,
    "core": 0,
    "plan": 1,
    "sources": 2,
    "config": 3,  # above sources: thermix.load opens the data that a file names
    "engines": 4,
    "prepare": 5,
    "materialize": 6,
    "export": 6,
    "torch": 7,
    "grain": 7,
    "report": 7,
    "demo": 8,
    "studio": 8,
    "cli": 9,
    "__main__": 10,
    "": 11,  # thermix/__init__.py: it names everything and nothing may lean on it
}

THE_WAY_UP = ("thermix.report.notebook", "small_html")
"""Imported by `plan/notebook.py` alone, when a notebook shows a plan."""

NOT_IN_CORE = {  # files, clock, logging, global state, other randomness
    *("datetime", "io", "logging", "os", "pathlib", "random", "secrets", "shutil", "socket"),
    *("subprocess", "tempfile", "time", "uuid"),
}
NOT_CALLED_IN_CORE = {"hash", "input", "open", "print"}


class Import(NamedTuple):
    """One imported module with the name taken from it, and the line it stands on."""

    line: int
    module: str
    name: str

    @property
    def package(self) -> str:
        """Top-level name: `numpy` of `numpy.typing`."""
        return self.module.split(".")[0]

    @property
    def part(self) -> str:
        """Name below `thermix`: `core` of `thermix.core.order`, "" of thermix itself."""
        below = [*self.module.split(".")[1:], self.name]
        return below[0] if below[0] in LAYERS or len(below) > 1 else ""


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(text: str, package: str = "thermix") -> Iterator[Import]:
    """Every import in a source text; `package` is what relative ones start from."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names=names):
                yield from (Import(node.lineno, alias.name, "") for alias in names)
            case ast.ImportFrom(module=module, names=names, level=level):
                base = package.rsplit(".", level - 1)[0] if level else ""
                full = ".".join(filter(None, [base, module]))
                yield from (Import(node.lineno, full, alias.name) for alias in names)
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__") | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                yield Import(node.lineno, module, "")


def package_of(path: Path) -> str:
    name = module_name(path)
    return name if path.name == "__init__.py" else name.rpartition(".")[0]


def upward_imports(text: str, part: str, package: str = "thermix") -> list[str]:
    """Imports of thermix in a text of `part` that go neither down nor sideways in the same part."""
    return [
        f"line {found.line}: {part} imports {found.module} {found.name}".rstrip()
        for found in imports(text, package)
        if found.package == "thermix"
        and found != (found.line, "thermix", "__version__")
        and found.part != part
        and LAYERS[found.part] >= LAYERS[part]
        and (part, found.module, found.name) != ("plan", *THE_WAY_UP)
    ]


def impure_in_core(text: str, package: str = "thermix.core") -> list[str]:
    """Imports and calls in a text that `core` must do without."""
    allowed = (sys.stdlib_module_names - NOT_IN_CORE) | {"numpy", "thermix"}
    bad = [f"line {i.line}: {i.module}" for i in imports(text, package) if i.package not in allowed]
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in NOT_CALLED_IN_CORE:
                bad.append(f"line {node.lineno}: {name}()")
            case ast.Global(names=names):
                bad.append(f"line {node.lineno}: global {', '.join(names)}")
    return bad


def foreign_randomness(text: str) -> list[str]:
    """Uses of the `random` module, of `numpy.random` and of torch's global generator in a text."""
    bad = [
        f"line {i.line}: {i.module} {i.name}".rstrip()
        for i in imports(text)
        if i.module in ("random", "secrets")
        or (i.module == "numpy" and i.name == "random")
        or i.module.startswith("numpy.random")
    ]
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Attribute(value=ast.Name(id="np" | "numpy"), attr="random"):
                bad.append(f"line {node.lineno}: numpy.random")
            case (
                ast.Attribute(
                    value=ast.Name(id="torch"), attr="manual_seed" | "rand" | "randint" | "randperm"
                ) as use
            ):
                bad.append(f"line {node.lineno}: torch.{use.attr}")
    return bad


def relative(path: Path) -> str:
    return str(path.relative_to(SOURCE))


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_imports_go_down_only(path: Path) -> None:
    part = (*module_name(path).split(".")[1:], "")[0]
    assert part in LAYERS, f"{part} has no layer yet; give it one in LAYERS"
    assert upward_imports(path.read_text("utf-8"), part, package_of(path)) == []


def test_the_one_way_up_is_taken_in_one_place() -> None:
    users = [relative(path) for path in FILES if THE_WAY_UP[0] in path.read_text("utf-8")]
    assert users == ["plan/notebook.py"]


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("core", "import thermix.plan.plan"),
        ("plan", "from thermix.report.notebook import other"),
        ("sources", "from thermix.report.notebook import small_html"),
        ("core", "from thermix.plan import plan"),
        ("core", "from thermix import plan"),
        ("core", "from ..plan.plan import Plan"),
        ("core", "def later():\n    from thermix.config import load"),
        ("core", "if TYPE_CHECKING:\n    from thermix.plan.plan import Plan"),
        ("core", "from importlib import import_module\nimport_module('thermix.plan.plan')"),
        ("core", "import importlib\nimportlib.import_module('thermix.plan.plan')"),
        ("sources", "from thermix.engines import local"),
        ("torch", "from thermix.report import page"),
        ("demo", "from thermix.cli import main"),
        ("plan", "from thermix import Plan"),
        ("plan", "import thermix"),
        ("errors", "from thermix.core import order"),
    ],
)
def test_an_upward_import_is_seen(part: str, text: str) -> None:
    assert len(upward_imports(text, part, f"thermix.{part}")) == 1


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("core", "from . import tree\nfrom .order import counts\nfrom thermix.core import bits"),
        ("core", "from thermix import errors\nfrom thermix.errors import InvalidInput"),
        ("plan", "from ..core.order import counts\nimport thermix.core.order"),
        ("plan", "from thermix import __version__"),
        ("torch", "import torch\nfrom thermix.plan.plan import Plan"),
        ("cli", "from thermix import demo\nfrom thermix.report import page"),
    ],
)
def test_a_downward_or_inner_import_is_allowed(part: str, text: str) -> None:
    assert upward_imports(text, part, f"thermix.{part}") == []


@pytest.mark.parametrize("path", sorted((SOURCE / "core").rglob("*.py")), ids=relative)
def test_core_is_numpy_and_pure_python(path: Path) -> None:
    assert impure_in_core(path.read_text("utf-8"), package_of(path)) == []


@pytest.mark.parametrize(
    "text",
    [
        "import os.path",
        "from time import monotonic",
        "def f():\n    import logging",
        "import random",
        "import scipy.special",
        "open('a')",
        "hash('web')",
        "def f():\n    global seen\n    seen = 1",
    ],
)
def test_what_core_must_not_do_is_seen(text: str) -> None:
    assert len(impure_in_core(text)) == 1


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_all_randomness_is_our_own_hashing(path: Path) -> None:
    assert foreign_randomness(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "text",
    [
        "import random",
        "from random import shuffle",
        "import numpy.random",
        "from numpy import random",
        "from numpy.random import default_rng",
        "import numpy as np\nnp.random.default_rng(0)",
        "import torch\ntorch.randperm(5)",
    ],
)
def test_foreign_randomness_is_seen(text: str) -> None:
    assert len(foreign_randomness(text)) == 1


LOADED = """
import sys
before = set(sys.modules)
import thermix
for name in {names}:
    getattr(thermix, name)
new = {{name.split(".")[0] for name in set(sys.modules) - before}}
print(*sorted(new - sys.stdlib_module_names))
"""


def loaded_by(names: list[str], folder: Path) -> list[str]:
    """Packages outside the standard library that a new Python loads to use these names."""
    command = [sys.executable, "-c", LOADED.format(names=names)]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout.split()


def test_import_thermix_loads_nothing_else(tmp_path: Path) -> None:
    assert loaded_by([], tmp_path) == ["thermix"]


@pytest.mark.parametrize("module", [home for home in thermix._HOMES if home != "thermix.config"])
def test_names_up_to_plans_load_numpy_only(module: str, tmp_path: Path) -> None:
    assert set(loaded_by(list(thermix._HOMES[module]), tmp_path)) <= {"thermix", "numpy"}


def test_a_heavier_import_is_seen(tmp_path: Path) -> None:
    probe = LOADED.format(names=[]).replace("import thermix", "import thermix, yaml")
    run = subprocess.run(
        [sys.executable, "-c", probe], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "yaml" in run.stdout.split()


@pytest.mark.parametrize("name", thermix.__all__)
def test_every_public_name_resolves(name: str) -> None:
    assert getattr(thermix, name) is not None


def test_the_lists_of_public_names_agree() -> None:
    text = (SOURCE / "__init__.py").read_text("utf-8")
    for_checkers = {i.name: i.module for i in imports(text) if i.package == "thermix" and i.name}
    assert for_checkers == thermix._HOME_OF
    assert sorted([*for_checkers, "__version__"]) == sorted(thermix.__all__)
    assert set(thermix.__all__) <= set(dir(thermix))


def test_every_error_is_public() -> None:
    assert set(importlib.import_module("thermix.errors").__all__) <= set(thermix.__all__)


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'thermix' has no attribute 'probabilites'"):
        getattr(thermix, "probabilites")  # noqa: B009 (the type checker knows it is not there)


def test_the_version_is_that_of_pyproject() -> None:
    lines = (ROOT / "pyproject.toml").read_text("utf-8").splitlines()
    versions = [line.split('"')[1] for line in lines if line.startswith("version = ")]
    assert versions == [thermix.__version__]
