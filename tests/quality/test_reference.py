"""SI-SDR, SNR, level and delay against answers that are known."""

from __future__ import annotations

import math
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import soxr

from raypipe.quality.reference import Pair, delay, si_sdr_db, snr_db
from raypipe.quality.value import Missing
from tests.quality.speech import hiss, syllables

SAMPLES = Path(__file__).parents[2] / "audio_samples"


def orthogonal(reference: np.ndarray, level_db: float) -> np.ndarray:
    """Noise so many dB below the reference that has no part of it, and no mean."""
    noise = hiss(len(reference))
    basis = np.stack([reference - reference.mean(), np.ones(len(reference))])
    for direction in basis:
        noise = noise - direction * (noise @ direction) / (direction @ direction)
    power = np.mean((reference - reference.mean()) ** 2)
    return noise * math.sqrt(power / np.mean(noise**2) / 10 ** (level_db / 10))


@pytest.mark.parametrize("db", [-12, 0, 7.5, 40])
def test_orthogonal_noise_gives_exactly_its_ratio(db: float) -> None:
    reference = syllables(2, 16_000)
    noisy = reference + orthogonal(reference, db)
    assert si_sdr_db(noisy, reference) == pytest.approx(db, abs=1e-6)
    assert si_sdr_db(-0.3 * noisy + 0.2, reference) == pytest.approx(db, abs=1e-6)
    assert snr_db(noisy, reference) == pytest.approx(db, abs=1e-3)


def test_si_sdr_is_the_definition_written_plainly() -> None:
    rng = np.random.default_rng(3)
    reference, sound = rng.standard_normal((2, 5000))
    s, x = reference - reference.mean(), sound - sound.mean()
    target = (x @ s) / (s @ s) * s
    expected = 10 * math.log10(np.sum(target**2) / np.sum((x - target) ** 2))
    assert si_sdr_db(sound, reference) == pytest.approx(expected, abs=1e-9)


def test_a_scaled_copy_is_infinite_and_its_level_is_told() -> None:
    reference = syllables(1, 16_000)
    pair = Pair()
    pair.add(0.5 * reference, reference)
    assert pair.si_sdr_db() == math.inf
    assert pair.level_difference_db() == pytest.approx(-6.0206, abs=1e-4)
    assert pair.snr_db() == pytest.approx(6.0206, abs=1e-4)
    assert snr_db(reference, reference) == math.inf


def test_stretches_add_up_and_channels_all_count() -> None:
    reference = np.stack([syllables(1, 16_000), hiss(16_000, -30)])
    sound = reference + hiss(32_000, -40).reshape(2, -1)
    whole, parts = Pair(), Pair()
    whole.add(sound, reference)
    for cut in (slice(0, 7), slice(7, 9000), slice(9000, None)):
        parts.add(sound[:, cut], reference[:, cut])
    assert parts.si_sdr_db() == pytest.approx(whole.si_sdr_db(), abs=1e-9)
    assert parts.snr_db() == pytest.approx(snr_db(sound.ravel(), reference.ravel()), abs=1e-9)


def test_silence_has_no_ratio() -> None:
    sound = hiss(1000)
    assert si_sdr_db(np.zeros(1000), sound) == Missing("digital silence")
    assert si_sdr_db(sound, np.zeros(1000)) == Missing("the reference is digital silence")


def test_no_samples_are_not_silence() -> None:
    nothing, pair = Missing("there are no samples to compare"), Pair()
    assert pair.si_sdr_db() == pair.snr_db() == pair.level_difference_db() == nothing
    assert delay([], 5) == delay([(np.zeros(0), np.zeros(0))], 5) == nothing


def test_an_offset_alone_has_no_si_sdr_whatever_rounding_leaves_of_it() -> None:
    rng = np.random.default_rng(7)
    for offset in rng.uniform(0.01, 1, 300).astype(np.float32):
        reference, sound = Pair(), Pair()
        for size in rng.integers(1, 3000, 20):
            level, other = np.full(size, offset), rng.standard_normal(size)
            reference.add(other, level)
            sound.add(level, other)
        assert reference.si_sdr_db() == Missing("the reference holds nothing but an offset")
        assert sound.si_sdr_db() == Missing("holds nothing but an offset")


@pytest.mark.parametrize("late", [0, 1, 480, -37, 8000, -8000])
def test_delay_is_found_to_the_sample(late: int) -> None:
    sound = syllables(5, 16_000) + hiss(80_000, -35)
    reference = sound[20_000:60_000]
    moved = 0.5 * sound[20_000 - late : 60_000 - late] + hiss(40_000, -35)
    assert delay([(moved, reference)], 8000) == late
    assert delay([(-moved, reference)], 8000) == late  # a turned polarity is not a delay
    halves = [(moved[:20_000], reference[:20_000]), (moved[20_000:], reference[20_000:])]
    assert delay(halves, 8000) == late


def test_sounds_shorter_than_the_search_do_not_wrap_round() -> None:
    sound = hiss(300)
    assert delay([(np.roll(sound, 20), sound)], 16_000) == 20


STRANGE = Missing("does not resemble the reference")


def test_strangers_have_no_delay() -> None:
    assert delay([(hiss(80_000, seed=1), hiss(80_000, seed=2))], 8000) == STRANGE


@pytest.fixture(scope="module")
def voices() -> list[np.ndarray]:
    """Different people's, at 16 kHz."""
    found = []
    for path in sorted(
        p for p in SAMPLES.iterdir() if p.suffix in (".wav", ".flac", ".ogg", ".mp3")
    ):
        sound, rate_hz = sf.read(path, always_2d=True)
        found.append(soxr.resample(sound.mean(axis=1), rate_hz, 16_000))
    assert len(found) >= 5
    return found


@pytest.mark.parametrize("size", [4000, 8000, 16_000, 27_000])
def test_two_voices_have_no_delay_however_short_they_are(
    voices: list[np.ndarray], size: int
) -> None:
    for one, other in combinations(voices, 2):
        assert delay([(one[:size], other[:size])], 16_000) == STRANGE


def test_a_short_voice_in_much_noise_is_still_found(voices: list[np.ndarray]) -> None:
    for voice in voices:
        reference = voice[:27_000]
        moved = np.concatenate([np.zeros(100), reference])[:27_000]
        noise = hiss(27_000, 0)
        noise *= 10 ** (10 / 20) * np.std(moved) / np.std(noise)
        assert delay([(moved + noise, reference)], 16_000) == 100


def test_a_tone_is_found_though_every_period_resembles_it() -> None:
    tone = np.sin(np.arange(16_000) / 5)
    assert delay([(0.3 * tone, tone)], 8000) == 0
