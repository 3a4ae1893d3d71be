"""The heart: whatever is cut, mixed or resampled, each file's sound is one and the same."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from raypipe.errors import ModelError
from raypipe.inference.card import ModelCard, Tensors
from raypipe.inference.zoo import find_model, load_lane_model
from raypipe.pipelines.enhance import Enhance, Job
from raypipe.telemetry import Stopwatch
from raypipe.types import SoundInfo, State
from tests.signals import bursts, noise, tone

RATES_HZ = (8000, 16_000, 44_100, 48_000, 11_025, 22_050, 7_919)
MODELS = (
    ("passthrough", None),
    ("passthrough", 16_000),
    ("delay", None),
    ("delay", 16_000),
    ("recurrent", None),
)
"""Name, and the rate that a model without one of its own is told to have."""


@cache
def enhance(name: str, rate_hz: int | None = None) -> Enhance:
    return Enhance(load_lane_model(find_model(name, rate_hz), 4))


def info(rate_hz: int = 16_000, channels: int = 1, wide: bool = False) -> SoundInfo:
    return SoundInfo(rate_hz, channels, None, "WAV", "DOUBLE" if wide else "FLOAT", wide=wide)


def whole(model: Enhance, about: SoundInfo, sound: NDArray[Any]) -> NDArray[Any]:
    (made,) = model.step([Job(about, sound, 0, True, None)])
    assert made.state is None
    return made.sound


def chunked(
    model: Enhance, about: SoundInfo, sound: NDArray[Any], cuts: Sequence[int]
) -> NDArray[Any]:
    edges = [0, *cuts, sound.shape[1]]
    state: State | None = None
    out = []
    for number, (start, stop) in enumerate(pairwise(edges)):
        ended = number == len(cuts)
        (made,) = model.step([Job(about, sound[:, start:stop], start, ended, state)])
        state = made.state
        assert (state is None) == ended
        out.append(made.sound)
        assert sum(part.shape[1] for part in out) <= stop, "nothing comes before it was heard"
    return np.concatenate(out, axis=1)


def same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other)


def state_bytes(state: State | None) -> int:
    return sum(array.nbytes for array in (state or {}).values())


@st.composite
def files(draw: st.DrawFn) -> tuple[int, int, int, int, list[int]]:
    """Rate, channels, frames, seed of the sound, cuts."""
    rate_hz = draw(st.sampled_from(RATES_HZ))
    channels = draw(st.integers(1, 3))
    frames = draw(st.integers(0, 1300) | st.integers(rate_hz, 4 * rate_hz))
    cuts = draw(st.lists(st.integers(0, frames), max_size=6).map(sorted))
    return rate_hz, channels, frames, draw(st.integers(0, 99)), cuts


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(model=st.sampled_from(MODELS), file=files())
def test_chunked_equals_whole_to_the_bit(
    model: tuple[str, int | None], file: tuple[int, int, int, int, list[int]]
) -> None:
    rate_hz, channels, frames, seed, cuts = file
    sound = noise(frames, channels, seed=seed)
    at_once = whole(enhance(*model), info(rate_hz, channels), sound)
    assert at_once.shape == sound.shape
    assert at_once.dtype == np.float32
    assert same(chunked(enhance(*model), info(rate_hz, channels), sound, cuts), at_once)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("segment_s", [1.0, 0.37])
def test_many_equal_segments_equal_the_whole(rate_hz: int, segment_s: float) -> None:
    sound = bursts(6 * rate_hz + 4321, 2)
    cuts = list(range(0, sound.shape[1], round(segment_s * rate_hz)))[1:]
    model = enhance("recurrent")
    about = info(rate_hz, 2)
    assert same(chunked(model, about, sound, cuts), whole(model, about, sound))


def test_stretches_of_single_samples_equal_the_whole() -> None:
    sound = noise(700, 2)
    for model in (("delay", None), ("recurrent", None)):
        made = chunked(enhance(*model), info(8000, 2), sound, range(1, 700))
        assert same(made, whole(enhance(*model), info(8000, 2), sound))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(model=st.sampled_from(MODELS), some=st.lists(files(), min_size=1, max_size=7))
def test_jobs_together_equal_jobs_alone_to_the_bit(
    model: tuple[str, int | None], some: list[tuple[int, int, int, int, list[int]]]
) -> None:
    """First stretches, then last ones, of files of all kinds; more channels than lanes."""
    one = enhance(*model)
    sounds = [noise(frames, channels, seed=seed) for _, channels, frames, seed, _ in some]
    infos = [info(rate_hz, channels) for rate_hz, channels, *_ in some]
    middles = [cuts[0] if cuts else 0 for *_, cuts in some]
    jobs = [
        Job(about, sound[:, :middle], 0, False, None)
        for about, sound, middle in zip(infos, sounds, middles, strict=True)
    ]
    begun = one.step(jobs)
    rest = [
        Job(about, sound[:, middle:], middle, True, made.state)
        for about, sound, middle, made in zip(infos, sounds, middles, begun, strict=True)
    ]
    for about, sound, first, last in zip(infos, sounds, begun, one.step(rest), strict=True):
        together = np.concatenate([first.sound, last.sound], axis=1)
        assert same(together, whole(one, about, sound))


def test_channels_know_nothing_of_one_another() -> None:
    sound = bursts(30_000, 3)
    made = whole(enhance("recurrent"), info(44_100, 3), sound)
    for channel in range(3):
        alone = whole(enhance("recurrent"), info(44_100), sound[channel : channel + 1])
        assert same(made[channel : channel + 1], alone)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_files_without_samples_stay_so(model: tuple[str, int | None], rate_hz: int) -> None:
    nothing = np.zeros((2, 0), np.float32)
    assert whole(enhance(*model), info(rate_hz, 2), nothing).shape == (2, 0)
    assert chunked(enhance(*model), info(rate_hz, 2), nothing, [0, 0]).shape == (2, 0)


@pytest.mark.parametrize("rate_hz", [1, 5, 100, 1000, 96_000, 192_000, 655_350])
def test_rates_far_away_keep_length_and_bits(rate_hz: int) -> None:
    frames = min(2 * rate_hz + 77, 300_000)
    sound = bursts(frames)
    made = whole(enhance("recurrent"), info(rate_hz), sound)
    assert made.shape == sound.shape
    cuts = [frames // 3, frames // 2]
    assert same(chunked(enhance("recurrent"), info(rate_hz), sound, cuts), made)


@pytest.mark.parametrize("name", ["passthrough", "delay"])
@pytest.mark.parametrize("frames", [0, 1, 255, 256, 257, 511, 512, 513, 617, 618, 30_011])
def test_what_a_model_leaves_comes_back_bit_for_bit(name: str, frames: int) -> None:
    sound = noise(frames, 2)
    if frames > 200:
        sound[0, 100:103] = [1e-42, -0.0, 3e38]
    made = chunked(enhance(name), info(44_100, 2), sound, [frames // 7, frames // 2])
    assert made.tobytes() == sound.tobytes()


@pytest.mark.parametrize("name", ["passthrough", "delay"])
@pytest.mark.parametrize("cuts", [[], [1], [300, 301, 5000], [617, 1234]])
def test_wide_samples_come_back_in_full(name: str, cuts: list[int]) -> None:
    sound = np.random.default_rng(3).standard_normal((2, 9001))
    sound[0, :5] = [1e-310, np.pi * 1e30, -0.0, 1 / 3, np.finfo(np.float32).max]
    made = chunked(enhance(name), info(48_000, 2, wide=True), sound, cuts)
    assert made.dtype == np.float64
    assert made.tobytes() == sound.tobytes()


def test_wide_samples_that_a_model_changes_are_the_models() -> None:
    sound = np.random.default_rng(4).standard_normal((1, 5000)) / 10
    made = chunked(enhance("recurrent"), info(wide=True), sound, [1000, 1003])
    narrow = whole(enhance("recurrent"), info(), sound.astype(np.float32))
    assert made.dtype == np.float64
    kept = sound.astype(np.float32) == narrow
    assert np.array_equal(made[~kept], narrow[~kept].astype(np.float64))
    assert np.array_equal(made[kept], sound[kept])


def test_wide_samples_at_another_rate_are_resampled_as_float32() -> None:
    sound = tone(9000, rate_hz=48_000).astype(np.float64) * (1 + 1e-12)
    made = chunked(enhance("passthrough", 16_000), info(48_000, wide=True), sound, [100, 4000])
    narrow = whole(enhance("passthrough", 16_000), info(48_000), sound.astype(np.float32))
    assert same(made, narrow)


@pytest.mark.parametrize("rate_hz", [8000, 11_025, 44_100, 48_000, 7_919])
@pytest.mark.parametrize("name", ["passthrough", "delay"])
def test_the_way_there_and_back_gives_the_input_back(rate_hz: int, name: str) -> None:
    """-100 dB: what two passes of float32 resampling leave of a sound within both bands."""
    frames = 2 * rate_hz + 123
    sound = sum(tone(frames, 2, rate_hz, freq_hz) for freq_hz in (97.0, 440.0, 1313.0)) / 2
    assert isinstance(sound, np.ndarray)
    made = whole(enhance(name, 16_000), info(rate_hz, 2), sound.astype(np.float32))
    inner = slice(rate_hz // 10, -rate_hz // 10)  # the fades at the ends are beyond 8 kHz
    assert np.abs(made - sound)[:, inner].max() < 1e-5 * np.abs(sound).max()


@pytest.mark.parametrize("rate_hz", [8000, 11_025, 44_100, 48_000, 7_919])
def test_what_comes_out_lies_where_it_went_in(rate_hz: int) -> None:
    sound = bursts(2 * rate_hz + 321)
    made = whole(enhance("delay", 16_000), info(rate_hz), sound)
    size = 1 << (2 * sound.shape[1]).bit_length()
    product = np.fft.rfft(made[0], size) * np.conj(np.fft.rfft(sound[0], size))
    assert int(np.argmax(np.fft.irfft(product, size))) == 0


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("rate_hz", [16_000, 44_100])
@pytest.mark.parametrize("wide", [False, True])
def test_nothing_that_comes_in_is_modified(
    model: tuple[str, int | None], rate_hz: int, wide: bool
) -> None:
    sound = bursts(3 * rate_hz, 2).astype(np.float64 if wide else np.float32)
    kept = sound.copy()
    sound.setflags(write=False)
    one, about = enhance(*model), info(rate_hz, 2, wide)
    (first,) = one.step([Job(about, sound[:, :rate_hz], 0, False, None)])
    assert first.state is not None
    before = copy.deepcopy(first.state)
    for array in first.state.values():
        array.setflags(write=False)
    job = Job(about, sound[:, rate_hz:], rate_hz, True, first.state)
    made = [one.step([job])[0].sound for _ in range(2)]
    assert same(made[0], made[1]), "the same state may be stepped again"
    assert np.array_equal(sound, kept)
    assert before.keys() == first.state.keys()
    assert all(same(before[name], first.state[name]) for name in before)


def test_a_state_holds_no_memory_beside_its_own() -> None:
    """Else a few kilobytes would keep a whole batch alive, and be sent with it."""
    for model in MODELS:
        sound = bursts(5 * 44_100, 2).astype(np.float64)
        (made,) = enhance(*model).step([Job(info(44_100, 2, True), sound, 0, False, None)])
        for name, array in (made.state or {}).items():
            owner = array if array.base is None else array.base
            assert getattr(owner, "nbytes", 0) <= 4 * max(array.nbytes, 64), name


@pytest.mark.parametrize("rate_hz", [8000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("model", [("recurrent", None), ("delay", 16_000)])
@pytest.mark.parametrize("wide", [False, True])
def test_states_stay_small_however_long_a_file_is(
    rate_hz: int, model: tuple[str, int | None], wide: bool
) -> None:
    one, about = enhance(*model), info(rate_hz, 2, wide)
    sound = np.zeros((2, rate_hz), np.float64 if wide else np.float32)
    state: State | None = None
    sizes = []
    for second in range(40):
        (made,) = one.step([Job(about, sound, second * rate_hz, False, state)])
        state = made.state
        assert state is not None
        assert all(len(array) == 2 for array in state.values()), "the lane is on axis 0"
        sizes.append(state_bytes(state) / 2)
    assert max(sizes) < 64 << 10
    hop_bytes = one.hop * 8 * -(-rate_hz // 16_000)
    assert max(sizes[20:]) <= max(sizes[1:20]) + hop_bytes


def test_the_time_is_told_by_part() -> None:
    clock = Stopwatch()
    enhance("recurrent").step([Job(info(), noise(16_000), 0, True, None)], clock)
    assert set(clock.busy_s) == {"resample", "step"}
    assert all(spent_s > 0 for spent_s in clock.busy_s.values())


def test_no_jobs_make_nothing() -> None:
    assert enhance("recurrent").step([]) == []


class Shortening:
    """A model that loses a sample."""

    card = ModelCard(name="short", frame=64, memory="stateless", tensors=Tensors("a", "b"))
    lanes = 1

    def new_state(self, lanes: int) -> State:
        return {}

    def process(
        self, blocks: Sequence[NDArray[np.float32]], states: Sequence[State]
    ) -> tuple[list[NDArray[np.float32]], list[State]]:
        return [block[:, 1:] for block in blocks], list(states)


def test_a_model_that_gives_another_length_is_a_broken_model() -> None:
    with pytest.raises(ModelError, match=r"model short: gave \(1, 63\) samples for \(1, 64\)"):
        whole(Enhance(Shortening()), info(), noise(50))
