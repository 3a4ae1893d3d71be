from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raypipe.audio.encode import encode
from raypipe.errors import UnsupportedAudio
from tests import signals
from tests.audio import files

DEPTHS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32, "ALAC_16": 16}


def test_every_integer_of_every_depth_survives_float_and_back() -> None:
    rng = np.random.default_rng(signals.SEED)
    for subtype, bits in DEPTHS.items():
        top = 2 ** (bits - 1)
        edges = np.array([-top, -top + 1, -1, 0, 1, top - 1])
        values = np.concatenate([edges, rng.integers(-top, top, 5000)])
        dtype = np.float64 if bits == 32 else np.float32
        samples = (values / top).astype(dtype)[np.newaxis]
        encoded = encode(samples, files.target("WAV", subtype))
        shift = 0 if bits == 16 else 32 - bits
        assert np.array_equal(encoded.data[0].astype(np.int64) >> shift, values), subtype
        assert encoded.data.dtype == (np.int16 if bits == 16 else np.int32)
        assert encoded.clipped == 0


@pytest.mark.parametrize("subtype", sorted(DEPTHS))
def test_samples_beyond_full_scale_are_held_there_and_counted(subtype: str) -> None:
    top = 2 ** (DEPTHS[subtype] - 1)
    samples = np.array([[1.0, 1.5, -1.0, -1.5, 16411.0, 0.0]], np.float32)
    encoded = encode(samples, files.target("WAV", subtype))
    shift = 0 if encoded.data.dtype == np.int16 else 32 - DEPTHS[subtype]
    held = encoded.data[0].astype(np.int64) >> shift
    assert held.tolist() == [top - 1, top - 1, -top, -top, top - 1, 0]
    assert encoded.clipped == 4


def test_halves_round_to_even() -> None:
    samples = np.array([[0.5, 1.5, -0.5, -1.5, 32766.5, 32767.5]], np.float32) / np.float32(32768)
    encoded = encode(samples, files.target("WAV", "PCM_16"))
    assert encoded.data[0].tolist() == [0, 2, 0, -2, 32766, 32767]
    assert encoded.clipped == 1


def test_float_targets_take_samples_as_they_are() -> None:
    samples = np.array([[16411.0, -2.0, 0.1]], np.float32)
    for container, subtype, dtype in (
        ("WAV", "FLOAT", np.float32),
        ("WAV", "DOUBLE", np.float64),
        ("OGG", "VORBIS", np.float32),
    ):
        encoded = encode(samples, files.target(container, subtype))
        assert encoded.data.dtype == dtype
        assert np.array_equal(encoded.data, samples)
        assert encoded.clipped == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("subtype", ["PCM_16", "FLOAT"])
def test_nan_and_infinity_are_refused(bad: float, subtype: str) -> None:
    samples = signals.tone(100)
    samples[0, 50] = bad
    with pytest.raises(UnsupportedAudio, match="holds NaN or infinite"):
        encode(samples, files.target("WAV", subtype))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from(sorted(DEPTHS)), st.integers(0, 300))
def test_input_is_not_changed_and_cutting_makes_no_difference(
    seed: int, subtype: str, cut: int
) -> None:
    samples = signals.noise(300, 2, level=1.2, seed=seed)
    before = samples.copy()
    wanted = files.target("WAV", subtype, 2)
    whole = encode(samples, wanted)
    left, right = encode(samples[:, :cut], wanted), encode(samples[:, cut:], wanted)
    assert np.array_equal(samples, before)
    assert np.array_equal(whole.data, np.concatenate([left.data, right.data], axis=1))
    assert whole.clipped == left.clipped + right.clipped
