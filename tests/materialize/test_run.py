"""A mixed run written out: what the stream gives, the same however often it was cut off."""

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

from tests.engines.test_local import wait_until
from thermix import Mixture, Plan, Source, linear
from thermix.engines import Progress, Watcher
from thermix.errors import DataError, InvalidInput, OutOfRange
from thermix.materialize.check import check_materialization
from thermix.materialize.lines import contents_of, json_lines
from thermix.materialize.run import materialize
from thermix.sources import open_source
from thermix.sources.base import ItemSource
from thermix.sources.files import MATERIALIZING
from thermix.sources.megatron import HEADER
from thermix.sources.reader import BatchReader
from thermix.sources.shard_writer import TokenShardWriter

LENGTH = 8
NAMES = ("web", "网页")


def opened(
    folder: Path, steps: int = 12, dtypes: tuple[str, str] = ("uint16", "uint16")
) -> tuple[Plan, dict[str, ItemSource]]:
    """A plan over two sources of tokens, with edits of batch size and temperature."""
    sources: dict[str, ItemSource] = {}
    for number, (name, dtype) in enumerate(zip(NAMES, dtypes, strict=True)):
        place = folder / "shards" / name
        if not place.exists():
            place.mkdir(parents=True)
            with TokenShardWriter(place / "part", dtype=dtype) as shard:
                shard.append(np.arange(number * 1000, number * 1000 + 30 * LENGTH) % 60_000)
        sources[name] = open_source(str(place), name=name, sequence_length=LENGTH)
    return planned(sources, steps), sources


def planned(sources: dict[str, ItemSource], steps: int) -> Plan:
    mixture = Mixture(
        {name: Source(score=2.0 - i, items=len(source)) for i, (name, source) in enumerate(sources.items())},
        temperature=linear(5.0, 1.0),
    )
    plan = Plan(mixture, steps=steps, batch_size=6, seed=3)
    return plan.edit(at_step=steps // 2, batch_size=4, temperature=1.0)


def documents(folder: Path, rows: dict[str, list[Any]], field: str | None = None) -> dict[str, ItemSource]:
    sources = {}
    for name, each in rows.items():
        path = folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in each))
        sources[name] = open_source(str(path), name=name, field=field)
    return sources


def streamed(plan: Plan, sources: dict[str, ItemSource], start: int, stop: int, **rank: Any) -> list[str]:
    reader = BatchReader(plan, sources, **rank)
    contents = contents_of(sources)
    return [line for b in reader.batches(start, stop) for line in json_lines(b, plan.names, contents)]


