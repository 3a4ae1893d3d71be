"""The network: magnitudes of frames in, gains of their bins out, everything remembered in state.

Comes in: weights by name, magnitudes of the spectra of frames under a root-Hann window. Goes
out: gains in 0..1, each frame's one step late (`LOOKAHEAD`), and the next state::

    721 bins -> BANDS bands -> log, less the running level -> with the frame before: dense, relu
      -> GRU -> + -> GRU -> + -> dense -> + -> sigmoid -> BANDS gains, at least LEAST -> 721 gains
       `--------^`--------^               |
      a band's own logs, less its own running level: a weight each

`step` takes one frame and is what a graph for inference is made of; `sequence` takes many and
is what is trained. Both do the same arithmetic, in another order of products over time.

References
----------
J.-M. Valin, A hybrid DSP/deep learning approach to real-time full-band speech enhancement,
MMSP 2018 (gains for bands). S. Braun, I. Tashev, Data augmentation and loss normalization for
deep noise suppression, SPECOM 2020 (two GRUs between dense layers).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.denoiser.gru import gru, gru_step

RATE_HZ = 48_000
FRAME, HOP = 1440, 480
BINS = FRAME // 2 + 1
LOOKAHEAD = 1
"""Frames by which the gains are late: a step's gains are for the frame of the step before."""

SINGLE = 120
"""Bins that are a band each: up to 4 kHz, where the harmonics of a voice stand apart."""
MIDDLE, HIGH = 30, 16
"""Bands from 4 to 8 kHz, and from there to 24 kHz."""
BANDS = SINGLE + MIDDLE + HIGH
SPEECH_BANDS = SINGLE + MIDDLE
"""Those below 8 kHz."""
UNITS = 256

QUIET = 1e-4
"""Added to magnitudes before the logarithm: about what noise of -106 dBFS gives."""
HEARD = 1e-3
"""Mean magnitude, that of noise of -86 dBFS, at which a frame counts half for the level."""
NONE_HEARD = 1e-3
"""Added to the weights heard so far: with nothing heard the level is 0, that of a loud sound."""
KEEP = 0.995
"""Share of the running level that a step keeps: a time constant of 2 s."""
SCALE = 1 / 3
"""Brings features, natural logarithms, near to variance 1."""
OWN = 12.0
"""Of a band's own way to its gain, so that its weights are soon learned."""
LOWEST = -4.0
"""Of the features: far under the level nothing is to be told apart."""
LEAST = 0.04
"""Gain of what is all noise: -28 dB. Pauses that are emptied further make what lies under the words
swell with the voice. `band_sequence`, which is what is trained, goes without."""

STATE: dict[str, tuple[int, ...]] = {
    "past": (BANDS,),
    "level": (BANDS + 1,),
    "h1": (UNITS,),
    "h2": (UNITS,),
}
"""Shape of each state array without the lane; all start as zeros. ``past`` is the frame before
as features, ``level`` the sums of weighted logarithms of each band, and of weights."""

SHAPES: dict[str, tuple[int, ...]] = {
    "enter.kernel": (2 * BANDS, UNITS),
    "enter.bias": (UNITS,),
    "gru_1.kernel": (UNITS, 3 * UNITS),
    "gru_1.recurrent": (UNITS, 3 * UNITS),
    "gru_1.bias": (3 * UNITS,),
    "gru_1.recurrent_bias": (3 * UNITS,),
    "gru_2.kernel": (UNITS, 3 * UNITS),
    "gru_2.recurrent": (UNITS, 3 * UNITS),
    "gru_2.bias": (3 * UNITS,),
    "gru_2.recurrent_bias": (3 * UNITS,),
    "leave.kernel": (UNITS, BANDS),
    "leave.bias": (BANDS,),
    "own.past": (BANDS,),
    "own.now": (BANDS,),
}
"""Of the weights; products are ``x @ kernel``. GRU gates stand as keep, reset, fresh."""

