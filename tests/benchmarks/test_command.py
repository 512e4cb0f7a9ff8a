"""The command as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import data, environment
from benchmarks.__main__ import arguments, groups_of, main
from benchmarks.contenders import PLAIN, TITLES
from benchmarks.settings import NAMES


def test_a_tiny_run_measures_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "RESULTS.md"
    options = ["--tiny", "--cases", "draws,accuracy", "--contenders", "formula,thermix,numpy_steps"]
    main([*options, "--out", str(out), "--data", str(tmp_path)])
    found = json.loads(out.with_suffix(".json").read_text("utf-8"))
    assert list(found["cases"]) == ["draws", "accuracy"]
    assert found["versions"]["numpy"] == np.__version__
    draws = found["cases"]["draws"]["rows"]
    assert {row["contender"] for row in draws} == {"thermix", "numpy_steps", "formula"}
    assert all(row["median"] > 0 and len(row["values"]) == 2 for row in draws)
    deviation = {
        row["contender"]: row["median"]
        for row in found["cases"]["accuracy"]["rows"]
        if row["row"].endswith(": deviation")
    }
    assert deviation["thermix"] < 2 < deviation["numpy_steps"]
    assert "accuracy 1/1 thermix: 1 of 1" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == []


@pytest.mark.slow
def test_a_tiny_run_of_every_case_has_no_failure(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("tokenizers")
    out = tmp_path / "RESULTS.md"
    main(["--tiny", "--out", str(out)])
    cases = json.loads(out.with_suffix(".json").read_text("utf-8"))["cases"]
    assert list(cases) == ["draws", "start", "resume", "delivery", "accuracy", "text"]
    rows = [row for case in cases.values() for row in case["rows"]]
    assert [row for row in rows if row.get("status") == "failed"] == []
    assert all("median" in row for row in rows if row["contender"] == "thermix")


def test_without_out_the_page_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--tiny", "--cases", "draws", "--contenders", "thermix"])
    assert capsys.readouterr().out.startswith("# Results\n")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["--tiny"], set(PLAIN)),
        (["--tiny", "--env", "there"], set(TITLES)),
        (["--quick"], set(TITLES)),
        (["--full", "--contenders", "grain,thermix"], {"grain", "thermix"}),
    ],
)
def test_which_contenders_run(given: list[str], expected: set[str]) -> None:
    asked = arguments(given)
    assert set(asked.contenders) == expected
    for group in groups_of(asked.cases, asked.size, asked.contenders, Path("there")):
        assert set(group.contenders) <= expected
        assert {row.data for row in group.rows} == {"there"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--tiny", "--cases", "draws,drwas"], "--cases: there is no drwas; there are draws, start"),
        (["--tiny", "--contenders", "torch"], "--contenders: there is no torch; there are thermix"),
        (["--tiny", "--merge"], "--merge needs --out"),
        ([], "one of the arguments --tiny --quick --full --install is required"),
    ],
)
def test_a_wrong_option_is_refused(
    given: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        arguments(given)
    assert message in capsys.readouterr().err


def test_an_environment_that_is_not_there_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"has no bin/python\. Make it with: --install "):
        environment.python_of(tmp_path)


def test_every_version_of_the_environment_is_exact() -> None:
    lines = environment.REQUIREMENTS.read_text("utf-8").splitlines()
    packages = [line for line in lines if line and not line.startswith("#")]
    assert all(line.count("==") == 1 and " " not in line for line in packages)
    named = {line.partition("==")[0].lower().replace("_", "-") for line in packages}
    assert {name.lower().replace("_", "-") for name in environment.PACKAGES} <= named


def test_tokens_are_rows_of_every_length_and_the_same_each_time(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        data.make_tokens(folder, 1 << 18)
    for name in NAMES:
        first = data.rows(folders[0], name, 512)
        assert (first == data.rows(folders[1], name, 512)).all()
        assert data.rows(folders[0], name, 8192).size == first.size
        assert first.min() >= 1
        assert first.max() < data.VOCABULARY


def test_the_tokens_of_the_text_are_counted_with_the_end_of_each_document(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    data.make_text(tmp_path, megabytes=1, vocabulary=300)
    bpe = tokenizers.Tokenizer.from_file(str(tmp_path / data.TOKENIZER))
    texts = [text for batch in data.batched_texts(tmp_path, each=7) for text in batch]
    assert len(texts) > 7
    assert data.text_tokens(tmp_path) == sum(len(bpe.encode(text).ids) + 1 for text in texts)
