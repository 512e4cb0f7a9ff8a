"""Runs the documentation: the code of README.md and docs/, and the files in examples/.

The blocks of a page run from top to bottom in one empty folder and one namespace:

    python     executed; with `>>>` prompts its output is compared as well
    console    each `$ thermix ...` runs at 80 columns and must print what the page does, exit 0
    yaml       `# NAME.yaml` on its first line writes that file; without, it must only be YAML
    text, mermaid    not code

Any other block fails, unless the line above it says why it is not run: `<!-- not run: REASON -->`.
With `<!-- needs: MODULE, ... -->` it waits for optional libraries; where one is missing the test of
that page ends as skipped, naming the lines, after all its other blocks have run. An example file
says `# needs: MODULE, ...` on a line of its own, and `# slow: REASON` where it takes long. Blanks at
the end of a line do not count: editors strip them.
"""

from __future__ import annotations

import doctest
import importlib.util
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
EXAMPLES = [
    pytest.param(path, marks=[pytest.mark.slow] if "\n# slow: " in path.read_text("utf-8") else [])
    for path in sorted((ROOT / "examples").glob("*.py"))
]
NOT_CODE = ("text", "mermaid")

MARK = re.compile(r"<!--\s*(?P<kind>not run|needs):\s*(?P<value>.+?)\s*-->")
FENCE = re.compile(r"\s*(?P<ticks>```+|~~~+)\s*(?P<language>\S*)")
LINK = re.compile(r"\]\((?!https?://|mailto:|#)(?P<target>[^)#\s]+)[^)]*\)")


class Block(NamedTuple):
    """One fenced block; `line` is that of its opening fence, `mark` the comment above it."""

    line: int
    language: str
    text: str
    mark: re.Match[str] | None


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    lines = page.splitlines()
    i = 0
    while i < len(lines):
        if fence := FENCE.match(lines[i]):
            end = next(n for n in range(i + 1, len(lines)) if lines[n].strip() == fence["ticks"])
            mark = MARK.fullmatch(lines[i - 1].strip()) if i else None
            text = textwrap.dedent("\n".join(lines[i + 1 : end])) + "\n"
            yield Block(i + 1, fence["language"], text, mark)
            i = end
        i += 1


def missing_modules(mark: re.Match[str] | None) -> list[str]:
    if mark is None or mark["kind"] != "needs":
        return []
    names = re.split(r",\s*", mark["value"])
    return [name for name in names if importlib.util.find_spec(name) is None]


def run_page(page: str, folder: Path) -> list[str]:
    """Run the blocks of a page in the current folder; say which wait for a missing library."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    waiting = []
    for block in blocks(page):
        if block.mark and block.mark["kind"] == "not run":
            continue
        if missing := missing_modules(block.mark):
            waiting.append(f"line {block.line} needs {', '.join(missing)}")
        else:
            run_block(block, namespace, folder)
    return waiting


def run_block(block: Block, namespace: dict[str, object], folder: Path) -> None:
    match block.language:
        case "python" if ">>>" in block.text:
            run_session(block, namespace)
        case "python":  # the empty lines make a traceback name the line of the page
            exec(compile("\n" * block.line + block.text, "page", "exec"), namespace)
        case "console":
            for line, command, printed in commands(block):
                assert command.startswith("thermix "), f"line {line}: not run here: {command}"
                assert output(command, folder) == printed, f"line {line}: {command}"
        case "yaml":
            yaml.safe_load(block.text)
            if named := re.match(r"# (\S+\.ya?ml)\b", block.text):
                (folder / named[1]).write_text(block.text, encoding="utf-8")
        case _ if block.language not in NOT_CODE:
            pytest.fail(f"line {block.line}: a block of {block.language or 'no language'!r}")


def run_session(block: Block, namespace: dict[str, object]) -> None:
    """Run a block of `>>>` prompts; what its names become stays in the namespace."""
    session = doctest.DocTestParser().get_doctest(block.text, namespace, "page", "page", block.line)
    problems: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    result = runner.run(session, out=problems.append, clear_globs=False)
    namespace.update(session.globs)
    assert result.failed == 0, "".join(problems)


def commands(block: Block) -> Iterator[tuple[int, str, str]]:
    """Each command of a console block with its line and the output printed under it."""
    text = block.text.replace("\\\n", "\\\0")  # a command may go on in the next line
    assert text.startswith("$ "), f"line {block.line}: a console block must begin with `$ `"
    line = block.line + 1
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, printed = part.partition("\n")
        yield line, command.replace("\\\0", ""), without_end_blanks(printed)
        line += part.count("\n") + part.count("\0")


def output(command: str, folder: Path) -> str:
    """What a command prints, errors included, on a terminal of 80 columns without colour."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    clean = {"PATH": path, "COLUMNS": "80", "NO_COLOR": "1", "PYTHONUTF8": "1", "TERM": "dumb"}
    run = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env={**os.environ, **clean},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    assert run.returncode == 0, f"{command}: exit {run.returncode}\n{run.stdout}"
    return without_end_blanks(run.stdout)


