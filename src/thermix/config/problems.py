"""Plain data to models, or all that is wrong with it at once, a line each.

The models say which keys there are; here their refusals become messages in the file's terms.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from thermix.config.model import ConfigModel, EditModel, SourceEditModel, SourceModel
from thermix.config.place import Place, nearest, quoted, shown
from thermix.errors import ConfigError

__all__ = ["raise_all", "validated"]

_EXAMPLE: Final = "Begin with steps: 10000, batch_size: 512 and sources: {web: {items: 100000}}."
_EXAMPLES: Final = {
    "steps": "steps: 10000",
    "batch_size": "batch_size: 512",
    "sources": "sources: {web: {path: data/web.jsonl}}",
    "at": "at: 6000",
}
_KINDS: Final = {
    "ConfigModel": "keys and values",
    "SourceModel": "keys and values, such as {path: data/web.jsonl}",
    "SourceEditModel": "keys and values, such as {score: 1.5}, or null to end the source",
    "EditModel": "keys and values, such as {at: 6000, temperature: 1.0}",
}
_MODELS: Final[dict[str, type[BaseModel]]] = {
    "source": SourceModel,
    "edit": EditModel,
    "changed source": SourceEditModel,
}
_MAY_BE_NULL: Final = ("score", "weight", "max_epochs")


def validated(data: object, place: Place) -> ConfigModel:
    """The model of plain data.

    Raises:
        ConfigError: an unknown or missing key, a value out of range or of another kind; all of them.
    """
    if data is None:
        raise place.error(f"it is empty; a configuration has steps, batch_size and sources. {_EXAMPLE}")
    if not isinstance(data, dict):
        kind = "a list" if isinstance(data, list) else shown(data)
        raise place.error(f"got {kind} at the top; it must be keys and values. {_EXAMPLE}")
    try:
        model = ConfigModel.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise_all([*(_problem(detail, place) for detail in details), *_nulls_in(data, place)])
        raise  # pragma: no cover (pydantic raises for one problem at least)
    raise_all(_nulls_in(data, place))
    return model


def raise_all(problems: Iterable[ConfigError]) -> None:
    """Raise the one problem there is, or all of several in one error, a line each; nothing without any."""
    found = list(problems)
    if len(found) == 1:
        raise found[0]
    if found:
        raise ConfigError("\n".join(dict.fromkeys(map(str, found))))


def _problem(detail: ErrorDetails, place: Place) -> ConfigError:
    for key in detail["loc"]:
        place = place / key
    kind, value = detail["type"], detail["input"]
    if kind == "value_error":
        return place.error(str(detail["ctx"]["error"]))
    if kind == "missing":
        return place.error(f": it is missing. Add {_EXAMPLES[str(detail['loc'][-1])]}, or what it is to be.")
    if kind == "extra_forbidden":
        return _unknown_key(place, value)
    if kind == "literal_error":
        return place.error(_not_a_choice(value, detail["ctx"]["expected"]))
    if kind == "dict_type":
        return place.error(
            f": got {shown(value)}; it must be names and what they are. Write web: {{...}} below it."
        )
    if kind == "list_type":
        return place.error(f": got {shown(value)}; it must be a list. Begin each entry with '- '.")
    wanted = _KINDS[detail["ctx"]["class_name"]] if kind == "model_type" else "of another kind"
    return place.error(f": got {shown(value)}; it must be {wanted}.")


def _not_a_choice(value: object, expected: str) -> str:
    choices = expected.replace("'", "").replace(" or ", ", ").split(", ")
    near = nearest(value, choices)
    hint = f" Did you mean {near}?" if near else ""
    return f": got {shown(value)}; it must be one of {', '.join(choices)}.{hint}"


def _unknown_key(place: Place, value: object) -> ConfigError:
    key = str(place.path[-1])
    model = _model_of(place.path[:-1])
    known = tuple(model.model_fields)
    if key in ConfigModel.model_fields and model is not ConfigModel:
        way_out = f"{key} is a key of the whole file: write it at the top. Here are {', '.join(known)}."
    elif owner := next((name for name, m in _MODELS.items() if key in m.model_fields), None):
        way_out = f"{key} is a key of a{'n' if owner == 'edit' else ''} {owner}. Here are {', '.join(known)}."
    elif near := nearest(key, known, 0.6):
        way_out = f"Did you mean {near}?"
    else:
        way_out = f"Known are {', '.join(known)}."
    return place.error(f": got {shown(value)}; there is no key {quoted(key)} here. {way_out}")


def _model_of(path: tuple[str | int, ...]) -> type[BaseModel]:
    """The model of the keys below a path."""
    if path[:1] == ("edits",):
        return EditModel if len(path) == 2 else SourceEditModel
    return SourceModel if path else ConfigModel


def _nulls_in(data: Mapping[str, Any], place: Place) -> Iterator[ConfigError]:
    """Keys with nothing after them, but for those where null says something."""
    yield from _nulls(data, place, ())
    yield from _nulls_of_sources(data.get("sources"), place / "sources", ())
    edits = data.get("edits")
    for i, edit in enumerate(edits if isinstance(edits, list) else []):
        if isinstance(edit, Mapping):
            here = place / "edits" / i
            yield from _nulls(edit, here, ())
            yield from _nulls_of_sources(edit.get("sources"), here / "sources", _MAY_BE_NULL)


def _nulls_of_sources(sources: object, place: Place, allowed: tuple[str, ...]) -> Iterator[ConfigError]:
    for name, source in sources.items() if isinstance(sources, Mapping) else ():
        if isinstance(source, Mapping):
            yield from _nulls(source, place / name, allowed)


def _nulls(data: Mapping[str, Any], place: Place, allowed: tuple[str, ...]) -> Iterator[ConfigError]:
    model = _model_of(place.path)
    for key, value in data.items():
        field = model.model_fields.get(key)
        optional = field is not None and not field.is_required() and field.default is None
        if value is None and optional and key not in allowed:
            yield (place / key).error(": got nothing; a key has a value. Give it one, or leave the key out.")
