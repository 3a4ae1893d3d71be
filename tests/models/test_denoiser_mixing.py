"""Pairs are what was asked for, and the same whenever they are made."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.fft import irfft, rfft

from models.denoiser import mixing, shapes
from models.denoiser.data import Library, cleanness
from models.denoiser.losses import NAMES, losses
from models.denoiser.network import BANDS
from tests.models.denoiser_made import buzz, hiss, library


def batch(lanes: int) -> mixing.Batch:
    return {name: np.zeros(shape, np.float32) for name, shape in mixing.shapes_of(lanes).items()}


def below_8k(sound: np.ndarray) -> np.ndarray:
    spectrum = rfft(sound)
    spectrum[shapes.HZ > 8000] = 0
    return irfft(spectrum, len(sound))


def test_a_batch_follows_from_its_number_alone() -> None:
    first, again, other = batch(2), batch(2), batch(2)
    mixing.mix(library(), 7, 3, first)
    mixing.mix(library(), 7, 4, other)
    mixing.mix(library(), 7, 3, again)
    for name in first:
        np.testing.assert_array_equal(first[name], again[name])
    assert not np.array_equal(first["bands"], other["bands"])


def test_snr_is_as_asked() -> None:
    seen = 0
    for number in range(40):
        made = mixing.pair(np.random.default_rng(number), library())
        noise = made.noisy.astype(np.float64) - made.clean
        if not np.isfinite(made.snr_db) or not made.noisy.any() or is_bent(made):
            continue
        loud = mixing.active_rms(made.clean)
        found_db = 20 * np.log10(loud / np.sqrt(np.mean(below_8k(noise) ** 2)))
        # Noise that is almost all above 8 kHz leaks a little below in the transform.
        assert found_db == pytest.approx(made.snr_db, abs=0.5)
        seen += 1
    assert seen > 15


def test_a_third_of_all_is_as_recorded_at_16_khz_or_less() -> None:
    """Neither voice nor noise has anything above 8 kHz there."""
    narrow = 0
    for number in range(200):
        made = mixing.pair(np.random.default_rng([2, number]), library())
        above = np.abs(rfft(made.noisy))[shapes.HZ > 8450]
        narrow += bool(made.noisy.any() and not is_bent(made) and above.max() < 1e-2)
    assert 50 < narrow < 110


def is_bent(made: mixing.Pair) -> bool:
    """Clipped at its peak, or in a telephone's steps."""
    low, high = made.noisy.min(), made.noisy.max()
    at_its_ends = np.sum((made.noisy == low) | (made.noisy == high))
    return bool(at_its_ends > 2 or len(np.unique(made.noisy)) < 0.9 * made.noisy.size)


def test_what_is_wanted() -> None:
    kinds = set()
    for number in range(120):
        made = mixing.pair(np.random.default_rng([1, number]), library())
        assert np.abs(made.noisy).max() <= 1.0 + 1e-6
        if made.snr_db == -np.inf:
            assert not made.clean.any()
        elif made.snr_db == np.inf and not is_bent(made):
            np.testing.assert_array_equal(made.clean, made.noisy)
        kinds.add(made.snr_db if np.isinf(made.snr_db) else 0)
    assert kinds == {0, np.inf, -np.inf}


def test_a_piece_is_the_recording_at_48_khz() -> None:
    tone = 8000 * np.sin(2 * np.pi * 440 * np.arange(80_000) / 16_000)
    made = shapes.piece(np.random.default_rng(0), tone.astype(np.int16), 16_000, 1.0, loop=False)
    sound = irfft(made, shapes.SAMPLES)[1000:-1000]
    assert np.sqrt(np.mean(sound**2)) == pytest.approx(8000 / 32768 / np.sqrt(2), rel=0.01)
    assert np.argmax(np.abs(rfft(sound))) == round(440 * len(sound) / 48_000)


def test_bands_above_follow_those_below_in_time() -> None:
    """What is copied upwards is loud when its origin is, not when that is played backwards."""
    sound = hiss(1, 16_000, shapes.SAMPLES / 48_000).astype(np.float32)
    sound[len(sound) // 4 :] *= 0.01
    made = shapes.piece(np.random.default_rng(0), sound.astype(np.int16), 16_000, 1.0, loop=False)
    shapes.fill_above(made, 8000)
    made[shapes.HZ < 8500] = 0
    high = irfft(made, shapes.SAMPLES)
    quarter = shapes.SAMPLES // 4
    assert np.mean(high[:quarter] ** 2) > 500 * np.mean(high[quarter + 2000 : -2000] ** 2)


def test_a_noisy_recording_counts_less() -> None:
    clean = buzz(1, 16_000, 5)
    noisy = clean // 4 + hiss(1, 16_000, 5)
    assert cleanness(noisy, 16_000) < 0.5 < cleanness(clean, 16_000)


def test_losses_of_silence_and_of_the_right_answer() -> None:
    some = batch(3)
    mixing.put(
        mixing.Pair(np.zeros(shapes.SAMPLES, "f4"), np.zeros(shapes.SAMPLES, "f4"), 0), some, 0
    )
    sound = buzz(1, 48_000, 4)[: shapes.SAMPLES].astype(np.float32) / 32768
    mixing.put(mixing.Pair(sound, sound, np.inf), some, 1)
    mixing.put(mixing.Pair(sound, 0 * sound, -np.inf), some, 2)
    found = {}
    for gain in (0.0, 0.5, 1.0):
        gains = np.full((3, shapes.FRAMES, BANDS), gain, np.float32)
        found[gain] = {name: values.numpy() for name, values in losses(gains, some).items()}
        assert set(found[gain]) == set(NAMES)
        for values in found[gain].values():
            assert values.shape == (3,) and np.all(np.isfinite(values))
    assert found[1.0]["total"][1] < found[0.5]["total"][1] < found[0.0]["total"][1]
    assert found[0.0]["total"][2] < found[0.5]["total"][2] < found[1.0]["total"][2]
    assert found[1.0]["magnitude"][1] == pytest.approx(0, abs=1e-6)
    assert found[1.0]["ratio"][1] == pytest.approx(-30, abs=0.1)


def test_a_library_needs_no_noise() -> None:
    made = mixing.pair(np.random.default_rng(4), Library(library().speech, {}))
    assert np.all(np.isfinite(made.noisy))
