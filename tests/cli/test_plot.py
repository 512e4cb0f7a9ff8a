"""`thermix plot`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.conftest import CONFIG, Thermix
from thermix import load_plan

pytest.importorskip("altair")
pytest.importorskip("vl_convert")

BEGINNINGS = {"png": b"\x89PNG", "svg": b"<svg", "pdf": b"%PDF", "html": b"<!doctype html>"}
LATIN = CONFIG.replace("网页文本", "pages")


@pytest.fixture
def latin(mix: Path) -> Path:
    """Without names that a machine may have no font for."""
    mix.write_text(LATIN, encoding="utf-8")
    return mix


@pytest.mark.parametrize("kind", BEGINNINGS)
def test_the_suffix_says_what_is_written(thermix: Thermix, latin: Path, kind: str) -> None:
    assert thermix("plot", "mix.yaml", "-o", f"a.{kind.upper()}") == (
        0,
        f"wrote a.{kind.upper()} (run)\n",
        "",
    )
    assert Path(f"a.{kind.upper()}").read_bytes().startswith(BEGINNINGS[kind])
    assert sorted(path.name for path in Path().iterdir()) == [f"a.{kind.upper()}", "mix.yaml"]


@pytest.mark.parametrize(
    "words", [("linear", "cosine", "step"), ("linear,cosine", "--compare", "step"), ("linear,cosine,step",)]
)
def test_schedules_are_compared(thermix: Thermix, latin: Path, words: tuple[str, ...]) -> None:
    assert thermix("plot", "mix.yaml", "--compare", *words, "-o", "a.svg").out == "wrote a.svg (compare)\n"
    text = Path("a.svg").read_text("utf-8")
    assert all(f">{name}<" in text for name in ("linear, as configured", "cosine", "step"))


def test_all_charts_are_drawn_and_names_of_any_script(thermix: Thermix, mix: Path) -> None:
    ran = thermix("plot", "mix.yaml", "--chart", "all", "-o", "a.svg")
    assert ran == (0, "wrote a.svg (probabilities, run, epochs, deviation)\n", "")
    assert "网页文本" in Path("a.svg").read_text("utf-8")
    ran = thermix("plot", "mix.yaml", "--chart", "all", "--compare", "step", "-o", "a.svg")
    assert ran.out.endswith("deviation, compare)\n")


def test_a_run_is_drawn_in_place_of_the_plan(thermix: Thermix, latin: Path) -> None:
    Path("run.jsonl").write_text('{"step": 0, "counts": {"web": 64}}\n', encoding="utf-8")
    ran = thermix("plot", "mix.yaml", "--run", "run.jsonl", "-o", "a.svg")
    assert ran == (0, "wrote a.svg (deviation)\n", "")
    share = load_plan("mix.yaml").probabilities(0)[0]
    text = Path("a.svg").read_text("utf-8")
    assert "Draws counted in the log minus draws owed" in text
    assert f"the furthest is {64 * (1 - share):.2f} draws of 64." in text


def test_the_theme_is_dark(thermix: Thermix, latin: Path) -> None:
    assert thermix("plot", "mix.yaml", "--theme", "dark", "-o", "a.svg").status == 0
    assert 'fill="#14171c"' in Path("a.svg").read_text("utf-8")[:800]
    assert thermix("plot", "mix.yaml", "--theme", "dark", "-o", "a.html").status == 0
    assert '"theme":"dark"' in Path("a.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "plot: missing option '--out'"),
        (
            ["-o", "a.svg", "--chart", "run", "--run", "mix.yaml"],
            "--run: with --chart run; it is for the chart deviation. Add --chart deviation.",
        ),
        (["-o", "a.svg", "--run", "nope"], "--run: nope: no such file or directory."),
        (
            ["-o", "a.gif"],
            "--out: got 'a.gif'; its suffix says what is written: .png, .svg, .pdf, .html. Name such a file.",
        ),
        (["-o", "a"], "--out: got 'a'; its suffix says what is written"),
        (["-o", "no/a.png"], "--out: got 'no/a.png'; there is no folder 'no'. Make it, or write elsewhere."),
        (["-o", "d.png"], "--out: got 'd.png', which is a folder. Name a file in it."),
        (["-o", "a.png", "--chart", "pie"], "--chart: got 'pie'; it is one of probabilities, run, epochs, "),
        (["-o", "a.png", "--theme", "sepia"], "--theme: got 'sepia'; it is light or dark."),
        (["-o", "a.png", "cosine"], "got 'cosine' after the configuration; schedules go with --compare."),
        (["-o", "a.png", "--compare", "sine"], "--compare: got 'sine'; it is one of linear, cosine, "),
        (
            ["-o", "a.png", "--chart", "run", "--compare", "step"],
            "--compare: with --chart run; it is for the chart compare. Add --chart compare.",
        ),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    thermix: Thermix, latin: Path, words: list[str], message: str
) -> None:
    Path("d.png").mkdir()
    ran = thermix("plot", "mix.yaml", *words)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.startswith(f"thermix: {message}")
    assert len(ran.err.splitlines()) == 1
    assert sorted(path.name for path in Path().iterdir()) == ["d.png", "mix.yaml"]


def test_a_configuration_that_fails_says_the_same_as_everywhere(thermix: Thermix, mix: Path) -> None:
    mix.write_text(CONFIG.replace("items: 2000", "items: 0"), encoding="utf-8")
    for verb in ("plot", "report"):
        ran = thermix(verb, "mix.yaml", "-o", "a.html")
        assert ran == thermix("plan", "mix.yaml")
        assert ran.status == 2


@pytest.mark.parametrize(("library", "named"), [("altair", "altair"), ("vl_convert", "vl-convert-python")])
def test_a_missing_library_prints_the_command_that_installs_it(
    thermix: Thermix, latin: Path, monkeypatch: pytest.MonkeyPatch, library: str, named: str
) -> None:
    for module in [name for name in sys.modules if name.startswith("thermix.report.")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    for verb in ("plot", "report"):
        ran = thermix(verb, "mix.yaml", "-o", "a.html")
        assert (ran.status, ran.out) == (2, "")
        assert ran.err == (
            f"thermix: drawing charts needs {named}, which is not installed. "
            "Install it with: pip install 'thermix[report]'\n"
        )
    assert not Path("a.html").exists()


def test_what_was_there_stays_when_writing_fails(
    thermix: Thermix, latin: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[:10])
        raise OSError(28, "No space left on device", str(path))

    Path("a.svg").write_bytes(b"before")
    monkeypatch.setattr(Path, "write_bytes", full)
    ran = thermix("plot", "mix.yaml", "-o", "a.svg")
    assert ran.status == 2
    assert "no space left on device" in ran.err
    assert Path("a.svg").read_bytes() == b"before"
    assert sorted(path.name for path in Path().iterdir()) == ["a.svg", "mix.yaml"]
