"""Tables of HF `datasets`: made from files, opened where they were saved, fetched from the hub.

Everything that depends on how `datasets` behaves is here. It is kept quiet: no progress bars unless standard
error is a terminal, no log lines, and what it raises becomes one of our errors. Code that comes with a data
set is never run.
"""

from __future__ import annotations

import errno
import inspect
import json
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from thermix.errors import DataError, InvalidInput, MissingExtra
from thermix.sources.copies import Original, content_key, local_copy
from thermix.sources.fields import OTHER_FIELD, no_field

__all__ = ["FileFormat", "hub_table", "saved_table", "table_of_files"]

FileFormat = Literal["arrow", "csv", "parquet", "text", "tsv"]

_ROWS_A_BATCH = 1_000


def table_of_files(kind: FileFormat, originals: Sequence[Original], name: str, field: str | None) -> Any:
    """The rows of files as one `datasets.Dataset`, in the order of the files; None where there are none.

    Args:
        kind: of the files.
        originals: the files; what is packed is unpacked, what is remote fetched (`copies.py`).
        name: of the source, for errors.
        field: of Parquet, CSV and TSV files, the only column that is copied.

    Raises:
        DataError: a file is not what it should be, or lacks the field.
        MissingExtra: a library is not installed.
    """
    _datasets()
    paths = [local_copy(original, name) for original in originals]
    shown = dict(zip(paths, map(str, originals), strict=True))
    keys = [content_key(original) for original in originals]
    return _Maker(kind, name, shown, field).table(paths, keys)


class _Maker:
    """Makes one table out of files of one format."""

    def __init__(self, kind: FileFormat, name: str, shown: dict[Path, str], field: str | None) -> None:
        self._kind = kind
        self._name = name
        self._shown = shown
        self._field = field

    def table(self, paths: list[Path], keys: list[str]) -> Any:
        columns = [self._columns(path) for path in paths]
        with_columns = [i for i, found in enumerate(columns) if found is not None]
        if not with_columns:
            return None
        paths, keys = [paths[i] for i in with_columns], [keys[i] for i in with_columns]
        options = self._options([columns[i] or [] for i in with_columns], paths)
        try:
            with _quietly():
                return _built(self._builder(paths, keys, options))
        except Exception as error:
            raise self._damaged(paths, options, error) from error

    def _columns(self, path: Path) -> list[str] | None:
        """The columns of a file where they matter before it is read; None for an empty file of no columns."""
        if self._kind in ("arrow", "text"):
            return []
        try:
            return _csv_columns(path, self._kind) if self._kind != "parquet" else _parquet_columns(path)
        except Exception as error:
            raise self._unreadable(path, error) from error

    def _options(self, columns: list[list[str]], paths: list[Path]) -> dict[str, Any]:
        from datasets import Features, Value

        if self._kind == "text":
            return {"features": Features({"text": Value("string")})}
        if self._kind == "arrow":
            return {}
        self._check_field(columns, paths)
        if self._kind == "parquet":
            return {"batch_size": _ROWS_A_BATCH} | ({"columns": [self._field]} if self._field else {})
        if self._field is None:
            self._check_same(columns, paths)
        wanted = columns[0] if self._field is None else [self._field]
        return {
            "features": Features({column: Value("string") for column in wanted}),
            "sep": "\t" if self._kind == "tsv" else ",",
            "na_filter": False,  # "NA" and "" are text
            "index_col": False,  # or rows of one cell more than columns would move by one
        }

    def _check_field(self, columns: list[list[str]], paths: list[Path]) -> None:
        for found, path in zip(columns, paths, strict=True):
            if self._field is not None and self._field not in found:
                raise DataError(
                    f"sources.{self._name}: {self._shown[path]}: {no_field(self._field, found)}. "
                    f"{OTHER_FIELD}"
                )

    def _check_same(self, columns: list[list[str]], paths: list[Path]) -> None:
        for found, path in zip(columns, paths, strict=True):
            if sorted(found) != sorted(columns[0]):
                raise DataError(
                    f"sources.{self._name}: {self._shown[path]} has the columns "
                    f"{', '.join(map(repr, found))}, and {self._shown[paths[0]]} "
                    f"{', '.join(map(repr, columns[0]))}; files of one source have the same. "
                    "Make two sources of them."
                )

    def _builder(self, paths: list[Path], keys: list[str], options: dict[str, Any]) -> Any:
        """Names the copy in the cache by what the files hold, where `datasets` would go by their times."""
        import datasets
        from datasets.data_files import DataFilesDict, DataFilesList

        files = DataFilesList([os.path.abspath(path) for path in paths], [(key,) for key in keys])
        return _builder_class(self._kind)(
            data_files=DataFilesDict({"train": files}), hash=datasets.__version__, **options
        )

    def _damaged(self, paths: list[Path], options: dict[str, Any], error: Exception) -> DataError:
        """What is said of files that made no table: the one at fault is found by reading each alone."""
        if _is_disk_full(error):
            return DataError(
                f"sources.{self._name}: {self._of(paths)}: the Arrow copy cannot be written: no space left "
                "on the disk. Make room, or set HF_DATASETS_CACHE to another folder."
            )
        for path in paths if len(paths) > 1 else []:
            try:
                with _quietly():
                    _read_through(self._builder([path], [""], options))
            except Exception as own:
                return self._unreadable(path, own)
        return DataError(
            f"sources.{self._name}: {self._of(paths)}: HF datasets cannot make one table of them: "
            f"{_root(error)}. Mend them, or make several sources of them."
            if len(paths) > 1
            else str(self._unreadable(paths[0], error))
        )

    def _unreadable(self, path: Path, error: Exception) -> DataError:
        what = f"no {'text' if self._kind == 'text' else self._kind} file, or damaged"
        return DataError(
            f"sources.{self._name}: {self._shown[path]}: {what}: {_root(error)}. Mend it, or take it out."
        )

    def _of(self, paths: list[Path]) -> str:
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        return f"{self._shown[paths[0]]}{more}"


