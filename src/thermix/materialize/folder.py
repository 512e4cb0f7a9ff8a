"""The folder that a mixed run is written to.

    DIR/.thermix-materialize/       while it is being written (`engines/folder.py`)
    DIR/train-00003-of-00012.jsonl  a span of steps: .jsonl, .parquet, or .bin and .idx
    DIR/rank-00001-of-00004/...     the same of one rank, where ranks were asked for
    DIR/about/plan.json             the plan, as `Plan.load` reads it
    DIR/about/manifest.json         written last

The names are those that HF `datasets` takes for the split "train". Files `about` lie in a folder of their
own, where no reader of data takes them for data.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar

from pydantic import ValidationError

from thermix.engines.folder import TaskFolder
from thermix.errors import DataError
from thermix.materialize.job import Materialization, MaterializeJob, SpanRecord
from thermix.sources.files import MANIFEST, MATERIALIZING
from thermix.sources.manifest import canonical_json

__all__ = [
    "ABOUT",
    "PLAN",
    "MaterializeFolder",
    "parse_materialization",
    "rank_folder",
    "read_materialization",
    "span_name",
]

ABOUT = "about"
PLAN = "plan.json"


class MaterializeFolder(TaskFolder[MaterializeJob, SpanRecord]):
    """A folder that a mixed run is being written to.

    Args:
        path: of the folder, or its address.
    """

    verb: ClassVar[str] = "materialize"
    work: ClassVar[str] = MATERIALIZING
    manifest: ClassVar[str] = f"{ABOUT}/{MANIFEST}"
    made: ClassVar[str] = "files"
    otherwise: ClassVar[str] = "Two runs do not mix"
    job_type = MaterializeJob
    record_type = SpanRecord

    def files_of(self, record: SpanRecord) -> Iterator[tuple[str, int]]:
        """As the record names them."""
        for file in record.files:
            yield file.name, file.bytes

    def finished(self) -> Materialization | None:
        """The manifest, where the folder is whole."""
        (text,) = self.place.read([self.manifest])
        return None if text is None else parse_materialization(text, f"{self.place}/{self.manifest}")

    def span_draft(self, task: int, name: str) -> AbstractContextManager[Path]:
        """A folder for the files of a span, as `TaskFolder.draft`.

        Args:
            task: its number.
            name: of its files, without their ending.
        """
        return self.draft(task, f"{name}.")

    def finish(self, whole: Materialization, ranks: list[Materialization]) -> None:
        """Write the manifests, that of the whole last, then remove the records.

        Raises:
            DataError: they cannot be written.
        """
        self.place.confirm()
        for manifest in ranks:
            assert manifest.rank is not None, "manifests of ranks have one"
            folder = rank_folder(manifest.rank, manifest.job.ranks)
            self.place.write(f"{folder}/{self.manifest}", canonical_json(manifest))
        self.place.write(self.manifest, canonical_json(whole))
        self.place.clear()


def rank_folder(rank: int, ranks: int) -> str:
    """The folder of one rank."""
    return f"rank-{rank:05d}-of-{ranks:05d}"


def span_name(rank: int | None, ranks: int, number: int, count: int) -> str:
    """The path of a span's file in the folder, without its ending."""
    folder = "" if rank is None else f"{rank_folder(rank, ranks)}/"
    return f"{folder}train-{number:05d}-of-{count:05d}"


def read_materialization(folder: Path) -> Materialization | None:
    """What a folder holds; None where no run was written to its end there.

    Raises:
        DataError: the manifest cannot be read, or is none of thermix.
    """
    path = folder / ABOUT / MANIFEST
    try:
        text = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise DataError(f"{path}: it cannot be read: {error.strerror}. Check its permissions.") from error
    return parse_materialization(text, str(path))


def parse_materialization(text: bytes, where: str) -> Materialization:
    """A manifest as it was written.

    Args:
        text: of the file.
        where: it lies, for errors.

    Raises:
        DataError: it is none of thermix.
    """
    try:
        return Materialization.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"])) or f"byte 0 of {len(text)}"
        raise DataError(
            f"{where}: {key}: {first['msg']}; it is as thermix materialize wrote it. "
            "Materialize again, into another folder."
        ) from error
