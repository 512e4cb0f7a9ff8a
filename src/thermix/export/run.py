"""`export`: a configuration to the files of a trainer that mixes by itself, and what they do not say."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from thermix.config import read_config
from thermix.engines.local_place import write_whole, writing
from thermix.errors import InvalidInput
from thermix.export.distance import Distance, distance_of
from thermix.export.energon import ENERGON
from thermix.export.levanter import LEVANTER
from thermix.export.megatron import MEGATRON
from thermix.export.mosaic import MOSAIC
from thermix.export.nanotron import NANOTRON
from thermix.export.places import lies_there, places_of
from thermix.export.stages import Stage, cut_stages
from thermix.export.trainer import Asked, Trainer
from thermix.plan.checks import check_choice, checked_whole
from thermix.plan.plan import Plan

__all__ = ["DISTANCE", "TRAINERS", "Exported", "export", "export_record"]

TRAINERS: dict[str, Trainer] = {
    trainer.name: trainer for trainer in (MEGATRON, LEVANTER, NANOTRON, ENERGON, MOSAIC)
}
"""Name, as in `--to`, -> what is known of it."""

DISTANCE = "distance.json"
"""File beside the trainer's: how far it is from the plan."""

_MOST_STAGES = 1 << 8
_ADDRESS = re.compile("[A-Za-z][A-Za-z0-9+.-]+:/")  # C:/ is a drive


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        trainer: for which.
        plan: that is expressed.
        files: name -> text, without `distance.json`.
        stages: with the weights that the trainer makes of them.
        distance: from the plan.
        cannot: what the files do not say, for this plan.
    """

    trainer: Trainer
    plan: Plan
    files: dict[str, str]
    stages: tuple[Stage, ...]
    distance: Distance
    cannot: tuple[str, ...]


def export(
    config: str | os.PathLike[str], out: str | os.PathLike[str], *, to: str, stages: int = 8
) -> Exported:
    """Write the nearest expression of a configuration's plan in a trainer's own configuration.

    Args:
        config: the configuration; its data need not be there.
        out: the folder; made if need be. Files of the same name must be the same.
        to: a key of `TRAINERS`.
        stages: at most so many stages of constant weights, 1 to 255.

    Returns:
        What was written, and how far it is from the plan.

    Raises:
        InvalidInput: a wrong value, data that the trainer cannot read, files of another export.
        ConfigError, DataError, MissingExtra: as for `thermix.load_plan`.
    """
    check_choice("to", to, tuple(TRAINERS))
    _refuse_address(out)
    most = checked_whole("stages", stages, 1, _MOST_STAGES)
    said = read_config(config)
    plan, trainer = said.plan, TRAINERS[to]
    places = tuple(places_of(config, said))
    tried = [
        Asked(plan, tuple(trainer.written(plan, cut_stages(plan, most, unit=unit))), places)
        for unit in trainer.units
    ]
    found = [(asked, distance_of(plan, asked.stages, trainer.noise(asked))) for asked in tried]
    asked, distance = min(found, key=lambda each: abs(each[1].farthest.largest))
    exported = Exported(
        trainer=trainer,
        plan=plan,
        files=trainer.files(asked),
        stages=asked.stages,
        distance=distance,
        cannot=(*_cannot(asked), *trainer.cannot),
    )
    record = json.dumps(export_record(exported), ensure_ascii=False, indent=1) + "\n"
    _write(Path(out), {**exported.files, DISTANCE: record})
    return exported


def _refuse_address(out: str | os.PathLike[str]) -> None:
    """Refuse an address, also as `Path` writes it, with one slash: a folder of that name is not meant."""
    if _ADDRESS.match(os.fspath(out)):
        raise InvalidInput(
            f"{out}: it is an address; an export is a few small files, written to a folder. Give a folder as "
            "--out, and copy it."
        )


def export_record(exported: Exported) -> dict[str, Any]:
    """All that is known of an export, as JSON values; draws, and tokens where a draw is so many."""
    length = exported.plan.sequence_length
    return {
        "to": exported.trainer.name,
        "reference": exported.trainer.reference,
        "fingerprint": exported.plan.fingerprint,
        "steps_compared": exported.distance.steps,
        "sequence_length": length,
        "sources": [
            asdict(source)
            | ({} if length is None else {"largest_tokens": source.largest * length})
            | ({} if length is None else {"final_tokens": source.final * length})
            for source in exported.distance.sources
        ],
        "stages": [
            {
                "start": stage.start,
                "stop": stage.stop,
                "draws": stage.draws,
                "weights": dict(zip(exported.plan.names, stage.weights.tolist(), strict=True)),
            }
            for stage in exported.stages
        ],
        "cannot_say": list(exported.cannot),
    }


def _cannot(asked: Asked) -> Iterator[str]:
    """What no such configuration says, of those things that this plan has."""
    plan = asked.plan
    yield "temperature: within a stage the weights stand still."
    yield "order: which item comes when is the trainer's own choice, not the plan's."
    budgets = {number for segment in plan.segments for number in segment.budgets}
    capped = [plan.names[number] for number in sorted(budgets)]
    if capped:
        yield f"caps: max_epochs of {', '.join(capped)}; a trainer that draws more begins the source again."
    if len({segment.batch_size for segment in plan.segments}) > 1:
        sizes = ", ".join(f"{s.batch_size} from step {s.start}" for s in plan.segments)
        yield f"batch sizes: {sizes}. Set the trainer's own the same, or the stages move."
    if unknown := [place.name for place in asked.places if not place.paths]:
        yield f"paths: only the size of {', '.join(unknown)} is known; its name stands for its path."
    if missing := [path for place in asked.places for path in place.paths if not lies_there(path)]:
        yield f"paths: nothing lies at {', '.join(missing)} yet; they are written as they are named."
    if plan.pick == "batch":
        yield "pick: batch: the draws of a step come from several sources."
    documents = [
        name for s in plan.segments for name, source in s.mixture.sources.items() if source.unit == "document"
    ]
    if documents:
        yield (
            f"documents: a draw of the plan is a document of {documents[0]}, and the trainer's is a sequence "
            "of tokens; shares of tokens are others. Give tokenizer and sequence_length, and prepare it."
        )


def _write(out: Path, files: dict[str, str]) -> None:
    """Write the files; those that are there must be the same."""
    if out.exists() and not out.is_dir():
        raise InvalidInput(f"{out}: it is a file; an export goes into a folder. Give another --out.")
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
        there = {file.name: file.read_bytes() for file in out.iterdir() if file.is_file()}
    for name, content in there.items():
        if name in files and files[name].encode() == content:
            continue
        raise InvalidInput(
            f"{out}: it holds {name}, which this export does not write so; nothing is written over. Remove "
            "the folder, or give another --out."
        )
    for name, text in files.items():
        write_whole(out / name, text.encode())
