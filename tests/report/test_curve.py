"""Curves: one sign a point."""

from __future__ import annotations

import numpy as np
import pytest

from thermix.report.curve import curve_text, evenly_picked
from thermix.report.text import ASCII, UNICODE


def test_a_ramp_uses_every_level_once() -> None:
    assert curve_text(np.linspace(0, 1, 8), 1.0, UNICODE.levels) == "▁▂▃▄▅▆▇█"
    assert curve_text(np.linspace(0, 1, 8), 1.0, ASCII.levels) == "_.-:=+*#"


def test_infinity_is_the_top_and_zero_the_bottom() -> None:
    assert curve_text([np.inf, 2.0, 0.0], 2.0, UNICODE.levels) == "██▁"


def test_a_curve_never_falls_where_its_values_do_not() -> None:
    signs = curve_text(np.geomspace(1e-9, 1.0, 500), 1.0, UNICODE.levels)
    assert list(signs) == sorted(signs)


@pytest.mark.parametrize(("points", "width"), [(1, 1), (1, 60), (7, 3), (101, 60), (60, 60), (2, 1)])
def test_picked_points_are_different_and_begin_at_the_first(points: int, width: int) -> None:
    picked = evenly_picked(points, width)
    assert len(picked) == len(set(picked.tolist())) == min(points, width)
    assert picked[0] == 0
    if min(points, width) > 1:
        assert picked[-1] == points - 1
