"""What a killed maker of nodes left behind is removed; what a living one uses is not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("psutil")
from benchmarks.namespaces import PLACE, Namespace, ip, remove_leftovers, why_not


@pytest.fixture
def dead() -> Iterator[str]:
    """What the nodes of a process that is no more are called."""
    if reason := why_not():
        pytest.skip(reason)
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    name = f"rp{process.pid}c1n1"
    yield name
    Namespace(name, "", "").unplug()


def test_a_dead_makers_namespace_and_folder_go(dead: str, tmp_path: Path) -> None:
    folder = tmp_path / dead.removesuffix("n1")
    (folder / "n1").mkdir(parents=True)
    ip("netns", "add", dead)
    sleeper = subprocess.Popen(["ip", "netns", "exec", dead, "sleep", "600"])
    remove_leftovers(tmp_path)
    sleeper.wait(10)
    assert not (PLACE / dead).exists()
    assert not folder.exists()


def test_a_living_makers_stay(dead: str, tmp_path: Path) -> None:
    mine = f"rp{os.getpid()}c0n1"
    ip("netns", "add", mine)
    try:
        remove_leftovers(tmp_path)
        assert (PLACE / mine).exists()
    finally:
        Namespace(mine, "", "").unplug()
    assert not (PLACE / mine).exists()
