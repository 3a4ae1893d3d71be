"""Bandwidth of sounds whose bandwidth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import soxr
from numpy.typing import NDArray

from raypipe.quality.spectrum import LongTermSpectrum
from raypipe.quality.value import Missing
from tests.quality.speech import hiss, syllables

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


def bandwidth(sound: NDArray[np.floating], rate_hz: int) -> float | Missing:
    spectrum = LongTermSpectrum(rate_hz)
    for start in range(0, len(sound), rate_hz):
        spectrum.add(sound[None, start : start + rate_hz])
    return spectrum.bandwidth_hz()


@pytest.mark.parametrize("quality", ["MQ", "HQ", "VHQ"])
@pytest.mark.parametrize("rate_hz", [8000, 16_000, 22_050])
def test_what_was_resampled_to_48_khz_ends_where_it_did_before(rate_hz: int, quality: str) -> None:
    low = syllables(3, rate_hz) + hiss(3 * rate_hz, -55)
    high = soxr.resample(low, rate_hz, 48_000, quality=quality)
    for sound in (high, np.round(high * 32768) / 32768, high + hiss(len(high), -85)):
        assert 0.88 * rate_hz / 2 < float(bandwidth(sound, 48_000)) <= 1.02 * rate_hz / 2


def test_real_speech_from_16_khz_and_from_48_khz() -> None:
    folder = SHARED / "audio/speech"
    if not folder.is_dir():
        pytest.skip("no recordings of speech beside this checkout")
    for path in sorted((folder / "librispeech").glob("*.flac"))[::60]:
        sound, rate_hz = sf.read(path)
        high = soxr.resample(sound, rate_hz, 48_000, quality="HQ")
        assert float(bandwidth(high, 48_000)) <= 8100, path.name
    for path in sorted((folder / "fullband-48k").glob("*.flac"))[:6]:
        sound, rate_hz = sf.read(path)
        assert float(bandwidth(sound, rate_hz)) > 15_000, path.name


def test_noise_alone_fills_the_band() -> None:
    assert float(bandwidth(hiss(48_000, -40), 48_000)) > 23_800
    assert float(bandwidth(hiss(16_000, -40), 16_000)) > 7900


def test_hiss_under_a_voice_is_a_noise_floor() -> None:
    voice = syllables(4, 48_000)
    low = soxr.resample(soxr.resample(voice, 48_000, 11_025), 11_025, 48_000)[: len(voice)]
    assert 4800 < float(bandwidth(low + hiss(len(low), -65), 48_000)) < 5700


def test_a_tone_is_where_it_is() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(48_000) / 48_000)
    assert 1000 <= float(bandwidth(tone, 48_000)) < 1250


def test_density_of_white_noise_is_its_power_over_its_band() -> None:
    spectrum = LongTermSpectrum(16_000)
    spectrum.add(hiss(320_000, -20)[None])
    _, density_db = spectrum.density_db()
    expected_db = -20 - 10 * np.log10(8000)
    assert np.median(density_db[1:-1]) == pytest.approx(expected_db, abs=0.2)


def test_where_there_is_none_it_says_why() -> None:
    assert bandwidth(np.zeros(48_000), 48_000) == Missing("digital silence")
    assert "below 1000 Hz" in str(bandwidth(np.ones(200), 200))
    assert "rounding noise" in str(bandwidth(hiss(48_000, -120), 48_000))
