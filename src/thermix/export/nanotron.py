"""nanotron: `data_stages`, each with the folders and weights of its Nanoset.

https://github.com/huggingface/nanotron/blob/main/docs/nanoset.md, and `NanosetDatasetsArgs` and
`DatasetStageArgs` of src/nanotron/config/config.py: the first stage starts at step 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermix.export.stages import Stage
from thermix.export.trainer import (
    Asked,
    Trainer,
    as_written,
    drawn,
    shuffled_noise,
    weight_text,
    yaml_text,
)

__all__ = ["NANOTRON"]


def _files(asked: Asked) -> dict[str, str]:
    stages = [_stage(asked, number, stage) for number, stage in enumerate(asked.stages)]
    value: dict[str, Any] = {"data_stages": stages, "tokens": {"train_steps": asked.plan.end}}
    if asked.plan.sequence_length is not None:
        value["tokens"]["sequence_length"] = asked.plan.sequence_length
    return {"nanotron.yaml": yaml_text(value, "Sections of a nanotron configuration.")}


def _stage(asked: Asked, number: int, stage: Stage) -> dict[str, Any]:
    sources = drawn(stage, asked.places)
    dataset = {
        "dataset_folder": [place.first for _, place, _ in sources],
        "dataset_weights": [float(weight_text(weight)) for _, _, weight in sources],
    }
    return {
        "name": f"stage {number}",
        "start_training_step": stage.start + 1,
        "data": {"dataset": dataset, "num_loading_workers": 1, "seed": asked.plan.seed},
    }


def _noise(asked: Asked) -> NDArray[np.float64]:
    """Its index is shuffled in blocks of as many samples as the sources have."""
    return shuffled_noise(asked, sum(place.items for place in asked.places))


NANOTRON = Trainer(
    name="nanotron",
    reference="https://github.com/huggingface/nanotron/blob/main/docs/nanoset.md",
    files=_files,
    noise=_noise,
    cannot=(
        "continued counts: every stage has a dataset of its own, which begins every source anew, so items "
        "come again before others have come.",
        "versions: some take the last stage for all steps (pull request 380 of huggingface/nanotron); see "
        "that yours does not.",
        "data: it reads folders of .ds files, as datatrove tokenises them; the paths are those of the "
        "configuration. Tokenise each source there.",
    ),
    units=(1,),
    written=as_written,
)
