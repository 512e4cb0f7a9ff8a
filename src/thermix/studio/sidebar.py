"""The knobs of a configuration as widgets: its data in, the data as it is turned out.

A widget begins at what the data has and is known by its key; the number in the key (the *edition*) is raised
when the data changes in another way than by the widgets, so that they begin anew from it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any, Final, cast, get_args

import streamlit as st

from thermix.config.place import Place
from thermix.config.read import plain_data
from thermix.errors import ConfigError, InvalidInput
from thermix.plan.mixture import WHEN_CAPPED
from thermix.report.text import count_text, legible, temperature_text
from thermix.studio.knobs import (
    ABSENT,
    Knob,
    Length,
    LengthUnit,
    Path,
    cap_knobs,
    in_unit,
    is_number,
    length_of,
    size_knobs,
    source_names,
    value_at,
    want_knobs,
    with_source,
    with_value,
    without_source,
)
from thermix.studio.temperatures import AS_WRITTEN, CHOICES, WARMEST, reshaped, shape_of, temperature_knobs

__all__ = ["turned"]

Data = dict[str, Any]

_MARKDOWN: Final = re.compile(r"(?<![^\W_])_|_(?![^\W_])|[\\`*{}\[\]()#+!|<>~$:&]")
_STEP: Final = 0.05
_WIDEST: Final = 5.0
_DIGITS: Final = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
_WARMTHS: Final = (
    *(0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.8, 2.0),
    *(2.2, 2.5, 2.8, 3.0, 3.5, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0, 20.0, 30.0, 50.0),
    *(WARMEST, math.inf),
)


def turned(data: Data, edition: int) -> Data:
    """Draw the knobs of a configuration, and return it as they stand now."""
    for section in (_run, _temperature, _wanted, _caps, _sources):
        data = section(data, edition)
    return data


def _key(edition: int, path: Path | str) -> str:
    return f"{edition}:{path if isinstance(path, str) else '/'.join(map(str, path))}"


def _kept(key: str, value: object) -> Any:
    """What was so when the edition began: widgets whose range changes while they are held slip away."""
    return st.session_state.setdefault(f"{key} kept", value)


def _set(data: Data, path: Path, before: object, after: object) -> Data:
    """The data with what a widget says, if it was turned."""
    return data if before == after else cast(Data, with_value(data, path, after))


def _run(data: Data, edition: int) -> Data:
    st.subheader("Run")
    data = _length(data, edition)
    for key, label, least in (
        ("batch_size", "Batch size (draws a step)", 1),
        ("sequence_length", "Sequence length (tokens)", 1),
        ("seed", "Seed", None),
    ):
        data = _whole(data, edition, key, label, least)
    return data


def _whole(data: Data, edition: int, name: str, label: str, least: int | None) -> Data:
    value = value_at(data, (name,))
    before = 0 if value is ABSENT and name == "seed" else None if value is ABSENT else value
    if before is not None and not (is_number(before) and before == int(before)):
        return _text(data, edition, Knob((name,), "text", label, value))
    key = _key(edition, (name,))
    value = None if before is None else int(before)
    after = st.number_input(label, min_value=least, value=value, step=1, key=key, placeholder="none")
    return _set(data, (name,), before, ABSENT if after is None and before is not None else after)


def _length(data: Data, edition: int) -> Data:
    length = length_of(data)
    if length is None:
        value = value_at(data, ("steps",))
        return _text(data, edition, Knob(("steps",), "text", "Length", "" if value is ABSENT else value))
    batch, tokens = _count(data, "batch_size"), _count(data, "sequence_length")
    units = [unit for unit in get_args(LengthUnit) if unit != "tokens" or tokens]
    units += [length.unit] if length.unit not in units else []
    unit = st.segmented_control(
        "Length in", units, default=length.unit, key=_key(edition, "unit"), required=True
    )
    shown = in_unit(length, cast(LengthUnit, unit), batch or 1, tokens)
    slider = _key(edition, f"length in {unit}")
    choices = _kept(slider, _lengths(shown.value))
    after = st.select_slider(
        "Length of the run",
        sorted({*choices, shown.value}),
        shown.value,
        key=slider,
        format_func=lambda count: f"{count_text(count)} {unit}" if count >= 10**6 else f"{count:,} {unit}",
    )
    turned_to = Length(after, cast(LengthUnit, unit))
    return _set(data, ("steps",), length.written, turned_to.written)


def _count(data: Data, key: str) -> int | None:
    value = value_at(data, (key,))
    return int(value) if is_number(value) and value >= 1 else None


def _lengths(value: int) -> list[int]:
    """Round numbers from a thousandth to a thousand times a length, and itself."""
    low, high = math.floor(math.log10(value)) - 3, math.floor(math.log10(value)) + 3
    rounded = (round(digit * 10.0**power) for power in range(max(low, 0), high + 1) for digit in _DIGITS)
    return sorted({value, *(count for count in rounded if 1 <= count < 1 << 60)})


def _temperature(data: Data, edition: int) -> Data:
    st.subheader("Temperature")
    shape = shape_of(data)
    shapes = [*CHOICES, *([AS_WRITTEN] if shape == AS_WRITTEN else [])]
    chosen = st.selectbox(
        "Shape over the run",
        shapes,
        shapes.index(shape),
        key=_key(edition, "shape"),
        format_func=lambda name: name.replace("_", " "),
    )
    if chosen not in (shape, AS_WRITTEN):
        try:
            data = cast(Data, reshaped(data, chosen))
        except InvalidInput as error:
            st.error(_plain(str(error)))
    for knob in temperature_knobs(data):
        data = _DRAWN[knob.kind](data, edition, knob)
    return data


def _warmth(data: Data, edition: int, knob: Knob) -> Data:
    key = _key(edition, knob.path)
    value = float(knob.value)
    first = _kept(key, value)
    after = st.select_slider(
        knob.label,
        sorted({*_WARMTHS, first, value}),
        value,
        key=key,
        format_func=lambda t: "∞ (uniform)" if math.isinf(t) else temperature_text(t),
    )
    return _set(data, knob.path, knob.value, after)


def _percent(data: Data, edition: int, knob: Knob) -> Data:
    key = _key(edition, knob.path)
    before = float(knob.value.strip().rstrip("%"))
    label = f"{knob.label} (% of the run)"
    after = st.slider(label, 0.0, 100.0, before, step=1.0, format="%g", key=key)
    return _set(data, knob.path, before, before if after == before else f"{after:g}%")


def _wanted(data: Data, edition: int) -> Data:
    knobs = want_knobs(data)
    st.subheader("Weights" if any(knob.kind == "weight" for knob in knobs) else "Scores")
    if not knobs:
        st.caption("No source has a score: their sizes are the weights.")
        if source_names(data) and st.button("Give every source a score"):
            for name in source_names(data):
                data = cast(Data, with_value(data, ("sources", name, "score"), 0.0))
        return data
    low, high = _kept(_key(edition, "range"), _range(knobs))
    for knob in knobs:
        known = knob.kind != "text"
        data = _slider(data, edition, knob, low, high) if known else _text(data, edition, knob)
    return data


def _range(knobs: Sequence[Knob]) -> tuple[float, float]:
    values = [float(knob.value) for knob in knobs if knob.kind != "text"]
    if any(knob.kind == "weight" for knob in knobs):
        return 0.0, 2.0 * max(values, default=0.5) or 1.0
    return min(-_WIDEST, math.floor(min(values, default=0)) - 1.0), max(
        _WIDEST, math.ceil(max(values, default=0)) + 1.0
    )


def _slider(data: Data, edition: int, knob: Knob, low: float, high: float) -> Data:
    key = _key(edition, knob.path)
    step = _STEP if knob.kind == "score" else (high - low) / 200
    after = st.slider(_plain(knob.label), low, high, float(knob.value), step=step, key=key, format="%.2f")
    moved = knob.value if after == knob.value else round(after, 6)
    return _set(data, knob.path, knob.value, moved)


def _caps(data: Data, edition: int) -> Data:
    with st.expander("Caps: most passes over a source", key="caps", on_change="rerun") as box:
        if not box.open:  # forty fields that nobody sees take as long as all that is seen
            return _left_in(data, edition, [_every_cap(data), *cap_knobs(data)], _capped)
        value = value_at(data, ("when_capped",))
        usual = WHEN_CAPPED[0] if value is ABSENT else value
        choices = [*WHEN_CAPPED, *([usual] if usual not in WHEN_CAPPED else [])]
        key = _key(edition, ("when_capped",))
        help_text = (
            "spread: the budget lasts the run. drop: drawn as asked until it ends. stop: the run ends."
        )
        after = st.selectbox(
            "A source that is asked for more", choices, choices.index(usual), key=key, help=help_text
        )
        data = _set(data, ("when_capped",), usual, after)
        for knob in (_every_cap(data), *cap_knobs(data)):
            data = _DRAWN[knob.kind](data, edition, knob)
    return data


def _cap(data: Data, edition: int, knob: Knob) -> Data:
    key = _key(edition, knob.path)
    after = st.number_input(
        _plain(knob.label),
        min_value=0.0,
        value=None if knob.value is None else float(knob.value),
        step=0.5,
        key=key,
        placeholder="no limit",
        format="%g",
    )
    return _capped(data, knob, after)


def _every_cap(data: Data) -> Knob:
    top = value_at(data, ("max_epochs",))
    return Knob(("max_epochs",), "cap", "every source", None if top is ABSENT else top)


def _capped(data: Data, knob: Knob, after: Any) -> Data:
    if knob.kind == "text":
        return _said(data, knob, after)
    said = ABSENT if after is None else int(after) if after == int(after) else after
    return data if after == knob.value else cast(Data, with_value(data, knob.path, said))


def _left_in(
    data: Data, edition: int, knobs: Sequence[Knob], turn: Callable[[Data, Knob, Any], Data]
) -> Data:
    """The data with what was typed into fields whose box was closed in the same moment."""
    for knob in knobs:
        key = _key(edition, knob.path)
        if key in st.session_state:
            data = turn(data, knob, st.session_state[key])
    return data


def _sources(data: Data, edition: int) -> Data:
    with st.expander("Sources: sizes, add, remove", key="sources", on_change="rerun") as box:
        if not box.open:
            return _left_in(data, edition, size_knobs(data), _said)
        for knob in size_knobs(data):
            data = _text(data, edition, knob)
        name = st.text_input("New source", key=_key(edition, "new"), placeholder="its name")
        if st.button("Add") and name:
            data = _or_said(lambda: with_source(data, name), data)
        names = source_names(data)
        if len(names) > 1:
            gone = st.selectbox("Take out", names, key=_key(edition, "gone"), format_func=_plain)
            if st.button("Remove"):
                data = cast(Data, without_source(data, gone))
    return data


def _or_said(make: Callable[[], Any], otherwise: Data) -> Data:
    try:
        return cast(Data, make())
    except InvalidInput as error:
        st.error(_plain(str(error)))
        return otherwise


def _text(data: Data, edition: int, knob: Knob) -> Data:
    """A value as it is written; what is typed is read as YAML reads it."""
    key = _key(edition, knob.path)
    return _said(data, knob, st.text_input(_plain(knob.label), _written(knob), key=key))


def _written(knob: Knob) -> str:
    return knob.value if isinstance(knob.value, str) else getattr(knob.value, "text", str(knob.value))


def _said(data: Data, knob: Knob, after: str) -> Data:
    return data if after == _written(knob) else cast(Data, with_value(data, knob.path, _scalar(after)))


def _scalar(text: str) -> object:
    try:
        value = plain_data(text, Place("it"))
    except ConfigError:
        return text
    return value if isinstance(value, int | float) and not isinstance(value, bool) else text


def _plain(text: str) -> str:
    """A text as it stands in markdown, which labels and messages are.

    A label is read out as it is written: a `_` inside a word is left alone, as markdown leaves it.
    """
    return _MARKDOWN.sub(r"\\\g<0>", legible(text, "utf-8"))


_DRAWN: Final = {"temperature": _warmth, "percent": _percent, "cap": _cap, "text": _text}
