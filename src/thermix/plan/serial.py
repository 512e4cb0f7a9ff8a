"""Plans as plain data and as files: everything a plan was made from, nothing it computed."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from thermix.core.order import DRAW_ORDER
from thermix.core.schedule import schedule_from_dict
from thermix.errors import DataError, InvalidInput
from thermix.plan.edits import Edit
from thermix.plan.mixture import Mixture, Source
from thermix.plan.plan import Plan

__all__ = ["load", "plan_from_dict", "plan_to_dict", "save"]

_FORMAT = 1
_RULES = ("steps", "batch_size", "seed", "order", "pick", "sequence_length")


def plan_to_dict(plan: Plan) -> dict[str, Any]:
    """All that a plan was made from, as JSON values (infinity as the text "inf").

    Returns:
        A dictionary that `plan_from_dict` turns back into an equal plan; it carries the fingerprint too.
    """
    return {
        "thermix_plan": _FORMAT,
        "draw_order": DRAW_ORDER,
        "fingerprint": plan.fingerprint,
        **{name: getattr(plan, name) for name in _RULES},
        "mixture": _mixture_to_dict(plan.mixture),
        "edits": [_edit_to_dict(edit) for edit in plan.edits],
    }


def plan_from_dict(data: Mapping[str, Any]) -> Plan:
    """The plan that `plan_to_dict` wrote.

    Raises:
        InvalidInput: it is no plan, of another format or draw order, or its fingerprint does not match.
    """
    try:
        return _plan_from_dict(data)
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(
            f"plan: {error!r} while reading it; it is not what plan.to_dict() or plan.save() writes. "
            "A configuration is read by thermix.load_plan."
        ) from error


def _plan_from_dict(data: Mapping[str, Any]) -> Plan:
    for key, known in (("thermix_plan", _FORMAT), ("draw_order", DRAW_ORDER)):
        if data[key] != known:
            raise InvalidInput(
                f"plan.{key}: got {data[key]!r}, this version of thermix knows {known}. "
                "Use the version that wrote it (CHANGELOG, Draw order)."
            )
    edits = tuple(_edit_from_dict(edit) for edit in data["edits"])
    plan = Plan(_mixture_from_dict(data["mixture"]), **{name: data[name] for name in _RULES}, edits=edits)
    if data["fingerprint"] != plan.fingerprint:
        raise InvalidInput(
            f"plan.fingerprint: got {data['fingerprint']!r}, its contents give {plan.fingerprint!r}; "
            "it was changed after it was written. Change plans with plan.edit, and save them again."
        )
    return plan


def save(plan: Plan, path: str | os.PathLike[str]) -> None:
    """Write a plan to a JSON file: to a temporary name, flushed to disk, renamed into place.

    Raises:
        DataError: the file cannot be written; one that was there is still whole.
    """
    target = Path(path)
    text = json.dumps(plan_to_dict(plan), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    try:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=target.parent, delete=False) as file:
            try:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
                os.replace(file.name, target)
            except BaseException:
                os.unlink(file.name)
                raise
    except OSError as error:
        raise DataError(f"{target}: the plan cannot be written: {error}. Nothing was changed.") from error


def load(path: str | os.PathLike[str]) -> Plan:
    """The plan that `save` wrote.

    Raises:
        InvalidInput: the file is not there, or holds no plan.
        DataError: the file is damaged.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"{path}: the plan cannot be read: {error}.") from error
    except ValueError as error:
        raise DataError(f"{path}: damaged, it is not JSON: {error}. Save the plan again.") from error
    if not isinstance(data, dict):
        raise InvalidInput(f"{path}: it holds no plan. Plans are written by plan.save(path).")
    return plan_from_dict(data)


def _mixture_to_dict(mixture: Mixture) -> dict[str, Any]:
    return {
        "sources": [[name, _source_to_dict(source)] for name, source in mixture.sources.items()],
        "temperature": mixture.temperature.to_dict(),
        "max_epochs": mixture.max_epochs,
        "when_capped": mixture.when_capped,
    }


def _mixture_from_dict(data: Mapping[str, Any]) -> Mixture:
    return Mixture(
        {name: Source(**source) for name, source in data["sources"]},
        temperature=schedule_from_dict(data["temperature"]),
        max_epochs=data["max_epochs"],
        when_capped=data["when_capped"],
    )


def _source_to_dict(source: Source) -> dict[str, Any]:
    values = {name: getattr(source, name) for name in ("score", "weight", "items", "max_epochs")}
    given = {name: value for name, value in values.items() if value is not None}
    return given | ({"unit": source.unit} if source.unit != "sequence" else {})


def _edit_to_dict(edit: Edit) -> dict[str, Any]:
    values = {
        name: getattr(edit, name) for name in ("at_step", "batch_size", "steps", "max_epochs", "when_capped")
    }
    given = {name: value for name, value in values.items() if value is not None}
    if edit.temperature is not None:
        given["temperature"] = edit.temperature.to_dict()
    if edit.sources is not None:
        given["sources"] = [[n, None if s is None else _source_to_dict(s)] for n, s in edit.sources.items()]
    return given


def _edit_from_dict(data: Mapping[str, Any]) -> Edit:
    values = dict(data)
    if "temperature" in values:
        values["temperature"] = schedule_from_dict(values["temperature"])
    if "sources" in values:
        values["sources"] = {n: None if s is None else Source(**s) for n, s in values["sources"]}
    return Edit(**values)