def content(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


def text_in(folder: Path) -> str:
    return "".join(file.read_text("utf-8") for file in sorted(folder.glob("train-*.jsonl")))


def windows_in(folder: Path) -> list[list[int]]:
    """The sequences of a folder, front to back, read without thermix's reader."""
    tokens = [np.fromfile(file, np.uint16) for file in sorted(folder.glob("train-*.bin"))]
    found: list[list[int]] = np.concatenate(tokens).reshape(-1, LENGTH).tolist()
    return found


def rows_of(lines: list[str]) -> list[list[int]]:
    return [json.loads(line)["tokens"] for line in lines]


@pytest.mark.parametrize(("start", "stop"), [(0, 12), (0, 1), (3, 9), (5, 7), (11, 12)])
def test_lines_are_those_of_the_stream(tmp_path: Path, start: int, stop: int) -> None:
    plan, sources = opened(tmp_path)
    done = materialize(
        plan, sources, tmp_path / "out", layout="jsonl", start=start, stop=stop, steps_per_file=2, processes=1
    )
    lines = streamed(plan, sources, start, stop)
    assert text_in(tmp_path / "out") == "".join(lines)
    assert done.manifest.items == len(lines)
    assert done.manifest.job.fingerprint == plan.fingerprint
    assert Plan.load(tmp_path / "out" / "about" / "plan.json") == plan


def test_windows_are_the_sequences_of_the_stream_one_a_document(tmp_path: Path) -> None:
    plan, sources = opened(tmp_path)
    materialize(plan, sources, tmp_path / "out", layout="bin", steps_per_file=5, processes=1)
    assert windows_in(tmp_path / "out") == rows_of(streamed(plan, sources, 0, 12))
    index = (tmp_path / "out" / "train-00000-of-00003.idx").read_bytes()
    _, _, _, sequences, ends = HEADER.unpack(index[: HEADER.size])
    assert (sequences, ends) == (30, 31)
    with open_source(str(tmp_path / "out"), name="again", sequence_length=LENGTH) as again:
        assert np.asarray(again.read(range(len(again)))).tolist() == windows_in(tmp_path / "out")


def test_sources_of_several_types_are_written_as_the_smallest_that_holds_them(tmp_path: Path) -> None:
    plan, sources = opened(tmp_path, dtypes=("uint16", "int32"))
    done = materialize(plan, sources, tmp_path / "out", layout="bin", processes=1)
    assert done.manifest.job.dtype == "int32"
    tokens = np.fromfile(tmp_path / "out" / "train-00000-of-00001.bin", np.int32)
    assert tokens.reshape(-1, LENGTH).tolist() == rows_of(streamed(plan, sources, 0, 12))


def test_megatron_reads_the_windows_front_to_back(tmp_path: Path) -> None:
    indexed = pytest.importorskip("megatron.core.datasets.indexed_dataset")
    plan, sources = opened(tmp_path)
    materialize(plan, sources, tmp_path / "out", layout="bin", processes=1)
    read = indexed.IndexedDataset(str(tmp_path / "out" / "train-00000-of-00001"))
    found = [read[i].tolist() for i in range(len(read))]
    assert found == rows_of(streamed(plan, sources, 0, 12))


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_the_ranks_together_are_the_whole(tmp_path: Path, ranks: int) -> None:
    plan, sources = opened(tmp_path)
    for layout in ("bin", "jsonl"):
        out = tmp_path / layout
        materialize(plan, sources, out, layout=layout, ranks=ranks, steps_per_file=5, processes=1)
        checked = check_materialization(out)
        assert checked is not None
        assert (checked.documents, checked.problems) == (60, ())
    for rank in range(ranks):
        own = f"rank-{rank:05d}-of-{ranks:05d}"
        lines = streamed(plan, sources, 0, 12, rank=rank, world_size=ranks)
        assert text_in(tmp_path / "jsonl" / own) == "".join(lines)
        assert windows_in(tmp_path / "bin" / own) == rows_of(lines)
        alone = check_materialization(tmp_path / "bin" / own)
        assert alone is not None
        assert (alone.documents, alone.problems) == (len(lines), ())


def test_the_files_do_not_depend_on_the_processes(tmp_path: Path) -> None:
    plan, sources = opened(tmp_path)
    for processes in (1, 2):
        materialize(
            plan, sources, tmp_path / str(processes), layout="jsonl", steps_per_file=3, processes=processes
        )
    assert content(tmp_path / "1") == content(tmp_path / "2")


ODD = ["half \ud83d", "naïve 文本 🙂", "\u2028 line", "", "a\tb\n"]


def test_text_of_any_kind_is_written_as_it_is(tmp_path: Path) -> None:
    sources = documents(tmp_path, {"a": [{"text": text} for text in ODD]})
    plan = planned(sources, 4)
    materialize(plan, sources, tmp_path / "out", layout="jsonl", processes=1)
    found = [json.loads(line) for line in text_in(tmp_path / "out").split("\n")[:-1]]
    assert [row["row"]["text"] for row in found] == [ODD[row["item"]] for row in found]
    assert {row["row"]["text"] for row in found} == set(ODD)


class TestTables:
    @pytest.fixture(autouse=True)
    def _arrow(self) -> None:
        pytest.importorskip("pyarrow")

    def rows_in(self, folder: Path) -> list[dict[str, Any]]:
        import pyarrow.parquet

        files = sorted(folder.glob("train-*.parquet"))
        schemas = {str(pyarrow.parquet.read_schema(file)) for file in files}
        assert len(schemas) == 1, "files of one run have one set of columns"
        return [row for file in files for row in pyarrow.parquet.read_table(file).to_pylist()]

    def test_token_windows_are_a_column(self, tmp_path: Path) -> None:
        plan, sources = opened(tmp_path)
        materialize(plan, sources, tmp_path / "out", layout="parquet", steps_per_file=5, processes=1)
        assert self.rows_in(tmp_path / "out") == [json.loads(x) for x in streamed(plan, sources, 0, 12)]

    def test_nested_rows_keep_their_shape(self, tmp_path: Path) -> None:
        rows = [{"id": i, "turns": [{"by": "user", "says": "é" * i}], "score": i / 2} for i in range(9)]
        sources = documents(tmp_path, {"chat": rows, "notes": [{"id": 7, "note": "文"}]})
        plan = planned(sources, 6)
        materialize(plan, sources, tmp_path / "out", layout="parquet", steps_per_file=1, processes=1)
        empty = dict.fromkeys(("id", "turns", "score", "note"))
        due = [json.loads(line) for line in streamed(plan, sources, 0, 6)]
        assert self.rows_in(tmp_path / "out") == [row | {"row": empty | row["row"]} for row in due]

    def test_datasets_reads_every_format_back(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        datasets = pytest.importorskip("datasets")
        sources = documents(tmp_path, {"a": [{"text": f"text {i}"} for i in range(9)]}, "text")
        plan = planned(sources, 6)
        due = [json.loads(line) for line in streamed(plan, sources, 0, 6)]
        for layout in ("jsonl", "parquet"):
            out = tmp_path / layout
            materialize(plan, sources, out, layout=layout, steps_per_file=2, processes=1)
            found = datasets.load_dataset(str(out), split="train", cache_dir=str(tmp_path / "cache"))
            assert found.to_list() == due

    @pytest.mark.parametrize(
        ("odd", "said"),
        [
            ({"id": "seven"}, r"sources\.a: item 1, of step \d+: .*"),
            ({"id": 7, "new": {}}, r"item 1, of step \d+: row\.new is in none of the rows"),
        ],
    )
    def test_a_row_unlike_the_others_is_named_and_nothing_of_it_dropped(
        self, tmp_path: Path, odd: Any, said: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("thermix.materialize.table._SAMPLES", 2)  # the first and the last
        sources = documents(tmp_path, {"a": [{"id": 1}, odd, {"id": 3}]})
        with pytest.raises(DataError, match=said) as refused:
            materialize(planned(sources, 6), sources, tmp_path / "out", layout="parquet", processes=1)
        assert "Take --format jsonl" in str(refused.value)

    def test_rows_without_a_common_type_are_refused(self, tmp_path: Path) -> None:
        sources = documents(tmp_path, {"a": [{"id": 1}], "b": [{"id": "x"}]})
        with pytest.raises(DataError, match=r"sources\.a, b: their rows have no common type"):
            materialize(planned(sources, 6), sources, tmp_path / "out", layout="parquet", processes=1)


class Stopped(Exception):
    """Raised in the middle of a run."""


class StopsAfter(Watcher):
    """Ends a run when so many batches have been written."""

    def __init__(self, reports: int) -> None:
        self.left = reports
        self.begun: tuple[int, Progress] | None = None

    def begin(self, total: int, done: Progress) -> None:
        self.begun = total, done

    def show(self, done: Progress) -> None:
        self.left -= 1
        if self.left == 0:
            raise Stopped


@pytest.mark.parametrize("layout", ["jsonl", "bin", "parquet"])
def test_a_stopped_run_goes_on_where_it_was_to_the_same_bytes(tmp_path: Path, layout: Any) -> None:
    if layout == "parquet":
        pytest.importorskip("pyarrow")
    plan, sources = opened(tmp_path)

    def run(out: str, reports: int) -> StopsAfter:
        watcher = StopsAfter(reports)
        materialize(
            plan, sources, tmp_path / out, layout=layout, steps_per_file=2, processes=1, watcher=watcher
        )
        return watcher

    run("whole", -1)
    for reports in (1, 4, 5, 1):
        with pytest.raises(Stopped):
            run("out", reports)
        assert not list((tmp_path / "out").rglob("*.part"))
    with pytest.raises(InvalidInput, match="is not materialized to its end"):
        open_source(str(tmp_path / "out"), name="web", sequence_length=LENGTH)
    last = run("out", -1)
    assert last.begun is not None
    assert last.begun[0] == 60
    assert last.begun[1].documents > 0, "it began anew"
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    again = materialize(plan, sources, tmp_path / "out", layout=layout, steps_per_file=2)
    assert again.made == 0


@pytest.mark.parametrize("unfinished", [False, True])
@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"plan": 4}, "plan: fingerprint"),
        ({"stop": 5}, "stop: 12 before, 5 now"),
        ({"layout": "bin"}, "layout: 'jsonl' before, 'bin' now"),
        ({"ranks": 2}, "ranks: 0 before, 2 now"),
        ({"steps_per_file": 3}, "steps_per_file: 2 before, 3 now"),
    ],
)
def test_a_folder_of_another_run_is_refused_and_left_alone(
    tmp_path: Path, changed: dict[str, Any], said: str, unfinished: bool
) -> None:
    plan, sources = opened(tmp_path)
    options: dict[str, Any] = {"layout": "jsonl", "steps_per_file": 2, "processes": 1}
    if unfinished:
        with pytest.raises(Stopped):
            materialize(plan, sources, tmp_path / "out", **options, watcher=StopsAfter(5))
    else:
        materialize(plan, sources, tmp_path / "out", **options)
    before = content(tmp_path / "out")
    other = plan.edit(at_step=7, temperature=9.0) if "plan" in changed else plan
    options |= {key: value for key, value in changed.items() if key != "plan"}
    with pytest.raises(InvalidInput) as refused:
        materialize(other, sources, tmp_path / "out", **options)
    assert said in str(refused.value)
    assert "Two runs do not mix: give another --out, or remove the folder" in str(refused.value)
    assert content(tmp_path / "out") == before