def without_end_blanks(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")


def page_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.filterwarnings("ignore:.*LeafSpec:FutureWarning")  # Lightning 2.6 on PyTorch 2.13
@pytest.mark.filterwarnings("ignore:Checkpoint directory:UserWarning")  # Lightning, where it resumes
@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_the_code_of_a_page_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if waiting := run_page(path.read_text("utf-8"), tmp_path):
        pytest.skip("; ".join(waiting))


@pytest.mark.parametrize("path", PAGES, ids=page_name)
def test_the_links_of_a_page_lead_to_files(path: Path) -> None:
    targets = [link["target"] for link in LINK.finditer(path.read_text("utf-8"))]
    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=page_name)
def test_an_example_runs(path: Path, tmp_path: Path) -> None:
    text = path.read_text("utf-8")
    if missing := missing_modules(re.search(r"(?m)^# (?P<kind>needs): (?P<value>.+)$", text)):
        pytest.skip(f"needs {', '.join(missing)}")
    run = subprocess.run(
        [sys.executable, str(path)],
        cwd=tmp_path,
        env={**os.environ, "OMP_NUM_THREADS": "1"},  # tests run side by side
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        ("```python\nassert 1 + 1 == 3\n```", ""),
        ("```python\n>>> 1 + 1\n3\n```", "Got:\n      2"),
        ("```console\n$ pip install thermix\n```", "line 2: not run here: pip"),
        ("```console\n$ thermix no-such-verb\n```", "exit"),
        ("```console\nthermix demo\n```", "must begin with"),
        ("```bash\nmake demo\n```", "a block of 'bash'"),
        ("```\nmake demo\n```", "a block of 'no language'"),
        ("- in a list:\n  ```python\n  assert 1 + 1 == 3\n  ```", ""),
    ],
)
def test_a_page_that_is_wrong_fails(page: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises((AssertionError, pytest.fail.Exception)) as caught:
        run_page(page, tmp_path)
    assert problem in str(caught.value)


def test_output_that_differs_from_the_page_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    program = tmp_path / "thermix"
    program.write_text('#!/bin/sh\necho "$COLUMNS $*  "\n', encoding="utf-8")
    program.chmod(0o755)
    page = "```console\n$ thermix probs \\\n    mix.yaml\n{}\n\n$ thermix demo\n80 demo\n```"
    assert run_page(page.format("80 probs mix.yaml"), tmp_path) == []
    with pytest.raises(AssertionError, match=r"line 2: thermix probs"):
        run_page(page.format("80 probs mix.yml"), tmp_path)


def test_blocks_share_names_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = (
        "```yaml\n# mix.yaml\nsteps: 10\n```\n"
        "```python\nfrom pathlib import Path\ntext = Path('mix.yaml').read_text()[-10:]\n```\n"
        "```python\n>>> text\n'steps: 10\\n'\n>>> more = text * 2\n```\n"
        "```python\nassert len(more) == 20\n```\n"
        "<!-- not run: it would never end -->\n```python\nwhile True: pass\n```\n"
    )
    assert run_page(page, tmp_path) == []


def test_a_block_that_waits_for_a_library_is_named(tmp_path: Path) -> None:
    page = "<!-- needs: sys, no_such_module -->\n```python\nraise SystemExit\n```"
    assert run_page(page, tmp_path) == ["line 2 needs no_such_module"]
