"""Nodes that die, are cut off, come and go: the tree of an undisturbed run all the same.

More rounds, with faults drawn from a seed, in ``python -m benchmarks.chaos``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("psutil")
from benchmarks.chaos import bucket
from benchmarks.chaos.faults import Fault
from benchmarks.chaos.looks import FolderOutput, Output, Wanted
from benchmarks.chaos.rounds import Ground, one_round
from benchmarks.chaos.weather import Weather
from benchmarks.nodes import NOTICED_S
from tests.cluster.conftest import FILES, Nodes

pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture
def ground(nodes: Nodes, inputs: Path, wanted: Wanted) -> Ground:
    return Ground(nodes.cluster, str(inputs), nodes.log, wanted)


@pytest.fixture
def in_bucket(nodes: Nodes, inputs: Path, wanted: Wanted) -> Iterator[tuple[Ground, Output]]:
    """Inputs in a bucket, and where the outputs are to appear in it."""
    pytest.importorskip("moto.server")
    pytest.importorskip("s3fs")
    with bucket.server() as port:
        store = bucket.Bucket(port)
        host = nodes.cluster.gateway
        with Weather(host, ("127.0.0.1", port), bucket.PORT) as weather:
            address = store.put(inputs, "in")
            yield Ground(nodes.cluster, address, nodes.log, wanted, weather), store.output("out")
        store.client.close()


def fault(kind: str, after: int, pick: int = 1) -> Fault:
    lasting_s = 1.6 * NOTICED_S if kind == "outage" else NOTICED_S / 4
    return Fault(kind, after, 0.1, lasting_s, pick)


def one_after_another(kinds: tuple[str, ...]) -> list[Fault]:
    return [fault(kind, (n + 1) * FILES // 6, n) for n, kind in enumerate(kinds)]


def test_undisturbed_it_steps_nothing_twice(ground: Ground, tmp_path: Path) -> None:
    """Else what is said of sound computed twice would mean nothing."""
    done = one_round(ground, FolderOutput(tmp_path / "out"), [])
    assert (done.codes, done.faults) == ([1], [])
    assert done.twice_s == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    "kinds",
    [
        ("raylet", "join", "driver"),
        pytest.param(("cut", "collector", "sigterm"), marks=pytest.mark.cluster),
        pytest.param(("worker", "outage", "join", "driver"), marks=pytest.mark.cluster),
        pytest.param(("blink", "power"), marks=pytest.mark.cluster),
    ],
    ids=" ".join,
)
def test_faults_one_after_another_cost_nothing_but_time(
    ground: Ground, tmp_path: Path, kinds: tuple[str, ...]
) -> None:
    done = one_round(ground, FolderOutput(tmp_path / "out"), one_after_another(kinds))
    assert tuple(strike.fault.kind for strike in done.strikes) == kinds
    assert done.faults == []


@pytest.mark.parametrize(
    "kinds",
    [
        ("503", "slow", "driver"),
        pytest.param(("broken", "cut", "collector"), marks=pytest.mark.cluster),
    ],
    ids=" ".join,
)
def test_a_bucket_with_faults_of_its_own_ends_with_the_same_objects(
    in_bucket: tuple[Ground, Output], kinds: tuple[str, ...]
) -> None:
    ground, output = in_bucket
    done = one_round(ground, output, one_after_another(kinds))
    assert tuple(strike.fault.kind for strike in done.strikes) == kinds
    assert done.faults == []
    assert ground.weather is not None
    assert ground.weather.met[kinds[0]] > 0
