"""Tasks on a Ray cluster: the same results as here, and clear words for what goes wrong there."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.engines.store import RefusingStore, made_bucket, objects_in, refusing_store, say_where
from tests.engines.test_local import wait_until
from thermix.engines import Progress, Report, Watcher
from thermix.errors import DataError, InvalidInput, MissingExtra
from thermix.prepare.run import prepare

ray = pytest.importorskip("ray")

from thermix.engines.ray import RayEngine  # noqa: E402

ROOT = Path(__file__).parents[2]
STORE = 80 << 20


def say_nothing(done: Progress) -> None:
    pass


class Square(NamedTuple):
    number: int
    folder: str

    @property
    def title(self) -> str:
        return f"square {self.number}"

    @property
    def paths(self) -> tuple[str, ...]:
        return (self.folder,)


class Loaded(NamedTuple):
    """A task with what all tasks have in common."""

    number: int
    folder: str
    common: bytes


def length_and_last(task: Loaded, report: Report) -> tuple[int, int]:
    return len(task.common), task.common[-1]


class Leaving(Watcher):
    """Takes a node away once some documents are done."""

    def __init__(self, cluster: Any, node: Any) -> None:
        self.cluster, self.node, self.gone, self.total = cluster, node, False, 0

    def begin(self, total: int, done: Progress) -> None:
        self.total = total

    def show(self, done: Progress) -> None:
        if not self.gone and 0 < done.raw_bytes < self.total:
            self.gone = True
            self.cluster.remove_node(self.node, allow_graceful=False)


def square(task: Square, report: Report) -> int:
    report(1, task.number, 10)
    return task.number**2


def slow_square(task: Square, report: Report) -> int:
    Path(task.folder, f"{task.number}.{os.getpid()}").touch()
    time.sleep(0.5)
    return square(task, report)


def fails_at_3(task: Square, report: Report) -> int:
    if task.number == 3:
        raise DataError("raw.jsonl, line 3: broken")
    Path(task.folder, f"done {task.number}").touch()
    return task.number


def defect_at_3(task: Square, report: Report) -> int:
    return 1 // (task.number - 3)


def fails_twice(task: Square, report: Report) -> int:
    """A file that cannot be read at the first two tries."""
    tries = len(list(Path(task.folder).glob(f"{task.number}-*")))
    Path(task.folder, f"{task.number}-{tries}").touch()
    if tries < 2:
        raise OSError(5, "Input/output error")
    return square(task, report)


def never_reads(task: Square, report: Report) -> int:
    raise OSError(5, "Input/output error", "/data/web.bin")


def test_without_ray_the_way_out_is_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtra, match=r"--engine ray needs ray.*pip install 'thermix\[ray\]'"):
        RayEngine()


@pytest.mark.parametrize("address", ["{port}", "127.0.0.1:ray", "nowhere"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidInput, match=r"--address: got .*; it is HOST:PORT"):
        list(RayEngine(address).run(square, [Square(1, "/")], say_nothing))


def test_an_address_that_does_not_answer_is_refused_after_the_stated_wait() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(InvalidInput, match=rf"got {address}; nothing answers there after 0\.5 s"):
            list(RayEngine(address, wait=0.5).run(square, [Square(1, "/")], say_nothing))
    assert 0.4 < time.monotonic() - begun < 5


def test_no_tasks_need_no_cluster() -> None:
    assert list(RayEngine("127.0.0.1:1").run(square, [], say_nothing)) == []


@pytest.fixture(scope="module")
def store() -> Iterator[RefusingStore | None]:
    """An object store that all processes started after it find; None where it is not installed."""
    if not (find_spec("moto") and find_spec("s3fs")):
        yield None
        return
    with refusing_store() as made, pytest.MonkeyPatch.context() as patch:
        say_where(made, patch)
        yield made


@pytest.fixture(scope="module")
def cluster(store: RefusingStore | None) -> Iterator[Any]:
    """Two nodes of one processor each."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "src")])  # the tasks of this file
    made: Any = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False, "object_store_memory": STORE},
    )
    made.add_node(num_cpus=1, object_store_memory=STORE)
    yield made
    ray.shutdown()
    made.shutdown()


def write_raw(path: Path, documents: int = 400) -> Path:
    lines = (json.dumps({"text": f"document {i}: " + "naïve 文本 🙂\n" * (i % 70)}) for i in range(documents))
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


def content(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in folder.rglob("*")
        if file.is_file()
    }


