"""Speech and noise above 8 kHz: what is done to a sound by hand is what is measured."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import butter, sosfilt

from benchmarks.denoisers.bands import measure

RATE_HZ = 48_000


def speech_like(seconds: float = 4.0) -> np.ndarray:
    """A vowel with overtones up to 12 kHz, a fricative, a pause; each a third of a second."""
    chance = np.random.default_rng(1)
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    vowel = sum(np.sin(2 * np.pi * 200 * n * time_s) / n for n in range(1, 60))
    hiss = sosfilt(
        butter(6, 5000, "high", fs=RATE_HZ, output="sos"), chance.normal(size=len(time_s))
    )
    turn = (time_s * 3).astype(int) % 3
    return 0.1 * (vowel * (turn == 0) + 0.3 * hiss * (turn == 1))


def high_shelf(sound: np.ndarray, gain_db: float) -> np.ndarray:
    """Everything above 8 kHz louder or softer, by its spectrum."""
    spectrum = np.fft.rfft(sound)
    hz = np.linspace(0, RATE_HZ / 2, len(spectrum))
    return np.fft.irfft(spectrum * np.where(hz >= 8000, 10 ** (gain_db / 20), 1), len(sound))


def test_nothing_done_is_nothing_measured() -> None:
    clean = speech_like()
    found = measure(clean, clean, clean)
    assert (found.voiced_db, found.fricative_db) == (0, 0)
    assert found.voiced > 50 and found.fricative > 50


@pytest.mark.parametrize("gain_db", [-6.0, 3.0])
def test_a_dull_output_is_measured_in_decibels(gain_db: float) -> None:
    clean = speech_like()
    found = measure(clean, clean, high_shelf(clean, gain_db))
    # The window's own leakage over the edge at 8 kHz is some tenths of a decibel.
    assert found.voiced_db == pytest.approx(gain_db, abs=0.5)
    assert found.fricative_db == pytest.approx(gain_db, abs=0.5)


def test_noise_is_reduced_below_and_above_apart() -> None:
    clean = speech_like()
    noise = 0.003 * np.random.default_rng(2).normal(size=len(clean))
    made = clean + high_shelf(noise, -14.0) * 10 ** (-6 / 20)
    found = measure(clean, clean + noise, made)
    assert found.reduced_below_db == pytest.approx(6, abs=0.5)
    assert found.reduced_above_db == pytest.approx(20, abs=0.5)


def test_speech_that_the_noise_covers_is_not_asked_for() -> None:
    clean = speech_like()
    noise = 0.3 * np.random.default_rng(3).normal(size=len(clean))
    found = measure(clean, clean + noise, clean + noise)
    assert found.voiced == 0 and np.isnan(found.voiced_db)
