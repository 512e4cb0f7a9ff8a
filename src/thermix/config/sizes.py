"""How many items a source has: from its data where there is any, else from what the file says.

Invariant: a size that nobody stated is never used, and one that differs from the data is told.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from thermix.config.checks import default_unit
from thermix.config.data import Data, SourceFiles, located_at
from thermix.config.model import SourceModel
from thermix.config.place import Place, nearest, quoted
from thermix.config.refusals import refusing
from thermix.plan.mixture import Source, Unit

__all__ = ["Notice", "Sizes"]

_SIZE_KEYS = ("path", "field", "tokens", "items", "dtype", "unit")


@dataclass(frozen=True)
class Notice:
    """How something in a file was resolved, for people who want to know.

    Attributes:
        code: "planned_size" (the data is not there, the size is the file's), "size_differs" (the file says
            another size than the data has; the data counts), "steps_rounded" (a length in draws or tokens
            is not whole steps). Stable over versions.
        source: the source it is about; None where it is about the run.
        message: where, what, what follows.
    """

    code: str
    source: str | None
    message: str


@dataclass
class Sizes:
    """Sizes of the sources of one file, remembered with where they came from.

    Attributes:
        sequence_length: tokens of an item.
        data: finds and opens what paths name; None where no file is touched.
        tokenized: whether the file names a tokenizer, so that raw text is sequences.
        files: name -> where its items are, as last seen.
        places: name -> where in the file that was said.
        notices: what was found on the way.
    """

    sequence_length: int | None
    data: Data | None
    tokenized: bool = False
    files: dict[str, SourceFiles] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    notices: list[Notice] = field(default_factory=list)

    def source(
        self, name: str, model: SourceModel, place: Place, before: tuple[SourceModel, Source] | None = None
    ) -> Source:
        """The source of a definition; one whose size keys are those it had before keeps its size."""
        if before is not None and _size_keys(before[0]) == _size_keys(model):
            items, unit = before[1].items, before[1].unit
        else:
            items, unit = self._size(name, model, place)
        with refusing(place, SourceModel.model_fields):
            return Source(model.score, model.weight, items, model.max_epochs, unit)

    def _size(self, name: str, model: SourceModel, place: Place) -> tuple[int, Unit]:
        files = SourceFiles(model.path or (), model.field, model.dtype, model.tokens, model.items)
        self.files[name], self.places[name] = files, place
        said = self._said(model)
        if not files.path or self.data is None:
            if said is None:
                raise (place / "path").error(
                    f": got {quoted(files.path[0])} alone; no file is read here, so that "
                    "the size must be in the text. Add items: or tokens:."
                )
            return said, default_unit(model, tokenized=self.tokenized)
        with located_at(name, place):
            missing, unprepared = self.data.missing(name, files), self.data.unprepared(name, files)
        if missing:
            return self._planned(
                name, files, missing, self.data.absolute(missing[0]), said, place
            ), default_unit(model, tokenized=self.tokenized)
        if unprepared:
            return self._unprepared(name, files, said, place), "sequence"
        return self._measured(name, model, files, said, place)

    def _unprepared(self, name: str, files: SourceFiles, said: int | None, place: Place) -> int:
        """The size the file says, for raw text that is not prepared yet."""
        given = f"got {quoted(files.path[0])}, raw text that is not prepared yet"
        if said is None:
            raise (place / "path").error(
                f": {given}. Run thermix prepare with this file, or plan before that with tokens: or items:."
            )
        self._note(
            "planned_size",
            name,
            f"{place / 'path'}: {given}; the plan goes by the size in the file, {said:,} items.",
        )
        return said

    def _said(self, model: SourceModel) -> int | None:
        if model.tokens is not None and self.sequence_length is not None:
            return model.tokens // self.sequence_length
        return model.items

    def _planned(
        self, name: str, files: SourceFiles, missing: list[str], absolute: str, said: int | None, place: Place
    ) -> int:
        """The size the file says, for data that is not there yet; a part that is not there is refused."""
        here = place / "path"
        given = f"got {quoted(missing[0])}, where nothing lies"
        if said is None:
            raise here.error(
                f": {given}.{_near_file(absolute)} Correct the path, or plan before the data exists with "
                "tokens: or items:."
            )
        if len(missing) < len(files.path):
            raise here.error(
                f": {given}, while other paths of the source do exist. Correct it, or remove it."
            )
        self._note(
            "planned_size", name, f"{here}: {given}; the plan goes by the size in the file, {said:,} items."
        )
        return said

    def _measured(
        self, name: str, model: SourceModel, files: SourceFiles, said: int | None, place: Place
    ) -> tuple[int, Unit]:
        assert self.data is not None
        opened = self.data.open(name, files, place)
        items, unit = len(opened), opened.unit
        if items == 0:
            raise (place / "path").error(
                f": got {quoted(files.path[0])}, which holds no items; a source needs one. Remove it."
            )
        if model.unit is not None and model.unit != unit:
            raise (place / "unit").error(
                f": got {model.unit}; its data are {unit}s. Remove unit, or correct the path."
            )
        if said is not None and said != items:
            key = "items" if model.tokens is None else "tokens"
            self._note(
                "size_differs",
                name,
                f"{place / key}: {said:,} items by the file, {items:,} in the data, which counts.",
            )
        return items, unit

    def _note(self, code: str, name: str, message: str) -> None:
        self.notices.append(Notice(code, name, message))


def _size_keys(model: SourceModel) -> tuple[object, ...]:
    return tuple(getattr(model, key) for key in _SIZE_KEYS)


def _near_file(path: str) -> str:
    folder, name = os.path.split(path)
    try:
        near = nearest(name, sorted(os.listdir(folder)), 0.7)
    except OSError:
        return f" There is no folder {folder}."
    return f" Did you mean {near}?" if near else f" It is looked for in {folder}."
