"""GTCRN's STFT gives its sound back, and its graph is run as its authors run it."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.denoisers.gtcrn import Gtcrn, missing_onnxruntime, to_sound, to_spectra
from benchmarks.denoisers.peers import GTCRN_GRAPH
from raypipe.quality.reference import delay
from tests.conftest import SHARED
from tests.signals import bursts


@pytest.mark.parametrize("length", [300, 512, 5000, 5120, 5121])
def test_stft_and_back_is_the_same_sound(length: int) -> None:
    sound = bursts(length)[0]
    assert to_sound(to_spectra(sound), length) == pytest.approx(sound, abs=1e-6)


def test_a_centred_frame_lies_around_its_place() -> None:
    sound = np.zeros(2560, np.float32)
    sound[1024] = 1
    assert np.abs(to_spectra(sound)).sum(1).argmax() == 4


def test_it_makes_noise_softer_and_comes_in_time() -> None:
    graph = SHARED / "models" / GTCRN_GRAPH
    if not graph.is_file() or missing_onnxruntime():
        pytest.skip("GTCRN's graph is not beside this checkout, or onnxruntime is not installed")
    denoise = Gtcrn(graph)
    hiss = 0.05 * np.random.default_rng(1).standard_normal(32_000).astype(np.float32)
    made = denoise(hiss, 16_000)
    assert made.shape == hiss.shape
    assert np.std(made[16_000:]) < 0.3 * np.std(hiss)
    assert delay([(denoise(bursts(32_000)[0], 16_000), bursts(32_000)[0])], 1000) == 0
    with pytest.raises(ValueError, match="found 48000 Hz"):
        denoise(hiss, 48_000)
