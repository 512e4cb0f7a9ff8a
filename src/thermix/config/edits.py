"""Edits of a file to edits of a plan: moments to steps, and each source merged into what it was.

Invariant: an edit depends on what stands before it in the file and on nothing that comes after, so
that an edit added at the end leaves the others as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from thermix.config.checks import check_sizes
from thermix.config.model import ConfigModel, EditModel, SourceEditModel, SourceModel
from thermix.config.moments import RunClock
from thermix.config.place import Place, nearest
from thermix.config.problems import raise_all
from thermix.config.refusals import refused_edit
from thermix.config.sizes import Sizes
from thermix.errors import ConfigError, InvalidInput
from thermix.plan.edits import Edit
from thermix.plan.mixture import Source

__all__ = ["refused", "resolved_edits"]

_REPLACES = {"score": "weight", "weight": "score", "tokens": "items", "items": "tokens"}


def resolved_edits(
    config: ConfigModel, clock: RunClock, sizes: Sizes, sources: Mapping[str, Source], place: Place
) -> tuple[Edit, ...]:
    """The edits of a file.

    Args:
        config: the file.
        clock: of the run, without edits.
        sizes: of its sources.
        sources: as they are before the first edit.
        place: the file, for errors.

    Raises:
        ConfigError: edits out of order, a source that is not there, a size that is not known.
    """
    current = {name: _Standing(config.sources[name], source) for name, source in sources.items()}
    edits: list[Edit] = []
    for i, edit in enumerate(config.edits):
        here = place / "edits" / i
        at = _step(edit, clock, edits[-1].at_step if edits else 0, here)
        if edit.batch_size is not None:
            clock = clock.with_batch(at, edit.batch_size)
        changed = dict(_changed(edit, current, sizes, here))
        edits.append(_edit(edit, at, clock, changed, here))
    return tuple(edits)


@dataclass(frozen=True)
class _Standing:
    """A source as it stands: what the file says of it, and what it is."""

    model: SourceModel
    source: Source


def _step(edit: EditModel, clock: RunClock, last: int, place: Place) -> int:
    at = clock.first_step_at(edit.at)
    if at < 1:
        raise (place / "at").error(
            f": got {edit.at}, which is step {at}; an edit is at step 1 or later. Change the top."
        )
    if at <= last:
        given = str(edit.at) if isinstance(edit.at, int) else f"{edit.at}, which is step {at}"
        raise (place / "at").error(
            f": got {given}; the edit before it is at step {last}, and the past cannot change. "
            "Put edits in the order of their steps, and merge those of one step."
        )
    return at


def _edit(
    edit: EditModel, at: int, clock: RunClock, changed: Mapping[str, Source | None], place: Place
) -> Edit:
    try:
        return Edit(
            at,
            edit.temperature if edit.temperature is not None else edit.alpha,
            changed or None,
            edit.batch_size,
            None if edit.steps is None else clock.whole_steps(edit.steps)[0],
            edit.max_epochs,
            edit.when_capped,
        )
    except InvalidInput as error:
        raise refused(str(error), edit, place) from error


def refused(message: str, edit: EditModel, place: Place) -> ConfigError:
    """The error of an edit, with its place."""
    schedule = "alpha" if edit.alpha is not None else "temperature"
    message = (
        message.replace("temperature:", f"{schedule}:", 1) if message.startswith("temperature:") else message
    )
    return refused_edit(message, place, edit.at, edit.model_fields_set, edit.sources or {})


def _changed(
    edit: EditModel, current: dict[str, _Standing], sizes: Sizes, place: Place
) -> Iterator[tuple[str, Source | None]]:
    for name, entry in (edit.sources or {}).items():
        here = place / "sources" / name
        standing = current.get(name)
        if entry is None:
            _check_there(name, current, here)
            del current[name]
            yield name, None
            continue
        model = _merged(standing.model, entry) if standing else _new(name, entry, current, here)
        raise_all(check_sizes(model, sizes.sequence_length, sizes.tokenized, here))
        before = (standing.model, standing.source) if standing else None
        current[name] = _Standing(model, sizes.source(name, model, here, before))
        yield name, current[name].source


def _check_there(name: str, current: Mapping[str, _Standing], place: Place) -> None:
    if name not in current:
        raise place.error(f"it cannot end, there is no such source then; there are {_names(name, current)}")


def _names(name: str, current: Mapping[str, _Standing]) -> str:
    near = nearest(name, current, 0.6)
    return f"{', '.join(current) or 'none'}.{f' Did you mean {near}?' if near else ' Remove it.'}"


def _merged(model: SourceModel, entry: SourceEditModel) -> SourceModel:
    """The definition with the keys of the entry; a new kind of score or size replaces the old one."""
    keys = {key: getattr(model, key) for key in model.model_fields_set}
    for key in entry.model_fields_set:
        value = getattr(entry, key)
        if value is not None:
            keys.pop(_REPLACES.get(key, ""), None)
        keys[key] = value
    return SourceModel.model_construct(**{key: value for key, value in keys.items() if value is not None})


def _new(name: str, entry: SourceEditModel, current: Mapping[str, _Standing], place: Place) -> SourceModel:
    if entry.path is None and entry.tokens is None and entry.items is None:
        near = nearest(name, current, 0.6)
        raise place.error(
            f"there is no such source to change, and for a new one it has none of path, tokens and items. "
            f"{f'Did you mean {near}?' if near else 'Add one of them.'}"
        )
    return _merged(SourceModel.model_construct(), entry)