Tensor = Any
Weights = Mapping[str, Any]
State = dict[str, Any]


def _centres() -> NDArray[np.float64]:
    """Of the bands above the single bins, in bins; their widths grow with the frequency."""
    middle = np.geomspace(SINGLE, BINS // 3, MIDDLE + 1)
    high = np.geomspace(BINS // 3, BINS - 1, HIGH + 1)
    edges = np.concatenate([middle, high[1:]])
    return np.asarray((edges[:-1] + edges[1:]) / 2, np.float64)


def _spread() -> NDArray[np.float32]:
    """Bands' gains to bins: ``(MIDDLE + HIGH, BINS - SINGLE)``, lines between the centres."""
    bins, bands = np.arange(SINGLE, BINS), np.eye(MIDDLE + HIGH)
    rows = [np.interp(bins, _centres(), band) for band in bands]
    return np.asarray(rows, np.float32)


SPREAD = _spread()
GATHER = np.ascontiguousarray((SPREAD / SPREAD.sum(axis=1, keepdims=True)).T)
"""Bins' magnitudes to bands': the mean under each band's triangle."""


def new_weights(seed: int) -> dict[str, NDArray[np.float32]]:
    """Weights to start training from: orthogonal over the past, Glorot's elsewhere."""
    rng = np.random.default_rng(seed)
    made = {}
    for name, shape in SHAPES.items():
        if name.endswith("recurrent"):
            blocks = [np.linalg.qr(rng.normal(size=(UNITS, UNITS)))[0] for _ in range(3)]
            made[name] = np.concatenate(blocks, axis=1).astype(np.float32)
        elif name.endswith("kernel"):
            size = np.sqrt(6 / (shape[0] + min(shape[1], UNITS)))
            made[name] = rng.uniform(-size, size, shape).astype(np.float32)
        else:
            made[name] = np.zeros(shape, np.float32)
    # A new network lets most of the sound through.
    made["leave.bias"] += 1
    made["own.past"] += 0.05
    made["own.now"] += 0.02
    return made


def new_state(lanes: int) -> dict[str, NDArray[np.float32]]:
    """What a network remembers that has heard nothing."""
    return {name: np.zeros((lanes, *shape), np.float32) for name, shape in STATE.items()}


def gather(magnitude: Tensor) -> Tensor:
    """Bins to bands: ``(..., BINS)`` to ``(..., BANDS)``."""
    import tensorflow as tf

    wide = tf.matmul(magnitude[..., SINGLE:], GATHER)
    return tf.concat([magnitude[..., :SINGLE], wide], axis=-1)


def spread(gains: Tensor) -> Tensor:
    """Bands' gains to bins', none below `LEAST`: ``(..., BANDS)`` to ``(..., BINS)``."""
    import tensorflow as tf

    gains = tf.maximum(gains, LEAST)
    return tf.concat([gains[..., :SINGLE], tf.matmul(gains[..., SINGLE:], SPREAD)], axis=-1)


def step(weights: Weights, magnitude: Tensor, state: State) -> tuple[Tensor, State]:
    """One frame.

    Parameters
    ----------
    weights : mapping of str to array
        See `SHAPES`.
    magnitude : tensor, shape (lanes, BINS), float32
        Of the spectrum of a frame of sound in -1..1.
    state : dict of str to tensor
        See `STATE`.

    Returns
    -------
    mask : tensor, shape (lanes, BINS), float32
        Gains in LEAST..1 for the frame of the step before.
    state : dict of str to tensor
        For the next step.
    """
    import tensorflow as tf

    bands = gather(magnitude)
    logs, weight = _logs(bands)
    sums = state["level"] * KEEP + tf.concat([logs * weight, weight], axis=-1)
    now, above = _features(logs, sums)
    entered = _enter(weights, now, state["past"])
    h1 = gru_step(_products(weights, "gru_1", entered), state["h1"], *_past(weights, "gru_1"))
    middle = entered + h1
    h2 = gru_step(_products(weights, "gru_2", middle), state["h2"], *_past(weights, "gru_2"))
    own = _own(weights, now + above, state["past"] + above)
    mask = spread(_leave(weights, middle + h2, own))
    return mask, {"past": now, "level": sums, "h1": h1, "h2": h2}


def sequence(weights: Weights, magnitudes: Tensor, state: State) -> tuple[Tensor, State]:
    """Many frames: as `step` for each, ``(lanes, frames, BINS)`` in and out."""
    gains, state = band_sequence(weights, gather(magnitudes), state)
    return spread(gains), state


def band_sequence(weights: Weights, bands: Tensor, state: State) -> tuple[Tensor, State]:
    """Many frames, with bands instead of bins, gains in 0..1: ``(lanes, frames, BANDS)``.

    `frames` must be known when the graph is made.
    """
    import tensorflow as tf

    logs, weight = _logs(bands)
    heard = tf.concat([logs * weight, weight], axis=-1)
    # All sums at once: each step keeps a share of the one before.
    ago = np.subtract.outer(np.arange(bands.shape[1]), np.arange(bands.shape[1]))
    kept = np.where(ago >= 0, KEEP ** np.maximum(ago, 0), 0).astype(np.float32)
    first = (KEEP ** np.arange(1, bands.shape[1] + 1)).astype(np.float32)
    sums = tf.einsum("ts,lsc->ltc", kept, heard) + first[:, None] * state["level"][:, None]
    now, above = _features(logs, sums)
    past = tf.concat([state["past"][:, None], now[:, :-1]], axis=1)
    entered = _enter(weights, now, past)
    h1 = gru(_products(weights, "gru_1", entered), state["h1"], *_past(weights, "gru_1"))
    middle = entered + h1
    h2 = gru(_products(weights, "gru_2", middle), state["h2"], *_past(weights, "gru_2"))
    gains = _leave(weights, middle + h2, _own(weights, now + above, past + above))
    last = {"past": now, "level": sums, "h1": h1, "h2": h2}
    return gains, {name: values[:, -1] for name, values in last.items()}


def _logs(bands: Tensor) -> tuple[Tensor, Tensor]:
    """Bands' logarithms, and how much they count for their levels: digital zero nothing."""
    import tensorflow as tf

    loud = tf.reduce_mean(bands[..., :SPEECH_BANDS], axis=-1, keepdims=True)
    return tf.math.log(bands + QUIET), loud / (loud + HEARD)


def _features(logs: Tensor, sums: Tensor) -> tuple[Tensor, Tensor]:
    """Logarithms less the running level of all bands below 8 kHz; what to add for each own's."""
    import tensorflow as tf

    levels = sums[..., :-1] / (sums[..., -1:] + NONE_HEARD)
    level = tf.reduce_mean(levels[..., :SPEECH_BANDS], axis=-1, keepdims=True)
    return tf.maximum((logs - level) * SCALE, LOWEST), (level - levels) * SCALE


def _own(weights: Weights, now: Tensor, past: Tensor) -> Tensor:
    return (now * weights["own.now"] + past * weights["own.past"]) * OWN


def _enter(weights: Weights, now: Tensor, past: Tensor) -> Tensor:
    import tensorflow as tf

    both = tf.concat([past, now], axis=-1)
    return tf.nn.relu(tf.matmul(both, weights["enter.kernel"]) + weights["enter.bias"])


def _products(weights: Weights, name: str, x: Tensor) -> Tensor:
    import tensorflow as tf

    return tf.matmul(x, weights[f"{name}.kernel"]) + weights[f"{name}.bias"]


def _past(weights: Weights, name: str) -> tuple[Tensor, Tensor]:
    return weights[f"{name}.recurrent"], weights[f"{name}.recurrent_bias"]


def _leave(weights: Weights, x: Tensor, own: Tensor) -> Tensor:
    import tensorflow as tf

    return tf.sigmoid(tf.matmul(x, weights["leave.kernel"]) + weights["leave.bias"] + own)
