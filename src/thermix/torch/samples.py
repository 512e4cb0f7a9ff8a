"""From a row of a source to a sample: a dict with `source`, whatever the row was."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from thermix.errors import InvalidInput

__all__ = ["Sample", "Transform", "samples_of"]

Sample = dict[str, Any]
Transform = Callable[[Any], Any]


def samples_of(
    rows: Sequence[Any],
    source: Sequence[int],
    item: Sequence[int],
    step: Sequence[int],
    names: Sequence[str],
    transform: Transform | None,
) -> list[Sample]:
    """A sample of each row.

    Args:
        rows: of sources (n,).
        source: their numbers (n,), indices into `names`.
        item: their places (n,) in the sources.
        step: their steps (n,).
        names: of the sources.
        transform: applied to each row first; an exception of its own gets source and item noted in it, also
            through a worker (Python 3.11 and newer).

    Returns:
        n dicts: a mapping's own keys; else `input_ids` for tokens, `text` for text, `item` for what else a
        row is; and `source` and `step`.

    Raises:
        InvalidInput: a row has a key of its own called `source` or `step`.
    """
    samples = []
    for row, number, place, at in zip(rows, source, item, step, strict=True):
        made = row if transform is None else _transformed(transform, row, names[number], place)
        sample = _as_dict(made)
        for key in ("source", "step"):
            if key in sample:
                raise InvalidInput(
                    f"sources.{names[number]}: a row has a key {key!r} of its own; in a batch it is the "
                    f"number of the {key}. Give a transform that drops it or renames it."
                )
        samples.append({**sample, "source": number, "step": at})
    return samples


def _transformed(transform: Transform, row: Any, name: str, item: int) -> Any:
    try:
        return transform(row)
    except Exception as error:
        if hasattr(error, "add_note"):
            error.add_note(f"in the transform of item {item} of source {name!r}")
        raise


def _as_dict(row: Any) -> Mapping[str, Any]:
    if isinstance(row, Mapping):
        return row
    if isinstance(row, str | bytes):
        return {"text": row}
    if isinstance(row, np.ndarray | torch.Tensor):
        return {"input_ids": row} if row.ndim == 1 else {"item": row}
    if isinstance(row, list) and all(isinstance(value, int) for value in row):
        return {"input_ids": row}
    return {"item": row}
