"""Schedules: values at the boundaries, joins, units, the plain-data form, and what is refused."""

from __future__ import annotations

import copy
import json
import math
import pickle
import re
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermix.core.clock import Clock, Moment
from thermix.core.schedule import (
    Constant,
    Join,
    Linear,
    Schedule,
    constant,
    cosine,
    geometric,
    hold,
    inverse_linear,
    join,
    linear,
    piecewise,
    schedule_from_dict,
    step,
    warmup_hold,
)
from thermix.errors import InvalidInput

INF = math.inf
CLOCK = Clock(10_000, ((0, 0, 512),), 2_048)
RAMPS: list[Callable[..., Schedule]] = [linear, inverse_linear, geometric, cosine]
NAMES: dict[str, Any] = {
    "constant": constant,
    "linear": linear,
    "inverse_linear": inverse_linear,
    "geometric": geometric,
    "cosine": cosine,
    "step": step,
    "piecewise": piecewise,
    "warmup_hold": warmup_hold,
    "join": join,
}

warm = st.floats(0.01, 1e4)
percent_texts = st.integers(1, 9_999).map(lambda n: f"{n / 100:.2f}%")


def increasing(count: int) -> st.SearchStrategy[list[str]]:
    """`count` moments in percent, in order."""
    numbers = st.lists(st.integers(1, 10_000), min_size=count, max_size=count, unique=True)
    return numbers.map(lambda ns: [f"{n / 100:.2f}%" for n in sorted(ns)])


@st.composite
def pieces(draw: st.DrawFn, until: str) -> Schedule:
    """A schedule of one piece that ends at `until`."""
    ramp = draw(st.sampled_from([*RAMPS, None]))
    if ramp is None:
        return constant(draw(st.one_of(warm, st.sampled_from([0.0, INF]))), until=until)
    piece: Schedule = ramp(draw(warm), draw(warm), until=until)
    return piece


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """Any schedule written in percent."""
    texts = draw(increasing(draw(st.integers(1, 5))))
    kind = draw(st.sampled_from(["one", "step", "piecewise", "warmup_hold", "join"]))
    if kind == "one":
        return draw(pieces(texts[-1]))
    if kind == "step":
        values = draw(st.lists(warm, min_size=len(texts) + 1, max_size=len(texts) + 1))
        return step(tuple(values), at=tuple(texts))
    if kind == "piecewise":
        return piecewise(*[(text, draw(warm)) for text in ["0%", *texts]])
    if kind == "warmup_hold":
        a, b, c = draw(increasing(3))
        return warmup_hold(draw(warm), draw(warm), draw(warm), warmup=a, hold=b, until=c)
    return join(*[draw(pieces(text)) for text in texts])


def twin(schedule: Schedule, progress: float) -> float:
    """The readable twin: one point, math's functions, no arrays."""
    for span in schedule.spans:
        end = 1e9 if span.end is None else float(span.end.value) / 100
        if progress < end:
            begin = float(span.begin.value) / 100
            return twin_shape(span.shape, span.start, span.stop, (progress - begin) / (end - begin))
    return schedule.spans[-1].stop


def twin_shape(shape: str, a: float, b: float, u: float) -> float:
    if shape == "hold":
        return a
    if shape == "linear":
        return a + (b - a) * u
    if shape == "inverse":
        return 1 / (1 / a + (1 / b - 1 / a) * u)
    if shape == "geometric":
        return a * math.pow(b / a, u)
    return b + (a - b) * (1 + math.cos(math.pi * u)) / 2


# --- known answers -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "middle"),
    [
        (linear(5.0, 1.0, until="80%"), 3.0),
        (linear(1.0, 5.0, until="80%"), 3.0),
        (inverse_linear(4.0, 1.0, until="80%"), 1.6),
        (inverse_linear(INF, 1.0, until="80%"), 2.0),
        (inverse_linear(1.0, INF, until="80%"), 2.0),
        (geometric(4.0, 1.0, until="80%"), 2.0),
        (geometric(1.0, 4.0, until="80%"), 2.0),
        (cosine(5.0, 1.0, until="80%"), 3.0),
        (cosine(1.0, 5.0, until="80%"), 3.0),
    ],
    ids=repr,
)
def test_a_ramp_has_its_start_middle_end_and_holds_the_end(schedule: Linear, middle: float) -> None:
    assert schedule(0.0) == schedule.start
    assert schedule(0.4) == pytest.approx(middle, rel=1e-15)
    assert schedule(0.8) == schedule(0.9) == schedule(1.0) == schedule.end


