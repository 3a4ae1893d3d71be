from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.signal import sosfilt

from raypipe.dsp.level import LOWEST_FLOOR_DB, LevelMeter, LevelSum, channel_weights
from raypipe.types import Levels, Measured

SHELF = [
    1.53512485958697,
    -2.69169618940638,
    1.19839281085285,
    1,
    -1.69065929318241,
    0.73248077421585,
]
HIGH_PASS = [1, -2, 1, 1, -1.99004745483398, 0.99007225036621]


def measure(sound: NDArray[Any], rate_hz: int, cuts: list[int] | None = None) -> Levels:
    return summed(sound, rate_hz, cuts).levels()


def summed(sound: NDArray[Any], rate_hz: int, cuts: list[int] | None = None) -> LevelSum:
    meter, total = LevelMeter(rate_hz, len(sound)), LevelSum(rate_hz, len(sound))
    for measured in stretches(meter, sound, cuts or []):
        total.add(measured)
    return total


def stretches(meter: LevelMeter, sound: NDArray[Any], cuts: list[int]) -> list[Measured]:
    state = meter.reset(len(sound))
    given = []
    for start, stop in pairwise([0, *sorted(cuts), sound.shape[1]]):
        measured, state = meter.process(sound[:, start:stop], state)
        given.append(measured)
    return given


def filters_at(rate_hz: int) -> NDArray[np.float64]:
    """The standard's two filters at another rate: bilinear transform of the same analogue pair."""
    gain, corner, quality = 3.999843853973347, 1681.974450955533, 0.7071752369554196
    k = math.tan(math.pi * corner / rate_hz)
    high, band = 10 ** (gain / 20), 10 ** (gain / 20 * 0.4996667741545416)
    a0 = 1 + k / quality + k * k
    shelf = [
        (high + band * k / quality + k * k) / a0,
        2 * (k * k - high) / a0,
        (high - band * k / quality + k * k) / a0,
        1,
        2 * (k * k - 1) / a0,
        (1 - k / quality + k * k) / a0,
    ]
    corner, quality = 38.13547087602444, 0.5003270373238773
    k = math.tan(math.pi * corner / rate_hz)
    a0 = 1 + k / quality + k * k
    return np.array([shelf, [1, -2, 1, 1, 2 * (k * k - 1) / a0, (1 - k / quality + k * k) / a0]])


def loudness(sound: NDArray[Any], rate_hz: int) -> float:
    """BS.1770-4 as it is written, sample by sample."""
    weighted = sosfilt(filters_at(rate_hz), sound.astype(np.float64), axis=1)
    block, step = round(0.4 * rate_hz), round(0.1 * rate_hz)
    starts = range(0, sound.shape[1] - block + 1, step)
    powers = np.array(
        [
            sum(
                weight * np.mean(lane[at : at + block] ** 2)
                for weight, lane in zip(channel_weights(len(sound)), weighted, strict=True)
            )
            for at in starts
        ]
    )
    powers = powers[powers > 10 ** ((-70 + 0.691) / 10)]
    powers = powers[powers > 0.1 * powers.mean()]
    return float(-0.691 + 10 * np.log10(powers.mean()))


def sine(hz: float, rate_hz: int, seconds: float, peak: float = 1.0) -> NDArray[np.float32]:
    at = np.arange(round(rate_hz * seconds)) / rate_hz
    sound: NDArray[np.float32] = (peak * np.sin(2 * np.pi * hz * at + 0.3)).astype(np.float32)
    return sound[None]


def pink(rate_hz: int, seconds: float, seed: int = 0) -> NDArray[np.float32]:
    """Noise that falls by 3 dB an octave, up to 0.4 of the rate."""
    rng = np.random.default_rng(seed)
    count = round(rate_hz * seconds)
    hz = np.fft.rfftfreq(count, 1 / rate_hz)
    shape = np.where((hz > 20) & (hz < 0.4 * rate_hz), 1 / np.sqrt(hz + 1), 0)
    sound = np.fft.irfft(np.fft.rfft(rng.standard_normal(count)) * shape, count)
    return np.asarray(0.2 * sound[None] / np.abs(sound).max(), np.float32)


def syllables(rate_hz: int, seconds: float) -> NDArray[np.float32]:
    """Voiced bursts of a 120 Hz pulse train with pauses: level changes as in speech."""
    at = np.arange(round(rate_hz * seconds)) / rate_hz
    voice = sum(
        np.sin(2 * np.pi * 120.3 * k * at + k * k) / k
        for k in range(1, int(min(8_000, 0.4 * rate_hz) / 121))
    )
    swell = np.clip(np.sin(2 * np.pi * 3.1 * at), 0, None) * (np.sin(2 * np.pi * 0.37 * at) > -0.3)
    sound: NDArray[np.float32] = (0.1 * swell * voice).astype(np.float32)[None]
    return sound + 0.01 * pink(rate_hz, seconds)


