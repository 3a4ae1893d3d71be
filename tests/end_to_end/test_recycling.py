"""Workers whose memory grows are replaced between two batches, and nobody can tell by the sound."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("ray")
pytest.importorskip("psutil")

import raypipe
from benchmarks.kill import make_inputs, tree
from raypipe.execution import growth


@pytest.mark.ray
def test_a_model_that_leaks_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ray_cluster: None
) -> None:
    monkeypatch.setattr(growth, "SETTLED_BATCHES", 2)
    monkeypatch.setattr(growth, "GROWN", 1.0)
    monkeypatch.setattr(growth, "SPARE_BYTES", 40 << 20)
    make_inputs(tmp_path / "in", files=12)
    settings = {"lanes": 4, "segment_s": 2}
    raypipe.enhance(tmp_path / "in", tmp_path / "wanted", model="recurrent", **settings)
    leaky = "python:tests.cluster.models:Leaky"
    report = raypipe.enhance(
        tmp_path / "in", tmp_path / "out", model=leaky, executor="ray", workers=2, **settings
    )
    assert report.totals.failed == 0
    assert report.place["workers_recycled"] >= 2
    assert report.place["workers_lost"] == 0
    assert tree(tmp_path / "out") == tree(tmp_path / "wanted")
