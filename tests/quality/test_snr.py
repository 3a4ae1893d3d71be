"""WADA-SNR: the curve against the published one, the estimate against mixtures that are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from raypipe.quality.snr import HIGHEST_DB, LOWEST_DB, AmplitudeSpread, curve, from_spread
from raypipe.quality.value import Missing
from tests.quality.speech import gamma_speech, hiss

SHARED = Path(__file__).resolve().parents[2].parent / "shared"

PUBLISHED = {
    -10: 0.412317178, -5: 0.424527992, 0: 0.462211529, 5: 0.543720882, 10: 0.667508177,
    15: 0.81240985, 20: 0.95655449, 25: 1.085793118,
}  # fmt: skip
"""Points of the table that Kim and Stern give with their paper; it was simulated."""


def estimate(sound: np.ndarray) -> float | Missing:
    spread = AmplitudeSpread(1)
    spread.add(sound[None])
    return spread.estimate()


def test_the_curve_is_the_published_one() -> None:
    decibels, spreads = curve()
    found = {int(db): spread for db, spread in zip(decibels, spreads, strict=True)}
    for db, spread in PUBLISHED.items():
        assert found[db] == pytest.approx(spread, abs=2e-3), db
    assert np.all(np.diff(spreads) > 0)


def test_the_curve_is_what_a_simulation_gives() -> None:
    decibels, spreads = curve()
    speech = gamma_speech(400_000)
    for db in (0, 12, 30):
        z = np.abs(speech + hiss(len(speech), -db))
        simulated = np.log(z.mean()) - np.log(z).mean()
        assert simulated == pytest.approx(np.interp(db, decibels, spreads), abs=0.01)


@pytest.mark.parametrize("db", [-5, 0, 5, 10, 20, 30])
def test_known_mixtures_of_ideal_speech(db: int) -> None:
    speech = gamma_speech(160_000)
    assert estimate(speech + hiss(len(speech), -db)) == pytest.approx(db, abs=0.8)


@pytest.mark.parametrize("db", [0, 5, 10])
def test_known_mixtures_of_real_speech(db: int) -> None:
    files = sorted((SHARED / "audio/speech/librispeech").glob("*.flac"))[::25]
    if not files:
        pytest.skip("no recordings of speech beside this checkout")
    errors = []
    for path in files:
        speech, _ = sf.read(path)
        level_db = 10 * np.log10(np.mean(speech**2)) - db
        found = estimate(speech + hiss(len(speech), level_db))
        assert isinstance(found, float)
        errors.append(found - db)
    assert abs(np.median(errors)) < 2.5, np.round(errors, 1)
    assert np.percentile(np.abs(errors), 90) < 6  # their own noise is part of it


def test_neither_gain_nor_offset_nor_pauses_of_zeros_change_it() -> None:
    sound = gamma_speech(48_000) + hiss(48_000, -10)
    expected = estimate(sound)
    assert estimate(0.001 * sound) == pytest.approx(expected, abs=1e-6)
    assert estimate(sound + 0.3) == pytest.approx(expected, abs=1e-6)
    assert estimate(np.append(sound, np.zeros(48_000))) == pytest.approx(expected, abs=0.1)


def test_the_loudest_channel_counts() -> None:
    sound = gamma_speech(48_000) + hiss(48_000, -10)
    spread = AmplitudeSpread(2)
    spread.add(np.array([1e-4 * hiss(48_000), sound]))
    assert spread.estimate() == pytest.approx(estimate(sound))


def test_what_is_neither_speech_nor_noise_has_none() -> None:
    tone = np.sin(np.arange(16_000) / 7)
    assert "not spread as those of speech" in str(estimate(tone))
    assert "not spread as those of speech" in str(estimate(np.sign(tone)))
    assert estimate(np.zeros(100)) == Missing("digital silence")


def test_readings_are_held_at_the_ends() -> None:
    assert from_spread(0.409) == LOWEST_DB
    assert from_spread(9.0) == HIGHEST_DB