def test_linear_is_its_formula_to_the_last_bit() -> None:
    p = np.random.default_rng(0).uniform(0, 1, 1_000)
    assert np.array_equal(linear(5, 1)(p), 5.0 + (1.0 - 5.0) * p)
    assert np.array_equal(linear(0.1, 7)(p), 0.1 + (7.0 - 0.1) * p)


def test_cosine_is_slow_at_both_ends() -> None:
    quarter = cosine(5.0, 1.0)([0.25, 0.75])
    assert quarter == pytest.approx([3 + math.sqrt(2), 3 - math.sqrt(2)], rel=1e-15)


def test_a_step_has_its_next_value_at_the_moment_itself() -> None:
    schedule = step((5, 2, 1), at=("30%", "70%"))
    assert schedule([math.nextafter(0.3, 0), 0.3, 0.69, 0.7, 1.0]).tolist() == [5.0, 2.0, 2.0, 1.0, 1.0]


def test_piecewise_passes_through_its_points_and_holds_the_first_and_last() -> None:
    schedule = piecewise(("20%", 5.0), ("50%", 2.0), ("80%", 4.0))
    assert schedule([0.0, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 1.0]) == pytest.approx(
        [5.0, 5.0, 5.0, 3.5, 2.0, 3.0, 4.0, 4.0]
    )


def test_warmup_hold_rises_holds_and_falls() -> None:
    schedule = warmup_hold(1.0, 5.0, 2.0)
    assert schedule([0.0, 0.05, 0.3, 0.5, 0.75, 1.0]).tolist() == [1.0, 5.0, 5.0, 5.0, 3.5, 2.0]
    dip = warmup_hold(3.0, 1.0, 3.0, warmup="25%", hold="75%")
    assert dip([0.0, 0.25, 0.75, 1.0]).tolist() == [3.0, 1.0, 1.0, 3.0]


def test_each_piece_of_a_join_runs_from_the_end_of_the_one_before() -> None:
    schedule = join(linear(5, 1, until="50%"), hold(2, until="75%"), linear(1, 3))
    points = [0.0, 0.25, 0.5, 0.74, 0.75, 0.875, 1.0]
    assert schedule(points).tolist() == [5.0, 3.0, 2.0, 2.0, 1.0, 2.0, 3.0]


def test_a_step_or_a_bent_line_can_be_a_piece_of_a_join() -> None:
    bent = piecewise(("30%", 4.0), ("60%", 1.0))
    schedule = join(step((5, 6), at=("10%",), until="30%"), bent, constant(9))
    assert schedule([0.0, 0.1, 0.3, 0.45, 0.6]) == pytest.approx([5.0, 6.0, 4.0, 2.5, 9.0])
    late = join(constant(7, until="20%"), bent)
    assert late([0.0, 0.2, 0.3, 1.0]).tolist() == [7.0, 4.0, 4.0, 1.0]


def test_a_join_of_joins_is_the_join_of_all() -> None:
    a, b, c = linear(5, 1, until="20%"), cosine(1, 4, until="60%"), constant(2)
    assert join(join(a, b), c).spans == join(a, b, c).spans == join(a, join(b, c)).spans


# --- properties ----------------------------------------------------------------------------------


