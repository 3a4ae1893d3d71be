"""What needs no network of its own: several nodes on one address, and one of them dies."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("psutil")
from benchmarks.chaos.inputs import BROKEN, make_inputs
from benchmarks.chaos.rounds import COMMAND, SETTINGS
from benchmarks.kill import published, tree, wait_for
from tests.cluster.one_machine import one_machine, say

pytestmark = [pytest.mark.ray, pytest.mark.slow]

FILES = 40


def test_a_node_that_dies_costs_nothing_but_time(tmp_path: Path) -> None:
    inputs, out = tmp_path / "in", tmp_path / "out"
    make_inputs(inputs, FILES, 16.0)
    one = [*COMMAND, str(inputs), str(tmp_path / "one"), "--executor", "inline", *SETTINGS]
    assert subprocess.run(one, capture_output=True).returncode == 1
    with one_machine(2, PACED_X_REAL_TIME="30") as (script, address, environment):
        run = subprocess.Popen(
            [*COMMAND, str(inputs), str(out), "--executor", "ray", "--address", address, *SETTINGS],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert wait_for(lambda: out.is_dir() and any(published(out)), 60)
        say(script, "kill")
        assert run.poll() is None, "the run was over before its time came"
        _, complaints = run.communicate(timeout=120)
    assert run.returncode == 1, complaints
    assert "Traceback" not in complaints
    assert tree(out) == tree(tmp_path / "one")
    totals = json.loads((out / ".raypipe/report.json").read_text())["totals"]
    assert (totals["done"], totals["failed"]) == (FILES - len(BROKEN), len(BROKEN))
