"""Runs on a cluster whose nodes come and go: always the bytes of the run in one process."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray")
pytest.importorskip("psutil")

from benchmarks.kill import make_inputs, tree
from raypipe import enhance
from raypipe.execution.waiting import SOON_S
from raypipe.inference.zoo import find_model
from raypipe.version import VERSION
from tests.cluster.nodes import Cluster, cluster, report, until

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]

SLOW = "python:tests.cluster.models:Slow"
SETTINGS = ("--lanes", "4", "--segment", "2", "--quiet")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cluster") / "in"
    make_inputs(folder, files=30)
    return folder


@pytest.fixture(scope="module")
def wanted(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    out = tmp_path_factory.mktemp("wanted")
    enhance(inputs, out, model="recurrent", executor="inline", lanes=4)
    return tree(out)


@pytest.fixture
def folder() -> Iterator[Path]:
    """With a short name, as sockets lie in it."""
    path = Path(tempfile.mkdtemp(prefix="rp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def two(folder: Path) -> Iterator[Cluster]:
    with cluster(folder, 2) as made:
        yield made


def test_both_nodes_work_and_the_bytes_are_the_same(
    two: Cluster, inputs: Path, wanted: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code, said = two.run(inputs, out, "--model", "recurrent", *SETTINGS).end()
    assert code == 0, said
    assert tree(out) == wanted
    told = report(out)
    assert told["place"]["nodes"] == {"127.0.0.2": 1, "127.0.0.3": 1}
    assert {f["worker"] for f in told["files"]} == {"worker-1", "worker-2"}


def test_a_node_that_joins_gets_work(
    folder: Path, inputs: Path, wanted: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with cluster(folder, 1) as one:
        run = one.run(inputs, out, "--model", SLOW, *SETTINGS)
        until(lambda: any(tree(out)) if out.is_dir() else False)
        one.add()
        code, said = run.end()
        assert code == 0, said
    assert tree(out) == wanted
    told = report(out)
    assert told["place"]["nodes"] == {"127.0.0.2": 1, "127.0.0.3": 1}
    assert {f["worker"] for f in told["files"]} == {"worker-1", "worker-2"}
    assert told["place"]["workers_lost"] == 0


def test_a_node_that_is_lost_costs_nothing_but_time(
    two: Cluster, inputs: Path, wanted: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run = two.run(inputs, out, "--model", SLOW, *SETTINGS)
    until(lambda: len(tree(out)) > 3 if out.is_dir() else False)
    two.nodes[0].kill()
    code, said = run.end()
    assert code == 0, said
    assert tree(out) == wanted
    told = report(out)
    assert told["place"]["workers_lost"] >= 1
    assert told["place"]["nodes"] == {"127.0.0.3": 1}, "no seat is kept for a CPU that is gone"
    assert list((out / ".raypipe/tmp").iterdir()) == []


@pytest.mark.cluster
def test_a_raylet_that_dies_alone_takes_its_workers_along(
    two: Cluster, inputs: Path, wanted: dict[str, str], tmp_path: Path
) -> None:
    """Sound that lay in its object store is lost, too: those files begin again."""
    out = tmp_path / "out"
    run = two.run(inputs, out, "--model", SLOW, *SETTINGS)
    until(lambda: len(tree(out)) > 3 if out.is_dir() else False)
    (raylet,) = two.nodes[1].processes("core/src/ray/raylet/raylet")
    raylet.kill()
    code, said = run.end()
    assert code == 0, said
    assert tree(out) == wanted
    assert report(out)["place"]["workers_lost"] >= 1


@pytest.mark.cluster
def test_without_the_head_a_run_ends_in_order_and_another_one_goes_on(
    folder: Path, inputs: Path, wanted: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with cluster(folder / "a", 1) as one:
        run = one.run(inputs, out, "--model", SLOW, *SETTINGS)
        until(lambda: len(tree(out)) > 3 if out.is_dir() else False)
        one.head.kill()
        code, said = run.end()
        assert code == 1
        assert (
            "has not answered for 40 s; what was done stays, and the same command goes on" in said
        )
    assert report(out)["interrupted"].startswith("the cluster's head at ")
    some = tree(out)
    assert 3 < len(some) < len(wanted)
    with cluster(folder / "b", 1) as another:
        code, said = another.run(inputs, out, "--model", SLOW, *SETTINGS).end()
        assert code == 0, said
    assert tree(out) == wanted
    assert report(out)["totals"]["skipped"] >= len(some)


@pytest.mark.cluster
def test_a_run_waits_for_the_first_cpu_and_says_so(
    folder: Path, inputs: Path, wanted: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with cluster(folder, 0) as none:
        more = ("--model", "recurrent", "--worker-memory", "0.3")
        run = none.run(inputs, out, *more, *SETTINGS)
        until(lambda: (out / ".raypipe").is_dir())
        time.sleep(SOON_S + 1)
        none.add().started()
        code, said = run.end()
        assert code == 0, said
    assert "waiting for room: 1 of 1 workers (1 CPU and 0.3 GB each) have no node yet; " in said
    assert "the cluster has 0 CPUs on 1 node" in said
    assert tree(out) == wanted


@pytest.mark.cluster
def test_a_node_that_joins_late_and_sees_too_little_is_left_out(
    folder: Path, inputs: Path, wanted: dict[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with cluster(folder, 1) as one:
        run = one.run(inputs, out, "--model", SLOW, *SETTINGS)
        until(lambda: any(tree(out)) if out.is_dir() else False)
        one.add(hidden=[inputs.parent])
        code, said = run.end()
        assert code == 0, said
    wrong = f"cannot see {inputs}: no such folder; mount it there, or use a bucket"
    assert tree(out) == wanted
    told = report(out)
    assert told["place"]["nodes_left_out"] == [wrong]
    assert {f["worker"] for f in told["files"]} == {"worker-1"}
    assert f"left out: node 127.0.0.3 ({said.partition('127.0.0.3 (')[2][:8]}) {wrong}" in said


def test_a_model_reaches_nodes_that_do_not_see_its_path(
    folder: Path, inputs: Path, wanted: dict[str, str], tmp_path: Path
) -> None:
    out, models = tmp_path / "out", tmp_path / "models"
    model = find_model("recurrent")
    models.mkdir()
    shutil.copy(model.path, models / "mine.tflite")
    with cluster(folder, 0) as made:
        nodes = []
        for cpus in (1, 2):
            nodes.append(made.add(cpus, hidden=[models]))
            nodes[-1].started()
        code, said = made.run(inputs, out, "--model", models / "mine.tflite", *SETTINGS).end()
        assert code == 0, said
        for node in nodes:
            kept = list((made.cache(node.address) / "raypipe/models").iterdir())
            assert [path.name for path in kept] == [f"{model.sha256}.tflite"]
        assert not (made.cache("driver") / "raypipe/models").exists()
    assert report(out)["place"]["nodes"] == {"127.0.0.2": 1, "127.0.0.3": 2}
    assert tree(out) == wanted


@pytest.mark.cluster
def test_another_version_on_a_node_is_heard_of_before_the_start(
    folder: Path, inputs: Path, tmp_path: Path
) -> None:
    other = folder / "other/raypipe-9.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: raypipe\nVersion: 9.9\n")
    with cluster(folder, 1) as one:
        one.add(PYTHONPATH=f"{other.parent}:{one.env['PYTHONPATH']}").started()
        code, said = one.run(inputs, tmp_path / "out", "--model", "recurrent", *SETTINGS).end()
    assert code == 2
    assert f"has raypipe 9.9, the driver {VERSION}; install the same on every node" in said


def test_a_folder_that_a_node_does_not_see_is_named_with_the_node_before_the_start(
    folder: Path, inputs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with cluster(folder, 1) as one:
        one.add(hidden=[inputs.parent]).started()
        code, said = one.run(inputs, out, "--model", "recurrent", *SETTINGS).end()
    assert code == 2
    assert "node 127.0.0.3 (" in said
    assert f") cannot see {inputs}: no such folder; mount it there, or use a bucket" in said
    assert len(said.strip().splitlines()) == 1
    assert not tree(out)
