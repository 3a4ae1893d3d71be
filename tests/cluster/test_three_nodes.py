"""Three real nodes, a head without CPUs: the bytes of one process, and all nodes at work."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path

import psutil
import pytest

import raypipe
from benchmarks.chaos.inputs import BROKEN, make_inputs
from benchmarks.chaos.rounds import COMMAND
from benchmarks.kill import tree
from benchmarks.nodes import Cluster
from raypipe.inference.pull import pull
from tests.cluster.conftest import Nodes
from tests.conftest import SHARED

pytestmark = [pytest.mark.ray, pytest.mark.slow]

FILES = 300
SETTINGS = ("--segment", "2", "--quiet")


class Clock(threading.Thread):
    """CPU seconds of the run's workers, by the node that they are on."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(daemon=True)
        self._cluster, self._over = cluster, threading.Event()
        self._spent_s: dict[tuple[str, int], float] = {}

    def run(self) -> None:
        while not self._over.wait(0.25):
            for node in (self._cluster.head, *self._cluster.workers):
                for process in node.actors("worker"):
                    try:
                        self._spent_s[node.address, process.pid] = process.cpu_times().user
                    except psutil.Error:
                        continue

    def stop(self) -> dict[str, float]:
        self._over.set()
        self.join()
        total: dict[str, float] = {}
        for (address, _), spent_s in self._spent_s.items():
            total[address] = total.get(address, 0.0) + spent_s
        return total


@pytest.fixture(params=["recurrent", "dtln"])
def model(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "recurrent":
        return "recurrent"
    weights = SHARED / "models" / "dtln"
    if not (weights / "model_1.tflite").is_file():
        pytest.skip("the weights of DTLN are not beside this checkout")
    monkeypatch.setenv("RAYPIPE_MODELS", str(tmp_path / "models"))
    pull("dtln", weights)
    return str(tmp_path / "models" / "dtln.tflite")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("three") / "in"
    make_inputs(folder, FILES, 12.0)
    return folder


def test_300_files_are_the_same_as_in_one_process(
    nodes: Nodes, inputs: Path, tmp_path: Path, model: str
) -> None:
    cluster, out = nodes.cluster, tmp_path / "out"
    one = raypipe.enhance(inputs, tmp_path / "one", model=model, executor="inline", segment_s=2)
    assert one.totals.files == FILES
    clock = Clock(cluster)
    clock.start()
    run = cluster.head.run(
        *COMMAND, str(inputs), str(out), "--executor", "ray", "--address", cluster.address,
        "--model", model, *SETTINGS, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    said, complaints = run.communicate(timeout=240)
    spent_s = clock.stop()
    assert run.returncode == 1, complaints  # two files cannot be done
    assert "Traceback" not in complaints
    assert tree(out) == tree(tmp_path / "one")
    report = json.loads((out / ".raypipe/report.json").read_text())
    totals = report["totals"]
    assert (totals["files"], totals["done"], totals["failed"]) == (FILES, FILES - 2, len(BROKEN))
    assert {f["path"] for f in report["files"] if f["outcome"] == "failed"} == set(BROKEN)
    assert {f["path"] for f in report["files"]} == {f["path"] for f in one.files}
    assert cluster.head.address not in spent_s
    assert all(spent_s.get(node.address, 0.0) > 0.5 for node in cluster.workers), spent_s
    assert cluster.token not in said + complaints + json.dumps(report)