DRIVER = """
import sys
from thermix.engines.ray import RayEngine
from thermix.prepare.run import prepare
prepare([sys.argv[1]], sys.argv[2], tokenizer="bytes", split_bytes=8192, engine=RayEngine(sys.argv[3]))
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Ray and of the processes it leaves to the system
class TestOnACluster:
    def engine(self, cluster: Any, **options: Any) -> RayEngine:
        return RayEngine(cluster.address, **options)

    def test_every_task_comes_with_its_result(self, cluster: Any, tmp_path: Path) -> None:
        tasks = [Square(number, str(tmp_path)) for number in range(7)]
        shown: list[Progress] = []
        found = dict(self.engine(cluster, in_flight=2).run(square, tasks, shown.append))
        assert found == {task: task.number**2 for task in tasks}
        assert shown[-1] == Progress(7, 21, 70)

    def test_a_task_that_always_fails_is_named_and_the_others_begun_are_kept(
        self, cluster: Any, tmp_path: Path
    ) -> None:
        tasks = [Square(number, str(tmp_path)) for number in range(40)]
        said = r"^node [\d.]+, square 3: raw\.jsonl, line 3: broken$"
        with pytest.raises(DataError, match=said):
            dict(self.engine(cluster).run(fails_at_3, tasks, say_nothing))
        done = {int(file.name.split()[1]) for file in tmp_path.iterdir()}
        assert {0, 1, 2} <= done
        assert len(done) < 30, "it went on with the rest"

    def test_a_defect_is_named_with_its_task(self, cluster: Any, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="square 3: ZeroDivisionError"):
            dict(self.engine(cluster).run(defect_at_3, [Square(3, str(tmp_path))], say_nothing))

    def test_a_file_that_cannot_be_read_is_tried_again(self, cluster: Any, tmp_path: Path) -> None:
        tasks = [Square(number, str(tmp_path)) for number in range(3)]
        shown: list[Progress] = []
        found = dict(self.engine(cluster).run(fails_twice, tasks, shown.append))
        assert sorted(found.values()) == [0, 1, 4]
        assert shown[-1].documents == 3, "tries were counted"

    def test_a_file_that_never_can_be_read_is_an_error_after_the_last_try(
        self, cluster: Any, tmp_path: Path
    ) -> None:
        said = r"square 0 .*failed 2 times.*node [\d.]+: .*web\.bin|square 0: it failed 2 times.*web\.bin"
        with pytest.raises(DataError, match=said):
            dict(self.engine(cluster, retries=1).run(never_reads, [Square(0, str(tmp_path))], say_nothing))

    def test_a_node_without_the_path_is_named_with_it(self, cluster: Any) -> None:
        said = r"^node [\d.]+, square 0: /not/mounted: nothing lies there on this node"
        with pytest.raises(InvalidInput, match=said):
            dict(self.engine(cluster).run(square, [Square(0, "/not/mounted")], say_nothing))

    def test_prepared_shards_are_those_of_one_process(self, cluster: Any, tmp_path: Path) -> None:
        raw = write_raw(tmp_path / "raw.jsonl")
        for out, engine in (("here", None), ("there", self.engine(cluster))):
            prepare(
                [str(raw)], tmp_path / out, tokenizer="bytes", split_bytes=8192, engine=engine, processes=1
            )
        assert content(tmp_path / "here") == content(tmp_path / "there")

    def test_a_run_written_out_is_that_of_one_process(self, cluster: Any, tmp_path: Path) -> None:
        from tests.materialize.test_run import opened
        from thermix.materialize.run import materialize

        plan, sources = opened(tmp_path, steps=30)
        for out, engine in (("here", None), ("there", self.engine(cluster))):
            materialize(
                plan, sources, tmp_path / out, layout="bin", steps_per_file=4, engine=engine, processes=1
            )
        assert content(tmp_path / "here") == content(tmp_path / "there")

    def test_closing_ends_the_workers_in_mid_task(self, cluster: Any, tmp_path: Path) -> None:
        tasks = [Square(number, str(tmp_path)) for number in range(50)]
        running = self.engine(cluster).run(slow_square, tasks, say_nothing)
        next(iter(running))
        running.close()  # type: ignore[attr-defined]
        begun = len(list(tmp_path.iterdir()))
        time.sleep(1.5)
        assert len(list(tmp_path.iterdir())) == begun < 20

    def test_a_node_that_goes_in_the_middle_changes_nothing(self, cluster: Any, tmp_path: Path) -> None:
        extra = cluster.add_node(num_cpus=1, object_store_memory=STORE)
        cluster.wait_for_nodes()
        tasks = [Square(number, str(tmp_path)) for number in range(16)]
        found: dict[Square, int] = {}
        for task, result in self.engine(cluster).run(slow_square, tasks, say_nothing):
            found[task] = result
            if len(found) == 3:
                cluster.remove_node(extra, allow_graceful=False)
        assert found == {task: task.number**2 for task in tasks}

    def test_a_node_that_goes_while_preparing_leaves_the_same_bytes(
        self, cluster: Any, tmp_path: Path
    ) -> None:
        raw = write_raw(tmp_path / "raw.jsonl", 3_000)
        prepare([str(raw)], tmp_path / "here", tokenizer="bytes", split_bytes=16_384, processes=1)
        extra = cluster.add_node(num_cpus=1, object_store_memory=STORE)
        cluster.wait_for_nodes()
        leaving = Leaving(cluster, extra)
        prepare(
            [str(raw)],
            tmp_path / "there",
            tokenizer="bytes",
            split_bytes=16_384,
            engine=self.engine(cluster),
            watcher=leaving,
        )
        assert leaving.gone, "the node was there to the end: the test shows nothing"
        assert content(tmp_path / "here") == content(tmp_path / "there")

    def test_a_task_goes_without_its_tokenizer(self, cluster: Any, tmp_path: Path) -> None:
        common = bytes(range(256)) * 4096
        tasks = [Loaded(number, str(tmp_path), common) for number in range(12)]
        found = dict(self.engine(cluster).run(length_and_last, tasks, say_nothing))
        assert found == {task: (len(common), 255) for task in tasks}

    def test_a_store_that_refuses_every_tenth_request_changes_nothing(
        self, cluster: Any, store: RefusingStore | None, tmp_path: Path
    ) -> None:
        if store is None:
            pytest.skip("needs moto and s3fs")
        import fsspec

        raw = write_raw(tmp_path / "raw.jsonl", 2_000)
        fsspec.filesystem("s3").mkdir("raw-texts")
        fsspec.filesystem("s3").pipe_file("s3://raw-texts/raw.jsonl", raw.read_bytes())
        store.every = 10
        for out, engine in (("here", None), ("there", self.engine(cluster))):
            before = store.refused
            prepare(
                ["s3://raw-texts/raw.jsonl"],
                tmp_path / out,
                tokenizer="bytes",
                split_bytes=8_192,
                engine=engine,
                processes=1,
            )
            assert store.refused - before >= 3, "it hardly refused anything: the test shows nothing"
        store.every = 0
        prepare([str(raw)], tmp_path / "local", tokenizer="bytes", split_bytes=8_192, processes=1)
        shards = [
            {name: digest for name, digest in content(tmp_path / out).items() if name.startswith("shard-")}
            for out in ("here", "there", "local")
        ]
        assert shards[0] == shards[1] == shards[2]
        assert len(shards[0]) > 8

    def test_shards_and_runs_go_to_a_store_that_refuses_every_tenth_request(
        self, cluster: Any, store: RefusingStore | None, tmp_path: Path
    ) -> None:
        if store is None:
            pytest.skip("needs moto and s3fs")
        from tests.materialize.test_run import opened
        from thermix.materialize.run import materialize

        raw, bucket = write_raw(tmp_path / "raw.jsonl", 1_000), made_bucket("written-to")
        plan, sources = opened(tmp_path, steps=30)
        refused = store.refused
        for shards, run, engine in (
            (tmp_path / "shards-here", tmp_path / "run-here", None),
            (f"{bucket}/shards", f"{bucket}/run", self.engine(cluster)),
        ):
            prepare([str(raw)], shards, tokenizer="bytes", split_bytes=16_384, engine=engine, processes=1)
            materialize(plan, sources, run, layout="bin", steps_per_file=4, engine=engine, processes=1)
            store.every = 10
        store.every = 0
        assert store.refused - refused >= 10, "it hardly refused anything: the test shows nothing"
        assert objects_in(f"{bucket}/shards") == content(tmp_path / "shards-here")
        assert objects_in(f"{bucket}/run") == content(tmp_path / "run-here")

    def test_a_killed_driver_is_started_again_to_the_same_bytes_in_a_store(
        self, cluster: Any, store: RefusingStore | None, tmp_path: Path
    ) -> None:
        if store is None:
            pytest.skip("needs moto and s3fs")
        import fsspec

        raw, out = write_raw(tmp_path / "raw.jsonl", 1_000), f"{made_bucket('killed')}/shards"
        prepare([str(raw)], tmp_path / "whole", tokenizer="bytes", split_bytes=8192, processes=1)
        (tmp_path / "driver.py").write_text(DRIVER)
        words = [sys.executable, str(tmp_path / "driver.py"), str(raw), out, cluster.address]
        driver, objects = subprocess.Popen(words), fsspec.filesystem("s3")

        def records() -> int:
            objects.invalidate_cache()
            return len(objects.glob(f"{out}/.thermix-prepare/0*.json"))

        wait_until(lambda: records() >= 3 or driver.poll() is not None)
        assert driver.poll() is None, "it was done before it could be killed"
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        assert "manifest.json" not in objects_in(out)
        subprocess.run(words, check=True, timeout=120)
        assert objects_in(out) == content(tmp_path / "whole")

    def test_a_killed_driver_is_started_again_to_the_same_bytes(self, cluster: Any, tmp_path: Path) -> None:
        raw = write_raw(tmp_path / "raw.jsonl", 3_000)
        prepare([str(raw)], tmp_path / "whole", tokenizer="bytes", split_bytes=8192, processes=1)
        (tmp_path / "driver.py").write_text(DRIVER)
        words = [
            sys.executable,
            str(tmp_path / "driver.py"),
            str(raw),
            str(tmp_path / "out"),
            cluster.address,
        ]
        driver = subprocess.Popen(words)
        records = tmp_path / "out" / ".thermix-prepare"
        wait_until(lambda: len(list(records.glob("0*.json"))) >= 3 or driver.poll() is not None)
        assert driver.poll() is None, "it was done before it could be killed"
        driver.send_signal(signal.SIGKILL)
        driver.wait()
        assert not (tmp_path / "out" / "manifest.json").exists()
        subprocess.run(words, check=True, timeout=120)
        assert content(tmp_path / "out") == content(tmp_path / "whole")
