"""Megatron-Energon: a metadataset a stage, `blend:` with weights.

https://nvidia.github.io/Megatron-Energon/basic/metadataset.html
"""

from __future__ import annotations

from thermix.export.trainer import (
    Asked,
    Trainer,
    as_written,
    drawn,
    random_noise,
    steps_text,
    weight_text,
    yaml_text,
)

__all__ = ["ENERGON"]


def _files(asked: Asked) -> dict[str, str]:
    files = {}
    for number, stage in enumerate(asked.stages):
        blend = [
            {"weight": float(weight_text(weight)), "path": place.paths[0] if place.paths else place.name}
            for _, place, weight in drawn(stage, asked.places)
        ]
        value = {
            "__module__": "megatron.energon",
            "__class__": "MetadatasetV2",
            "splits": {"train": {"blend": blend}},
        }
        files[f"stage-{number:03d}.yaml"] = yaml_text(value, steps_text(stage))
    return files


ENERGON = Trainer(
    name="energon",
    reference="https://nvidia.github.io/Megatron-Energon/basic/metadataset.html",
    files=_files,
    noise=random_noise,
    cannot=(
        "stages: a metadataset has one blend. At the end of a stage stop, and go on with the next file.",
        "counts: each draw picks its source at random; the column noise says how far that strays.",
        "continued counts: a new metadataset begins every source anew, so items come again before others "
        "have come.",
        "data: it reads datasets that energon prepare has indexed; the paths are those of the configuration. "
        "Prepare each one there.",
    ),
    units=(1,),
    written=as_written,
)
