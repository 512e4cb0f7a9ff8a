"""What the run saw: the plan's own numbers, at every step; and the clients they are written through."""

from __future__ import annotations

import sys
import types
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.torch.cases import SIZES, a_plan, sequences
from thermix import InvalidInput, MissingExtra, OutOfRange
from thermix.torch import MixtureLoader, RunLog, observed, to_mlflow, to_tensorboard, to_wandb

EDITED = a_plan(sequence_length=4).edit(at_step=5, batch_size=16).edit(at_step=9, sources={"code": None})


def test_it_is_what_counters_in_the_loop_would_have_counted() -> None:
    draws: Counter[int] = Counter()
    for step, batch in enumerate(MixtureLoader(EDITED, sequences())):
        in_step = Counter(batch["source"].tolist())
        draws += in_step
        told = observed(EDITED, step)
        for i, name in enumerate(EDITED.names):
            assert told[f"thermix/{name}/draws"] == draws[i]
            assert told[f"thermix/{name}/in_step"] == in_step[i]
            assert told[f"thermix/{name}/tokens"] == 4 * draws[i]
            assert told[f"thermix/{name}/epochs"] == draws[i] / SIZES[name]
        assert told["thermix/draws"] == draws.total()
        assert told["thermix/tokens"] == 4 * draws.total()


def test_temperature_and_probabilities_are_those_of_the_step() -> None:
    for step in range(EDITED.end):
        told = observed(EDITED, step, prefix="")
        shares = np.array([told[f"{name}/probability"] for name in EDITED.names])
        assert shares.tolist() == EDITED.probabilities(step).tolist()
        assert told["temperature"] == EDITED.temperature(step)
        spread = -sum(p * np.log(p) for p in shares if p)
        assert told["entropy"] == pytest.approx(spread)
        assert told["effective_sources"] == pytest.approx(np.exp(spread))
        assert {type(value) for value in told.values()} <= {int, float}


def test_tokens_are_told_where_the_length_is_known_and_steps_must_exist() -> None:
    assert not any("tokens" in key for key in observed(a_plan(), 3))
    assert observed(a_plan(), 3, sequence_length=10)["thermix/tokens"] == 4 * 24 * 10
    with pytest.raises(OutOfRange):
        observed(a_plan(), 12)


def test_a_log_writes_every_few_steps_and_the_last_with_metrics_of_ones_own() -> None:
    written: list[tuple[int, float, float]] = []
    log = RunLog(EDITED, lambda m, step: written.append((step, m["loss"], m["thermix/draws"])), every=4)
    for step in range(EDITED.end):
        log(step, {"loss": step / 2})
    assert [(step, loss) for step, loss, _ in written] == [(0, 0.0), (4, 2.0), (8, 4.0), (11, 5.5)]
    assert [draws for _, _, draws in written] == [24, 120, 184, 232]
    with pytest.raises(InvalidInput, match="writers: got a str; a writer is a function"):
        RunLog(EDITED, "runs/1")  # type: ignore[arg-type]


def test_tensorboard_reads_what_was_written(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped, unused-ignore]
        EventAccumulator,
    )

    log = RunLog(EDITED, to_tensorboard(str(tmp_path)))
    for step in range(EDITED.end):
        log(step)
    events = EventAccumulator(str(tmp_path)).Reload()
    for name in ("thermix/temperature", "thermix/书/probability", "thermix/web/draws"):
        values = [(event.step, event.value) for event in events.Scalars(name)]
        wanted = [(step, np.float32(observed(EDITED, step)[name])) for step in range(EDITED.end)]
        assert values == wanted


class Client:
    """Has the parts of the three clients that are used, and notes the calls."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.run: Any = self

    def log(self, data: dict[str, float], step: int | None = None) -> None:
        self.calls.append((data, step))

    def log_metrics(self, metrics: dict[str, float], step: int, run_id: str | None) -> None:
        self.calls.append((metrics, step, run_id))

    def add_scalar(self, tag: str, value: float, global_step: int) -> None:
        self.calls.append((tag, value, global_step))

    def flush(self) -> None:
        self.calls.append("flush")


def test_a_writer_of_ones_own_is_used() -> None:
    client = Client()
    to_tensorboard(client)({"a": 1, "b": 2.5}, 7)
    assert client.calls == [("a", 1, 7), ("b", 2.5, 7), "flush"]
    client = Client()
    to_wandb(client)({"a": 1}, 7)
    assert client.calls == [({"a": 1}, 7)]


def test_the_active_run_of_a_client_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    for name in ("wandb", "mlflow"):
        module = types.ModuleType(name)
        module.__dict__.update(run=client, log_metrics=client.log_metrics)
        monkeypatch.setitem(sys.modules, name, module)
    to_wandb()({"a": 1}, 7)
    to_mlflow("abc")({"thermix/书 a@b/draws": 1}, 7)
    assert client.calls == [({"a": 1}, 7), ({"thermix/书 a_b/draws": 1.0}, 7, "abc")]
    with pytest.raises(InvalidInput, match="metrics: two of the names"):
        to_mlflow()({"a@": 1, "a#": 2}, 7)
    sys.modules["wandb"].__dict__["run"] = None
    with pytest.raises(InvalidInput, match=r"run: none was given, and none is active. Call wandb.init"):
        to_wandb()


@pytest.mark.parametrize(
    ("make", "module"), [(to_wandb, "wandb"), (to_mlflow, "mlflow"), (to_tensorboard, "tensorboard")]
)
def test_a_client_that_is_not_installed_is_named(
    make: Any, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (module, "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=rf"writing to {module} needs {module}.*thermix\[log\]"):
        make("folder") if module == "tensorboard" else make()
