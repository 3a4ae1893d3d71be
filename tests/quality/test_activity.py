"""Active level and pauses against P.56 written out sample by sample."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from raypipe.quality.activity import Activity
from raypipe.quality.value import Missing
from tests.quality.speech import hiss, syllables


def p56(sound: NDArray[np.float64], rate_hz: int) -> tuple[float, float]:
    """Method B of the recommendation, step by step, with its own names."""
    g = math.exp(-1 / (rate_hz * 0.03))
    hangover = math.ceil(rate_hz * 0.2)
    c = [2.0**-j for j in range(1, 25)]
    a, h = [0] * len(c), [hangover] * len(c)
    p = q = sq = 0.0
    for x in sound:
        sq += x * x
        p = g * p + (1 - g) * abs(x)
        q = g * q + (1 - g) * p
        for j, threshold in enumerate(c):
            if q >= threshold:
                a[j] += 1
                h[j] = 0
            elif h[j] < hangover:
                a[j] += 1
                h[j] += 1
    previous = None
    for threshold, active in zip(c, a, strict=True):
        if not active:
            continue
        level = 10 * math.log10(sq / active)
        delta = level - 20 * math.log10(threshold) - 15.9
        if delta >= 0:
            if previous is not None:
                level0, delta0 = previous
                level = level0 + (level - level0) * -delta0 / (delta - delta0)
            return level, sq / len(sound) / 10 ** (level / 10)
        previous = level, delta
    raise AssertionError("too quiet")


def active(sound: NDArray[np.float64], rate_hz: int) -> tuple[float, float]:
    activity = Activity(rate_hz)
    activity.add(sound[None])
    found = activity.result()
    assert isinstance(found, tuple)
    return found


@pytest.mark.parametrize("noise_db", [-90, -45, -30])
def test_it_is_p56(noise_db: float) -> None:
    sound = syllables(4, 8000) + hiss(32_000, noise_db)
    level_db, factor = active(sound, 8000)
    expected_db, expected_factor = p56(sound, 8000)
    assert level_db == pytest.approx(expected_db, abs=0.1)
    assert factor == pytest.approx(expected_factor, abs=0.015)


def test_noise_that_is_there_half_of_the_time() -> None:
    sound = hiss(8 * 16_000, -20)
    sound[2 * 16_000 : 4 * 16_000] = 0
    sound[6 * 16_000 :] = 0
    level_db, factor = active(sound, 16_000)
    assert factor == pytest.approx((2 + 0.2) / 4, abs=0.03)  # a tail of 200 ms, and the envelope's
    assert level_db == pytest.approx(-20 - 10 * math.log10(2.2 / 2), abs=0.3)


def test_steady_noise_has_no_pause_and_its_own_level() -> None:
    assert active(hiss(48_000, -33), 16_000) == pytest.approx((-33, 1.0), abs=0.1)


def test_any_cutting_gives_the_same() -> None:
    sound = syllables(3, 16_000)[None]
    whole, parts = Activity(16_000), Activity(16_000)
    whole.add(sound)
    for part in np.split(sound, [1, 7, 4001, 4040, 30_000], axis=1):
        parts.add(part)
    assert parts.result() == pytest.approx(whole.result(), rel=1e-12)


def test_silence_has_none() -> None:
    activity = Activity(16_000)
    activity.add(np.zeros((1, 16_000)))
    assert activity.result() == Missing("digital silence")
