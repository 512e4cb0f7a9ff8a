from __future__ import annotations

import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import thermix
from thermix import Mixture, Source
from thermix.core.schedule import Constant
from thermix.plan.mixture import as_schedule


@pytest.mark.parametrize(
    ("source", "kind", "log_weight"),
    [
        (Source(score=2.5, items=9), "score", 2.5),
        (Source(weight=math.e, items=9), "weight", 1.0),
        (Source(items=9), "size", math.log(9)),
        (Source(weight=0, items=9), "weight", -math.inf),
    ],
)
def test_a_source_says_how_much_it_is_wanted_in_one_of_three_ways(
    source: Source, kind: str, log_weight: float
) -> None:
    assert source.kind == kind
    assert source.log_weight == pytest.approx(log_weight, abs=1e-15)


@pytest.mark.parametrize(
    ("limit", "exact"),
    [
        (1, Fraction(1)),
        (0.1, Fraction(1, 10)),
        (2.37, Fraction(237, 100)),
        (1e-7, Fraction(1, 10**7)),
        (4.0, 4),
    ],
)
def test_a_cap_is_the_decimal_number_that_was_written(limit: float, exact: Fraction | int) -> None:
    assert Source(items=1, max_epochs=limit).epoch_limit() == exact


def test_a_sources_own_cap_goes_before_that_of_all() -> None:
    assert Source(items=1, max_epochs=3).epoch_limit(1) == 3
    assert Source(items=1).epoch_limit(1.5) == Fraction(3, 2)
    assert Source(items=1).epoch_limit() is None


def test_sizes_are_weights_where_nothing_else_is_said() -> None:
    wanted = Mixture({"a": Source(items=300), "b": Source(items=100)})
    assert wanted.probabilities(1.0).round(12).tolist() == [0.75, 0.25]
    assert wanted.probabilities(0.5).round(12).tolist() == [0.9, 0.1]


def test_weights_matter_up_to_a_common_factor() -> None:
    small = Mixture({"a": Source(weight=3e-300, items=1), "b": Source(weight=1e-300, items=1)})
    assert small.probabilities(1.0).round(12).tolist() == [0.75, 0.25]


def test_a_number_is_a_constant_temperature() -> None:
    wanted = Mixture({"a": Source(items=1)}, temperature=as_schedule(2))
    assert wanted.temperature == Constant(2.0)
    assert Mixture({"a": Source(items=1)}).temperature == Constant(1.0)


@given(st.text(min_size=1).filter(str.strip))
def test_a_name_is_any_text(name: str) -> None:
    if name.encode(errors="replace").decode() == name:
        plan = thermix.Plan(Mixture({name: Source(items=3)}), steps=1, batch_size=2)
        assert plan.names == (name,)
        assert plan.batch(0).source.tolist() == [0, 0]


def test_values_of_numpy_become_plain_ones() -> None:
    source = Source(score=np.float32(0.5), items=np.int32(7))  # type: ignore[arg-type]
    assert repr(source) == "Source(score=0.5, items=7)"


def test_reprs_can_be_pasted_back() -> None:
    sources = {
        "a 网": Source(score=1.5, items=3, max_epochs=1.5, unit="document"),
        "b": Source(score=-2.0, items=4),
    }
    names = {name: getattr(thermix, name) for name in ("Mixture", "Source", "linear", "constant")}
    for wanted in (Mixture(sources), Mixture(sources, thermix.linear(5.0, 1.0), 2, "drop")):
        back = eval(repr(wanted), names)
        assert back == wanted
        assert hash(back) == hash(wanted)
        assert pickle.loads(pickle.dumps(wanted)) == wanted


def test_a_mixture_does_not_change_with_the_mapping_it_was_made_from() -> None:
    sources = {"a": Source(items=1)}
    wanted = Mixture(sources)
    sources["b"] = Source(items=2)
    assert wanted.names == ("a",)
