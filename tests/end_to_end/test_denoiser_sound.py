"""The shipped denoiser's sound: aligned at every rate, nothing absurd, speech kept.

What takes longer, and how it compares with others, is in `benchmarks.quality` and
`benchmarks.sound_checks`; these are the same checks on a few sounds.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from benchmarks.denoisers import bands, odd_sounds, residual, timing
from benchmarks.denoisers.mixing import FULL_HZ, JUDGED_HZ, mix, to_judged
from benchmarks.quality import held_out_pairs
from raypipe import Enhancer
from raypipe.errors import ModelError
from raypipe.quality.reference import si_sdr_db
from tests.conftest import SHARED
from tests.signals import bursts

VARIANTS = ("denoise-48k", "denoise-48k-int8")


@pytest.fixture(params=VARIANTS)
def denoiser(request: pytest.FixtureRequest) -> Enhancer:
    try:
        return Enhancer(request.param)
    except ModelError:
        pytest.skip(f"{request.param} is not shipped yet")


@pytest.fixture
def audio() -> Path:
    folder = SHARED / "audio"
    if not folder.is_dir():
        pytest.skip("the recordings of speech and noise are not beside this checkout")
    return folder


def speech(audio: Path) -> np.ndarray:
    sound, rate_hz = sf.read(audio / "speech/fullband-48k/p252_198_mic1.flac")
    assert rate_hz == FULL_HZ
    return np.asarray(sound)


def test_the_model_is_as_late_as_its_card_says(denoiser: Enhancer, audio: Path) -> None:
    found, said = timing.latency(denoiser.card.name, speech(audio))
    assert found == said


def test_files_come_out_aligned_and_as_long_at_every_rate(denoiser: Enhancer, audio: Path) -> None:
    found = timing.lags(denoiser.card.name, speech(audio), FULL_HZ)
    assert found == dict.fromkeys(timing.RATES_HZ, (0, 0))


def test_nothing_absurd_comes_of_sounds_that_are_no_speech(denoiser: Enhancer) -> None:
    for odd in odd_sounds.odd_sounds(bursts(96_000)[0]):
        made = denoiser.process(odd.sound.astype(np.float32), odd.rate_hz)
        found = odd_sounds.look(odd.sound, made, odd.rate_hz)
        assert made.shape == odd.sound.shape
        assert found.finite, odd.name
        # Gains are at most 1, but a square without its harmonics is a sine of 4 / pi its height,
        # and speech without what clipping added to it is higher than where it was clipped.
        assert found.peak_out <= 1.6 * found.peak_in, odd.name
        assert found.level_out_db <= found.level_in_db + 0.01, odd.name


def test_digital_zero_stays_zero(denoiser: Enhancer) -> None:
    assert not denoiser.process(np.zeros((2, 20_000), np.float32), 44_100).any()


def test_clean_full_band_speech_keeps_its_top(denoiser: Enhancer, audio: Path) -> None:
    clean = speech(audio)
    found = bands.measure(clean, clean, denoiser.process(clean, FULL_HZ).astype(np.float64))
    assert abs(found.voiced_db) < 3
    assert abs(found.fricative_db) < 3


def test_what_is_left_of_loud_noise_neither_twinkles_nor_swells(
    denoiser: Enhancer, audio: Path
) -> None:
    pause = np.zeros(3 * FULL_HZ)
    clean = np.concatenate([pause, speech(audio), pause])
    noise = np.random.default_rng(13).standard_normal(len(clean))
    noise *= np.sqrt(np.mean(speech(audio) ** 2)) * 10 ** (5 / 20)  # -5 dB SNR
    made = denoiser.process((clean + noise).astype(np.float32), FULL_HZ).astype(np.float64)
    low = [to_judged(sound) for sound in (clean, noise, made)]
    found = residual.measure(*low, JUDGED_HZ)
    assert found.reduced_db > 20
    assert found.kurtosis_ratio < 1.5
    assert abs(found.pumping_db) < 8


def test_clean_speech_stays_clean(denoiser: Enhancer, audio: Path) -> None:
    ratios = []
    for pair in held_out_pairs(audio, 0, 4):
        clean, noisy = mix(pair)
        made = denoiser.process(noisy.astype(np.float32), FULL_HZ).astype(np.float64)
        ratios.append(si_sdr_db(to_judged(made), to_judged(clean)))
    assert min(ratios) > 20