def test_changed_data_is_noticed(tmp_path: Path) -> None:
    plan, sources = opened(tmp_path)
    materialize(plan, sources, tmp_path / "out", layout="jsonl", processes=1)
    shutil.rmtree(tmp_path / "shards" / "web")
    (tmp_path / "shards" / "web").mkdir()
    with TokenShardWriter(tmp_path / "shards" / "web" / "part", dtype="uint16") as shard:
        shard.append(np.arange(30 * LENGTH)[::-1])
    with pytest.raises(InvalidInput, match=r"sources\.web: its content is not what it was"):
        materialize(*opened(tmp_path), tmp_path / "out", layout="jsonl", processes=1)


def test_two_runs_at_once_are_one_and_a_refusal(tmp_path: Path) -> None:
    plan, sources = opened(tmp_path)

    class Second(Watcher):
        refused = ""

        def begin(self, total: int, done: Progress) -> None:
            with pytest.raises(InvalidInput) as refused:
                materialize(plan, sources, tmp_path / "out", layout="jsonl", processes=1)
            self.refused = str(refused.value)

    watcher = Second()
    materialize(plan, sources, tmp_path / "out", layout="jsonl", processes=1, watcher=watcher)
    assert "another run of thermix materialize is writing there" in watcher.refused
    assert text_in(tmp_path / "out") == "".join(streamed(plan, sources, 0, 12))


