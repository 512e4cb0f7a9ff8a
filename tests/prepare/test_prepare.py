"""From raw text to shards: the same bytes for any number of processes, and however often it was killed."""

from __future__ import annotations

import hashlib
import json
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.engines.test_local import wait_until
from thermix.engines import Progress
from thermix.errors import DataError, InvalidInput
from thermix.prepare.encoders import open_encoder
from thermix.prepare.run import Watcher, prepare
from thermix.sources import open_source
from thermix.sources.files import MANIFEST, UNFINISHED
from thermix.sources.tokens import TokenShards

ROOT = Path(__file__).parents[2]
TEXTS = [f"document {i}: " + "naïve 文本 🙂\n" * (i % 7) for i in range(400)]


def write_raw(path: Path, texts: list[Any]) -> Path:
    path.write_text("".join(json.dumps({"text": t}, ensure_ascii=False) + "\n" for t in texts), "utf-8")
    return path


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return write_raw(tmp_path / "raw.jsonl", TEXTS)


def content(folder: Path) -> dict[str, str]:
    """Every file below a folder with its hash."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


def documents_in(folder: Path) -> list[bytes]:
    """The documents of prepared bytes, in order, read without thermix."""
    found = []
    for file in sorted(folder.glob("*.bin")):
        tokens = np.fromfile(file, np.uint16)
        ends = np.flatnonzero(tokens == 256)
        assert not tokens.size or ends[-1] == tokens.size - 1
        found += [part[:-1].astype(np.uint8).tobytes() for part in np.split(tokens, ends + 1)[:-1]]
    return found


def test_every_document_is_there_once_and_in_order(raw: Path, tmp_path: Path) -> None:
    done = prepare([str(raw)], tmp_path / "out", tokenizer="bytes", split_bytes=2048, processes=1)
    assert documents_in(tmp_path / "out") == [text.encode() for text in TEXTS]
    assert done.made == done.tasks > 10
    assert done.manifest.documents == len(TEXTS)
    assert done.manifest.tokens == sum(len(text.encode()) + 1 for text in TEXTS)
    assert len(done.manifest.shards) >= done.tasks - 1
    assert not (tmp_path / "out" / UNFINISHED).exists()


def test_the_shards_are_a_source(raw: Path, tmp_path: Path) -> None:
    prepare([str(raw)], tmp_path / "out", tokenizer="bytes", split_bytes=4096, processes=1)
    with open_source(str(tmp_path / "out"), name="web", sequence_length=16) as source:
        assert isinstance(source, TokenShards)
        assert source.folders == [str(tmp_path / "out")]
        row = np.asarray(source.read([0])[0])
    assert open_encoder("bytes").decode(row) == (TEXTS[0] + TEXTS[1])[: len(row) - 1]


def test_the_output_does_not_depend_on_the_processes(raw: Path, tmp_path: Path) -> None:
    for processes in (1, 3):
        out = tmp_path / str(processes)
        prepare([str(raw)], out, tokenizer="bytes", split_bytes=2048, processes=processes)
    assert content(tmp_path / "1") == content(tmp_path / "3")


@given(
    texts=st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=40), max_size=30),
    split=st.integers(1024, 4096),
)
@settings(max_examples=25)
def test_any_texts_come_out_as_they_went_in(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], split: int
) -> None:
    folder = tmp_path_factory.mktemp("any")
    raw = write_raw(folder / "a.jsonl", texts * 9)
    if not texts:
        raw.write_text('{"text": ""}\n')
    prepare([str(raw)], folder / "out", tokenizer="bytes", split_bytes=split, processes=1)
    assert documents_in(folder / "out") == [text.encode() for text in texts * 9 or [""]]


def test_what_was_prepared_is_not_done_again(raw: Path, tmp_path: Path) -> None:
    first = prepare([str(raw)], tmp_path / "out", tokenizer="bytes", processes=1)
    before = content(tmp_path / "out")
    again = prepare([str(raw)], tmp_path / "out", tokenizer="bytes", processes=1)
    assert (again.made, again.manifest) == (0, first.manifest)
    assert content(tmp_path / "out") == before


def test_a_changed_input_is_noticed_before_anything_is_written(raw: Path, tmp_path: Path) -> None:
    prepare([str(raw)], tmp_path / "out", tokenizer="bytes", processes=1)
    before = content(tmp_path / "out")
    raw.write_text(raw.read_text("utf-8").replace("document 17", "document 71"), "utf-8")
    with pytest.raises(
        InvalidInput, match=r"prepared from something else \(inputs: .*raw\.jsonl: its content"
    ):
        prepare([str(raw)], tmp_path / "out", tokenizer="bytes", processes=1)
    assert content(tmp_path / "out") == before


class Stopped(Exception):
    """Raised in the middle of a run."""


class StopsAfter(Watcher):
    """Ends a run when so many tasks have reported."""

    def __init__(self, reports: int) -> None:
        self.left = reports
        self.begun: tuple[int, Progress] | None = None

    def begin(self, total: int, done: Progress) -> None:
        self.begun = total, done

    def show(self, done: Progress) -> None:
        self.left -= 1
        if self.left == 0:
            raise Stopped


def test_a_stopped_run_goes_on_where_it_was_to_the_same_bytes(raw: Path, tmp_path: Path) -> None:
    def run(out: str, reports: int) -> StopsAfter:
        watcher = StopsAfter(reports)
        prepare([str(raw)], tmp_path / out, tokenizer="bytes", split_bytes=2048, processes=1, watcher=watcher)
        return watcher

    run("whole", -1)
    for reports in (1, 2, 5, 1, 3):
        with pytest.raises(Stopped):
            run("out", reports)
        with pytest.raises(InvalidInput, match="is not prepared to its end"):
            open_source(str(tmp_path / "out"), name="web", sequence_length=8)
    last = run("out", -1)
    assert last.begun is not None
    assert last.begun[0] == raw.stat().st_size
    assert last.begun[1].documents > 0, "it began anew"
    assert content(tmp_path / "out") == content(tmp_path / "whole")


COMMAND = """
import sys
from thermix.prepare.run import prepare
if __name__ == "__main__":
    prepare([sys.argv[1]], sys.argv[2], tokenizer="bytes", split_bytes=1 << 18, processes=int(sys.argv[3]))
