"""Logs of runs: counted exactly, in any order, and refused where they are none."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.plans import small_plan
from thermix.errors import DataError, InvalidInput
from thermix.report.page_parts import realised_words
from thermix.report.run_log import read_log


def lines_of(steps: range) -> list[str]:
    """The log of a run: one line a draw."""
    plan = small_plan()
    return [
        json.dumps({"step": step, "source": plan.names[s], "item": i})
        for step in steps
        for s, i in zip(plan.batch(step).source.tolist(), plan.batch(step).item.tolist(), strict=True)
    ]


def log(folder: Path, lines: list[str]) -> Path:
    path = folder / "run.jsonl"
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_a_run_as_planned_is_said_to_be(tmp_path: Path) -> None:
    plan = small_plan()
    realised = read_log(log(tmp_path, [*lines_of(range(20, 25))[::-1], "", *lines_of(range(3))]), plan)
    wanted = plan.counts(25) - plan.counts(20) + plan.counts(3)
    np.testing.assert_array_equal(realised.counted, wanted)
    np.testing.assert_array_equal(realised.planned, wanted)
    assert (realised.steps, realised.first, realised.last, realised.whole) == (8, 0, 24, 8)
    assert realised_words(realised).endswith("exactly as often as planned in them.")


def test_counts_of_steps_are_a_log_as_well(tmp_path: Path) -> None:
    plan = small_plan()
    each = np.diff(plan.counts(np.arange(6)), axis=0).tolist()
    lines = [
        json.dumps({"step": step, "counts": dict(zip(plan.names, row, strict=True))})
        for step, row in enumerate(each)
    ]
    assert read_log(log(tmp_path, lines), plan).as_planned


def test_a_missing_draw_is_told(tmp_path: Path) -> None:
    realised = read_log(log(tmp_path, lines_of(range(4))[:-1]), small_plan())
    assert not realised.as_planned
    assert realised.whole == 3
    assert "1 steps have more or fewer draws" in realised_words(realised)


@pytest.mark.parametrize(
    ("line", "kind", "message"),
    [
        ('{"step": 3, "sou', DataError, "line 2 (byte 29): no JSON;"),
        ("[1]", DataError, 'line 2 (byte 29): neither {"step", "source"}'),
        ('{"step": "3", "source": "web"}', DataError, "neither"),
        ('{"step": true, "source": "web"}', DataError, "neither"),
        ('{"step": 3, "counts": {"web": -1}}', DataError, "neither"),
        ('{"step": 3, "counts": {"web": 1.5}}', DataError, "neither"),
        ('{"step": 3}', DataError, "neither"),
        ('{"step": 1000, "source": "web"}', InvalidInput, "step 1000; the plan has steps 0 to 1000."),
        ('{"step": 3, "source": "wiki"}', InvalidInput, "source 'wiki'; the plan has none of that name."),
    ],
)
def test_a_line_that_is_none_is_refused_with_its_place(
    tmp_path: Path, line: str, kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind) as refused:
        read_log(log(tmp_path, ['{"step": 0, "source": "web"}', line]), small_plan())
    assert message in str(refused.value)


def test_a_log_that_is_not_there_or_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"--run: .*nope: no such file or directory\."):
        read_log(tmp_path / "nope", small_plan())
    with pytest.raises(InvalidInput, match="no draws in it"):
        read_log(log(tmp_path, []), small_plan())


@given(st.sets(st.integers(0, 999), min_size=1, max_size=40), st.integers(0, 5))
def test_the_way_of_a_run_is_its_steps_added_up(steps: set[int], more: int) -> None:
    plan, seen = small_plan(), sorted(steps)
    each = {step: plan.counts(step + 1) - plan.counts(step) for step in seen}
    each[seen[0]][0] += more
    lines = [
        json.dumps({"step": step, "counts": dict(zip(plan.names, each[step].tolist(), strict=True))})
        for step in seen
    ]
    with TemporaryDirectory() as folder:
        realised = read_log(log(Path(folder), lines), plan)
    assert realised.points.tolist() == seen
    np.testing.assert_array_equal(realised.running, np.cumsum([each[step] for step in seen], axis=0))
    owed = np.cumsum(plan.probabilities(np.array(seen)) * 64, axis=0)
    np.testing.assert_allclose(realised.owed, owed, atol=1e-6)
    np.testing.assert_array_equal(realised.running[-1], realised.counted)


def test_a_long_log_is_followed_at_some_of_its_steps(tmp_path: Path) -> None:
    plan = small_plan()
    lines = [json.dumps({"step": step, "counts": {"web": 64}}) for step in range(1_000)]
    realised = read_log(log(tmp_path, lines), plan)
    assert (len(realised.points), realised.points[0], realised.points[-1]) == (240, 0, 999)
    assert realised.running[:, 0].tolist() == (64 * (realised.points + 1)).tolist()
    np.testing.assert_allclose(realised.owed[-1], [s.expected_draws for s in plan.forecast()], atol=1e-6)
