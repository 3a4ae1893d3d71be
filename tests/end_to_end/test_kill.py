"""Kill a worker, a collector, the driver: the next run ends with the undisturbed tree.

More rounds, seeded, in ``benchmarks/kill.py``, whose machinery this uses.
"""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

pytest.importorskip("psutil")
from benchmarks import kill


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("kill") / "in"
    kill.make_inputs(folder)
    return folder


@pytest.fixture(scope="module")
def wanted(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return kill.undisturbed(inputs, tmp_path_factory.mktemp("wanted"))


@pytest.mark.ray
@pytest.mark.slow
@pytest.mark.parametrize("victim", kill.VICTIMS)
def test_a_killed_process_costs_nothing_but_time(
    inputs: Path, wanted: dict[str, str], tmp_path: Path, victim: str
) -> None:
    result = kill.one_round(inputs, tmp_path / "out", wanted, victim, random.Random(victim))
    assert result.killed
    assert result.faults == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_whole_files_and_goes_on_later(
    inputs: Path, wanted: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    out = tmp_path / "out"
    command = [*kill.COMMAND, str(inputs), str(out), "--executor", "inline", *kill.SETTINGS]
    run = subprocess.Popen(command, stderr=subprocess.PIPE)
    assert kill.wait_for(lambda: out.is_dir() and any(kill.published(out)), 60)
    run.send_signal(number)
    _, errors = run.communicate(timeout=30)
    assert run.returncode == 130
    assert b"run the same command again" in errors
    assert b"Traceback" not in errors
    some = kill.tree(out)
    assert some and len(some) < len(wanted)
    assert some.items() <= wanted.items()
    assert not list((out / ".raypipe/tmp").iterdir())
    subprocess.run(command, check=True)
    assert kill.tree(out) == wanted


@pytest.mark.ray
@pytest.mark.slow
def test_ctrl_c_on_ray_ends_soon_and_in_order(inputs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run = kill.start(inputs, out)
    assert kill.wait_for(lambda: out.is_dir() and any(kill.published(out)), 60)
    begin_s = time.monotonic()
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=30)
    assert run.returncode == 130, errors
    assert time.monotonic() - begin_s < 20
    assert b"Traceback" not in errors
