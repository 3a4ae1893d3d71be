"""Musical noise and pumping: made by hand, they are found; a plain gain is neither."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.denoisers.residual import measure

RATE_HZ = 16_000


def sounds() -> tuple[np.ndarray, np.ndarray]:
    """Two seconds of pause, four of low tones in syllables, two of pause; and white noise."""
    time_s = np.arange(8 * RATE_HZ) / RATE_HZ
    spoken = (time_s > 2) & (time_s < 6)
    tone = np.sin(2 * np.pi * 300 * time_s) * spoken * 0.1
    return tone, 0.1 * np.random.default_rng(4).normal(size=len(time_s))


def test_a_plain_gain_is_neither_musical_nor_pumping() -> None:
    clean, noise = sounds()
    found = measure(clean, noise, clean + 0.1 * noise, RATE_HZ)
    assert found.reduced_db == pytest.approx(20, abs=0.1)
    assert found.kurtosis_ratio == pytest.approx(1, abs=0.01)
    assert found.pumping_db == pytest.approx(0, abs=0.3)
    assert found.unrest_db == pytest.approx(0, abs=0.01)


def test_noise_that_swells_with_the_voice_is_pumping() -> None:
    clean, noise = sounds()
    gain = np.where(np.abs(clean) > 0, 0.4, 0.1)
    gain = np.convolve(gain, np.ones(801) / 801, "same")
    found = measure(clean, noise, clean + gain * noise, RATE_HZ)
    assert found.pumping_db == pytest.approx(12, abs=1)


def test_a_gate_on_single_cells_is_musical() -> None:
    clean, noise = sounds()
    frames = np.lib.stride_tricks.sliding_window_view(noise, 512)[::256]
    window = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512))
    cells = np.fft.rfft(frames * window)
    cells *= np.where(np.abs(cells) ** 2 > 3 * np.mean(np.abs(cells) ** 2), 1, 0.1)
    left = np.zeros(len(noise))
    for number, frame in enumerate(np.fft.irfft(cells) * window):
        left[number * 256 : number * 256 + 512] += frame
    assert measure(clean, noise, clean + left, RATE_HZ).kurtosis_ratio > 2


def test_a_gain_that_wavers_is_unrest() -> None:
    clean, noise = sounds()
    wavering = 10 ** (np.sin(2 * np.pi * np.arange(len(noise)) / RATE_HZ) * 10 / 20)
    found = measure(clean, noise, clean + 0.1 * wavering * noise, RATE_HZ)
    assert found.unrest_db == pytest.approx(10 / np.sqrt(2), abs=1)