@given(schedules(), st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_every_schedule_agrees_with_its_twin(schedule: Schedule, progress: list[float]) -> None:
    expected = [twin(schedule, p) for p in progress]
    assert schedule(progress) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@given(schedules(), st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_the_temperature_never_leaves_its_extremes(schedule: Schedule, progress: list[float]) -> None:
    low, high = schedule.extremes
    t = schedule(progress)
    assert (t >= low * (1 - 1e-12)).all()
    assert (t <= high * (1 + 1e-12)).all()
    assert (t >= 0).all()


@given(schedules(), st.integers(1, 5_000), st.data())
def test_progress_and_steps_give_the_same_bits(schedule: Schedule, steps: int, data: st.DataObject) -> None:
    at = np.array(data.draw(st.lists(st.integers(0, steps), min_size=1, max_size=20)))
    clock = Clock(steps, ((0, 0, 8),))
    assert np.array_equal(schedule(at / clock.steps), schedule.temperatures(at, clock))


@given(schedules(), st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_one_point_at_a_time_gives_the_same_bits(schedule: Schedule, progress: list[float]) -> None:
    whole = schedule(progress)
    assert [schedule(p) for p in progress] == whole.tolist()
    assert np.array_equal(schedule(np.array(progress).reshape(-1, 1))[:, 0], whole)


@given(schedules())
def test_every_boundary_has_the_next_pieces_first_temperature_exactly(schedule: Schedule) -> None:
    spans = schedule.spans
    for span in spans:
        assert schedule(float(span.begin.value / 100)) == span.start
    final = spans[-1].stop
    assert schedule(1.0) == (final if spans[-1].end is None else twin(schedule, 1.0))


@given(schedules())
def test_after_its_last_moment_a_schedule_is_constant(schedule: Schedule) -> None:
    last = schedule.last_moment()
    place = float(last.value / 100)
    after = schedule(np.linspace(place, 1.0, 7))
    assert (after == schedule.spans[-1].stop).all()
    for span in schedule.spans:
        if place > 0 and span.end == last:
            begin = float(span.begin.value / 100)
            assert (schedule([begin, (begin + place) / 2]) != after[0]).any(), "not the last change"


@given(schedules())
def test_plain_data_and_repr_are_read_back_equal(schedule: Schedule) -> None:
    data = json.loads(json.dumps(schedule.to_dict(), allow_nan=False))
    assert schedule_from_dict(data) == schedule
    assert hash(schedule_from_dict(data)) == hash(schedule)
    assert eval(repr(schedule), NAMES) == schedule
    assert pickle.loads(pickle.dumps(schedule)) == schedule
    assert copy.deepcopy(schedule) == schedule


# --- clocks and units ----------------------------------------------------------------------------


@pytest.mark.parametrize("until", ["80%", "8000 steps", "4_096_000 draws", "8388608000 tokens"])
def test_the_same_moment_in_any_unit_gives_the_same_temperatures(until: str) -> None:
    steps = np.arange(0, 12_000, 7)
    expected = linear(5, 1, until="80%").temperatures(steps, CLOCK)
    assert linear(5, 1, until=until).temperatures(steps, CLOCK) == pytest.approx(expected)


def test_the_clock_of_a_piece_is_the_unit_of_its_end() -> None:
    """With a batch size that doubles, half of the draws are not half of the steps."""
    clock = Clock(100, ((0, 0, 10), (50, 500, 20)), 2)
    at = np.array([0.0, 50.0, 75.0, 100.0])
    assert linear(4, 1, until="100 steps").temperatures(at, clock).tolist() == [4, 2.5, 1.75, 1]
    for until in ("1500 draws", "3000 tokens"):
        assert linear(4, 1, until=until).temperatures(at, clock).tolist() == [4, 3, 2, 1]


def test_units_may_differ_from_piece_to_piece() -> None:
    schedule = join(
        linear(5, 3, until="1000 steps"), constant(3, until="50%"), linear(3, 1, until="5M draws")
    )
    at = np.array([0, 500, 1_000, 5_000, 7_382.8125, 9_765.625, 10_000])
    assert schedule.temperatures(at, CLOCK).tolist() == [5, 4, 3, 3, 2, 1, 1]


def test_a_schedule_that_ends_after_the_run_is_cut_and_one_that_ends_before_is_held() -> None:
    assert linear(5, 1, until="20000 steps").temperatures(10_000, CLOCK) == 3.0
    assert linear(5, 1).temperatures(25_000, CLOCK) == 1.0


def test_temperatures_keep_the_shape_of_the_steps() -> None:
    assert linear(5, 1).temperatures(3, CLOCK).shape == ()
    assert linear(5, 1).temperatures([[1, 2, 3]], CLOCK).shape == (1, 3)
    assert linear(5, 1).temperatures([], CLOCK).shape == (0,)
    assert linear(5, 1)(np.zeros((2, 0))).shape == (2, 0)


def test_a_scalar_gives_a_float_and_an_array_an_array() -> None:
    assert type(linear(5, 1)(0.5)) is float
    assert type(linear(5, 1)(1)) is float
    assert linear(5, 1)([0.5]).shape == (1,)


def test_pieces_that_overlap_only_on_this_clock_are_refused_there() -> None:
    schedule = join(linear(5, 1, until="50%"), constant(1, until="4000 steps"), constant(2))
    schedule.temperatures(1, Clock(6_000, ((0, 0, 8),)))
    message = (
        "temperature: pieces overlap: one goes from 50% to 4000 steps, which is from step 5000 to "
        "step 4000 of this run; a piece must end after it begins. Move one of the two."
    )
    with pytest.raises(InvalidInput, match=re.escape(message)):
        schedule.temperatures(1, CLOCK)


def test_tokens_without_a_sequence_length_are_refused() -> None:
    with pytest.raises(InvalidInput, match=r"10B tokens: .* Set sequence_length"):
        linear(5, 1, until="10B tokens").temperatures(1, Clock(10, ((0, 0, 8),)))


@pytest.mark.parametrize("until", ["8000 steps", "1M draws", "10B tokens"])
def test_progress_alone_cannot_place_steps_draws_or_tokens(until: str) -> None:
    message = (
        f"progress: '{until}' of this schedule has no place between 0 and 1 without a run. Use plan.temp"
    )
    with pytest.raises(InvalidInput, match=message):
        join(linear(5, 1, until="1%"), linear(5, 1, until=until))(0.5)


@pytest.mark.parametrize("bad", [-0.1, 1.0001, math.nan, [0.5, 2.0], "0.5", True, 1j, None])
def test_progress_outside_the_run_is_refused(bad: Any) -> None:
    with pytest.raises(InvalidInput, match=r"progress: got .*; it must be in \[0, 1\]"):
        linear(5, 1)(bad)


@pytest.mark.parametrize("bad", [-1, [3, math.nan]])
def test_steps_before_the_clock_are_refused(bad: Any) -> None:
    with pytest.raises(InvalidInput, match=r"steps: got .*; a clock begins at step 0"):
        linear(5, 1).temperatures(bad, CLOCK)


# --- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        (linear(5, 1, until="80 %"), "linear(5.0, 1.0, until='80%')"),
        (linear(5, np.float32(1)), "linear(5.0, 1.0)"),  # type: ignore[arg-type]
        (linear(1, -0.0), "linear(1.0, 0.0)"),
        (constant(INF), "constant(float('inf'))"),
        (hold(2, until="8_000 steps"), "constant(2.0, until='8000 steps')"),
        (step([5, 1], at=["30%"]), "step((5.0, 1.0), at=('30%',))"),  # type: ignore[arg-type]
        (
            step((5, 1), at=("3k steps",), until="50%"),
            "step((5.0, 1.0), at=('3000 steps',), until='50%')",
        ),
        (piecewise(("0%", 5), ("50%", 1)), "piecewise(('0%', 5.0), ('50%', 1.0))"),
        (warmup_hold(1, 5, 2, hold="60%"), "warmup_hold(1.0, 5.0, 2.0, hold='60%')"),
        (
            join(linear(5, 1, until="50%"), constant(1)),
            "join(linear(5.0, 1.0, until='50%'), constant(1.0))",
        ),
    ],
)
def test_repr_is_short_canonical_and_pasteable(schedule: Schedule, text: str) -> None:
    assert repr(schedule) == text
    assert eval(text, dict(NAMES)) == schedule


def test_equal_schedules_are_equal_however_they_were_written() -> None:
    assert linear(5, 1, until="80 %") == linear(5.0, 1.0, until="80.0%")
    others: list[Schedule] = [cosine(5, 1), constant(5), linear(5, 1, until="99%")]
    assert linear(5, 1) not in others
    assert linear(5, 1, until="8000 steps") != linear(5, 1, until="80%")


def test_schedules_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        linear(5, 1).start = 2.0  # type: ignore[misc]


@pytest.mark.parametrize(
    ("schedule", "last"),
    [
        (constant(1), "0%"),
        (linear(2, 2), "0%"),
        (linear(5, 1, until="80%"), "80%"),
        (linear(5, 1, until="20000 steps"), "20000 steps"),
        (step((5, 2, 1), at=("30%", "70%")), "70%"),
        (step((5, 1, 1), at=("30%", "70%")), "30%"),
        (join(linear(5, 1, until="50%"), constant(1)), "50%"),
        (join(linear(5, 1, until="50%"), constant(2)), "50%"),
        (join(constant(1, until="50%"), constant(1)), "0%"),
        (warmup_hold(1, 5, 5), "5%"),
        (piecewise(("20%", 5), ("50%", 5), ("80%", 4)), "80%"),
    ],
    ids=repr,
)
def test_the_last_moment_is_where_the_temperature_stops_changing(schedule: Schedule, last: str) -> None:
    assert str(schedule.last_moment()) == last


def test_extremes_are_the_lowest_and_highest_temperature() -> None:
    assert warmup_hold(2, 5, 1).extremes == (1.0, 5.0)
    assert inverse_linear(INF, 1).extremes == (1.0, INF)
    assert step((5, 0, 1), at=("30%", "70%")).extremes == (0.0, 5.0)


# --- what is refused -----------------------------------------------------------------------------

REFUSED: list[tuple[Callable[[], object], str]] = [
    (lambda: linear(-1, 1), "linear.start: got -1; a temperature must be >= 0, and finite"),
    (lambda: linear(5, math.nan), "linear.end: got nan; a temperature must be >= 0, and finite"),
    (lambda: linear(INF, 1), "linear.start: got inf; .* Only constant, step and inverse_linear"),
    (lambda: cosine(1, INF), "cosine.end: got inf; a temperature must be >= 0, and finite"),
    (lambda: constant(-0.5), "constant.value: got -0.5; a temperature must be >= 0."),
    (lambda: constant(math.nan), "constant.value: got nan; a temperature must be >= 0."),
    (lambda: constant(10**400), "constant.value: got an integer above 1.8e308; use inf."),
    (lambda: constant(True), "constant.value: got True; a temperature must be a number."),
    (lambda: constant(None), "constant.value: got None; a temperature must be a number."),  # type: ignore[arg-type]
    (
        lambda: constant("1e3"),  # type: ignore[arg-type]
        "constant.value: got '1e3'; a temperature must be a number. Write it as 1000.0: YAML",
    ),
    (
        lambda: inverse_linear(0, 1),
        "inverse_linear.start: got 0; it must be at least 1e-300, as 1/T changes evenly. Use linear",
    ),
    (
        lambda: geometric(1, 0),
        "geometric.end: got 0; it must be from 1e-150 to 1e150, as log T changes evenly. Use linear",
    ),
    (lambda: geometric(INF, 1), "geometric.start: got inf; it must be from 1e-150 to 1e150"),
    (lambda: linear(5, 1, until="0%"), "linear.until: got 0%; it must be after the beginning."),
    (lambda: linear(5, 1, until="80"), "linear.until: got '80'; a clock is always written with"),
    (lambda: linear(5, 1, until=0.8), "linear.until: got 0.8; a clock is always written with"),  # type: ignore[arg-type]
    (lambda: linear(5, 1, until="120%"), "linear.until: got '120%'; a percentage of a run must be"),
    (lambda: step((1,), at=()), "step: got 1 values and 0 moments; there must be one value more"),
    (lambda: step((1, 2), at=("1%", "2%")), "step: got 2 values and 2 moments"),
    (lambda: step((1, 2), at="50%"), "step.at: got '50%'; it must be a sequence, even of one."),  # type: ignore[arg-type]
    (lambda: step(5, at=("50%",)), "step.values: got 5; it must be a sequence, even of one."),  # type: ignore[arg-type]
    (lambda: step((1, -2), at=("50%",)), r"step.values\[1\]: got -2; a temperature must be >= 0."),
    (
        lambda: step((3, 2, 1), at=("50%", "30%")),
        r"step.at\[1\]: got 30%; it must come after 50%, where what is before it ends.",
    ),
    (
        lambda: step((3, 2), at=("50%",), until="50%"),
        "step.until: got 50%; it must come after 50%, where what is before it ends.",
    ),
    (lambda: piecewise(("0%", 1.0)), "piecewise.points: got 1; a line needs two points."),
    (
        lambda: piecewise(("0%", 1.0), ("50%", INF)),
        r"piecewise.points\[1\]: got inf; a temperature must be >= 0, and finite",
    ),
    (
        lambda: piecewise(("0%", 1.0), ("0%", 2.0)),
        r"piecewise.points\[1\]: got 0%; it must be after the beginning.",
    ),
    (
        lambda: piecewise(("0%", 1.0), ("50%", 2.0, 3.0)),  # type: ignore[arg-type]
        r"piecewise.points\[1\]: got \('50%', 2.0, 3.0\); a point is \(moment, T\)",
    ),
    (
        lambda: warmup_hold(1, 5, 2, warmup="60%"),
        "warmup_hold.hold: got 50%; it must come after 60%, where what is before it ends.",
    ),
    (lambda: warmup_hold(1, INF, 2), "warmup_hold.peak: got inf; a temperature must be >= 0, and"),
    (join, "join: got no pieces; it must have one at least, such as constant"),
    (
        lambda: join(linear(5, 1, until="50%"), 1.0),  # type: ignore[arg-type]
        r"join\[1\]: got 1.0; a piece must be a schedule, such as constant\(1.0\).",
    ),
    (
        lambda: join(linear(5, 1, until="50%"), constant(1, until="40%")),
        r"join\[1\]: constant.until: got 40%; it must come after 50%, where what is before it ends.",
    ),
    (
        lambda: join(linear(5, 1), constant(1)),
        r"join\[1\]: constant.until: got 100%; it must come after 100%",
    ),
    (
        lambda: join(step((5, 2), at=("10%",)), constant(1)),
        r"join\[0\]: step\(.*\) has no end, but another piece follows. Give it until=.",
    ),
    (
        lambda: join(constant(1, until="30%"), piecewise(("20%", 5), ("50%", 1))),
        r"join\[1\]: piecewise.points\[0\]: got 20%; it must come after 30%",
    ),
]


@pytest.mark.parametrize(("make", "message"), REFUSED, ids=[m[:40] for _, m in REFUSED])
def test_a_schedule_that_breaks_a_rule_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidInput, match="^" + message):
        make()