def test_the_reference_of_these_tests_has_the_published_coefficients() -> None:
    assert np.allclose(filters_at(48_000), [SHELF, HIGH_PASS], atol=1e-8)


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000, 96_000])
def test_a_full_scale_sine_at_997_hz_in_one_channel_is_3_lufs_below_zero(rate_hz: int) -> None:
    levels = measure(sine(997, rate_hz, 5), rate_hz)
    assert levels.lufs == pytest.approx(-3.01, abs=0.03)
    assert levels.peak_db == pytest.approx(0, abs=0.01)


def test_two_equal_channels_are_3_lu_louder_than_one() -> None:
    mono = sine(997, 48_000, 5)
    assert measure(np.repeat(mono, 2, axis=0), 48_000).lufs == pytest.approx(0.0, abs=0.03)


@pytest.mark.parametrize("rate_hz", [22_050, 44_100, 48_000, 96_000, 192_000])
@pytest.mark.parametrize("make", [pink, syllables])
def test_noise_and_speech_like_sound_agree_with_the_filters(make: Any, rate_hz: int) -> None:
    sound = make(rate_hz, 6)
    assert measure(sound, rate_hz).lufs == pytest.approx(loudness(sound, rate_hz), abs=0.1)


@pytest.mark.parametrize(("rate_hz", "error"), [(16_000, 0.2), (8_000, 0.4)])
def test_low_rates_follow_the_standard_at_48_khz_rather_than_the_bent_filters(
    rate_hz: int, error: float
) -> None:
    # A bilinear transform reaches the shelf's top at half the rate; the standard's does not.
    sound = pink(rate_hz, 6)
    ours = measure(sound, rate_hz).lufs
    assert ours == pytest.approx(loudness(sound, rate_hz), abs=error)
    count = 6 * 48_000
    spectrum = np.zeros(count // 2 + 1, complex)
    spectrum[: 3 * rate_hz + 1] = np.fft.rfft(sound[0].astype(np.float64))
    same_at_48 = np.fft.irfft(spectrum, count)[None] * (48_000 / rate_hz)
    assert ours == pytest.approx(loudness(same_at_48, 48_000), abs=0.05)


@pytest.mark.parametrize(
    "hz", [40, 60, 100, 250, 440, 500, 1000, 1500, 2000, 2500, 3000, 3500, 4000]
)
@pytest.mark.parametrize("rate_hz", [44_100, 48_000])
def test_sines_of_round_frequencies_agree_with_the_filters(hz: int, rate_hz: int) -> None:
    sound = sine(hz, rate_hz, 4, 0.5)
    assert measure(sound, rate_hz).lufs == pytest.approx(loudness(sound, rate_hz), abs=0.1)


def response(hz: float) -> float:
    """Energy response of the standard's two filters at 48 kHz."""
    z = np.exp(-2j * np.pi * hz / 48_000)
    answer = 1.0
    for b0, b1, b2, _, a1, a2 in (SHELF, HIGH_PASS):
        answer *= abs((b0 + b1 * z + b2 * z**2) / (1 + a1 * z + a2 * z**2)) ** 2
    return float(answer)


@pytest.mark.parametrize(
    "rate_hz", [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000]
)
def test_sines_follow_the_standard_at_every_rate(rate_hz: int) -> None:
    low = [20.3, 25.1, 31.7]
    tones = [40, 63, 80, 100, 150, 300, 400, 500, 700, 1000, 1200, 1500, 2000, 3000, 3700, 5000]
    high = [6300, 8000, 10_000, 15_000, 19_500]
    for hz in [*low, *tones, *high]:
        if hz < 0.49 * rate_hz:
            lufs = measure(sine(hz, rate_hz, 4, 0.5), rate_hz).lufs
            wanted = -0.691 + 10 * math.log10(0.125 * response(hz))
            assert lufs == pytest.approx(wanted, abs=0.1 if hz >= 40 else 0.15), (hz, rate_hz)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 48_000, 96_000])
def test_no_phase_of_a_sine_is_half_a_unit_off(rate_hz: int) -> None:
    # The worst are those that meet every frame with the same phase.
    design = LevelMeter(rate_hz, 1)._design
    assert design is not None
    frame = design.frame
    for number in range(1, frame):
        hz = number * rate_hz / (2 * frame)
        wanted = -0.691 + 10 * math.log10(0.5 * response(min(hz, 24_000)))
        for phase in (0.0, 0.25, 0.5, 0.75):
            at = np.arange(rate_hz) / rate_hz
            sound = np.sin(2 * np.pi * hz * at + phase * np.pi).astype(np.float32)[None]
            assert measure(sound, rate_hz).lufs == pytest.approx(wanted, abs=0.5), (hz, phase)


