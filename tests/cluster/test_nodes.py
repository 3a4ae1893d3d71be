"""Runs on a cluster whose nodes come and go: always the bytes of the run in one process."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray")
pytest.importorskip("psutil")

from benchmarks.kill import make_inputs, tree
from raypipe import enhance
from tests.cluster.nodes import Cluster, cluster, report, until

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(240)]

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


def test_a_folder_that_a_node_does_not_see_is_named_with_the_node_before_the_start(
    folder: Path, inputs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    with cluster(folder, 1) as one:
        one.add(hidden=[inputs.parent])
        code, said = one.run(inputs, out, "--model", "recurrent", *SETTINGS).end()
    assert code == 2
    assert "node 127.0.0.3 (" in said
    assert f") cannot see {inputs}: no such folder; mount it there, or use a bucket" in said
    assert len(said.strip().splitlines()) == 1
    assert not tree(out)
