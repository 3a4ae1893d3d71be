"""The changes that DTLN's weights go through change nothing of what is computed."""

from __future__ import annotations

import numpy as np
import pytest

from raypipe.errors import ModelError
from raypipe.inference.dtln_weights import BINS, FRAME, TENSORS, TRAINED, prepare, read_trained
from tests.models.test_dtln import FEATURES, noise_weights

TRAINED_WEIGHTS = noise_weights()
WEIGHTS = prepare(TRAINED_WEIGHTS)


def interleaved(spectrum: np.ndarray) -> np.ndarray:
    return np.stack([spectrum.real, spectrum.imag], axis=-1).reshape(len(spectrum), -1)


def order() -> np.ndarray:
    """Where each prepared feature stood."""
    there = {row.tobytes(): i for i, row in enumerate(TRAINED_WEIGHTS["decoder.kernel"].T.copy())}
    return np.array([there[row.tobytes()] for row in WEIGHTS["decoder.kernel"].T.copy()])


def test_encoder_takes_the_spectrum_of_what_it_took() -> None:
    rng = np.random.default_rng(1)
    spectrum = rng.normal(size=(4, BINS)) + 1j * rng.normal(size=(4, BINS))
    wanted = np.fft.irfft(spectrum, FRAME) @ TRAINED_WEIGHTS["encoder.kernel"].T
    found = interleaved(spectrum) @ WEIGHTS["encoder.spectrum"].T
    assert np.allclose(found, wanted[:, order()], atol=1e-6)


def test_norm_s_gain_and_offset_are_in_the_next_layer() -> None:
    normed = np.random.default_rng(2).normal(size=(4, FEATURES))
    whole = normed * TRAINED_WEIGHTS["norm.gain"] + TRAINED_WEIGHTS["norm.offset"]
    wanted = whole @ TRAINED_WEIGHTS["lstm_3.kernel"].T + TRAINED_WEIGHTS["lstm_3.bias"]
    found = normed[:, order()] @ WEIGHTS["lstm_3.kernel"].T + WEIGHTS["lstm_3.bias"]
    assert np.allclose(found, wanted, atol=1e-5)


def test_features_stand_in_one_order_everywhere_quiet_ones_first() -> None:
    assert sorted(order()) == list(range(FEATURES))
    mask = TRAINED_WEIGHTS["dense_2.kernel"][order()]
    assert np.array_equal(WEIGHTS["dense_2.kernel"], mask)
    assert np.array_equal(WEIGHTS["dense_2.bias"], TRAINED_WEIGHTS["dense_2.bias"][order()])
    half = FEATURES // 2
    hum = np.zeros((1, BINS), complex)
    hum[0, 2] = 1
    levels = np.abs(interleaved(hum) @ WEIGHTS["encoder.spectrum"].T)[0]
    assert levels[:half].mean() < levels[half:].mean()


def test_all_else_stays_to_the_bit() -> None:
    changed = {"encoder.kernel", "decoder.kernel", "norm.gain", "norm.offset", "lstm_3.kernel"}
    changed |= {"lstm_3.bias", "dense_2.kernel", "dense_2.bias"}
    for name in set(TRAINED) - changed:
        assert WEIGHTS[name].tobytes() == TRAINED_WEIGHTS[name].tobytes()


def test_each_trained_weight_has_its_place_in_the_published_files() -> None:
    assert set(TENSORS) == set(TRAINED)
    assert len(set(TENSORS.values())) == len(TRAINED)


def test_other_files_are_named() -> None:
    with pytest.raises(ModelError, match=r"^model_1\.tflite: is not a TFLite model"):
        read_trained({"model_1.tflite": b"x" * 100, "model_2.tflite": b""})
