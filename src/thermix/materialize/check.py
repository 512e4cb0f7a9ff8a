"""Whether a mixed run that was written out is still what its manifest says, byte by byte."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

from thermix.errors import DataError
from thermix.materialize.folder import ABOUT, PLAN, read_materialization
from thermix.materialize.job import Materialization, SpanFile
from thermix.plan.plan import Plan
from thermix.prepare.check import Checked, check_shards
from thermix.sources.files import MANIFEST
from thermix.sources.manifest import file_record

__all__ = ["check_materialization"]


def check_materialization(
    path: str | os.PathLike[str], *, show: Callable[[int, int], None] | None = None
) -> Checked | None:
    """Check a folder that `thermix materialize` wrote.

    Every file the manifest names is there, of its size and SHA-256, no other file of a run lies there, and
    the plan beside it is the one it was written from. Indices of `.bin` are checked as those of shards are.

    Args:
        path: a folder, or that of one rank.
        show: is told bytes checked, and bytes in all.

    Returns:
        What was found, every problem; files count as shards, items as documents. None for any other folder.

    Raises:
        DataError: a manifest that is none.
    """
    folder = Path(path)
    manifest = read_materialization(folder)
    if manifest is None:
        return None
    files = [file for span in manifest.spans for file in span.files]
    total, done = sum(file.bytes for file in files), 0
    problems = [*_strangers(folder, files), *_other_plan(folder, manifest)]
    sound = 0
    for file in files:
        problem = _problem(folder, file)
        problems += [problem] if problem else []
        sound += problem is None
        done += file.bytes
        if show is not None:
            show(done, total)
    if manifest.job.layout == "bin" and not problems:
        problems += _indices(folder, files)
    items, tokens = (0, 0) if problems else (manifest.items, manifest.tokens)
    return Checked(sound, items, tokens, sound, tuple(problems))


def _strangers(folder: Path, files: list[SpanFile]) -> Iterator[str]:
    named = {file.name for file in files}
    for found in sorted(folder.rglob("train-*")):
        if found.relative_to(folder).as_posix() not in named:
            yield f"{found}: {ABOUT}/{MANIFEST} does not name it. Move it away, it is not part of this run."


def _other_plan(folder: Path, manifest: Materialization) -> Iterator[str]:
    path = folder / ABOUT / PLAN
    if manifest.rank is None and not path.exists():
        yield f"{path}: it is not there. Put it back, or materialize again."
    elif path.exists() and Plan.load(path).fingerprint != manifest.job.fingerprint:
        yield f"{path}: it is another plan than {MANIFEST} beside it says. Put the right one back."


def _problem(folder: Path, due: SpanFile) -> str | None:
    path = folder / due.name
    try:
        found = file_record(path)
    except DataError as error:
        return str(error)
    if (found.bytes, found.sha256) != (due.bytes, due.sha256):
        return (
            f"{path}: it has {found.bytes:,} bytes, SHA-256 {found.sha256[:12]}..., and {ABOUT}/{MANIFEST} "
            f"says {due.bytes:,} bytes, {due.sha256[:12]}... Copy it again, or materialize again."
        )
    return None


def _indices(folder: Path, files: list[SpanFile]) -> Iterator[str]:
    for place in sorted({(folder / file.name).parent for file in files}):
        yield from check_shards(place).problems
