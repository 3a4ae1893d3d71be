"""What ``auto`` stands for: measured once, kept, never fatal."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from raypipe import tuning
from raypipe.inference.speed import LaneSpeed
from raypipe.inference.zoo import ModelFile, find_model
from raypipe.machine import usable_cpus
from raypipe.settings import DEFAULT_LANES
from raypipe.tuning import Tuned, choose_lanes, tuned


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModelFile:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return find_model("recurrent")


def speed(lanes: int, frame_us: float) -> LaneSpeed:
    return LaneSpeed(lanes, frame_us, None, 1.0)


def test_fewest_lanes_that_are_nearly_the_fastest_are_chosen() -> None:
    assert choose_lanes([speed(1, 9.0), speed(14, 5.1), speed(35, 5.0), speed(70, 5.05)]) == 14
    assert choose_lanes([speed(1, 9.0), speed(14, 6.0), speed(70, 5.0)]) == 70


def test_without_a_measurement_the_defaults_stand_and_nothing_is_kept(
    model: ModelFile, tmp_path: Path
) -> None:
    assert tuned(model, measure=False) == Tuned(DEFAULT_LANES, usable_cpus())
    assert not list(tmp_path.iterdir())


def test_measurement_is_made_once(model: ModelFile, monkeypatch: pytest.MonkeyPatch) -> None:
    found = tuned(model, measure=True)
    assert found.lanes in (1, 5, 14, 35, 70)
    assert 1 <= found.workers <= usable_cpus()
    monkeypatch.setattr(tuning, "_measured", None)  # would fail if it were called
    assert tuned(model, measure=True) == found
    assert tuned(model, measure=False) == found


def test_another_model_is_measured_for_itself(
    model: ModelFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([Tuned(5, 1), Tuned(14, 1)])
    monkeypatch.setattr(tuning, "_measured", lambda model: next(answers))
    assert tuned(model, measure=True).lanes == 5
    assert tuned(find_model("delay"), measure=True).lanes == 14
    assert tuned(model, measure=True).lanes == 5


@pytest.mark.parametrize("text", ["", "[]", "{", '{"%s": 3}', '{"%s": {"lanes": "many"}}'])
def test_damaged_cache_is_measured_anew(
    model: ModelFile, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    path = tuning._path()
    path.parent.mkdir(parents=True)
    path.write_text(text.replace("%s", tuning._key(model)))
    monkeypatch.setattr(tuning, "_measured", lambda model: Tuned(14, 1))
    assert tuned(model, measure=True) == Tuned(14, 1)
    assert json.loads(path.read_text())[tuning._key(model)] == {"lanes": 14, "workers": 1}


def test_cache_that_cannot_be_written_is_no_error(
    model: ModelFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(tuning, "_measured", lambda model: Tuned(14, 1))
    assert tuned(model, measure=True) == Tuned(14, 1)


def test_model_that_crashes_or_hangs_takes_nothing_with_it(
    model: ModelFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(Path(model.path).read_bytes()[:3000])
    monkeypatch.setattr(tuning, "PATIENCE_S", 0.01)
    default = Tuned(DEFAULT_LANES, usable_cpus())
    assert tuned(model, measure=True) == default  # "hangs": it was given no time
    monkeypatch.setattr(tuning, "PATIENCE_S", 30.0)
    assert tuned(ModelFile(str(broken), model.card, "0"), measure=True) == default
