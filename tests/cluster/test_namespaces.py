"""The nodes are nodes: addresses of their own, a secret, a network that can be cut."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

psutil = pytest.importorskip("psutil")
from benchmarks.kill import wait_for  # noqa: E402
from benchmarks.nodes import NOTICED_S, Cluster  # noqa: E402
from tests.cluster.conftest import Nodes  # noqa: E402

pytestmark = [pytest.mark.ray, pytest.mark.slow]

JOIN = "import ray; ray.init(address={!r}, log_to_driver=False); print(len(ray.nodes()))"


def ask(cluster: Cluster, **changed: str) -> subprocess.CompletedProcess[str]:
    """Connect as a driver would, with other environment."""
    environment = {**cluster.environment, **changed}
    words = cluster.head.command(sys.executable, "-c", JOIN.format(cluster.address))
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60)


def alive(process: psutil.Process) -> bool:
    """True unless it has ended, whether or not somebody has asked for its exit code."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_each_node_has_an_address_and_the_head_no_cpu(nodes: Nodes) -> None:
    facts = nodes.cluster.facts()
    addresses = {n.address for n in (nodes.cluster.head, *nodes.cluster.workers)}
    assert set(facts["alive"]) == addresses
    assert len(addresses) == 3
    assert facts["cpus"] == len(nodes.cluster.workers) * 1.0


@pytest.mark.cluster
def test_without_the_token_nobody_is_let_in(nodes: Nodes, tmp_path: Path) -> None:
    wrong = tmp_path / "token"
    wrong.write_text("0" * 32)
    refused = ask(nodes.cluster, RAY_AUTH_TOKEN_PATH=str(wrong))
    assert refused.returncode != 0
    assert nodes.cluster.token not in refused.stdout + refused.stderr
    assert ask(nodes.cluster).returncode == 0


@pytest.mark.cluster
def test_a_cut_node_is_given_up_and_a_killed_one_too(nodes: Nodes) -> None:
    first, second = nodes.cluster.workers
    first.cut()
    second.kill_raylet()
    joined = nodes.cluster.join()
    wanted = {nodes.cluster.head.address, joined.address}
    assert wait_for(lambda: set(nodes.cluster.facts()["alive"]) == wanted, 30)


@pytest.mark.cluster
def test_a_short_cut_costs_no_node(nodes: Nodes) -> None:
    before = nodes.cluster.facts()
    node = nodes.cluster.workers[0]
    node.cut()
    time.sleep(NOTICED_S / 4)
    node.heal()
    time.sleep(NOTICED_S)
    assert sorted(nodes.cluster.facts()["alive"]) == sorted(before["alive"])


def test_nothing_remains_of_a_cluster_that_failed() -> None:
    links = set(os.listdir("/sys/class/net"))
    spaces = set(os.listdir("/run/netns"))
    with pytest.raises(RuntimeError, match="in the middle"), Cluster(0) as cluster:
        folder, running = cluster.head.folder, cluster.head.processes()
        raise RuntimeError("in the middle")
    assert running
    assert not any(alive(process) for process in running)
    assert not folder.parent.exists()
    assert set(os.listdir("/sys/class/net")) == links
    assert set(os.listdir("/run/netns")) == spaces
