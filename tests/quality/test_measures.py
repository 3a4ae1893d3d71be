"""All measures of one sound: known answers, and the same whatever the cutting."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raypipe.quality.measures import Measures, Meter, measure
from tests.quality.speech import hiss, syllables


def sine(level_dbfs: float, seconds: float = 5, rate_hz: int = 48_000) -> np.ndarray:
    """A sine of 997 Hz whose peak has this level."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return 10 ** (level_dbfs / 20) * np.sin(2 * np.pi * 997 * time_s)


def test_loudness_of_the_standards_own_sine() -> None:
    """BS.1770: a 997 Hz sine with a peak of 0 dBFS in one channel reads -3.01 LUFS."""
    found = measure(sine(-20), 48_000)
    assert found.loudness_lufs == pytest.approx(-23.01, abs=0.1)
    assert found.peak_dbfs == pytest.approx(-20, abs=0.001)
    assert found.active_level_dbfs == pytest.approx(-23.01, abs=0.1)
    stereo = measure(np.array([sine(-20), sine(-20)]), 48_000)
    assert stereo.loudness_lufs == pytest.approx(-20, abs=0.1)


def test_loudness_as_another_library_has_it() -> None:
    pyloudnorm = pytest.importorskip("pyloudnorm")
    sound = np.concatenate([syllables(8, 48_000), 0.02 * syllables(6, 48_000)])
    expected = pyloudnorm.Meter(48_000).integrated_loudness(sound)
    assert measure(sound, 48_000).loudness_lufs == pytest.approx(expected, abs=0.2)


def test_noise_floor_is_that_of_the_pauses() -> None:
    sound = syllables(8, 16_000) + hiss(8 * 16_000, -62)
    found = measure(sound, 16_000)
    assert found.noise_floor_dbfs == pytest.approx(-62, abs=0.5)
    gaps = np.concatenate([sound, np.zeros(8 * 16_000)])
    assert measure(gaps, 16_000).noise_floor_dbfs == pytest.approx(-62, abs=0.5)


def test_pauses_are_silence() -> None:
    sound = np.concatenate([hiss(64_000, -25), hiss(64_000, -70)])
    assert measure(sound, 16_000).silence_share == pytest.approx(0.5 - 0.2 / 8, abs=0.02)


def test_clipping_is_counted() -> None:
    sound = np.clip(1.5 * np.sin(np.arange(16_000) / 20), -1, 1)
    found = measure(sound, 16_000)
    assert found.clipped_share == pytest.approx(np.mean(np.abs(sound) == 1), abs=1e-3)
    assert found.clipped_runs == pytest.approx(2 * 16_000 / (2 * np.pi * 20), abs=2)
    clean = measure(0.9 * sound, 16_000)
    assert (clean.clipped_share, clean.clipped_runs) == (0, 0)


@settings(max_examples=15, deadline=None)
@given(
    st.sampled_from([1, 37, 8000, 11_025, 48_000]),
    st.integers(1, 3),
    st.lists(st.floats(0, 1), max_size=6),
)
def test_cutting_changes_nothing(rate_hz: int, channels: int, cuts: list[float]) -> None:
    size = round(2.6 * rate_hz) + 11
    sound = np.array([hiss(size, -12, seed) for seed in range(channels)], np.float32)
    meter = Meter(rate_hz, channels)
    for part in np.split(sound, sorted(round(cut * size) for cut in cuts), axis=1):
        meter.add(part)
    assert meter.measures() == measure(sound, rate_hz)


def test_input_stays_as_it_was() -> None:
    sound = hiss(20_000, -3).astype(np.float32)[None]
    before = sound.copy()
    measure(sound, 8000)
    assert np.array_equal(sound, before)


@pytest.mark.parametrize(
    ("samples", "rate_hz", "level", "reason"),
    [(19_199, 48_000, 0.1, "shorter than a gating block (some 400 ms)"),
     (19_210, 48_000, 0.1, "shorter than a gating block (some 400 ms)"),
     (2000, 800, 0.1, "a rate below 1000 Hz"),
     (48_000, 48_000, 1e20, "its samples are too large"),
     (48_000, 48_000, 1e-6, "nothing is louder than -70 LUFS")],
)  # fmt: skip
def test_why_there_is_no_loudness(samples: int, rate_hz: int, level: float, reason: str) -> None:
    sound = level * hiss(samples, 0).astype(np.float32)
    assert measure(sound, rate_hz).missing["loudness_lufs"] == reason


def test_samples_near_the_end_of_float32_are_called_too_large() -> None:
    found = measure(hiss(48_000, 0).astype(np.float32) * np.float32(1e37), 48_000)
    assert found.missing["bandwidth_hz"] == "its samples are too large"


def test_an_offset_is_not_digital_silence() -> None:
    assert measure(np.full(48_000, 0.25), 48_000).missing["snr_db"] == "nothing but an offset"


@pytest.mark.parametrize(
    "sound",
    [np.zeros(0), np.zeros(1), np.zeros(100_000), np.ones(5), np.full(90_000, 1e-30),
     np.full(50_000, 3e20), np.zeros((2, 0))],
    ids=["nothing", "one zero", "silence", "five ones", "tiny", "huge", "no frames"],
)  # fmt: skip
def test_strange_sounds_give_numbers_or_reasons(sound: np.ndarray) -> None:
    found = measure(sound, 16_000)
    for field in fields(Measures):
        value = getattr(found, field.name)
        if field.name == "missing":
            continue
        assert (value is None) == (field.name in found.missing), field.name
        assert value is None or np.isfinite(value), field.name
