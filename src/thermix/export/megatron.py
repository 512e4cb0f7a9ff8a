"""Megatron-LM: a blend a stage, for --per-split-data-args-path, and the arguments of a run in phases.

A blend is a list of weight and prefix, one after the other; each shard is a dataset of its own, so that a
source's weight is divided among its shards by their bytes.

https://docs.nvidia.com/megatron-core/developer-guide/latest/apidocs/core/
core.datasets.blended_megatron_dataset_config.html; `get_blend_from_list` of megatron/core/datasets/utils.py
reads the lists. --phase-transition-iterations makes each stage count its samples from its own start.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thermix.errors import InvalidInput
from thermix.export.places import SourcePlace, lies_there
from thermix.export.stages import Stage
from thermix.export.trainer import Asked, Trainer, as_written, drawn, weight_text
from thermix.sources.files import is_remote
from thermix.sources.opening import files_at

__all__ = ["MEGATRON"]

_MOST = (1 << 15) - 1  # datasets of a blend are numbered in 16 bits


def _files(asked: Asked) -> dict[str, str]:
    shards = [_shards(place) for place in asked.places]
    if sum(map(len, shards)) > _MOST:
        raise InvalidInput(
            f"export: got {sum(map(len, shards)):,} shards; a blend of Megatron-LM has at most {_MOST:,}. "
            "Prepare them with a larger --shard-size, or merge them with its tools/merge_datasets.py."
        )
    files = {
        f"stage-{number:03d}.json": _blend(asked, stage, shards) for number, stage in enumerate(asked.stages)
    }
    return files | {"arguments.txt": _arguments(asked)}


def _blend(asked: Asked, stage: Stage, shards: list[dict[str, float]]) -> str:
    blend = [
        text
        for i, _, weight in drawn(stage, asked.places)
        for prefix, part in shards[i].items()
        for text in (weight_text(weight * part), prefix)
    ]
    return json.dumps({"train": blend, "valid": None, "test": None}, ensure_ascii=False, indent=1) + "\n"


def _arguments(asked: Asked) -> str:
    """The arguments that belong to the plan; a line for each stage."""
    plan, starts = asked.plan, [stage.start for stage in asked.stages[1:]]
    common = ["--train-iters", str(plan.end), "--global-batch-size", str(plan.batch_size)]
    if plan.sequence_length is not None:
        common += ["--seq-length", str(plan.sequence_length)]
    if starts:
        common += ["--phase-transition-iterations", ",".join(map(str, starts))]
    return "".join(
        f"# steps {stage.start} to {stage.stop}\n"
        f"--per-split-data-args-path stage-{number:03d}.json {' '.join(common)}\n"
        for number, stage in enumerate(asked.stages)
    )


def _shards(place: SourcePlace) -> dict[str, float]:
    """The prefixes of a source's shards, with the part of its tokens that each has."""
    if place.field is not None and place.shards is None:
        raise InvalidInput(
            f"sources.{place.name}: it is raw text; Megatron-LM reads token shards. Prepare it first: "
            "thermix prepare, with the same configuration."
        )
    if not place.paths:
        return {place.name: 1.0}
    paths = [place.shards] if place.shards is not None else list(place.paths)
    if folders := [path for path in paths if is_remote(path) and not path.endswith((".bin", ".idx"))]:
        raise InvalidInput(
            f"sources.{place.name}: {folders[0]} is no .bin; a blend names every shard, and the sizes of "
            "those at an address are not asked for. Name the .bin files, or copy the folder here."
        )
    if any(map(is_remote, paths)) or not all(map(lies_there, paths)):
        return {_prefix(path): 1 / len(paths) for path in paths}
    files = [_data_of(file) for file in files_at(paths, place.name)]
    if strange := [file for file in files if file.suffix != ".bin" or not file.with_suffix(".idx").exists()]:
        raise InvalidInput(
            f"sources.{place.name}: {strange[0]} is no .bin with an .idx beside it; Megatron-LM reads no "
            "other. Prepare its text (thermix prepare), or write the plan out (thermix materialize)."
        )
    sizes = {_prefix(os.fspath(file)): file.stat().st_size for file in files}
    return {prefix: size / sum(sizes.values()) for prefix, size in sizes.items()}


def _data_of(file: Path) -> Path:
    """The `.bin` of a shard, which may be named by its index."""
    return file.with_suffix(".bin") if file.suffix == ".idx" else file


def _prefix(path: str) -> str:
    return path.removesuffix(".bin").removesuffix(".idx")


def _noise(asked: Asked) -> NDArray[np.float64]:
    """None but its own rounding: a blend always takes the dataset that is farthest behind."""
    return np.ones(len(asked.places))


MEGATRON = Trainer(
    name="megatron",
    reference="https://docs.nvidia.com/megatron-core/developer-guide/latest/apidocs/core/"
    "core.datasets.blended_megatron_dataset_config.html",
    files=_files,
    noise=_noise,
    cannot=(
        "stages: a run has one blend. At each of --phase-transition-iterations it stops; start it again with "
        "the next line of arguments.txt. Versions without that argument go on amid the new blend.",
        "continued counts: every stage begins every source anew, so items come again before others have "
        "come.",
        "items: a sample is a window of sequence_length + 1 tokens that it cuts itself, after shuffling the "
        "documents.",
    ),
    units=(1,),
    written=as_written,
)
