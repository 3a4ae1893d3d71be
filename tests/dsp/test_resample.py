from __future__ import annotations

from itertools import pairwise
from math import ceil

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from raypipe.dsp.resample import Resample

PAIRS = [
    (48_000, 16_000),
    (16_000, 48_000),
    (44_100, 16_000),
    (16_000, 44_100),
    (11_025, 16_000),
    (8_000, 192_000),
    (192_000, 8_000),
]
ODD_PAIRS = [(44_099, 48_000), (48_000, 44_099), (16_000, 11_127), (22_254, 16_000)]


def noise(rate_hz: int, seconds: float, lanes: int = 1) -> NDArray[np.float32]:
    rng = np.random.default_rng(rate_hz)
    return (0.1 * rng.standard_normal((lanes, int(rate_hz * seconds)))).astype(np.float32)


def whole(stage: Resample, sound: NDArray[np.float32], cuts: list[int]) -> NDArray[np.float32]:
    state = stage.reset(len(sound))
    given = []
    for start, stop in pairwise([0, *sorted(cuts), sound.shape[1]]):
        part, state = stage.process(sound[:, start:stop], state)
        given.append(part)
    return np.concatenate([*given, stage.flush(state)], axis=1)


def decibels(ratio: float) -> float:
    return float(20 * np.log10(ratio + 1e-20))


