"""The network of DTLN as step functions: states are named inputs and outputs, lanes are free.

Comes in: the weights, as `raypipe.inference.dtln_weights.prepare` gives them. Goes out: functions
over tensors, one for each stage and number of frames T in a call::

    mask    |spectrum| -> LSTM -> LSTM -> dense, sigmoid                  (lanes, T, 257)
    frames  masked spectrum -> encoder -> norm -> LSTM -> LSTM -> dense, sigmoid
              encoder's features * that mask -> decoder -> frame          (lanes, T, 512)

Products over the sound (``x @ W``) are made for all frames at once, those over the past
(``h @ U``) frame by frame, and sums always in the same order, so that T frames in one call
give the bits of T calls. Tensors keep three axes throughout: reshaping would copy them.

Reference: N. L. Westhausen and B. T. Meyer, "Dual-signal transformation LSTM network for
real-time noise suppression", Interspeech 2020; https://github.com/breizhn/DTLN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from models.frames import join_frames, split_frames
from raypipe.inference.dtln import FRAMES_STATE, MASK_STATE, UNITS
from raypipe.inference.dtln_weights import BINS, Weights

EPSILON = 1e-7
"""In the norm of the features, as the weights were trained with it."""

Step = Callable[..., dict[str, Any]]


def widths(stage: str, frames: int) -> dict[str, tuple[int, ...]]:
    """Shape of each input of a stage by name, without the lane."""
    if stage == "mask":
        return {"magnitude": (frames, BINS), **dict.fromkeys(MASK_STATE, (UNITS,))}
    return {"spectrum": (frames, 2 * BINS), **dict.fromkeys(FRAMES_STATE, (UNITS,))}


def step_of(stage: str, weights: Weights, frames: int) -> Step:
    """A stage for so many frames in a call.

    Parameters
    ----------
    stage : {"mask", "frames"}
        Which one.
    weights : mapping of str to array, shape (outputs, inputs) or (outputs,), float32
        See `raypipe.inference.dtln_weights.prepare`.
    frames : int
        T; a product of 2, 3 and 4.

    Returns
    -------
    callable
        Takes the tensors of `widths` in their order, gives its outputs by name.
    """
    network = _Network(weights, frames)
    return network.mask if stage == "mask" else network.frames


class _Network:
    def __init__(self, weights: Weights, frames: int) -> None:
        self._weights, self._count = weights, frames

    def mask(self, magnitude: Any, h1: Any, c1: Any, h2: Any, c2: Any) -> dict[str, Any]:
        heard, h1, c1 = self._lstm("lstm_1", magnitude, h1, c1)
        heard, h2, c2 = self._lstm("lstm_2", heard, h2, c2)
        mask = self._mask("dense_1", heard)
        return {"mask": mask, "h1_out": h1, "c1_out": c1, "h2_out": h2, "c2_out": c2}

    def frames(self, spectrum: Any, h3: Any, c3: Any, h4: Any, c4: Any) -> dict[str, Any]:
        features = self._product("encoder.spectrum", spectrum)
        heard, h3, c3 = self._lstm("lstm_3", _norm(features), h3, c3)
        heard, h4, c4 = self._lstm("lstm_4", heard, h4, c4)
        sound = self._product("decoder.kernel", features * self._mask("dense_2", heard))
        return {"sound": sound, "h3_out": h3, "c3_out": c3, "h4_out": h4, "c4_out": c4}

    def _product(self, name: str, x: Any) -> Any:
        import tensorflow as tf

        return tf.matmul(x, self._weights[name].T)

    def _lstm(self, name: str, x: Any, h: Any, c: Any) -> tuple[Any, Any, Any]:
        """All frames through an LSTM: ``(lanes, T, n)`` to ``(lanes, T, UNITS)``, and its state."""
        import tensorflow as tf

        entering = self._product(f"{name}.kernel", x) + self._weights[f"{name}.bias"]
        h, c = (tf.reshape(state, [-1, 1, UNITS]) for state in (h, c))
        given = []
        for one in split_frames(entering, self._count):
            gates = one + self._product(f"{name}.recurrent", h)
            enter, keep, fresh, leave = tf.split(gates, 4, axis=2)
            c = tf.sigmoid(keep) * c + tf.sigmoid(enter) * tf.tanh(fresh)
            h = tf.sigmoid(leave) * tf.tanh(c)
            given.append(h)
        h, c = (tf.reshape(state, [-1, UNITS]) for state in (h, c))
        return join_frames(given), h, c

    def _mask(self, name: str, x: Any) -> Any:
        import tensorflow as tf

        return tf.sigmoid(self._product(f"{name}.kernel", x) + self._weights[f"{name}.bias"])


def _norm(x: Any) -> Any:
    """Each frame's features to mean 0 and variance 1; gain and offset are in the next weights."""
    import tensorflow as tf

    x = x - tf.reduce_mean(x, axis=-1, keepdims=True)
    power = tf.reduce_mean(x * x, axis=-1, keepdims=True)
    return x * tf.math.rsqrt(power + EPSILON)
