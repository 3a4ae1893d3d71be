"""The odd sounds are what they are called, and gain, overshoot and NaN are seen."""

from __future__ import annotations

import numpy as np

from benchmarks.denoisers.odd_sounds import look, odd_sounds
from tests.signals import bursts


def test_all_are_finite_and_no_louder_than_full_scale() -> None:
    for odd in odd_sounds(bursts(96_000)[0]):
        assert odd.sound.ndim == 2
        assert np.isfinite(odd.sound).all(), odd.name
        assert np.abs(odd.sound).max() <= 1.2, odd.name


def test_the_same_sound_has_no_gain() -> None:
    sound = bursts(48_000, 2)
    found = look(sound, sound, 48_000)
    assert found.finite and found.most_gain_db == 0
    assert found.level_in_db == found.level_out_db


def test_gain_in_one_place_of_one_channel_is_seen() -> None:
    sound = bursts(48_000, 2)
    louder = sound.copy()
    louder[1, 24_000:26_400] *= 2
    assert 5.9 < look(sound, louder, 48_000).most_gain_db < 6.1


def test_one_nan_is_seen() -> None:
    sound = bursts(48_000)
    broken = sound.copy()
    broken[0, 7] = np.nan
    assert not look(sound, broken, 48_000).finite