"""


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    (tmp_path / "command.py").write_text(COMMAND)
    return [sys.executable, str(tmp_path / "command.py")]


@pytest.mark.slow
@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_run_killed_at_any_moment_ends_with_the_same_bytes(
    tmp_path: Path, command: list[str], processes: str
) -> None:
    raw = write_raw(tmp_path / "raw.jsonl", [text * 40 for text in TEXTS] * 6)
    words = [*command, str(raw)]
    subprocess.run([*words, str(tmp_path / "whole"), "2"], check=True)
    moments, kills = np.random.default_rng(int(processes)).uniform(0.0, 0.6, 10), 0
    for moment in moments:
        process = subprocess.Popen([*words, str(tmp_path / "out"), processes])
        wait_until(lambda process=process: process.poll() is not None or (tmp_path / "out").exists())
        time.sleep(moment)
        kills += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run([*words, str(tmp_path / "out"), processes], check=True)
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    assert kills >= 3, "it was hardly ever killed: the test shows nothing"


@pytest.mark.slow
def test_a_full_disk_ends_a_run_and_the_next_one_goes_on(tmp_path: Path, command: list[str]) -> None:
    raw = write_raw(tmp_path / "raw.jsonl", [text * 40 for text in TEXTS] * 2)
    words = [*command, str(raw)]
    subprocess.run([*words, str(tmp_path / "whole"), "1"], check=True)
    biggest = max(file.stat().st_size for file in (tmp_path / "whole").iterdir())

    def no_large_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (biggest - 1, resource.RLIM_INFINITY))

    ran = subprocess.run(
        [*words, str(tmp_path / "out"), "1"],
        preexec_fn=no_large_files,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode != 0
    assert "DataError" in ran.stderr
    assert not list((tmp_path / "out").glob("*.part"))
    subprocess.run([*words, str(tmp_path / "out"), "1"], check=True)
    assert content(tmp_path / "out") == content(tmp_path / "whole")


BROKEN = [
    ('{"text": "cut', "not JSON"),
    ('{"body": "x"}', "it has no field 'text'"),
    ('{"text": 7}', "field 'text' is a number"),
    ('{"text": null}', "field 'text' is null"),
    ("[1]", "it is a list"),
]


@pytest.mark.parametrize(("line", "said"), BROKEN)
def test_a_broken_row_stops_the_run_with_file_and_line(tmp_path: Path, line: str, said: str) -> None:
    raw = write_raw(tmp_path / "raw.jsonl", TEXTS[:3])
    with raw.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    with pytest.raises(DataError) as refused:
        prepare([str(raw)], tmp_path / "out", tokenizer="bytes", processes=1)
    assert f"{raw}, line 4" in str(refused.value)
    assert said in str(refused.value)
    assert "--skip-bad" in str(refused.value)


def test_broken_rows_can_be_left_out_and_are_listed(tmp_path: Path) -> None:
    raw = tmp_path / "raw.jsonl"
    good = [json.dumps({"text": text}) for text in TEXTS[:60]]
    lines = [
        line for i, text in enumerate(good) for line in ([text, BROKEN[i % 5][0]] if i % 9 == 0 else [text])
    ]
    raw.write_bytes("\n".join(lines).encode() + b'\n{"text": "\xff"}\n')
    with pytest.raises(DataError, match="line 2"):
        prepare([str(raw)], tmp_path / "out", tokenizer="bytes", split_bytes=1024, processes=1)
    done = prepare(
        [str(raw)], tmp_path / "out", tokenizer="bytes", split_bytes=1024, processes=1, skip_bad=True
    )
    assert documents_in(tmp_path / "out") == [text.encode() for text in TEXTS[:60]]
    listed = [json.loads(line) for line in (tmp_path / "out" / "skipped.jsonl").read_text().splitlines()]
    assert done.manifest.skipped == len(listed) == 8
    assert [row["place"].split()[1] for row in listed][:2] == ["2", "12"]
    assert {row["path"] for row in listed} == {str(raw)}
    with open_source(str(tmp_path / "out"), name="web", sequence_length=8) as source:
        assert len(source) > 0


def test_no_documents_make_no_shards(tmp_path: Path) -> None:
    (tmp_path / "raw.jsonl").write_text("\n\n")
    done = prepare([str(tmp_path / "raw.jsonl")], tmp_path / "out", tokenizer="bytes")
    assert (done.manifest.shards, done.manifest.documents) == ([], 0)
    assert [file.name for file in (tmp_path / "out").iterdir()] == [MANIFEST]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"processes": 0}, "processes: got 0"),
        ({"split_bytes": 1023}, "split_bytes: got 1023"),
        ({"tokenizer": "byte"}, "Did you mean 'bytes'"),
        ({"inputs": ["nothing.jsonl"]}, "nothing.jsonl"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_written(
    raw: Path, tmp_path: Path, changed: dict[str, Any], said: str
) -> None:
    options: dict[str, Any] = {"inputs": [str(raw)], "out": tmp_path / "out", "tokenizer": "bytes"} | changed
    with pytest.raises(InvalidInput, match=said):
        prepare(**options)
    assert not (tmp_path / "out").exists()


def test_two_runs_at_once_are_one_and_a_refusal(raw: Path, tmp_path: Path) -> None:
    class Second(Watcher):
        refused = ""

        def begin(self, total: int, done: Progress) -> None:
            with pytest.raises(InvalidInput) as refused:
                prepare([str(raw)], tmp_path / "out", tokenizer="bytes", processes=1)
            self.refused = str(refused.value)

    watcher = Second()
    prepare([str(raw)], tmp_path / "out", tokenizer="bytes", processes=1, watcher=watcher)
    assert "another run of thermix prepare is writing there" in watcher.refused
    assert documents_in(tmp_path / "out") == [text.encode() for text in TEXTS]


@pytest.mark.parametrize(
    ("out", "said"),
    [
        (Path("gs://bucket/shards"), "got 'gs:/bucket/shards'; an address is text, and has two slashes"),
        ("https://host/shards", r"got https://host/shards; files are written to a folder, or to an object"),
        ("file:///shards", "got file:///shards; files are written to a folder"),
        ("s3://", "got s3://, without a bucket"),
    ],
)
def test_an_address_that_cannot_be_written_to_is_refused(
    raw: Path, out: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(raw.parent)
    with pytest.raises(InvalidInput, match=f"^--out: {said}"):
        prepare([str(raw)], out, tokenizer="bytes", processes=1)
    assert [file.name for file in raw.parent.iterdir()] == [raw.name]


class Usage(NamedTuple):
    total: int
    used: int
    free: int


class Listener(Watcher):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notices: list[str] = []

    def notice(self, message: str) -> None:
        self.notices.append(message)


def test_a_disk_too_small_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = write_raw(tmp_path / "raw.jsonl", ["some hundred letters " * 5] * 2_000)
    need = 2_000 * ((105 + 1) * 2 + 20)  # two bytes a byte and one for the end; twenty in the index

    def run(free: int) -> list[str]:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 0, free))
        listener = Listener()
        prepare([str(raw)], tmp_path / "out", tokenizer="bytes", processes=1, watcher=listener)
        return listener.notices

    with pytest.raises(
        DataError, match=r"out: about ([\d,]+) bytes of shards.*its disk has 1,000 free"
    ) as refused:
        run(1_000)
    said = int(re.search(r"about ([\d,]+)", str(refused.value))[1].replace(",", ""))  # type: ignore[index]
    assert said == pytest.approx(need, rel=0.02)
    assert not list((tmp_path / "out").glob("shard-*"))
    (notice,) = run(int(said * 0.75))
    assert "as far as the first documents show" in notice
    assert run(1_000) == [], "it was prepared already"


def test_a_disk_with_room_is_not_spoken_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = write_raw(tmp_path / "raw.jsonl", ["words " * 20] * 500)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 0, 2 * 500 * (121 * 2 + 20)))
    listener = Listener()
    prepare([str(raw)], tmp_path / "out", tokenizer="bytes", processes=1, watcher=listener)
    assert listener.notices == []


@pytest.mark.slow
def test_memory_does_not_grow_with_the_input(tmp_path: Path) -> None:
    """With ten times the input, 230 MB more, the peak is less than 40 MB higher."""
    text = TEXTS[6] * 100
    peaks = [peak_of(tmp_path, [text] * count) for count in (2_000, 20_000)]
    assert (tmp_path / "20000.jsonl").stat().st_size > 250e6
    assert peaks[1] - peaks[0] < 40e6, peaks


def peak_of(folder: Path, texts: list[str]) -> int:
    raw = write_raw(folder / f"{len(texts)}.jsonl", texts)
    script = (
        "import re, sys\nfrom thermix.prepare.run import prepare\n"
        "prepare([sys.argv[1]], sys.argv[2], tokenizer='bytes', processes=1)\n"
        "print(int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) * 1024)"
    )
    words = [sys.executable, "-c", script, str(raw), str(folder / f"out{len(texts)}")]
    return int(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
