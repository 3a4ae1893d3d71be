"""The denoiser's graph for inference: states are named inputs and outputs, lanes are free.

Comes in: the weights of `models.denoiser.network`, as `prepare` gives them. Goes out: a function
over tensors for so many frames T in a call::

    magnitude (lanes, T, 721), states -> mask (lanes, T, 721), states

It computes what `network.step` does, frame after frame, laid out for matrix kernels: products
over the sound (``x @ kernel``) are made for all frames at once, those over the past frame by
frame, and sums always in the same order, so that T frames in one call give the bits of T calls.
Tensors keep three axes throughout: reshaping would copy them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.denoiser import network
from models.frames import join_frames, split_frames

Weights = Mapping[str, NDArray[np.float32]]
"""Matrices as ``(outputs, inputs)``, biases, by name."""
Step = Callable[..., dict[str, Any]]


def prepare(trained: Mapping[str, NDArray[np.float32]]) -> Weights:
    """Trained weights, and those that are fixed, as a graph takes them.

    Parameters
    ----------
    trained : mapping of str to array
        See `network.SHAPES`.
    """
    found = {name: np.asarray(trained[name], np.float32) for name in network.SHAPES}
    # The mean of the bands below 8 kHz, as a product: quicker than to cut them out and add.
    speech = np.zeros((network.BANDS, 1), np.float32)
    speech[: network.SPEECH_BANDS] = 1 / network.SPEECH_BANDS
    found |= {"gather": network.GATHER, "spread": network.SPREAD, "speech": speech}
    return {name: np.ascontiguousarray(values.T) for name, values in found.items()}


def widths(frames: int) -> dict[str, tuple[int, ...]]:
    """Shape of each input by name, without the lane."""
    return {"magnitude": (frames, network.BINS), **network.STATE}


def step_of(weights: Weights, frames: int) -> Step:
    """The graph for so many frames in a call.

    Parameters
    ----------
    weights : mapping of str to array
        See `prepare`.
    frames : int
        T; a product of 2, 3 and 4.

    Returns
    -------
    callable
        Takes the tensors of `widths` in their order, gives its outputs by name.
    """
    return _Network(weights, frames).step


class _Network:
    def __init__(self, weights: Weights, frames: int) -> None:
        self._weights, self._count = weights, frames

    def step(self, magnitude: Any, past: Any, level: Any, h1: Any, h2: Any) -> dict[str, Any]:
        import tensorflow as tf

        single = network.SINGLE
        wide = self._product("gather", magnitude[..., single:])
        bands = tf.concat([magnitude[..., :single], wide], axis=2)
        logs = tf.math.log(bands + network.QUIET)
        levels, sums = self._levels(bands, logs, _framed(level))
        mean = self._product("speech", levels)
        now = tf.maximum((logs - mean) * network.SCALE, network.LOWEST)
        pasts = [_framed(past), *split_frames(now, self._count)]
        before = join_frames(pasts[:-1])
        entered = tf.nn.relu(self._dense("enter", tf.concat([before, now], axis=2)))
        heard, h1 = self._gru("gru_1", entered, h1)
        middle = entered + heard
        heard, h2 = self._gru("gru_2", middle, h2)
        above = (mean - levels) * network.SCALE
        own = (now + above) * self._weights["own.now"]
        own += (before + above) * self._weights["own.past"]
        opened = tf.sigmoid(self._dense("leave", middle + heard) + own * network.OWN)
        gains = tf.maximum(opened, network.LEAST)
        wide = self._product("spread", gains[..., single:])
        mask = tf.concat([gains[..., :single], wide], axis=2)
        ends = {"past": pasts[-1], "level": sums, "h1": h1, "h2": h2}
        return {"mask": mask} | {f"{n}_out": tf.squeeze(end, 1) for n, end in ends.items()}

    def _product(self, name: str, x: Any) -> Any:
        import tensorflow as tf

        return tf.matmul(x, self._weights[name].T)

    def _dense(self, name: str, x: Any) -> Any:
        return self._product(f"{name}.kernel", x) + self._weights[f"{name}.bias"]

    def _levels(self, bands: Any, logs: Any, sums: Any) -> tuple[Any, Any]:
        """Each band's running level at each frame, and the sums that they are made of at last."""
        import tensorflow as tf

        loud = self._product("speech", bands)
        weight = loud / (loud + network.HEARD)
        heard = tf.concat([logs * weight, weight], axis=2)
        levels = []
        for one in split_frames(heard, self._count):
            sums = sums * network.KEEP + one
            levels.append(sums)
        joined = join_frames(levels)
        return joined[..., :-1] / (joined[..., -1:] + network.NONE_HEARD), sums

    def _gru(self, name: str, x: Any, h: Any) -> tuple[Any, Any]:
        """All frames through a GRU: ``(lanes, T, n)`` to ``(lanes, T, UNITS)``, and its state."""
        import tensorflow as tf

        entering, h = self._dense(name, x), _framed(h)
        bias = self._weights[f"{name}.recurrent_bias"]
        given = []
        for one in split_frames(entering, self._count):
            enter_keep, enter_reset, enter_fresh = tf.split(one, 3, axis=2)
            known_keep, known_reset, known_fresh = tf.split(
                self._product(f"{name}.recurrent", h) + bias, 3, axis=2
            )
            keep = tf.sigmoid(enter_keep + known_keep)
            fresh = tf.tanh(enter_fresh + tf.sigmoid(enter_reset + known_reset) * known_fresh)
            h = fresh + keep * (h - fresh)
            given.append(h)
        return join_frames(given), h


def _framed(state: Any) -> Any:
    """A state as one frame: ``(lanes, n)`` to ``(lanes, 1, n)``."""
    import tensorflow as tf

    return tf.expand_dims(state, 1)