def saved_table(folder: Path, name: str) -> Any:
    """What `save_to_disk` wrote to a folder, where it lies; None without rows.

    Raises:
        DataError: a file of it is missing or damaged.
    """
    datasets = _datasets()
    try:
        if json.loads((folder / "state.json").read_text("utf-8"))["_data_files"] == []:
            return None  # which it writes, and does not read
        with _quietly():
            return datasets.load_from_disk(str(folder), keep_in_memory=False).with_format(None)
    except Exception as error:
        raise DataError(
            f"sources.{name}: {folder}: saved by HF datasets, and it cannot be read: {_root(error)}. "
            "Save it again, or put back what is missing."
        ) from error


def hub_table(repository: str, revision: str | None, config: str | None, split: str, name: str) -> Any:
    """A split of a data set on the Hugging Face hub.

    Raises:
        InvalidInput: there is none of that name, configuration or split.
        DataError: it cannot be fetched or read.
    """
    datasets = _datasets()
    try:
        with _quietly():
            return _loaded(datasets.load_dataset, repository, config, split=split, revision=revision)
    except Exception as error:
        if isinstance(error, FileNotFoundError) or type(error) is ValueError:  # both are said of names
            raise InvalidInput(
                f"sources.{name}.path: hf:{repository}: {_root(error)}. Correct the name: "
                "hf:OWNER/NAME, hf:OWNER/NAME:CONFIG or hf:OWNER/NAME:CONFIG:SPLIT."
            ) from error
        raise DataError(
            f"sources.{name}: hf:{repository}: it cannot be fetched or read: {_root(error)}. Check the "
            "network and your access to it (hf auth login), then try again."
        ) from error


def _loaded(load_dataset: Callable[..., Any], *what: str | None, **how: str | None) -> Any:
    """Versions of `datasets` below 4 could run code of a data set's own: they are told not to."""
    if "trust_remote_code" in inspect.signature(load_dataset).parameters:
        return load_dataset(*what, **how, trust_remote_code=False).with_format(None)
    return load_dataset(*what, **how).with_format(None)


def _datasets() -> Any:
    try:
        import datasets
    except ImportError as error:
        raise MissingExtra("datasets", "data", "reading Parquet, CSV, text, Arrow and hub data") from error
    return datasets


def _builder_class(kind: FileFormat) -> Any:
    """Taken as they are: `load_dataset` tells a server of every use, and reads paths as patterns."""
    if kind == "parquet":
        from datasets.packaged_modules.parquet.parquet import Parquet as Builder
    elif kind == "arrow":
        from datasets.packaged_modules.arrow.arrow import Arrow as Builder
    elif kind == "text":
        from datasets.packaged_modules.text.text import Text as Builder
    else:
        from datasets.packaged_modules.csv.csv import Csv as Builder
    return Builder


def _built(builder: Any) -> Any:
    """The table, its Arrow copy being made if it is not in the cache; None without rows."""
    builder.download_and_prepare()
    rows: int = builder.info.splits["train"].num_examples
    return builder.as_dataset("train", in_memory=False) if rows else None


def _read_through(builder: Any) -> None:
    for _ in builder.as_streaming_dataset("train").with_format("arrow").iter(batch_size=_ROWS_A_BATCH):
        pass


def _csv_columns(path: Path, kind: str) -> list[str] | None:
    pandas = _pandas()
    try:
        header = pandas.read_csv(path, sep="\t" if kind == "tsv" else ",", nrows=0, index_col=False)
    except pandas.errors.EmptyDataError:
        return None
    return [str(column) for column in header.columns]


def _parquet_columns(path: Path) -> list[str]:
    import pyarrow.parquet

    names: list[str] = pyarrow.parquet.read_schema(path).names
    return names


@contextmanager
def _quietly() -> Iterator[None]:
    """Nothing of `datasets` on the screen but bars on a terminal; all as it was afterwards."""
    import datasets

    pandas = _pandas()
    logger, bars = logging.getLogger("datasets"), not datasets.are_progress_bars_disabled()
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", pandas.errors.ParserWarning)  # it says that cells were dropped
        logger.setLevel(logging.CRITICAL)
        if bars and not sys.stderr.isatty():
            datasets.disable_progress_bars()
        try:
            yield
        finally:
            logger.setLevel(level)
            if bars:
                datasets.enable_progress_bars()


def _pandas() -> Any:
    import pandas  # type: ignore[import-untyped]

    return pandas


def _root(error: BaseException) -> str:
    """The first line of what began it."""
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".")


def _is_disk_full(error: BaseException | None) -> bool:
    while error is not None:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