@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS)
def test_blocks_equal_the_whole_file_resampled_at_once(rate_in: int, rate_out: int) -> None:
    sound = noise(rate_in, 3.3)
    ours = whole(Resample(rate_in, rate_out), sound, [])[0]
    theirs = soxr.resample(sound[0], rate_in, rate_out, quality="HQ")
    # The whole file begins and ends abruptly; soxr cuts its ringing there, a window does not.
    inside = slice(rate_out // 20, len(theirs) - rate_out // 20)
    worst = np.max(np.abs(ours[: len(theirs)] - theirs)[inside]) / np.max(np.abs(theirs))
    assert decibels(worst) < -125


@pytest.mark.parametrize(("rate_in", "rate_out"), ODD_PAIRS)
def test_windows_between_samples_equal_the_beginning_of_the_whole_file(
    rate_in: int, rate_out: int
) -> None:
    # For such ratios soxr's own clock drifts in a long file; the first part of a second is exact.
    lag = rate_in * 4 // 5  # the second block begins 0.2 s into the file
    sound = noise(rate_in, 1.5)
    ours = whole(Resample(rate_in, rate_out, lag), sound, [])[0]
    theirs = soxr.resample(sound[0], rate_in, rate_out, quality="HQ")
    inside = slice(rate_out // 20, rate_out // 2)
    worst = np.max(np.abs(ours[inside] - theirs[inside])) / np.max(np.abs(theirs))
    assert decibels(worst) < -110


@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS + ODD_PAIRS)
def test_a_sine_keeps_its_phase_and_amplitude(rate_in: int, rate_out: int) -> None:
    hz = 0.137 * min(rate_in, rate_out)
    sound = np.sin(2 * np.pi * hz * np.arange(4 * rate_in) / rate_in).astype(np.float32)[None]
    ours = whole(Resample(rate_in, rate_out), sound, [rate_in, rate_in + 1])[0]
    wanted = np.sin(2 * np.pi * hz * np.arange(len(ours)) / rate_out)
    inside = slice(rate_out // 20, len(ours) - rate_out // 20)
    assert decibels(np.max(np.abs(ours - wanted)[inside])) < -90


def test_odd_ratios_do_not_drift_in_a_long_file() -> None:
    rate_in, rate_out, hz = 44_099, 48_000, 15_000
    sound = np.sin(2 * np.pi * hz * np.arange(20 * rate_in) / rate_in).astype(np.float32)[None]
    ours = whole(Resample(rate_in, rate_out), sound, [])[0]
    wanted = np.sin(2 * np.pi * hz * np.arange(len(ours)) / rate_out)
    last = slice(19 * rate_out, 19 * rate_out + rate_out // 2)
    assert decibels(np.max(np.abs(ours - wanted)[last])) < -100


@pytest.mark.parametrize(("rate_in", "rate_out"), [(16_000, 48_000), (44_100, 16_000)])
def test_an_impulse_stays_in_place(rate_in: int, rate_out: int) -> None:
    at = 441 * (rate_in // 441)  # a sample at both rates
    sound = np.zeros((1, 2 * rate_in), np.float32)
    sound[0, at] = 1
    ours = whole(Resample(rate_in, rate_out), sound, [])[0]
    peak = at * rate_out // rate_in
    assert np.argmax(np.abs(ours)) == peak
    assert np.allclose(ours[peak - 50 : peak], ours[peak + 50 : peak : -1], atol=1e-6)


@settings(max_examples=60, deadline=None)
@given(
    pair=st.sampled_from([*PAIRS[:5], ODD_PAIRS[0], ODD_PAIRS[3], (100, 8_000), (8_000, 100)]),
    seconds=st.floats(0, 3.2),
    lanes=st.integers(1, 3),
    lag=st.integers(0, 3000),
    cuts=st.lists(st.floats(0, 1), max_size=6),
)
def test_no_cut_changes_a_bit_and_no_sample_is_missing(
    pair: tuple[int, int], seconds: float, lanes: int, lag: int, cuts: list[float]
) -> None:
    sound = noise(pair[0], seconds, lanes)
    samples = sound.shape[1]
    stage = Resample(*pair, lag)
    at_once = whole(stage, sound, [])
    in_parts = whole(stage, sound, [round(cut * samples) for cut in cuts])
    assert np.array_equal(in_parts, at_once)
    assert at_once.dtype == np.float32
    assert at_once.shape == (lanes, ceil(samples * pair[1] / pair[0]))
    assert at_once.shape[1] == stage.total_out(samples)


@pytest.mark.parametrize("lag", range(0, 40, 3))
@pytest.mark.parametrize("pair", [(48_000, 16_000), (11_025, 16_000), *ODD_PAIRS])
def test_a_block_waits_for_all_that_it_is_made_of(pair: tuple[int, int], lag: int) -> None:
    stage = Resample(*pair, lag)
    sound = noise(pair[0], 1.3)
    too_few, enough = 0, sound.shape[1]
    while enough - too_few > 1:
        middle = (too_few + enough) // 2
        if stage.process(sound[:, :middle], stage.reset(1))[0].shape[1]:
            enough = middle
        else:
            too_few = middle
    assert np.array_equal(whole(stage, sound, [enough]), whole(stage, sound, []))


@pytest.mark.parametrize("pair", [(16_000, 44_100), (48_000, 16_000), (44_099, 48_000)])
def test_a_lane_is_the_same_alone_and_among_others(pair: tuple[int, int]) -> None:
    sound = noise(pair[0], 40.5 if pair[0] == 16_000 else 2.5, 3)  # more blocks than one call takes
    together = whole(Resample(*pair), sound, [])
    for lane in range(3):
        assert np.array_equal(whole(Resample(*pair), sound[lane : lane + 1], [])[0], together[lane])


@given(samples=st.integers(0, 10**9), pair=st.sampled_from(PAIRS + ODD_PAIRS))
def test_there_and_back_gives_at_least_as_many_samples(samples: int, pair: tuple[int, int]) -> None:
    there = Resample(*pair).total_out(samples)
    assert Resample(pair[1], pair[0]).total_out(there) >= samples


@pytest.mark.parametrize("lag", [0, 1, 512, 16_100])
@pytest.mark.parametrize(("rate_in", "rate_out"), PAIRS + ODD_PAIRS)
def test_after_whole_seconds_the_state_is_small(rate_in: int, rate_out: int, lag: int) -> None:
    stage = Resample(rate_in, rate_out, lag)
    seconds = 4
    sound = noise(rate_in, seconds)[:, : seconds * rate_in - lag]
    given, state = stage.process(sound, stage.reset(1))
    assert given.shape[1] == seconds * rate_out - stage.held_out
    low = min(rate_in, rate_out)
    assert state["pending"].shape[1] < 1500 * rate_in / low


def test_inputs_and_states_stay_as_they_were() -> None:
    stage = Resample(44_099, 16_000)
    sound = noise(44_099, 2.2)
    _, state = stage.process(sound[:, :60_000], stage.reset(1))
    copies = {name: array.copy() for name, array in state.items()}
    before = sound.copy()
    first, _ = stage.process(sound[:, 60_000:], state)
    stage.flush(state)
    second, _ = stage.process(sound[:, 60_000:], state)
    assert np.array_equal(first, second)
    assert np.array_equal(sound, before)
    assert all(np.array_equal(state[name], copies[name]) for name in copies)
    assert all(len(array) == 1 for array in state.values())


def test_equal_rates_give_the_same_samples_at_once() -> None:
    stage = Resample(16_000, 16_000, 300)
    sound = noise(16_000, 0.1, 2)
    given, state = stage.process(sound, stage.reset(2))
    assert np.array_equal(given, sound)
    assert stage.flush(state).shape == (2, 0)
    assert (stage.held_out, stage.latency, stage.total_out(77)) == (300, 0, 77)


@pytest.mark.parametrize("rates", [(0, 16_000), (16_000, -1)])
def test_a_rate_below_one_is_refused(rates: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least 1 Hz"):
        Resample(*rates)


def test_very_low_and_very_high_rates_give_the_right_length() -> None:
    for rate_in, rate_out in [(1_536_000, 16_000), (16_000, 1_536_000), (10, 8_000)]:
        stage = Resample(rate_in, rate_out)
        samples = rate_in + 7
        given = whole(stage, noise(rate_in, 1.0)[:, :1].repeat(samples, axis=1), [3])
        assert given.shape[1] == stage.total_out(samples)
