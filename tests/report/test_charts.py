"""The charts: what they show is what the plan says, and what is drawn is there."""

from __future__ import annotations

import math
import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.report.plans import small_plan
from thermix.core.schedule import constant, cosine, linear, step
from thermix.errors import InvalidInput
from thermix.plan.mixture import Mixture, Source
from thermix.plan.plan import Plan
from thermix.report.charts_cast import MOST_NAMED, cast_of, unique_labels
from thermix.report.charts_data import expected_draws, sampled_steps
from thermix.report.repeats import HALF_LIFE, effective_epochs

pytest.importorskip("altair")
pytest.importorskip("vl_convert")

from thermix.report import charts_export
from thermix.report.charts import CHARTS, figures
from thermix.report.charts_base import Figure, spread, strip, subject_of
from thermix.report.charts_compare import SHAPES, alternatives


def many(sources: int, steps: int = 400) -> Plan:
    """Sources of all sizes and names, some capped."""
    named = {
        f"{'مقالات' if i % 3 else '网页文本'} {i} {'long ' * (i % 9)}end".strip(): Source(
            score=math.sin(i), items=40 + 13 * i * i, max_epochs=2 if i % 5 == 1 else None
        )
        for i in range(sources)
    }
    return Plan(Mixture(named, cosine(4.0, 0.8)), steps=steps, batch_size=32)


def edited() -> Plan:
    sources = {"new": Source(score=1.0, items=90), "books": None}
    return small_plan().edit(at_step=600, temperature=2.0, sources=sources, batch_size=32)


PLANS = {
    "three sources": small_plan(),
    "twenty": many(20),
    "a hundred": many(100),
    "edited": edited(),
    "one source, one step": Plan(Mixture({"a.b[0]": Source(1.0, items=5)}), steps=1, batch_size=3),
    "infinite, then 0": Plan(
        Mixture(dict(small_plan().mixture.sources), constant(math.inf)), steps=50, batch_size=4
    ).edit(at_step=20, temperature=0.0),
    "picked by batch": Plan(small_plan().mixture, steps=50, batch_size=4, pick="batch"),
    "multinomial": Plan(small_plan().mixture, steps=50, batch_size=4, order="multinomial"),
    "long": many(5, 30_000),
    "words of the charts": Plan(
        Mixture({name: Source(1.0, items=5) for name in ("step", "temperature", "T", "<b>")}), 30, 4
    ),
}


def drawn(plan: Plan, name: str) -> Figure:
    return figures(subject_of(plan), [name])[0]


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
class TestNumbers:
    def test_expected_draws_are_the_probabilities_added_up(self, plan: Plan) -> None:
        batch = [s.batch_size for s in plan.segments for _ in range(s.start, s.end)]
        every = plan.probabilities(np.arange(plan.end)) * np.array(batch)[:, None]
        added = np.concatenate([np.zeros((1, len(plan.names))), np.cumsum(every, axis=0)])
        np.testing.assert_allclose(expected_draws(plan, np.arange(plan.end + 1)), added, atol=1e-6)

    def test_the_shares_are_the_probabilities(self, plan: Plan) -> None:
        subject = subject_of(plan)
        for row in figures(subject, ["run"])[0].data["shares"]:
            step = min(row["step"], plan.end - 1)
            by_label = dict(zip(subject.cast.labels, subject.cast.named, strict=True))
            shares = plan.probabilities(step)
            if row["source"] in by_label:
                assert row["share"] == shares[by_label[row["source"]]]
            else:
                assert row["share"] == pytest.approx(shares[list(subject.cast.rest)].sum())

    def test_the_temperatures_are_those_of_the_plan(self, plan: Plan) -> None:
        for row in drawn(plan, "run").data["temperature"]:
            asked = plan.temperature(row["step"])
            assert row["T"] == asked or (math.isinf(asked) and row["said"] == "inf")

    def test_the_epochs_end_where_the_forecast_says(self, plan: Plan) -> None:
        subject = subject_of(plan)
        rows = figures(subject, ["epochs"])[0].data["epochs"]
        ends = {row["line"]: row["epochs"] for row in rows if row["step"] == plan.end}
        for label, i in zip(subject.cast.labels, subject.cast.named, strict=True):
            assert ends[label] == subject.forecast.sources[i].epochs

    def test_first_repeats_and_ends_are_those_of_the_forecast(self, plan: Plan) -> None:
        subject = subject_of(plan)
        rows = figures(subject, ["epochs"])[0].data["marks"]
        marks = {(row["source"], row["what"]): row["step"] for row in rows}
        wanted = {}
        for label, i in zip(subject.cast.labels, subject.cast.named, strict=True):
            source = subject.forecast.sources[i]
            wanted[label, "first repeat"] = source.first_repeat_step
            wanted[label, "drawn no more"] = source.end_step if source.draws else None
        assert marks == {key: step for key, step in wanted.items() if step is not None}

    def test_deviations_are_counts_minus_what_is_owed(self, plan: Plan) -> None:
        subject = subject_of(plan)
        (figure,) = figures(subject, ["deviation"])
        steps = np.array([row["step"] for row in figure.data["range"]])
        assert (steps[0], steps[-1]) == (0, plan.end)
        off = plan.counts(steps) - expected_draws(plan, steps)
        assert [row["low"] for row in figure.data["range"]] == off.min(axis=1).tolist()
        assert [row["high"] for row in figure.data["range"]] == off.max(axis=1).tolist()

    def test_every_chart_is_vega_lite(self, plan: Plan) -> None:
        for name in CHARTS[:-1]:
            drawn(plan, name).chart.to_dict(
                validate=True
            )  # raises where it is not; `Figure.spec` does not look

    def test_bars_are_the_probabilities_of_the_mixture(self, plan: Plan) -> None:
        mixture = plan.segments[-1].mixture
        rows = [row for row in drawn(plan, "probabilities").data["bars"] if row["T"] == "∞ (uniform)"]
        living = int((mixture.scores > -np.inf).sum())
        assert len(rows) == len(subject_of(plan).cast.named)
        assert sum(row["p"] > 0 for row in rows) == min(len(rows), living)
        assert all(row["p"] == pytest.approx(1 / living) for row in rows if row["p"])

    def test_sampled_steps_hold_both_ends_and_both_sides_of_an_edit(self, plan: Plan) -> None:
        steps = set(sampled_steps(plan, 7).tolist())
        wanted = {0, plan.end - 1, *(s.start for s in plan.segments), *(s.end - 1 for s in plan.segments)}
        assert wanted <= steps <= set(range(plan.end))

    @pytest.mark.slow
    def test_every_chart_is_drawn(self, plan: Plan) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", charts_export.MissingFontWarning)
            for name in CHARTS[:-1]:
                width, height, colours = shown(charts_export.picture([drawn(plan, name)], "png"))
                assert width > 600
                assert height > 300
                assert colours > 20, "a blank picture has one colour, text and axes alone a few greys"


