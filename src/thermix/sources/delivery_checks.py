"""What must hold between a plan, its open sources and the caller's array before a batch is read."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermix.errors import InvalidInput
from thermix.plan.mixture import Unit
from thermix.plan.plan import Plan
from thermix.sources.base import ItemSource

__all__ = ["check_sources", "checked_out", "one_unit"]


def check_sources(plan: Plan, sources: Mapping[str, ItemSource]) -> None:
    """Refuse sources that are not the plan's.

    Raises:
        InvalidInput: one is missing that is drawn from the last edit on, or has another number of items than
            the plan says, or none is given.
    """
    if not sources:
        raise InvalidInput("sources: got none; a batch is read from at least one. Open the plan's sources.")
    for name in sources:
        if name not in plan.names:
            near = get_close_matches(name, plan.names, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else " Take it out."
            raise InvalidInput(f"sources.{name}: the plan has no such source.{hint}")
    _refuse_missing(plan, [name for name in plan.names if name not in sources])
    for name, source in sources.items():
        wanted = _items(plan, name)
        if len(source) != wanted:
            raise InvalidInput(
                f"sources.{name}: it has {len(source)} items, and the plan says {wanted}; items would be "
                "others than planned. Plan again from the data, or open it as it was planned: same files, "
                "same sequence_length and stride."
            )


def one_unit(sources: list[ItemSource]) -> Unit:
    """What the items of all the sources are.

    Raises:
        InvalidInput: documents and sequences.
    """
    first = sources[0]
    for source in sources:
        if source.unit != first.unit:
            raise InvalidInput(
                f"sources.{source.name}: its items are {source.unit}s, those of {first.name!r} "
                f"{first.unit}s; "
                "a batch holds one unit. Prepare the documents as token shards."
            )
    return first.unit


def checked_out(out: NDArray[Any], shape: tuple[int, ...], *, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The caller's array, if rows can be written into it.

    Raises:
        InvalidInput: it has another shape or type, is not contiguous, or may not be written.
    """
    if out.shape != shape or out.dtype != dtype:
        raise InvalidInput(
            f"out: got {out.dtype} of shape {out.shape}; these rows are {dtype} of shape {shape}. "
            "Leave it out for a new array."
        )
    if not (out.flags.c_contiguous and out.flags.writeable):
        raise InvalidInput(
            "out: it is read-only or not contiguous; rows are written in C order. "
            "Leave it out for a new array."
        )
    return out


def _refuse_missing(plan: Plan, missing: list[str]) -> None:
    """Of the sources that are not there, those that are drawn from the last edit on."""
    if not missing:
        return
    drawn = plan.counts(plan.end) - plan.counts(plan.segments[-1].start)
    for name in missing:
        if drawn[plan.names.index(name)]:
            raise InvalidInput(f"sources.{name}: the plan draws from it, and it was not given. Open it too.")


def _items(plan: Plan, name: str) -> int:
    """Items of a source where the plan names it last."""
    return next(s.mixture.sources[name].items for s in reversed(plan.segments) if name in s.mixture.sources)