# --- plain data ----------------------------------------------------------------------------------


def test_plain_data_is_what_a_person_would_write() -> None:
    assert linear(5, 1, until="80%").to_dict() == {
        "schedule": "linear",
        "start": 5.0,
        "end": 1.0,
        "until": "80%",
    }
    assert inverse_linear(INF, 1).to_dict()["start"] == "inf"
    assert step((5, INF), at=("30%",)).to_dict() == {
        "schedule": "step",
        "values": [5.0, "inf"],
        "at": ["30%"],
    }
    assert piecewise(("0%", 5), ("50%", 1)).to_dict()["points"] == [["0%", 5.0], ["50%", 1.0]]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (2, constant(2.0)),
        (0.5, constant(0.5)),
        ("inf", constant(INF)),
        (INF, constant(INF)),
        ({"schedule": "hold", "value": 2}, constant(2)),
        ({"schedule": "linear", "start": 5, "end": 1}, linear(5, 1)),
        ({"schedule": "inverse_linear", "start": "inf", "end": 1}, inverse_linear(INF, 1)),
        (
            [
                {"schedule": "linear", "start": 5, "end": 1, "until": "50%"},
                {"schedule": "constant", "value": 1, "from": "50 %"},
            ],
            join(linear(5, 1, until="50%"), constant(1)),
        ),
        (
            [{"schedule": "linear", "from": "0 steps", "start": 5, "end": 1}],
            join(linear(5, 1)),
        ),
    ],
)
def test_plain_data_is_read(data: object, expected: Schedule) -> None:
    assert schedule_from_dict(data) == expected


