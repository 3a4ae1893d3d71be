"""The network on whole sounds, without a graph for inference: for validation and for a look.

Comes in: weights, sounds at 48 kHz. Goes out: what is left of them, aligned to the sample.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft

from models.denoiser.network import FRAME, HOP, LOOKAHEAD, new_state, sequence
from raypipe.inference.front_ends import root_hann

AT_ONCE = 100
"""Frames in a call."""
KEPT = FRAME - HOP

Sounds = NDArray[np.float32]


def enhance(weights: Mapping[str, NDArray[np.float32]], sounds: Sounds) -> Sounds:
    """Take the noise out of sounds of one length.

    Parameters
    ----------
    weights : mapping
        See `models.denoiser.network.SHAPES`.
    sounds : array, shape (lanes, samples), float32
        At 48 kHz, full scale 1.

    Returns
    -------
    array
        Of the same shape.
    """
    import tensorflow as tf

    lanes, samples = sounds.shape
    steps = -(-(-(-(samples + KEPT) // HOP) + LOOKAHEAD) // AT_ONCE) * AT_ONCE
    heard = np.zeros((lanes, KEPT + steps * HOP), np.float32)
    heard[:, KEPT : KEPT + samples] = sounds
    frames = np.lib.stride_tricks.sliding_window_view(heard, FRAME, axis=1)[:, ::HOP]
    window = root_hann(FRAME, HOP)
    spectra = rfft(frames * window)
    given = {name: tf.constant(values) for name, values in weights.items()}
    state = {name: tf.constant(values) for name, values in new_state(lanes).items()}
    masks = []
    for first in range(0, steps, AT_ONCE):
        some = np.abs(spectra[:, first : first + AT_ONCE])
        mask, state = _sequence()(given, tf.constant(some), state)
        masks.append(mask.numpy())
    mask = np.concatenate(masks, axis=1)[:, LOOKAHEAD:]
    parts = irfft(spectra[:, : steps - LOOKAHEAD] * mask, FRAME).astype(np.float32) * window
    made = np.zeros_like(heard)
    for step in range(steps - LOOKAHEAD):
        made[:, step * HOP : step * HOP + FRAME] += parts[:, step]
    return made[:, KEPT : KEPT + samples]


@cache
def _sequence() -> Any:
    """The network as a graph, made once for all weights."""
    import tensorflow as tf

    return tf.function(sequence, autograph=False)
