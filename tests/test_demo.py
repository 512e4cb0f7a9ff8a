"""The demo: real text is found, mixed, read and proven; it never harms a file that is not its own."""

from __future__ import annotations

import html
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

import thermix
from thermix.demo import proofs, resume, run, run_demo
from thermix.demo.folder import write_folder
from thermix.demo.reading import ReadStep, Tally, digest_of, read_steps
from thermix.demo.texts import Collection, Row, find_collections
from thermix.errors import CheckFailed, InvalidInput
from thermix.plan.plan import Plan
from thermix.sources import ItemSource

FILES = ["code.jsonl", "docs.jsonl", "readmes.jsonl", "mix.yaml"]


def small(name: str, score: float, size: int) -> Collection:
    rows = tuple(Row(f"{name} 文书 {i}\n\x1b[31m red", f"{name}:{i}") for i in range(size))
    return Collection(name, f"made for a test of {name}", score, rows)


SMALL = [small("code", 3.5, 3000), small("docs", 2.0, 1200), small("readmes", 1.0, 300)]


def printed(out: Path, width: int = 80, encoding: str = "utf-8", **options: bool) -> str:
    """All that the demo prints to a console."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    run_demo(out, Console(file=file, width=width, **options), seconds=0.05)  # type: ignore[arg-type]
    file.flush()
    return file.buffer.getvalue().decode(encoding)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The demo as it runs on this machine: its folder and what it printed."""
    out = tmp_path_factory.mktemp("demo") / "thermix-demo"
    return out, printed(out)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same from text made here."""
    monkeypatch.setattr(run, "find_collections", lambda: SMALL)


@pytest.fixture
def read(tmp_path: Path) -> Iterator[tuple[Plan, dict[str, ItemSource], list[ReadStep]]]:
    """A plan, its open sources and a run of it that was read."""
    write_folder(tmp_path, SMALL)
    plan, sources = thermix.load(tmp_path / "mix.yaml")
    yield plan, sources, list(read_steps(plan, sources, 0, plan.end))
    for source in sources.values():
        source.close()


class TestOnThisMachine:
    def test_it_writes_three_sources_and_a_config_that_loads(self, real: tuple[Path, str]) -> None:
        plan = thermix.load_plan(real[0] / "mix.yaml")
        assert plan.names == ("code", "docs", "readmes")
        assert (plan.temperature(0), plan.end, plan.batch(0).item.shape) == (5.0, 200, (24,))

    def test_every_check_holds_and_something_repeats(self, real: tuple[Path, str]) -> None:
        lines = real[1].splitlines()
        assert [line.split()[1] for line in lines if line.startswith("ok ")] == [
            "counts",
            "epochs",
            "resume",
            "ranks",
        ]
        assert plan_of(real).forecast()["readmes"].first_repeat_step is not None

    def test_what_is_printed_are_the_numbers_of_the_plan(self, real: tuple[Path, str]) -> None:
        for source in plan_of(real).forecast():
            assert f"{source.expected_draws:,.1f}" in real[1]
            assert f"{source.draws:,}" in real[1]

    def test_no_line_is_wider_than_the_console_but_commands(self, real: tuple[Path, str]) -> None:
        lines = [
            line for line in real[1].splitlines() if "thermix " not in line and "report.html" not in line
        ]
        assert max(map(cell_len, lines)) <= 80
        assert not any("\x1b" in line for line in lines)

    def test_the_commands_it_names_are_there_to_be_copied(self, real: tuple[Path, str]) -> None:
        for verb in ("plan", "batch", "probs"):
            assert any(f" {verb} " in line for line in real[1].splitlines()[-5:])

    def test_it_ends_with_its_report(self, real: tuple[Path, str]) -> None:
        pytest.importorskip("altair")
        pytest.importorskip("vl_convert")
        where = real[0] / "report.html"
        assert f"  {where}" in real[1].splitlines()
        page = html.unescape(where.read_text("utf-8"))
        assert "The log has 4,800 draws of 200 steps" in page
        assert "Every source was drawn exactly as often as planned in them." in page
        assert plan_of(real).fingerprint in page

    def test_the_texts_are_real_unique_and_say_where_they_come_from(self, real: tuple[Path, str]) -> None:
        rows = [json.loads(line) for name in FILES[:3] for line in (real[0] / name).read_bytes().splitlines()]
        assert len({row["text"] for row in rows}) == len(rows) > 500
        assert all(row["origin"] for row in rows)


def plan_of(real: tuple[Path, str]) -> Plan:
    return thermix.load_plan(real[0] / "mix.yaml")


@pytest.mark.usefixtures("quick")
class TestOnAnyConsole:
    @pytest.mark.parametrize("width", [60, 80, 200])
    def test_no_line_is_wider_than_the_console_whatever_is_in_a_text(
        self, width: int, tmp_path: Path
    ) -> None:
        lines = [
            line
            for line in printed(tmp_path, width).splitlines()
            if "thermix " not in line and "report.html" not in line
        ]
        assert max(map(cell_len, lines)) <= min(width, 100)
        assert "\\x1b[31m red" in "\n".join(lines)

    def test_a_console_without_unicode_shows_it_in_ascii(self, tmp_path: Path) -> None:
        text = printed(tmp_path, encoding="ascii")
        assert "# code" in text
        assert r"\u6587\u4e66" in text

    def test_a_terminal_shows_it_live(self, tmp_path: Path) -> None:
        text = printed(tmp_path, force_terminal=True)
        assert "step 100 of 200" in text
        assert "Looking for text on this machine" in text

    def test_nothing_moves_where_there_is_no_terminal(self, tmp_path: Path) -> None:
        text = printed(tmp_path)
        assert "step 100 of 200" not in text
        assert "\x1b" not in text
        assert text.count("from step") == 1


@pytest.mark.usefixtures("quick")
class TestItsFolder:
    def test_a_file_of_the_user_is_never_overwritten(self, tmp_path: Path) -> None:
        (tmp_path / "docs.jsonl").write_text("mine")
        with pytest.raises(InvalidInput, match=r"docs\.jsonl: is there, and not from the demo;.*--out"):
            printed(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["docs.jsonl"]
        assert (tmp_path / "docs.jsonl").read_text() == "mine"

    def test_an_edited_config_is_never_overwritten(self, tmp_path: Path) -> None:
        write_folder(tmp_path, SMALL)
        (tmp_path / "mix.yaml").write_text("steps: 7")
        with pytest.raises(InvalidInput, match=r"mix\.yaml: changed since the demo wrote it"):
            printed(tmp_path)
        assert (tmp_path / "mix.yaml").read_text() == "steps: 7"
        assert (tmp_path / "code.jsonl").exists()

    def test_a_second_run_prints_and_writes_the_same(self, tmp_path: Path) -> None:
        text = printed(tmp_path)
        before = {name: (tmp_path / name).read_bytes() for name in FILES}
        assert printed(tmp_path) == text
        assert {name: (tmp_path / name).read_bytes() for name in FILES} == before

    def test_a_report_of_the_user_is_never_overwritten(self, tmp_path: Path) -> None:
        (tmp_path / "report.html").write_text("mine")
        with pytest.raises(InvalidInput, match=r"report\.html: is there, and not from the demo"):
            printed(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["report.html"]

    def test_without_the_libraries_it_says_what_to_install(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "altair", None)
        for name in [name for name in sys.modules if name.startswith("thermix.report.")]:
            monkeypatch.delitem(sys.modules, name)
        text = " ".join(printed(tmp_path).split())
        assert "needs altair, which is not installed. Install it with: pip install 'thermix[report]'" in text
        assert not (tmp_path / "report.html").exists()

    def test_other_files_in_it_are_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "notes.txt").write_text("mine")
        for _ in range(2):
            write_folder(tmp_path, SMALL)
        assert (tmp_path / "notes.txt").read_text() == "mine"

    def test_what_an_earlier_demo_wrote_and_this_one_does_not_goes(self, tmp_path: Path) -> None:
        write_folder(tmp_path, SMALL)
        write_folder(tmp_path, SMALL[:2])
        assert sorted(path.name for path in tmp_path.iterdir()) == [
            ".thermix-demo.json", "code.jsonl", "docs.jsonl", "mix.yaml",
        ]  # fmt: skip

    @pytest.mark.parametrize("listed", ["", "[]", "{}", '{"files": {"../notes.txt": ""}}', '{"files": 3}'])
    def test_a_damaged_list_makes_no_file_its_own(self, listed: str, tmp_path: Path) -> None:
        out = tmp_path / "out"
        out.mkdir()
        (tmp_path / "notes.txt").write_text("mine")
        (out / ".thermix-demo.json").write_text(listed)
        (out / "mix.yaml").write_text("mine")
        with pytest.raises(InvalidInput, match="not from the demo"):
            printed(out)
        assert (tmp_path / "notes.txt").read_text() == (out / "mix.yaml").read_text() == "mine"

    def test_a_folder_that_is_a_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("mine")
        with pytest.raises(InvalidInput, match=r"out: the demo cannot write here: .*Choose another folder"):
            printed(tmp_path / "out")


class TestWhatIsFound:
    def packages(self, folder: Path, *descriptions: str) -> list[Distribution]:
        made: list[Distribution] = []
        for i, description in enumerate(descriptions):
            path = folder / f"p{i}-1.dist-info"
            path.mkdir(parents=True)
            path.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: p{i}\n\n{description}")
            made.append(PathDistribution(path))
        return made

    def library(self, folder: Path, functions: int) -> Path:
        folder.mkdir()
        body = "\n".join(f"    x = {{i}} + {n}" for n in range(5))
        text = "".join(f"def f{i}():\n{body.format(i=i)}\n\n" for i in range(functions))
        (folder / "a.py").write_text(text)
        (folder / "broken.py").write_text("def (")
        (folder / "latin.py").write_bytes(b"# \xe9")
        return folder

    def test_functions_and_prose_paragraphs_become_sources(self, tmp_path: Path) -> None:
        words = [f"word{i} " + "and so on " * 8 for i in range(30)]
        clutter = ["[![badge](x)](y) " * 9, "short", "| a | table " * 9]
        packages = self.packages(tmp_path, "\n\n".join(clutter + words), words[0])
        found = {c.name: c.rows for c in find_collections(self.library(tmp_path / "lib", 25), packages)}
        assert [row.origin for row in found["code"][:2]] == ["a.py:1", "a.py:8"]
        assert found["code"][0].text.startswith("def f0():\n    x = 0 + 0\n")
        assert [row.text for row in found["readmes"]] == [word.strip() for word in words]

    def test_at_most_60_paragraphs_are_of_one_package(self, tmp_path: Path) -> None:
        packages = self.packages(
            tmp_path, *("\n\n".join(f"{a}{i} " + "and so on " * 8 for i in range(99)) for a in "ab")
        )
        found = {c.name: c.rows for c in find_collections(self.library(tmp_path / "lib", 25), packages)}
        assert [row.origin for row in found["readmes"]] == ["p0"] * 60 + ["p1"] * 60

    def test_too_little_text_is_refused_with_what_there_is(self, tmp_path: Path) -> None:
        with pytest.raises(
            InvalidInput, match=r"too little text on this machine \(code 3, docs \d+, readmes 0\)"
        ):
            find_collections(self.library(tmp_path / "lib", 3), [])

    def test_a_package_with_damaged_metadata_is_passed_over(self, tmp_path: Path) -> None:
        packages = self.packages(
            tmp_path, "lost", *["\n\n".join(f"{i} " + "and so on " * 8 for i in range(30))]
        )
        (tmp_path / "p0-1.dist-info" / "METADATA").write_bytes(b"Name: p0\n\ncaf\xe9")
        found = {c.name: c.rows for c in find_collections(self.library(tmp_path / "lib", 25), packages)}
        assert {row.origin for row in found["readmes"]} == {"p1"}

    def test_text_that_utf_8_cannot_hold_is_left_out(self, tmp_path: Path) -> None:
        library = self.library(tmp_path / "lib", 25)
        words = "and so on " * 12
        (library / "b.py").write_text(rf'"""{words}\ud800"""' + "\n" + f'class A:\n    """{words}"""\n')
        rows = {c.name: c.rows for c in find_collections(library, [])}["docs"]
        assert [row.origin for row in rows if row.origin.startswith("b.py")] == ["b.py:2"]


class TestChecks:
    """Each check sees a run that is not what was planned."""

    def tampered(
        self, reads: Sequence[ReadStep], step: int, change: Callable[[ReadStep], ReadStep]
    ) -> list[ReadStep]:
        return [change(read) if read.step == step else read for read in reads]

    def tally(self, reads: Sequence[ReadStep]) -> Tally:
        tally = Tally.of(SMALL)
        for read in reads:
            tally.add(read)
        return tally

    def test_a_good_run_passes_all(
        self, read: tuple[Plan, dict[str, ItemSource], list[ReadStep]], tmp_path: Path
    ) -> None:
        plan, sources, reads = read
        forecast, tally = plan.forecast(), self.tally(reads)
        found = [
            proofs.prove_counts(forecast, tally),
            proofs.prove_epochs(forecast, tally),
            proofs.prove_resume(tmp_path / "mix.yaml", reads),
            proofs.prove_ranks(plan, sources, reads),
        ]
        assert all(proof.holds for proof in found)

    def test_a_text_of_another_source_is_seen(
        self, read: tuple[Plan, dict[str, ItemSource], list[ReadStep]]
    ) -> None:
        plan, _, reads = read
        wrong = next(text for text in reads[0].texts if text.startswith("readmes"))
        right = next(i for i, text in enumerate(reads[9].texts) if text.startswith("code"))
        bad = self.tampered(
            reads, 9, lambda r: replace(r, texts=[*r.texts[:right], wrong, *r.texts[right + 1 :]])
        )
        assert not proofs.prove_counts(plan.forecast(), self.tally(bad)).holds

    def test_an_item_that_comes_too_early_is_seen(
        self, read: tuple[Plan, dict[str, ItemSource], list[ReadStep]]
    ) -> None:
        plan, _, reads = read
        seen = next(text for text in reads[0].texts if text.startswith("code"))
        slot = next(i for i, text in enumerate(reads[9].texts) if text.startswith("code"))
        bad = self.tampered(
            reads, 9, lambda r: replace(r, texts=[*r.texts[:slot], seen, *r.texts[slot + 1 :]])
        )
        tally = self.tally(bad)
        assert proofs.prove_counts(plan.forecast(), tally).holds
        assert not proofs.prove_epochs(plan.forecast(), tally).holds

    @pytest.mark.parametrize("step", [100, 199])
    def test_another_order_or_text_is_seen_by_resume_and_ranks(
        self, step: int, read: tuple[Plan, dict[str, ItemSource], list[ReadStep]], tmp_path: Path
    ) -> None:
        plan, sources, reads = read
        bad = self.tampered(
            reads, step, lambda r: replace(r, texts=[*r.texts[:-2], r.texts[-1], r.texts[-2]])
        )
        assert not proofs.prove_resume(tmp_path / "mix.yaml", bad).holds
        assert not proofs.prove_ranks(plan, sources, bad).holds

    def test_the_digest_tells_texts_apart_that_join_to_the_same(
        self, read: tuple[Plan, dict[str, ItemSource], list[ReadStep]]
    ) -> None:
        one = read[2][0]
        assert digest_of([replace(one, texts=["ab", "c"])]) != digest_of([replace(one, texts=["a", "bc"])])

    def test_a_failed_check_is_printed_and_raised(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(run, "find_collections", lambda: SMALL)
        monkeypatch.setattr(proofs, "digest_in_new_process", lambda config, step: "0")
        file = io.StringIO()
        with pytest.raises(
            CheckFailed, match=r"^demo: resume: what was read is not what was planned"
        ) as caught:
            run_demo(tmp_path, Console(file=file, width=80))
        assert caught.value.exit_code == 1
        assert "FAILED  resume" in file.getvalue()

    def test_a_new_process_that_fails_is_a_failed_check(self, tmp_path: Path) -> None:
        with pytest.raises(CheckFailed, match=r"the new process failed; it said: .*there is no such file"):
            resume.digest_in_new_process(tmp_path / "gone.yaml", 1)


def test_importing_the_demo_does_nothing(tmp_path: Path) -> None:
    code = "import sys; sys.path.append(sys.argv[1]); import thermix.demo"
    root = str(Path(thermix.__file__).parents[1])
    done = subprocess.run([sys.executable, "-c", code, root], cwd=tmp_path, capture_output=True, check=True)
    assert (done.stdout, done.stderr, list(tmp_path.iterdir())) == (b"", b"", [])
