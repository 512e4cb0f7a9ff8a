"""MosaicML LLM Foundry and Streaming: streams with `choose`, a datamix a stage.

`choose` is the number of samples of a stream in an epoch; a stage is an epoch, so that its counts are the
plan's. Stages are the schedule of the curriculum_learning callback.

https://docs.mosaicml.com/projects/streaming/en/stable/api_reference/generated/streaming.Stream.html, and
llmfoundry/callbacks/curriculum_learning_callback.py: durations add up to max_duration, in its unit, and the
first datamix is the train_loader.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from thermix.export.stages import Stage
from thermix.export.trainer import Asked, Trainer, drawn, shuffled_noise, yaml_text
from thermix.plan.plan import Plan
from thermix.sources.files import is_remote

__all__ = ["MOSAIC"]


def _files(asked: Asked) -> dict[str, str]:
    loaders = [_loader(asked, stage) for stage in asked.stages]
    value: dict[str, Any] = {"max_duration": f"{len(loaders)}ep", "train_loader": loaders[0]}
    if len(loaders) > 1:
        schedule = [{"duration": "1ep", "train_loader": copy.deepcopy(loader)} for loader in loaders]
        value["callbacks"] = {"curriculum_learning": {"schedule": schedule}}
    head = "Sections of an LLM Foundry configuration. An epoch is a stage."
    return {"mosaic.yaml": yaml_text(value, head)}


def _loader(asked: Asked, stage: Stage) -> dict[str, Any]:
    streams = {
        place.name: _stream(place.paths[0] if place.paths else place.name, int(stage.counts[i]))
        for i, place, _ in drawn(stage, asked.places)
    }
    dataset: dict[str, Any] = {"streams": streams, "shuffle": True, "shuffle_seed": asked.plan.seed}
    if asked.plan.sequence_length is not None:
        dataset["max_seq_len"] = asked.plan.sequence_length
    return {"name": "text", "dataset": dataset, "drop_last": True, "num_workers": 8}


def _stream(path: str, choose: int) -> dict[str, Any]:
    return {"remote" if is_remote(path) else "local": path, "choose": choose}


def _written(plan: Plan, stages: Sequence[Stage]) -> list[Stage]:
    """Whole draws are written, so that the plan's shares stay as they are."""
    return [replace(stage, weights=stage.counts / stage.draws) for stage in stages]


MOSAIC = Trainer(
    name="mosaic",
    reference="https://docs.mosaicml.com/projects/streaming/en/stable/api_reference/generated/"
    "streaming.Stream.html",
    files=_files,
    noise=shuffled_noise,
    cannot=(
        "continued counts: every stage chooses its samples of a stream anew, so items come again before "
        "others have come.",
        "clocks: an epoch is a stage; schedules of the learning rate are best written in dur, or in ba.",
        "data: it reads MDS shards; the paths are those of the configuration. Convert each source with "
        "streaming.MDSWriter, into the split that your loader names.",
    ),
    units=(1,),
    written=_written,
)
