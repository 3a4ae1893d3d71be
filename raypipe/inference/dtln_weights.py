"""DTLN's published weights, and what of them becomes which weights of raypipe's graphs.

Comes in: the authors' two ``.tflite`` files. Goes out: the weights as they were trained
(`read_trained`), and the same numbers laid out for the graphs (`prepare`).

Reference: N. L. Westhausen and B. T. Meyer, "Dual-signal transformation LSTM network for
real-time noise suppression", Interspeech 2020; https://github.com/breizhn/DTLN.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from raypipe.errors import ModelError
from raypipe.inference.packing import data_of, tensors, unpack

FRAME = 512
BINS = FRAME // 2 + 1

Weights = Mapping[str, NDArray[np.float32]]
"""By name: matrices ``(outputs, inputs)``, vectors ``(outputs,)``."""

TRAINED = tuple(
    [f"lstm_{n}.{part}" for n in (1, 2, 3, 4) for part in ("kernel", "recurrent", "bias")]
    + [f"dense_{n}.{part}" for n in (1, 2) for part in ("kernel", "bias")]
    + ["norm.gain", "norm.offset", "encoder.kernel", "decoder.kernel"]
)
"""Names of the weights as they were trained. LSTM's gates: enter, keep, fresh, leave."""

SPEECH = 1 / (1 + np.arange(BINS) / 3)
"""Long-term level of noisy speech by bin: above some 100 Hz it falls as 1/f."""

_BIAS = "BiasAdd/ReadVariableOp/resource"
_NORM = "functional_5/instant_layer_normalization_1/"


def _lstm(file: str, group: int, number: int, ours: str, bias: str) -> dict[str, tuple[str, str]]:
    cell = f"functional_{group}/lstm_{number}/lstm_cell_{number}/"
    # The converter has given the first LSTM of each file longer names than the second.
    first = bias.isdigit()
    kernel, recurrent = (
        f"{product};{cell}StatefulPartitionedCall/{product}" if first else cell + product
        for product in ("MatMul", "MatMul_1")
    )
    return {
        f"{ours}.kernel": (file, kernel),
        f"{ours}.recurrent": (file, recurrent),
        f"{ours}.bias": (file, cell + bias),
    }


def _dense(file: str, group: int, number: int, ours: str) -> dict[str, tuple[str, str]]:
    layer = f"functional_{group}/dense_{number}/"
    return {
        f"{ours}.kernel": (file, layer + "Tensordot/MatMul"),
        f"{ours}.bias": (file, layer + _BIAS),
    }


TENSORS = {
    **_lstm("model_1.tflite", 3, 4, "lstm_1", "3188"),
    **_lstm("model_1.tflite", 3, 5, "lstm_2", _BIAS),
    **_dense("model_1.tflite", 3, 2, "dense_1"),
    "encoder.kernel": (
        "model_2.tflite", "conv1d;functional_5/conv1d_2/StatefulPartitionedCall/conv1d1",
    ),
    "norm.gain": ("model_2.tflite", _NORM + "3741"),
    "norm.offset": ("model_2.tflite", _NORM + "3743"),
    **_lstm("model_2.tflite", 5, 6, "lstm_3", "3845"),
    **_lstm("model_2.tflite", 5, 7, "lstm_4", _BIAS),
    **_dense("model_2.tflite", 5, 3, "dense_2"),
    "decoder.kernel": ("model_2.tflite", "functional_5/conv1d_3/conv1d1"),
}  # fmt: skip
"""File and tensor of each of DTLN's weights, as its authors' converter named them."""


def read_trained(contents: Mapping[str, bytes]) -> dict[str, NDArray[np.float32]]:
    """DTLN's weights in its authors' ``.tflite`` pair.

    Parameters
    ----------
    contents : mapping of str to bytes
        ``model_1.tflite`` and ``model_2.tflite``.

    Returns
    -------
    dict
        Those of `TRAINED`.

    Raises
    ------
    ModelError
        If a file is damaged or lacks one of them.
    """
    found = {}
    for name, (file, there) in TENSORS.items():
        model = unpack(contents[file], file)
        tensor = next((tensor for tensor in tensors(model) if tensor.name == there), None)
        if tensor is None:
            raise ModelError(f"{file}: has no tensor '{there}'")
        values = np.frombuffer(data_of(model, tensor), np.float32)
        found[name] = values.reshape([int(n) for n in tensor.shape if n > 1])
    return found


def prepare(trained: Weights) -> dict[str, NDArray[np.float32]]:
    """The weights of the graphs.

    Three changes, none of which changes what the network computes (but for rounding):

    - The inverse FFT between the stages is linear, and so is the encoder behind it: both are
      one matrix of the same size, over real and imaginary parts by turns.
    - Gain and offset of the norm are part of the LSTM's weights behind it.
    - Features are sorted by the level that they have in speech, quiet ones first, so that
      those of one band can share an int8 scale.

    Parameters
    ----------
    trained : mapping
        Those of `TRAINED`; the encoder's kernel is ``(features, samples)``.

    Returns
    -------
    dict
        Without ``norm.gain`` and ``norm.offset``, with ``encoder.spectrum`` ``(features,
        2 * bins)`` for ``encoder.kernel``; float64 in between, rounded once.
    """
    exact = {name: trained[name].astype(np.float64) for name in TRAINED}
    response = np.fft.rfft(exact.pop("encoder.kernel"), axis=1)
    order = np.argsort(_level(response), kind="stable")
    gain, offset = exact.pop("norm.gain"), exact.pop("norm.offset")
    exact["encoder.spectrum"] = _of_spectrum(response)[order]
    exact["lstm_3.bias"] += exact["lstm_3.kernel"] @ offset
    exact["lstm_3.kernel"] = (exact["lstm_3.kernel"] * gain)[:, order]
    exact["dense_2.kernel"] = exact["dense_2.kernel"][order]
    exact["dense_2.bias"] = exact["dense_2.bias"][order]
    exact["decoder.kernel"] = exact["decoder.kernel"][:, order]
    return {name: exact[name].astype(np.float32) for name in sorted(exact)}


def _of_spectrum(response: NDArray[np.complex128]) -> NDArray[np.float64]:
    """The encoder for a spectrum, from its response to each bin; ``(features, 2 * bins)``.

    A bin stands for its conjugate too, but for the first and the last one, which have none and
    whose imaginary part the inverse FFT leaves out.
    """
    parts = np.stack([response.real, response.imag], axis=-1) * (2 / FRAME)
    parts[:, [0, -1]] /= 2
    parts[:, [0, -1], 1] = 0
    return parts.reshape(len(response), -1)


def _level(response: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Each feature's level in speech, on an arbitrary scale."""
    level: NDArray[np.float64] = np.sqrt(np.sum(np.abs(response * SPEECH) ** 2, axis=1))
    return level