def test_reading_leaves_the_data_alone() -> None:
    data = [{"schedule": "linear", "from": "0%", "start": 5, "end": 1}]
    before = copy.deepcopy(data)
    assert isinstance(schedule_from_dict(data), Join)
    assert data == before


FIRST = {"schedule": "linear", "start": 5, "end": 1, "until": "50%"}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (-1, "temperature: got -1; a temperature must be >= 0."),
        ("5", "temperature: got '5'; it must be a number, a list of pieces, or a schedule such as"),
        ("1e3", "Write it as 1000.0: YAML reads some numbers, such as 1e3, as text."),
        (None, "temperature: got None; it must be a number, a list of pieces, or a schedule"),
        (True, "temperature: got True; it must be a number, a list of pieces, or a schedule"),
        ([], "temperature: join: got no pieces; it must have one at least"),
        (
            {"schedule": "liner", "start": 5, "end": 1},
            "temperature.schedule: got 'liner'; it must be one of constant, hold, linear,",
        ),
        ({"schedule": "liner", "start": 5, "end": 1}, "(did you mean 'linear'?)"),
        ({"schedule": 3}, "temperature.schedule: got 3; it must be one of constant, hold, linear,"),
        (
            {"schedul": "linear", "start": 5},
            "temperature: got the keys 'schedul', 'start'; the key 'schedule' must say which it is.",
        ),
        ({}, "temperature: got the keys (none); the key 'schedule' must say which it is."),
        (
            {"schedule": "linear", "strat": 5, "end": 1},
            "temperature: got the unknown key 'strat'; linear has start, end, until (did you mean 'start'?).",
        ),
        (
            {"schedule": "linear", "start": 5},
            "temperature: got no key 'end'; linear needs it. Add end: ...",
        ),
        (
            {"schedule": "linear", "start": -5, "end": 1},
            "temperature: linear.start: got -5; a temperature must be >= 0",
        ),
        (
            {"schedule": "linear", "start": 5, "end": 1, "from": "10%"},
            "temperature.from: got '10%'; only a piece of a list may have it",
        ),
        (
            [FIRST, {"schedule": "constant", "value": 1, "from": "40%"}],
            "temperature[1].from: got 40%, but what is before it ends at 50%: the pieces overlap from "
            "40% to 50%. A piece must begin where the one before ends. Write from: 50%, or leave it out.",
        ),
        (
            [FIRST, {"schedule": "constant", "value": 1, "from": "60%"}],
            "ends at 50%: there is a gap from 50% to 60%.",
        ),
        (
            [FIRST, {"schedule": "constant", "value": 1, "from": "5000 steps"}],
            "ends at 50%: the two can only be compared on a run's clock.",
        ),
        ([FIRST, FIRST], "temperature[1]: linear.until: got 50%; it must come after 50%"),
        ([FIRST, {"schedule": "constnt"}], "temperature[1].schedule: got 'constnt'"),
        (
            [{"schedule": "step", "values": [5, 1], "at": ["10%"]}, FIRST],
            "temperature[1]: got a piece after one that has no end. Give the one before it an until.",
        ),
        ({"schedule": "join", "pieces": 3}, "temperature: join.pieces: got 3; it must be a sequence"),
    ],
)
def test_plain_data_that_breaks_a_rule_is_refused(data: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=re.escape(message)):
        schedule_from_dict(data)


def test_errors_in_plain_data_begin_with_where_it_is() -> None:
    with pytest.raises(InvalidInput, match=r"^edits\[0\].temperature: constant.value: got nan"):
        schedule_from_dict({"schedule": "constant", "value": math.nan}, "edits[0].temperature")


def test_the_module_offers_classes_for_isinstance_and_lowercase_names_for_people() -> None:
    assert isinstance(linear(5, 1), Linear)
    assert hold is constant is Constant
    assert Moment.parse(linear(5, 1).until).unit == "percent"
