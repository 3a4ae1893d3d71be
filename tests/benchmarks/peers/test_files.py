"""How a peer's outputs are looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from benchmarks.peers.files import (
    OneByOne,
    check_outputs,
    distance_db,
    outputs_of,
    seconds_in,
    tasks_for,
    write_16_bit,
)
from benchmarks.peers.processes import PeerFailed
from tests.signals import noise


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(2):
        sf.write(folder / f"{number}.wav", noise(1600, seed=number).T, 16_000, "FLOAT")
    return sorted(folder.iterdir())


def test_seconds_add_up(paths: list[Path]) -> None:
    assert seconds_in(paths) == pytest.approx(0.2)


def test_files_are_made_one_by_one_of_the_same_length_and_rate(
    paths: list[Path], tmp_path: Path
) -> None:
    work = OneByOne(lambda gain: lambda sound, rate_hz: sound * gain, 0.5)
    for task in tasks_for(paths, tmp_path / "out"):
        work(task)
    check_outputs(paths, tmp_path / "out")
    made, rate_hz = sf.read(tmp_path / "out" / "1.wav")
    assert rate_hz == 16_000
    assert made == pytest.approx(sf.read(paths[1])[0] / 2, abs=1 / 16_384)


def test_a_missing_output_is_named(paths: list[Path], tmp_path: Path) -> None:
    with pytest.raises(PeerFailed, match=r"made no 0\.wav"):
        check_outputs(paths, tmp_path)


def test_an_output_of_another_length_is_named(paths: list[Path], tmp_path: Path) -> None:
    for path in paths:
        sf.write(tmp_path / path.name, np.zeros(1599), 16_000)
    with pytest.raises(PeerFailed, match=r"0\.wav: made 1599 samples of 1600"):
        check_outputs(paths, tmp_path)


def test_the_distance_is_that_of_the_worst_file(paths: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    for (source, output), gain in zip(tasks_for(paths, out), (1.001, 1.1), strict=True):
        sf.write(output, sf.read(source)[0] * gain, 16_000, "FLOAT")
    assert distance_db(paths[0].parent, out) == pytest.approx(20, abs=0.1)


def test_the_same_sound_is_infinitely_near(paths: list[Path]) -> None:
    assert distance_db(paths[0].parent, paths[0].parent) == np.inf


def test_outputs_are_taken_away_whatever_happened(paths: list[Path], tmp_path: Path) -> None:
    with pytest.raises(PeerFailed, match="made no"), outputs_of(paths, tmp_path) as out:
        out.mkdir()
        (tmp_path / "out.ready").mkdir()
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_samples_are_rounded_to_the_nearest_step_and_held_at_full_scale(tmp_path: Path) -> None:
    steps = np.array([-1.6, -0.4, 0.4, 0.6, 40_000, -40_000], np.float32)
    write_16_bit(tmp_path / "x.wav", steps / 32_768, 16_000)
    written = sf.read(tmp_path / "x.wav", dtype="int16")[0]
    assert written.tolist() == [-2, 0, 0, 1, 32_767, -32_768]
