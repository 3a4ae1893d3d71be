"""A file over which the process dies or hangs fails alone; its neighbours are done."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

import raypipe
from tests.poison import MAGIC

FILES = 40
POISONED = {7, 23}


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    random = np.random.default_rng(1)
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(FILES):
        sound = (0.1 * random.standard_normal(24_000)).astype(np.float32)
        if number in POISONED:
            sound[20_000] = MAGIC
        sf.write(folder / f"{number:02}.wav", sound, 16_000, "FLOAT")
    return folder


@pytest.fixture(autouse=True)
def workers_find_this_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """The poison is a module of the tests; Ray's workers look where the driver looks."""
    root = str(Path(__file__).resolve().parents[2])
    assert root in sys.path or "" in sys.path


@pytest.mark.ray
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("model", "timeout_s", "words"),
    [
        ("python:tests.poison:killer", None, "the worker crashed over it, twice"),
        ("python:tests.poison:hanger", 1.5, "the worker took longer than 1.5 s over it, twice"),
    ],
)
def test_the_poisoned_files_fail_and_all_others_are_done(
    inputs: Path,
    tmp_path: Path,
    ray_cluster: None,
    model: str,
    timeout_s: float | None,
    words: str,
) -> None:
    out = tmp_path / "out"
    report = raypipe.enhance(
        inputs, out, model=model, executor="ray", workers=2, timeout_s=timeout_s, segment_s=1
    )
    failed = {f["path"]: f["reason"] for f in report.files if f["outcome"] == "failed"}
    assert set(failed) == {f"{n:02}.wav" for n in POISONED}
    assert all(reason.startswith(words) for reason in failed.values()), failed
    for number in set(range(FILES)) - POISONED:
        name = f"{number:02}.wav"
        assert np.array_equal(sf.read(inputs / name)[0], sf.read(out / name)[0])
    assert not list((out / ".raypipe/tmp").iterdir())
    assert not (out / "07.wav").exists()


@pytest.mark.ray
@pytest.mark.timeout(60)
def test_a_graph_that_does_not_end_is_ended(tmp_path: Path, ray_cluster: None) -> None:
    hang = Path(__file__).resolve().parents[2] / "models/hang.tflite"
    sound = np.zeros(4000, np.float32)
    sf.write(tmp_path / "good.wav", sound, 16_000, "FLOAT")
    sound[1000] = MAGIC
    sf.write(tmp_path / "bad.wav", sound, 16_000, "FLOAT")
    report = raypipe.enhance(
        tmp_path, tmp_path / "out", model=str(hang), executor="ray", workers=1, timeout_s=2
    )
    assert {f["path"]: f["outcome"] for f in report.files} == {
        "good.wav": "done",
        "bad.wav": "failed",
    }


@pytest.mark.ray
def test_a_bug_stops_the_run_and_is_nobodys_fault(
    inputs: Path, tmp_path: Path, ray_cluster: None
) -> None:
    for executor in ("inline", "ray"):
        with pytest.raises(ZeroDivisionError):
            raypipe.enhance(
                inputs, tmp_path / executor, model="python:tests.poison:buggy", executor=executor,
                workers=1,
            )  # fmt: skip
        assert '"failed": 0' in (tmp_path / executor / ".raypipe/report.json").read_text()