def shown(png: bytes) -> tuple[int, int, int]:
    """Width, height and number of different pixels of a PNG without a palette."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert (depth, kind) == (8, 6)
    chunks, place = b"", 8
    while place < len(png):
        size = int.from_bytes(png[place : place + 4], "big")
        if png[place + 4 : place + 8] == b"IDAT":
            chunks += png[place + 8 : place + 8 + size]
        place += size + 12
    lines = np.frombuffer(zlib.decompress(chunks), np.uint8).reshape(height, 4 * width + 1)
    return width, height, len(np.unique(lines[:, 1:]))


class TestPictures:
    @pytest.mark.parametrize("theme", ["light", "dark"])
    def test_the_background_is_that_of_the_theme(self, theme: str) -> None:
        svg = charts_export.picture([drawn(small_plan(), "run")], "svg", theme)  # type: ignore[arg-type]
        assert (b'fill="#ffffff"' in svg[:600]) == (theme == "light")

    def test_all_charts_in_one_picture_keep_their_own_colours(self) -> None:
        svg = charts_export.picture(figures(subject_of(small_plan()), CHARTS), "svg").decode()
        for figure in figures(subject_of(small_plan()), CHARTS):
            assert figure.title in svg
        assert "网页文本" in svg

    def test_a_pdf_is_one(self) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", charts_export.MissingFontWarning)
            assert charts_export.picture([drawn(small_plan(), "epochs")], "pdf").startswith(b"%PDF-")

    def test_names_are_escaped(self) -> None:
        sources = {"<script>alert(1)</script>": Source(1.0, items=9), "b": Source(0.5, items=9)}
        plan = Plan(Mixture(sources), steps=20, batch_size=4)
        assert b"<script" not in charts_export.picture(figures(subject_of(plan), CHARTS[:-1]), "svg")

    def test_what_only_a_pointer_sees_is_not_in_a_picture(self) -> None:
        spec = strip(drawn(small_plan(), "run").spec())
        assert "hover" not in str(spec)
        assert "near_" not in str(spec)

    def test_a_character_without_a_font_is_told(self) -> None:
        nowhere = "\U0010fffc"  # for private use: no font has it
        assert charts_export.unseen(f"web é {nowhere}") == ([nowhere] if nowhere.isprintable() else [])
        assert charts_export.unseen("plain, Ä, Ж, λ") == []

    def test_boxes_are_never_silent(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(charts_export, "unseen", lambda text: sorted(set(text) & set("网页文本")))
        with pytest.warns(charts_export.MissingFontWarning, match="no font on this machine has 文 本 网 页;"):
            charts_export.picture([drawn(small_plan(), "run")], "png")
        charts_export.picture([drawn(small_plan(), "run")], "svg")  # its reader's fonts count


class TestCompare:
    def test_other_schedules_are_plans_of_the_same_mixture(self) -> None:
        plan = small_plan()
        plans = alternatives(plan, ["linear", "cosine", "step"])
        assert list(plans) == ["linear, as configured", "cosine", "step"]
        for other in plans.values():
            assert other.mixture.sources == plan.mixture.sources
            assert (other.temperature(0), other.temperature(plan.end - 1)) == (5.0, 1.0)
        assert plans["cosine"].mixture.temperature == cosine(5.0, 1.0, until="80%")

    def test_the_epochs_are_those_of_each_plan(self) -> None:
        plan = small_plan()
        rows = figures(subject_of(plan), ["compare"], ["geometric"])[0].data["epochs"]
        for name, other in alternatives(plan, ["geometric"]).items():
            forecast = other.forecast()
            mine = {row["source"]: (row["epochs"], row["draws"]) for row in rows if row["schedule"] == name}
            assert mine == {source.name: (source.epochs, source.draws) for source in forecast}

    @pytest.mark.parametrize("shape", SHAPES)
    def test_every_shape_is_drawn(self, shape: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", charts_export.MissingFontWarning)
            assert charts_export.picture(figures(subject_of(small_plan()), ["compare"], [shape]), "png")

    @pytest.mark.parametrize(
        ("temperature", "shape", "message"),
        [
            (linear(5.0, 1.0), "sine", "--compare: got 'sine'; it is one of linear, cosine, geometric"),
            (constant(2.0), "linear", "--compare: the temperature begins and ends at 2; a schedule between"),
            (linear(5.0, 0.0), "geometric", "--compare geometric: geometric.end: got 0"),
        ],
    )
    def test_what_cannot_be_compared_is_refused(self, temperature: object, shape: str, message: str) -> None:
        mixture = Mixture({"a": Source(1.0, items=9), "b": Source(2.0, items=9)}, temperature)  # type: ignore[arg-type]
        with pytest.raises(InvalidInput) as refused:
            alternatives(Plan(mixture, steps=10, batch_size=2), [shape])
        assert str(refused.value).startswith(message)


class TestWhoIsNamed:
    def test_up_to_twenty_all_are_named_most_draws_first(self) -> None:
        forecast = many(MOST_NAMED).forecast()
        cast = cast_of(forecast)
        draws = [forecast.sources[i].draws for i in cast.named]
        assert (len(cast.named), cast.rest, cast.remark) == (MOST_NAMED, (), "")
        assert draws == sorted(draws, reverse=True)

    def test_of_more_twelve_are_named_and_the_others_are_said(self) -> None:
        cast = cast_of(many(100).forecast())
        assert (len(cast.named), len(cast.rest), cast.rest_label) == (12, 88, "88 others")
        assert sorted(cast.named + cast.rest) == list(range(100))
        assert "88 others are grey" in cast.remark
        assert len(cast.colours) == len(cast.domain) == 13

    @given(st.lists(st.text(min_size=1, max_size=80), max_size=30))
    def test_labels_are_unique_and_short(self, names: list[str]) -> None:
        labels = unique_labels(names, ["step"])
        assert len({*labels, "step"}) == len(names) + 1
        assert all("\n" not in label for label in labels)


@given(
    st.lists(st.floats(-50, 350), min_size=1, max_size=30),
    st.floats(1, 30),
)
def test_labels_are_spread_in_their_order_within_the_chart(pixels: list[float], gap: float) -> None:
    spots = np.array(spread(pixels, gap, 300.0))
    assert (spots >= -1e-6).all()
    assert (spots <= 300 + 1e-6).all()
    order = np.argsort(pixels, kind="stable")
    room = min(gap, 300 / max(len(pixels) - 1, 1))
    assert (np.diff(spots[order]) >= room - 1e-6).all()


def test_repeats_are_worth_what_the_paper_says() -> None:
    """The formula spelt out: U (1 + R* (1 - exp(-R / R*))) with U = 1."""
    for epochs in (1.0, 2.0, 4.0, 44.0):
        repeats = epochs - 1
        spelt = 1 + HALF_LIFE * (1 - math.exp(-repeats / HALF_LIFE))
        assert effective_epochs(epochs) == pytest.approx(spelt)
    assert effective_epochs([0.0, 0.5]).tolist() == [0.0, 0.5]
    assert effective_epochs(1e9) == pytest.approx(1 + HALF_LIFE)


@pytest.mark.parametrize("steps", [1_000, 10_000_000])
def test_a_jump_is_drawn_between_two_steps_that_follow_each_other(steps: int) -> None:
    """On a long clock it is where the temperature grid has it, not where the schedule says."""
    temperature = step((5.0, 2.0, 1.0), at=("50%", "80%"))
    plan = Plan(
        Mixture({"a": Source(score=1.0, items=9)}, temperature=temperature), steps=steps, batch_size=1
    )
    shown = sampled_steps(plan, 80)
    jumps = np.flatnonzero(np.diff(plan.temperature(shown)))
    assert len(jumps) == 2
    assert (np.diff(shown)[jumps] == 1).all()


def test_the_curves_of_counts_bend_where_an_edit_begins() -> None:
    plan = small_plan().edit(at_step=333, temperature=0.5)
    subject = subject_of(plan)
    assert 333 in subject.steps
    np.testing.assert_array_equal(subject.counts, plan.counts(subject.steps))