@pytest.mark.parametrize("rate_hz", [1_000, 1_500, 2_000, 3_150, 4_000, 6_000])
def test_rates_too_low_for_speech_are_measured_all_the_same(rate_hz: int) -> None:
    for hz in (60, 0.2 * rate_hz, 0.4 * rate_hz):
        wanted = -0.691 + 10 * math.log10(0.125 * response(hz))
        lufs = measure(sine(hz, rate_hz, 4, 0.5), rate_hz).lufs
        assert lufs == pytest.approx(wanted, abs=0.6)


@pytest.mark.parametrize("rate_hz", [16_000, 48_000])
def test_a_constant_of_full_scale_is_silent(rate_hz: int) -> None:
    sound = np.ones((1, 3 * rate_hz), np.float32)
    (measured,) = stretches(LevelMeter(rate_hz, 1), sound, [])
    assert measured.energies[0] > 1e-3  # the step at its start is not
    assert (measured.energies[1:] < 1e-6).all()
    quiet = sound + 0.01 * pink(rate_hz, 3)
    assert measure(quiet[:, rate_hz:], rate_hz).peak_db == pytest.approx(0, abs=0.1)


def test_odd_signals_come_within_half_a_unit() -> None:
    rng = np.random.default_rng(5)
    clicks = 0.9 * (rng.random((1, 48_000 * 8)) < 3 / 48_000)
    rumble = sine(20, 48_000, 8, 0.9) + 0.01 * pink(48_000, 8)
    offset = 0.3 + 0.1 * pink(48_000, 8)
    for sound in (clicks, rumble, offset):
        assert measure(sound, 48_000).lufs == pytest.approx(loudness(sound, 48_000), abs=0.5)


@pytest.mark.parametrize("lower_db", [9, 12, 40])
def test_what_is_more_than_10_lu_below_the_rest_is_gated(lower_db: float) -> None:
    quiet = 10 ** (-lower_db / 20) * sine(997, 48_000, 8)
    sound = 0.1 * np.concatenate([sine(997, 48_000, 8), quiet], axis=1)
    assert measure(sound, 48_000).lufs == pytest.approx(loudness(sound, 48_000), abs=0.05)


def test_surround_counts_for_more_and_lfe_not_at_all() -> None:
    rate_hz = 48_000
    sound = np.zeros((6, rate_hz * 3), np.float32)
    sound[0] = 0.2 * sine(997, rate_hz, 3)
    left = measure(sound, rate_hz).lufs
    assert left is not None
    assert left == pytest.approx(-3.01 + 20 * math.log10(0.2), abs=0.03)
    sound[3] = sine(50, rate_hz, 3)
    assert measure(sound, rate_hz).lufs == left
    sound[4], sound[0] = sound[0].copy(), 0
    assert measure(sound, rate_hz).lufs == pytest.approx(left + 10 * math.log10(1.41), abs=1e-3)


@settings(max_examples=60, deadline=None)
@given(
    rate_hz=st.sampled_from([8_000, 11_025, 16_000, 44_100]),
    channels=st.integers(1, 3),
    cuts=st.lists(st.floats(0, 1), max_size=12),
)
def test_no_cut_changes_a_bit(rate_hz: int, channels: int, cuts: list[float]) -> None:
    rng = np.random.default_rng(rate_hz)
    sound = (0.2 * rng.standard_normal((channels, 3 * rate_hz))).astype(np.float32)
    at = [round(cut * sound.shape[1]) for cut in cuts]
    meter = LevelMeter(rate_hz, channels)
    (whole,) = stretches(meter, sound, [])
    parts = stretches(meter, sound, at)
    assert np.array_equal(np.concatenate([part.energies for part in parts]), whole.energies)
    assert max(part.peak for part in parts) == whole.peak == np.abs(sound).max()
    assert measure(sound, rate_hz, at) == measure(sound, rate_hz)


