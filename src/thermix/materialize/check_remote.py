"""Whether shards or a mixed run in an object store are still what their manifest says, byte by byte."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import IO, NamedTuple

from thermix.engines.object_place import ObjectPlace, is_store
from thermix.engines.scratch import scratch_folder
from thermix.errors import InvalidInput
from thermix.materialize.folder import ABOUT, PLAN, parse_materialization
from thermix.materialize.job import Materialization
from thermix.plan.plan import Plan
from thermix.prepare.check import Checked
from thermix.sources.addresses import shown
from thermix.sources.files import MANIFEST
from thermix.sources.manifest import Manifest, parse_manifest
from thermix.sources.stores import side_by_side

__all__ = ["check_remote"]

_BLOCK = 1 << 20


class _File(NamedTuple):
    """A file as a manifest has it."""

    name: str
    size: int
    sha256: str


def check_remote(url: str, *, show: Callable[[int, int], None] | None = None) -> Checked:
    """Check a folder in an object store that `thermix prepare` or `thermix materialize` wrote.

    Every file its manifest names is there, of its size and SHA-256; no other shard or file of a run lies
    there; the plan of a run is the one it was written from.

    Args:
        url: address of the folder.
        show: is told bytes checked, and bytes in all.

    Returns:
        What was found, every problem, counted as `check_shards` and `check_materialization` count.

    Raises:
        InvalidInput: no address of an object store, or no manifest lies there.
        DataError: a manifest that is none, or the store cannot be asked.

    Cost: every byte is fetched once, several files at a time; nothing is kept.
    """
    if not is_store(url):
        raise InvalidInput(
            f"{shown(url)}: only s3:// and gs:// are checked where they lie. Copy the folder here, and check "
            "it."
        )
    place = ObjectPlace(url, "")
    run, shards = place.read([f"{ABOUT}/{MANIFEST}", MANIFEST])
    if run is not None:
        return _check_run(place, parse_materialization(run, f"{place}/{ABOUT}/{MANIFEST}"), show)
    if shards is not None:
        return _check_shards(place, parse_manifest(shards, f"{place}/{MANIFEST}"), show)
    raise InvalidInput(
        f"{place}: no manifest lies there; at an address only what thermix wrote to its end is checked. "
        "Correct the address, or copy the folder here and check it."
    )


def _check_shards(place: ObjectPlace, manifest: Manifest, show: Callable[[int, int], None] | None) -> Checked:
    files = [
        _File(f"{shard.name}{ending}", record.bytes, record.sha256)
        for shard in manifest.shards
        for ending, record in ((".bin", shard.bin), (".idx", shard.idx))
    ]
    wrong = _Sums(place, MANIFEST, show).wrong(files)
    strangers = _strangers(place, files, MANIFEST, _is_shard)
    sound = [s for s in manifest.shards if not {f"{s.name}.bin", f"{s.name}.idx"} & wrong.keys()]
    return Checked(
        shards=len(sound),
        documents=sum(shard.documents for shard in sound),
        tokens=sum(shard.tokens for shard in sound),
        checksums=len(files) - len(wrong),
        problems=(*wrong.values(), *strangers),
    )


def _check_run(
    place: ObjectPlace, manifest: Materialization, show: Callable[[int, int], None] | None
) -> Checked:
    files = [_File(file.name, file.bytes, file.sha256) for span in manifest.spans for file in span.files]
    named_by = f"{ABOUT}/{MANIFEST}"
    wrong = _Sums(place, named_by, show).wrong(files)
    strangers = _strangers(place, files, named_by, lambda path: path.name.startswith("train-"))
    problems = (*strangers, *_other_plan(place, manifest), *wrong.values())
    items, tokens = (0, 0) if problems else (manifest.items, manifest.tokens)
    sound = len(files) - len(wrong)
    return Checked(sound, items, tokens, sound, problems)


def _is_shard(path: PurePosixPath) -> bool:
    return len(path.parts) == 1 and path.suffix.lower() in (".bin", ".npy")


def _strangers(
    place: ObjectPlace, files: list[_File], named_by: str, is_ours: Callable[[PurePosixPath], bool]
) -> Iterator[str]:
    named = {file.name for file in files}
    for name in sorted(place.listed().keys() - named):
        if is_ours(PurePosixPath(name)):
            yield f"{place}/{name}: {named_by} does not name it. Move it away, it is no part of this."


def _other_plan(place: ObjectPlace, manifest: Materialization) -> Iterator[str]:
    name = f"{ABOUT}/{PLAN}"
    (text,) = place.read([name])
    if text is None:
        if manifest.rank is None:
            yield f"{place}/{name}: it is not there. Put it back, or materialize again."
        return
    with scratch_folder() as here:
        (here / PLAN).write_bytes(text)
        if Plan.load(here / PLAN).fingerprint != manifest.job.fingerprint:
            yield f"{place}/{name}: it is another plan than {MANIFEST} says. Put the right one back."


class _Sums:
    """Compares files with what a manifest says of them, several at a time."""

    def __init__(self, place: ObjectPlace, named_by: str, show: Callable[[int, int], None] | None) -> None:
        self._place = place
        self._named_by = named_by
        self._show = show
        self._lock = threading.Lock()
        self._done = 0

    def wrong(self, files: list[_File]) -> dict[str, str]:
        """What is wrong with each file with which something is, by its name."""
        total = sum(file.size for file in files)

        def compare(file: _File) -> str | None:
            problem = self._problem(file)
            with self._lock:
                self._done += file.size
                if self._show is not None:
                    self._show(self._done, total)
            return problem

        problems = side_by_side(compare, files)
        return {file.name: what for file, what in zip(files, problems, strict=True) if what is not None}

    def _problem(self, due: _File) -> str | None:
        found = self._place.used(due.name, _sum)
        where = f"{self._place}/{due.name}"
        if found is None:
            return f"{where}: {self._named_by} names it, and it is not there. Put it back, or write it again."
        size, sha256 = found
        if (size, sha256) == (due.size, due.sha256):
            return None
        return (
            f"{where}: it has {size:,} bytes, SHA-256 {sha256[:12]}..., and {self._named_by} says "
            f"{due.size:,} bytes, {due.sha256[:12]}... Copy it again, or write it again."
        )


def _sum(file: IO[bytes]) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    while block := file.read(_BLOCK):
        digest.update(block)
        size += len(block)
    return size, digest.hexdigest()
