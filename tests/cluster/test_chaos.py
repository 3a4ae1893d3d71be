"""Nodes that die, are cut off, come and go: the tree of an undisturbed run all the same.

More rounds, with faults drawn from a seed, in ``python -m benchmarks.chaos``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("psutil")
from benchmarks.chaos.__main__ import undisturbed
from benchmarks.chaos.faults import KINDS, Fault
from benchmarks.chaos.inputs import make_inputs
from benchmarks.chaos.looks import FolderOutput, Wanted
from benchmarks.chaos.rounds import Ground, one_round
from benchmarks.nodes import NOTICED_S
from tests.cluster.conftest import Nodes

pytestmark = [pytest.mark.ray, pytest.mark.slow]

FILES = 40


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chaos") / "in"
    make_inputs(folder, FILES, 16.0)
    return folder


@pytest.fixture(scope="module")
def wanted(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Wanted:
    folder = tmp_path_factory.mktemp("wanted")
    return undisturbed(inputs, folder / "out", folder / "log", FILES)


@pytest.fixture
def ground(nodes: Nodes, inputs: Path, wanted: Wanted) -> Ground:
    return Ground(nodes.cluster, str(inputs), nodes.log, wanted)


def fault(kind: str, after: int, pick: int = 1) -> Fault:
    lasting_s = 1.6 * NOTICED_S if kind == "outage" else NOTICED_S / 4
    return Fault(kind, after, 0.1, lasting_s, pick)


def test_undisturbed_it_steps_nothing_twice(ground: Ground, tmp_path: Path) -> None:
    """Else what is said of sound computed twice would mean nothing."""
    done = one_round(ground, FolderOutput(tmp_path / "out"), [])
    assert (done.codes, done.faults) == ([1], [])
    assert done.twice_s == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_costs_nothing_but_time(ground: Ground, tmp_path: Path, kind: str) -> None:
    done = one_round(ground, FolderOutput(tmp_path / "out"), [fault(kind, FILES // 4)])
    assert [strike.fault.kind for strike in done.strikes] == [kind]
    assert done.faults == []


@pytest.mark.parametrize(
    "kinds",
    [
        ("raylet", "join", "driver"),
        ("cut", "collector", "sigterm"),
        ("worker", "outage", "join", "driver"),
    ],
    ids=" ".join,
)
def test_faults_one_after_another_cost_nothing_but_time(
    ground: Ground, tmp_path: Path, kinds: tuple[str, ...]
) -> None:
    faults = [fault(kind, (n + 1) * FILES // 6, n) for n, kind in enumerate(kinds)]
    done = one_round(ground, FolderOutput(tmp_path / "out"), faults)
    assert done.strikes
    assert done.faults == []
