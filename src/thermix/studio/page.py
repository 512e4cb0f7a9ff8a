"""The page of `thermix studio`, run from top to bottom by Streamlit whenever something is turned."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import streamlit as st

from thermix.errors import ThermixError
from thermix.studio.design import Design, read_data
from thermix.studio.opened import Opened, open_file
from thermix.studio.shown import show_design, show_variants
from thermix.studio.sidebar import turned
from thermix.studio.yaml_text import changed_text

_VIEWS = ("Charts", "Variants", "YAML")
_MOST_PINNED = 5
_STYLE = """<style>
.stMainBlockContainer { padding-top: 2.5rem; padding-bottom: 3rem; }
.stTextArea textarea { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .85rem; }
</style>"""


def main() -> None:
    """Draw the page."""
    state: Any = st.session_state
    if "opened" not in state:
        _begin(open_file(Path(sys.argv[1]) if len(sys.argv) > 1 else None))
    opened: Opened = state.opened
    st.set_page_config(f"{opened.file_name} · thermix studio", layout="wide")
    st.html(_STYLE)
    with st.sidebar:
        _turn()
    good: Design | None = state.good
    design = Design(opened.where, state.text, opened.measured, None if good is None else good.subject)
    design = state.design if state.get("design") == design else design  # it keeps what it has computed
    _head(design)
    good = _checked(design)
    view = st.segmented_control(
        "View", _VIEWS, default=_VIEWS[0], label_visibility="collapsed", required=True
    )
    if view == "YAML":
        _yaml()
    elif good is not None and view == "Variants":
        _variants(good)
    elif good is not None:
        show_design(good, opened.remarks)


def _begin(opened: Opened) -> None:
    """Start from what was opened."""
    st.session_state.update(opened=opened, text=opened.text, draft=None, edition=0, pins={}, good=None)


def _turn() -> None:
    """Let the knobs change the text; one that is no YAML has none."""
    state: Any = st.session_state
    try:
        data = read_data(state.text, state.opened.where)
    except ThermixError:
        data = None
    if data is None:
        st.caption("There is nothing to turn until the YAML can be read.")
        return
    wanted = turned(data, state.edition)
    if wanted != data:
        state.text = changed_text(state.text, wanted)
        if _other_knobs(data, wanted):
            state.edition += 1
            st.rerun()


def _other_knobs(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether there are other sources, or another way of wanting them."""

    def known(data: dict[str, Any]) -> object:
        sources = data.get("sources")
        return [(name, set(source or ())) for name, source in (sources or {}).items()]

    kept = [(name, keys - {"max_epochs"}) for name, keys in known(before)]  # type: ignore[attr-defined]
    return kept != [(name, keys - {"max_epochs"}) for name, keys in known(after)]  # type: ignore[attr-defined]


def _head(design: Design) -> None:
    state: Any = st.session_state
    opened: Opened = state.opened
    st.title(opened.file_name, anchor=False)
    if opened.path is not None and opened.on_disk is None:
        st.caption(f"{opened.path} is not there yet; this is an example, and Save writes it.")
    with st.container(horizontal=True):
        if st.button("Pin as a variant", disabled=len(state.pins) >= _MOST_PINNED):
            _pin(design)
        text: str = state.text  # given when it is asked for: one kept ahead would be gone after the next turn
        mime = "application/yaml"  # and without a turn of its own, which would overtake it
        st.download_button("Download YAML", lambda: text, opened.file_name, mime, on_click="ignore")
        if opened.path is not None and st.button(f"Save to {opened.file_name}", type="primary"):
            _save(opened)


def _pin(design: Design) -> None:
    pins = st.session_state.pins
    number = 1
    while f"variant {number}" in pins:
        number += 1
    try:
        _ = design.plan
    except ThermixError:
        st.toast("This design does not work yet: there is nothing to pin.")
    else:
        pins[f"variant {number}"] = design
        st.toast(f"Pinned as variant {number}; see Variants.")


def _save(opened: Opened) -> None:
    try:
        st.session_state.opened = opened.saved(st.session_state.text)
        st.toast(f"Saved {opened.path}.")
    except ThermixError as error:
        _refusal(str(error))
    except OSError as error:
        _refusal(f"{opened.path}: {(error.strerror or 'it cannot be written').lower()}; it is as before.")


def _checked(design: Design) -> Design | None:
    """The design if it works, else what is wrong with it, and the last one that did."""
    state: Any = st.session_state
    problem = state.opened.problem if state.text == state.opened.text else None
    try:
        if problem is None:
            _ = design.subject
            state.good = state.design = design
            return design
    except ThermixError as error:
        problem = str(error)
    _refusal(problem or "")
    if state.good is not None:
        st.caption("The charts are of the last design that worked.")
    good: Design | None = state.good
    return good


def _refusal(message: str) -> None:
    """A message word for word: it may have lines of its own, and no markdown."""
    with st.container(border=True):
        st.markdown(":red[**This does not work yet**]")
        st.text(message)


def _variants(design: Design) -> None:
    pins: dict[str, Design] = st.session_state.pins
    if not pins:
        st.info("Pin the design as it is, turn something, and both stand here side by side.")
        return
    with st.container(horizontal=True):
        for name in list(pins):
            if st.button(f"Unpin {name}"):
                del pins[name]
                st.rerun()
            if st.button(f"Go on from {name}"):
                _go_on(pins[name].text)
    show_variants({"this design": design, **pins})


def _go_on(text: str) -> None:
    """Another text in place of the one on the page."""
    st.session_state.update(text=text, draft=None, edition=st.session_state.edition + 1)
    st.rerun()


def _yaml() -> None:
    """The text to copy; and to edit, where what cannot be read stays a draft."""
    state: Any = st.session_state
    st.code(state.text, language="yaml")
    draft = st.text_area(
        "Edit it, or paste another",
        state.draft or state.text,
        height=280,
        key=f"{state.edition}:{state.text}",
    )
    with st.container(horizontal=True):
        if st.button("Use this text", type="primary"):
            _take(draft)
        uploaded = st.file_uploader(
            "or open a file of this computer", ["yaml", "yml"], key=f"{state.edition} up"
        )
    if uploaded is not None:
        _take(uploaded.getvalue().decode("utf-8-sig", "replace"))


def _take(text: str) -> None:
    """Go on from a text, if it is keys and values; else say what it is."""
    state: Any = st.session_state
    try:
        if read_data(text, state.opened.where) is not None:
            _go_on(text)
        Design(state.opened.where, text, {}).plan  # noqa: B018 (raises)
    except ThermixError as error:
        state.draft = text
        _refusal(str(error))


if __name__ == "__main__":
    main()
