"""A head without CPUs and two worker nodes, each in a network namespace, for all tests here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("psutil")
from benchmarks.chaos import bucket
from benchmarks.chaos.__main__ import environment, undisturbed
from benchmarks.chaos.inputs import make_inputs
from benchmarks.chaos.looks import Wanted
from benchmarks.chaos.rounds import repair
from benchmarks.namespaces import why_not
from benchmarks.nodes import Cluster

FILES = 40
LONGEST_S = 16.0


@dataclass(frozen=True)
class Nodes:
    """The cluster, and where its workers keep the account of `benchmarks.chaos.paced`."""

    cluster: Cluster
    log: Path


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    if reason := why_not():
        pytest.skip(reason)
    log = tmp_path_factory.mktemp("log")
    cluster = Cluster(2, environment=environment(log))
    cluster.environment |= bucket.environment(cluster.gateway)
    with cluster:
        yield Nodes(cluster, log)


@pytest.fixture
def nodes(started: Nodes) -> Iterator[Nodes]:
    """The cluster, whole again after each test."""
    yield started
    assert repair(started.cluster, 2, 2) == []


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files for the tests of chaos."""
    folder = tmp_path_factory.mktemp("chaos") / "in"
    make_inputs(folder, FILES, LONGEST_S)
    return folder


@pytest.fixture(scope="session")
def wanted(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Wanted:
    """What an undisturbed run makes of them."""
    folder = tmp_path_factory.mktemp("wanted")
    return undisturbed(inputs, folder / "out", folder / "log", FILES)