@pytest.mark.parametrize("out", ["https://bucket/run", Path("gs://bucket/run"), "s3:/bucket/run"])
def test_an_address_that_cannot_be_written_to_is_refused(
    tmp_path: Path, out: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plan, sources = opened(tmp_path)
    with pytest.raises(InvalidInput, match=r"^--out: got .*(two slashes|to an object store)"):
        materialize(plan, sources, out, layout="jsonl", processes=1)
    assert [file.name for file in tmp_path.iterdir()] == ["shards"]


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def test_a_disk_too_small_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan, sources = opened(tmp_path)
    need = 60 * (LENGTH * 2 + 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**6, 10**6 - need + 1, need - 1))
    with pytest.raises(DataError, match=f"{need:,} bytes are still to be written.*Free 1 more"):
        materialize(plan, sources, tmp_path / "out", layout="bin", processes=1)
    assert not list((tmp_path / "out").glob("train-*"))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**6, 0, need))
    materialize(plan, sources, tmp_path / "out", layout="bin", processes=1)


def test_lines_are_estimated_from_the_first_items(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = documents(tmp_path, {"a": [{"text": "x" * 1_000}] * 50})
    plan = planned(sources, 12)
    need = len("".join(streamed(plan, sources, 0, 12)))
    notices: list[str] = []

    class Listener(Watcher):
        def notice(self, message: str) -> None:
            notices.append(message)

    def run(free: int) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**9, 0, free))
        materialize(plan, sources, tmp_path / "out", layout="jsonl", processes=1, watcher=Listener())

    with pytest.raises(
        DataError, match=r"out: about [\d,]+ bytes are still to be written.*has 9 free"
    ) as refused:
        run(9)
    said = int(re.search(r"about ([\d,]+)", str(refused.value))[1].replace(",", ""))  # type: ignore[index]
    assert said == pytest.approx(need, rel=0.02)
    assert not list((tmp_path / "out").glob("train-*"))
    run(int(need * 0.7))
    assert len(notices) == 1


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"layout": "json"}, InvalidInput, "format: got 'json'"),
        ({"start": 5, "stop": 5}, OutOfRange, "steps: got 5:5; the plan has steps 0 to 12"),
        ({"stop": 13}, OutOfRange, "steps: got 0:13"),
        ({"ranks": 5}, InvalidInput, "5 ranks for a batch of 4"),
        ({"steps_per_file": 0}, InvalidInput, "steps_per_file: got 0"),
        ({"processes": 0}, InvalidInput, "processes: got 0"),
    ],
)
def test_wrong_use_is_refused_before_anything_is_written(
    tmp_path: Path, options: dict[str, Any], kind: type[Exception], said: str
) -> None:
    plan, sources = opened(tmp_path)
    with pytest.raises(kind, match=said):
        materialize(plan, sources, tmp_path / "out", **({"layout": "jsonl"} | options))
    assert not (tmp_path / "out").exists()


