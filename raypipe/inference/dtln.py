"""DTLN as raypipe runs it: its graphs filled with weights, its card, and what is int8 in it.

Comes in: the graphs without weights, and the weights (see `dtln_weights`). Goes out: both
variants as ``.tflite`` files with their cards inside. Two stages::

    mask    |spectrum| -> mask over it
    frames  masked spectrum, real and imaginary parts by turns -> frame, to be overlapped

Reference: N. L. Westhausen and B. T. Meyer, "Dual-signal transformation LSTM network for
real-time noise suppression", Interspeech 2020; https://github.com/breizhn/DTLN.
"""

from __future__ import annotations

import numpy as np

from raypipe.errors import ModelError
from raypipe.inference.card import ModelCard, Tensors
from raypipe.inference.dtln_weights import BINS, FRAME, Weights
from raypipe.inference.metadata import embed_card
from raypipe.inference.packing import pack, tensors, unpack
from raypipe.inference.quantize import Int8, quantize_weights

HOP = 128
UNITS = 128

MASK_STATE = ("h1", "c1", "h2", "c2")
FRAMES_STATE = ("h3", "c3", "h4", "c4")


def _rising(corner: float, at_0_hz: float = 1.0) -> tuple[float, ...]:
    """Gains by bin against the fall of speech and noise as 1/f, half of it in octaves.

    As powers of two they change no float32 result. Half of it, because the weights are divided
    by them, and have 8 bits too.
    """
    gains = np.sqrt(1 + np.arange(BINS) / corner)
    gains[0] *= at_0_hz
    return tuple(2.0 ** np.rint(np.log2(gains)))


INT8: dict[str, Int8] = {
    **{f"lstm_{n}.{part}": Int8() for n in (1, 2, 3, 4) for part in ("kernel", "recurrent")},
    "dense_1.kernel": Int8(),
    "dense_2.kernel": Int8(),
    # Some recordings have a large constant part, which would leave the speech few steps.
    "lstm_1.kernel": Int8(gains=_rising(8, at_0_hz=1 / 4)),
    "encoder.spectrum": Int8(gains=tuple(np.repeat(_rising(3), 2)), bands=2),
    "decoder.kernel": Int8(bands=2),
}
"""Which weights bear int8, and how; what each costs stands in ``benchmarks/NOTES.md``."""

_MEASURED = "means of 40 pairs of 8 s, LibriSpeech with real noise at 0 to 15 dB"
_NOISY: dict[str, str | float] = {
    "measured_on": _MEASURED,
    "noisy_pesq_wb": 1.46,
    "noisy_si_sdr_db": 6.99,
    "noisy_stoi": 0.866,
}
QUALITY: dict[str, dict[str, str | float]] = {
    "dtln": {**_NOISY, "pesq_wb": 2.14, "si_sdr_db": 13.81, "stoi": 0.907},
    "dtln-int8": {**_NOISY, "pesq_wb": 2.12, "si_sdr_db": 13.69, "stoi": 0.906},
}

DESCRIPTIONS = {
    "dtln": "Takes noise out of speech (DTLN), float32 weights.",
    "dtln-int8": "Takes noise out of speech (DTLN), int8 weights: several times as fast.",
}


def build(skeleton: bytes, weights: Weights) -> dict[str, bytes]:
    """Both variants of DTLN, by name.

    Parameters
    ----------
    skeleton : bytes
        The graph without its weights.
    weights : mapping
        As `dtln_weights.prepare` gives them.
    """
    whole = fill(skeleton, weights, "the graph of dtln")
    small = quantize_weights(whole, INT8, "dtln")
    contents = {"dtln": whole, "dtln-int8": small}
    return {name: embed_card(content, card(name)) for name, content in contents.items()}


def fill(skeleton: bytes, weights: Weights, where: str) -> bytes:
    """Put weights into the tensors of their names.

    Parameters
    ----------
    skeleton : bytes
        A ``.tflite``.
    weights : mapping of str to array, float32
        Each for all tensors of its name, in all subgraphs.
    where : str
        The skeleton, for error messages.

    Raises
    ------
    ModelError
        If a tensor has another shape, there is none, or one with a name has no weights.
    """
    model = unpack(skeleton, where)
    left = set(weights)
    for tensor in tensors(model):
        values = weights.get(tensor.name)
        if values is None:
            continue
        if tuple(tensor.shape) != values.shape:
            raise ModelError(
                f"{where}: '{tensor.name}': found shape {tuple(map(int, tensor.shape))}, "
                f"wanted that of the weights, {values.shape}"
            )
        data = np.ascontiguousarray(values, np.float32)
        model.buffers[tensor.buffer].data = data.reshape(-1).view(np.uint8)
        left.discard(tensor.name)
    if left:
        raise ModelError(f"{where}: has no tensor for the weights '{min(left)}'")
    return pack(model)


def card(name: str) -> ModelCard:
    """The card of ``dtln`` or ``dtln-int8``."""
    return ModelCard(
        name=name,
        rate_hz=16_000,
        frame=FRAME,
        hop=HOP,
        latency=FRAME - HOP,
        memory="recurrent",
        front_end="dtln",
        tensors=_tensors("mask", "magnitude", "mask", MASK_STATE),
        second=_tensors("frames", "spectrum", "sound", FRAMES_STATE),
        licence="MIT",
        source="https://github.com/breizhn/DTLN",
        training_data="DNS challenge corpus (Interspeech 2020), 500 hours of noisy speech",
        quality=QUALITY[name],
        description=DESCRIPTIONS[name],
    )


def _tensors(signature: str, taken: str, given: str, state: tuple[str, ...]) -> Tensors:
    return Tensors(taken, given, {name: f"{name}_out" for name in state}, signature)
