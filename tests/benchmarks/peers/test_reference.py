"""The published loop: aligned, whole, and every file begun afresh."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.corpus import noisy_speech
from benchmarks.peers import reference
from benchmarks.peers.reference import FLOAT, QUANTISED, Reference, find_pair, reference_kernel
from tests.signals import noise


class Identity:
    """A half that changes nothing: a mask of ones, then a quarter for each of four overlaps."""

    def __init__(self, path: Path) -> None:
        self.masks = path.name.endswith("_1.tflite")

    def forget(self) -> None:
        pass

    def __call__(self, signal: NDArray[np.float64]) -> NDArray[np.float32]:
        out = np.ones_like(signal) if self.masks else signal / 4
        return out.reshape(1, 1, -1).astype(np.float32)


@pytest.mark.parametrize("length", [0, 1, 127, 128, 129, 512, 5000])
def test_with_graphs_that_change_nothing_it_gives_the_input_back(
    length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "_Half", Identity)
    sound = noise(length)[0]
    assert Reference(Path())(sound, 16_000) == pytest.approx(sound, abs=1e-5)


def test_another_rate_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "_Half", Identity)
    with pytest.raises(ValueError, match="found 8000 Hz, wanted 16000 Hz"):
        Reference(Path())(noise(100)[0], 8000)


@pytest.mark.parametrize("name", [FLOAT, QUANTISED])
def test_it_denoises_in_step_with_the_input(pair: Path, name: str) -> None:
    sound = noisy_speech(24_000)[0]
    made = Reference(pair, name)(sound, 16_000)
    assert made.shape == sound.shape
    together = [np.dot(made[500:-500], np.roll(sound, lag)[500:-500]) for lag in range(-400, 401)]
    assert int(np.argmax(together)) == 400
    assert 0.1 < np.std(made) / np.std(sound) < 0.99


def test_a_second_file_is_begun_afresh(pair: Path) -> None:
    denoise, sound = Reference(pair), noisy_speech(4000)[0]
    assert (denoise(sound, 16_000) == denoise(sound, 16_000)).all()


def test_what_follows_a_file_does_not_change_what_came_before(pair: Path) -> None:
    sound = noisy_speech(6000)[0]
    whole, start = Reference(pair)(sound, 16_000), Reference(pair)(sound[:3000], 16_000)
    # A frame reaches 511 samples back, and what is not heard yet was taken for silence.
    assert start[: 3000 - 512] == pytest.approx(whole[: 3000 - 512], abs=1e-6)


def test_the_kernel_says_sound_and_seconds(pair: Path) -> None:
    audio_s, cpu_s = reference_kernel(pair, FLOAT, 0.1)
    assert audio_s == 0.1
    assert cpu_s > 0


def test_a_folder_without_the_pair_is_no_pair(tmp_path: Path) -> None:
    assert find_pair(tmp_path) is None
    for number in (1, 2):
        (tmp_path / f"model_{number}.tflite").touch()
    assert find_pair(tmp_path) == tmp_path
