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
from pathlib import Path
from typing import ClassVar

from pydantic import ValidationError

from thermix.engines.folder import TaskFolder, write_whole, writing
from thermix.errors import DataError
from thermix.materialize.job import Materialization, MaterializeJob, SpanRecord
from thermix.sources.files import MANIFEST, MATERIALIZING
from thermix.sources.manifest import canonical_json

__all__ = ["ABOUT", "PLAN", "MaterializeFolder", "rank_folder", "read_materialization", "span_name"]

ABOUT = "about"
PLAN = "plan.json"


class MaterializeFolder(TaskFolder[MaterializeJob, SpanRecord]):
    """A folder that a mixed run is being written to.

    Args:
        path: of the folder.
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

    def remains_of(self, task: int) -> Iterator[Path]:
        """Nothing by number alone: a task removes what has its own name."""
        return iter(())

    def begun(self, name: str) -> list[Path]:
        """All that a task may have left of the file it writes, temporary names included.

        Args:
            name: of the file, without its ending.
        """
        folder = (self.path / name).parent
        return sorted(folder.glob(f"{Path(name).name}.*")) if folder.is_dir() else []

    def finish(self, whole: Materialization, ranks: list[Materialization]) -> None:
        """Write the manifests, that of the whole last, then remove the records.

        Raises:
            DataError: they cannot be written.
        """
        for manifest in ranks:
            assert manifest.rank is not None, "manifests of ranks have one"
            self._write_about(self.path / rank_folder(manifest.rank, manifest.job.ranks), manifest)
        self._write_about(self.path, whole)
        self.clear_work()

    def _write_about(self, folder: Path, manifest: Materialization) -> None:
        about = folder / ABOUT
        with writing(about):
            about.mkdir(parents=True, exist_ok=True)
        write_whole(about / MANIFEST, canonical_json(manifest))


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
    try:
        return Materialization.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"])) or f"byte 0 of {len(text)}"
        raise DataError(
            f"{path}: {key}: {first['msg']}; it is as thermix materialize wrote it. "
            "Materialize again, into another folder."
        ) from error
