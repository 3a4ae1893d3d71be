"""A head without CPUs and two worker nodes, each in a network namespace, for all tests here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("psutil")
from benchmarks.chaos.__main__ import environment
from benchmarks.namespaces import why_not
from benchmarks.nodes import Cluster


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
    with Cluster(2, environment=environment(log)) as cluster:
        yield Nodes(cluster, log)


@pytest.fixture
def nodes(started: Nodes) -> Iterator[Nodes]:
    """The cluster, whole again after each test."""
    from benchmarks.chaos.rounds import repair

    yield started
    assert repair(started.cluster, 2, 2) == []