def test_documents_are_no_token_windows(tmp_path: Path) -> None:
    sources = documents(tmp_path, {"a": [{"text": "x"}]})
    with pytest.raises(InvalidInput, match=r"got 'bin', and the sources are documents"):
        materialize(planned(sources, 4), sources, tmp_path / "out", layout="bin")


def test_a_folder_with_other_files_is_refused(tmp_path: Path) -> None:
    plan, sources = opened(tmp_path)
    with pytest.raises(InvalidInput, match=r"it holds other files, such as shards; files are materialized"):
        materialize(plan, sources, tmp_path, layout="jsonl")
    assert not (tmp_path / MATERIALIZING).exists()


@pytest.mark.parametrize(
    ("damage", "said"),
    [("changed", "SHA-256"), ("gone", "cannot be read"), ("more", "does not name it"), ("plan", "plan.json")],
)
def test_a_check_sees_what_is_wrong(tmp_path: Path, damage: str, said: str) -> None:
    plan, sources = opened(tmp_path)
    out = tmp_path / "out"
    materialize(plan, sources, out, layout="bin", steps_per_file=4, processes=1)
    file = out / "train-00001-of-00003.bin"
    if damage == "changed":
        file.write_bytes(file.read_bytes()[:-1] + b"\1")
    elif damage == "gone":
        file.unlink()
    elif damage == "more":
        shutil.copy(file, out / "train-00003-of-00003.bin")
    else:
        (out / "about" / "plan.json").unlink()
    checked = check_materialization(out)
    assert checked is not None
    assert len(checked.problems) == 1
    assert said in checked.problems[0]


def test_other_folders_are_not_checked_here(tmp_path: Path) -> None:
    opened(tmp_path)
    assert check_materialization(tmp_path / "shards" / "web") is None


COMMAND = """
import sys
from pathlib import Path
from tests.materialize.test_run import opened
from thermix.materialize.run import materialize
if __name__ == "__main__":
    plan, sources = opened(Path(sys.argv[1]), steps=20000)
    options = {"layout": sys.argv[3], "steps_per_file": 100, "processes": int(sys.argv[4])}
    materialize(plan, sources, sys.argv[2], **options)
"""
ROOT = Path(__file__).parents[2]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    opened(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    (tmp_path / "command.py").write_text(COMMAND)
    return [sys.executable, str(tmp_path / "command.py"), str(tmp_path)]


@pytest.mark.slow
@pytest.mark.parametrize(("layout", "processes"), [("jsonl", "1"), ("bin", "2")])
def test_a_run_killed_at_any_moment_ends_with_the_same_bytes(
    tmp_path: Path, command: list[str], layout: str, processes: str
) -> None:
    out = tmp_path / "out"
    subprocess.run([*command, str(tmp_path / "whole"), layout, "1"], check=True)
    kills = 0
    for moment in np.random.default_rng(int(processes)).uniform(0.0, 0.2, 6):
        process = subprocess.Popen([*command, str(out), layout, processes])
        records = len(list(out.glob(f"{MATERIALIZING}/0*.json")))
        wait_until(
            lambda process=process, records=records: (
                process.poll() is not None or len(list(out.glob(f"{MATERIALIZING}/0*.json"))) > records
            )
        )
        time.sleep(moment)
        kills += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run([*command, str(out), layout, processes], check=True)
    assert content(out) == content(tmp_path / "whole")
    assert kills >= 2, "it was hardly ever killed: the test shows nothing"


@pytest.mark.slow
def test_a_full_disk_ends_a_run_and_the_next_one_goes_on(tmp_path: Path, command: list[str]) -> None:
    subprocess.run([*command, str(tmp_path / "whole"), "jsonl", "1"], check=True)
    biggest = max(file.stat().st_size for file in (tmp_path / "whole").glob("train-*"))

    def no_large_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (biggest - 1, resource.RLIM_INFINITY))

    words = [*command, str(tmp_path / "out"), "jsonl", "1"]
    ran = subprocess.run(words, preexec_fn=no_large_files, capture_output=True, text=True, check=False)
    assert ran.returncode != 0
    assert "DataError" in ran.stderr
    assert not list((tmp_path / "out").glob("*.part"))
    subprocess.run(words, check=True)
    assert content(tmp_path / "out") == content(tmp_path / "whole")
