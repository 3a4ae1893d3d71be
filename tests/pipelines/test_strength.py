"""The input's share in the output: aligned to the sample, the same however a file is cut."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raypipe.inference.zoo import find_model, load_lane_model
from raypipe.pipelines.enhance import Enhance
from tests.pipelines.test_enhance import chunked, files, info, same, whole
from tests.signals import bursts, noise, tone

MODELS = (("passthrough", None), ("delay", None), ("recurrent", None), ("recurrent", 16_000))
RATES_HZ = (8000, 16_000, 44_100, 96_000)


@cache
def enhance(name: str, rate_hz: int | None, share: float) -> Enhance:
    return Enhance(load_lane_model(find_model(name, rate_hz), 4), share)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    model=st.sampled_from(MODELS),
    share=st.sampled_from([0.0, 0.3, 0.9]),
    file=files(),
    wide=st.booleans(),
)
def test_chunked_equals_whole_to_the_bit(
    model: tuple[str, int | None],
    share: float,
    file: tuple[int, int, int, int, list[int]],
    wide: bool,
) -> None:
    rate_hz, channels, frames, seed, cuts = file
    sound = noise(frames, channels, seed=seed).astype(np.float64 if wide else np.float32)
    one, about = enhance(*model, share), info(rate_hz, channels, wide)
    at_once = whole(one, about, sound)
    assert at_once.shape == sound.shape
    assert at_once.dtype == sound.dtype
    assert same(chunked(one, about, sound, cuts), at_once)


@pytest.mark.parametrize("rate_hz", RATES_HZ)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("wide", [False, True])
def test_no_share_is_the_input_bit_for_bit(
    rate_hz: int, model: tuple[str, int | None], wide: bool
) -> None:
    """Also where the model has another rate: nothing of the way there and back is heard."""
    sound = noise(2 * rate_hz + 77, 2).astype(np.float64 if wide else np.float32)
    if wide:
        sound *= 1 + 1e-12
    made = chunked(enhance(*model, 0.0), info(rate_hz, 2, wide), sound, [5, rate_hz // 3])
    assert made.tobytes() == sound.tobytes()


@pytest.mark.parametrize("name", ["passthrough", "delay"])
@pytest.mark.parametrize("frames", [0, 1, 255, 256, 617, 30_011])
@pytest.mark.parametrize("wide", [False, True])
def test_what_a_model_leaves_stays_at_any_share(name: str, frames: int, wide: bool) -> None:
    """The delay's output belongs to the input of 617 samples before: a slip would be heard."""
    sound = noise(frames, 2).astype(np.float64 if wide else np.float32)
    made = chunked(enhance(name, None, 0.3), info(44_100, 2, wide), sound, [frames // 3])
    assert made.tobytes() == sound.tobytes()


@pytest.mark.parametrize("rate_hz", RATES_HZ)
def test_output_is_the_sum_of_both_at_the_files_own_rate(rate_hz: int) -> None:
    sound = bursts(2 * rate_hz + 321, 2)
    cleaned = whole(enhance("recurrent", 16_000, 1.0), info(rate_hz, 2), sound)
    made = whole(enhance("recurrent", 16_000, 0.25), info(rate_hz, 2), sound)
    assert np.max(np.abs(made - (0.75 * sound + 0.25 * cleaned))) < 1e-6


def test_what_lies_above_a_models_band_stays_in_the_inputs_share() -> None:
    """12 dB at most, says the user; the model, at 16 kHz, would take all of a tone at 20 kHz."""
    sound = tone(96_000, 1, 48_000, 20_000)
    one = Enhance(load_lane_model(find_model("passthrough", 16_000), 4), 1 - 10 ** (-12 / 20))
    made = whole(one, info(48_000), sound)
    inner = slice(9600, -9600)
    lost_db = 20 * np.log10(np.std(sound[:, inner]) / np.std(made[:, inner]))
    assert lost_db == pytest.approx(12, abs=0.01)


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_nothing_that_comes_in_is_modified(share: float) -> None:
    sound = bursts(9000, 2)
    kept = sound.copy()
    sound.setflags(write=False)
    made = chunked(enhance("delay", None, share), info(16_000, 2), sound, [1, 4000])
    assert made.shape == sound.shape
    assert np.array_equal(sound, kept)
    assert not np.shares_memory(made, sound)