@pytest.mark.parametrize("rate_hz", [8_000, 16_000, 44_100, 48_000, 96_000, 192_000])
def test_cuts_around_the_ends_of_hops_change_no_bit(rate_hz: int) -> None:
    rng = np.random.default_rng(rate_hz)
    sound = (0.2 * rng.standard_normal((2, rate_hz))).astype(np.float32)
    meter = LevelMeter(rate_hz, 2)
    (whole,) = stretches(meter, sound, [])
    hop = rate_hz // len(whole.energies)
    ends = [number * hop + near for number in (1, 4, 5) for near in range(-9, 10)]
    for cuts in (ends, [1, 2, 3], [rate_hz - 1], list(range(0, rate_hz, rate_hz // 200))):
        parts = stretches(meter, sound, cuts)
        assert np.array_equal(np.concatenate([part.energies for part in parts]), whole.energies)


def test_a_channel_does_not_depend_on_its_company() -> None:
    rng = np.random.default_rng(7)
    sound = (0.2 * rng.standard_normal((3, 40_000))).astype(np.float32)
    (alone,) = stretches(LevelMeter(16_000, 1), sound[1:2], [777])[1:]
    with_silence = np.zeros_like(sound)
    with_silence[1] = sound[1]
    (together,) = stretches(LevelMeter(16_000, 3), with_silence, [777])[1:]
    assert np.array_equal(alone.energies, together.energies)


def test_the_layout_in_memory_changes_no_bit() -> None:
    sound = np.random.default_rng(2).standard_normal((2, 48_000)).astype(np.float32)
    assert measure(np.asfortranarray(sound), 48_000) == measure(sound, 48_000)
    assert measure(sound.astype(np.float64), 48_000) == measure(sound, 48_000)


def test_inputs_and_states_stay_as_they_were() -> None:
    meter = LevelMeter(16_000, 1)
    sound = pink(16_000, 1)
    _, state = meter.process(sound[:, :5000], meter.reset(1))
    copies = {name: array.copy() for name, array in state.items()}
    first, _ = meter.process(sound[:, 5000:], state)
    second, _ = meter.process(sound[:, 5000:], state)
    assert np.array_equal(first.energies, second.energies)
    assert all(np.array_equal(state[name], copies[name]) for name in copies)
    assert np.array_equal(sound, pink(16_000, 1))


def test_the_state_is_less_than_a_tenth_of_a_second() -> None:
    meter = LevelMeter(48_000, 2)
    _, state = meter.process(np.repeat(pink(48_000, 7.77), 2, axis=0), meter.reset(2))
    assert all(len(array) == 2 for array in state.values())
    assert sum(array.nbytes for array in state.values()) < 2 * 4 * 4900 + 1000


@pytest.mark.parametrize("samples", [0, 1, 1599, 6000])
def test_a_sound_shorter_than_a_gating_block_has_a_peak_only(samples: int) -> None:
    levels = measure(sine(997, 16_000, 1, 0.5)[:, :samples], 16_000)
    assert levels.lufs is None
    assert (levels.peak_db is None) == (samples == 0)


def test_digital_silence_and_what_the_gate_stops_have_no_loudness() -> None:
    assert measure(np.zeros((2, 48_000), np.float32), 48_000) == Levels(None, None)
    quiet = measure(sine(997, 48_000, 2, 1e-4), 48_000)
    assert quiet.lufs is None
    assert quiet.peak_db == pytest.approx(-80, abs=0.01)


def test_very_low_rates_have_a_peak_only() -> None:
    levels = measure(np.full((1, 4000), -0.5, np.float32), 100)
    assert levels.lufs is None
    assert levels.peak_db == pytest.approx(-6.02, abs=0.01)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_shows_in_the_peak(value: float) -> None:
    sound = pink(16_000, 1)
    sound[0, 777] = value
    measured, _ = LevelMeter(16_000, 1).process(sound, LevelMeter(16_000, 1).reset(1))
    assert not math.isfinite(measured.peak)


def test_samples_beyond_what_can_be_squared_leave_the_loudness_open() -> None:
    levels = measure(1e30 * sine(997, 16_000, 2), 16_000)
    assert levels.lufs is None
    assert levels.peak_db == pytest.approx(600, abs=0.1)


def test_the_noise_floor_is_the_level_of_the_pauses() -> None:
    rate_hz = 16_000
    sound = np.concatenate(
        [sine(997, rate_hz, 1, 10 ** (level_db / 20)) for level_db in (-60, -20, -20)], axis=1
    )
    levels = measure(sound, rate_hz)
    assert levels.floor_db == pytest.approx(-63.0, abs=0.3)  # a sine of 0 dBFS: -3.0 LUFS
    assert levels.lufs == pytest.approx(-23.0, abs=0.5)


def test_digital_silence_is_no_noise_floor_of_an_input_but_one_of_an_output() -> None:
    rate_hz = 16_000
    speech, hiss = sine(997, rate_hz, 1, 0.1), sine(997, rate_hz, 1, 0.001)
    silence = 0 * speech
    noisy = summed(np.concatenate([silence, hiss, speech], axis=1), rate_hz)
    gated = summed(np.concatenate([silence, silence, speech], axis=1), rate_hz)
    assert noisy.levels().floor_db == pytest.approx(-63.0, abs=0.3)
    assert gated.levels(noisy).floor_db == LOWEST_FLOOR_DB
    assert gated.levels().floor_db == pytest.approx(-23.0, abs=0.3)
    assert noisy.levels(noisy) == noisy.levels()


def test_too_short_a_sound_has_no_noise_floor() -> None:
    assert measure(sine(997, 16_000, 1, 0.1)[:, :4800], 16_000).floor_db is None
    assert measure(sine(997, 16_000, 1, 0.1)[:, :6400], 16_000).floor_db is not None
