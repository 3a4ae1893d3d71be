"""What is asked of the gains.

Comes in: the network's gains for each band and frame, a batch of `models.denoiser.mixing`. Goes
out: the loss of each lane by name, and their weighted sum.

Below 8 kHz each bin counts: magnitudes and phases of spectra that are compressed by a power of
0.3, as ears do; speech that is eaten counts more than noise that stays; and the ratio of the
speech to all that differs from it, in dB. Above 8 kHz bands count, lightly, as most of the
speech there is made up.

References
----------
S. Braun, I. Tashev, A consolidated view of loss functions for supervised deep learning-based
speech enhancement, TSP 2021. J. Le Roux et al., SDR - half-baked or well done?, ICASSP 2019.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from models.denoiser.mixing import LOW
from models.denoiser.network import BINS, LOOKAHEAD, RATE_HZ, SINGLE, SPEECH_BANDS, SPREAD

Tensor = Any

WEIGHTS = {
    "magnitude": 0.7,
    "phase": 0.3,
    "eaten": 0.1,
    "high": 0.15,
    "high_eaten": 0.25,
    "ratio": 0.015,
}
NAMES = (*WEIGHTS, "total")
POWER = 0.3
FLOOR = 1e-7
"""Added to squared magnitudes, 70 dB under the speech's RMS."""
QUIET_VOICE = 0.02
"""Mean power, in that of the whole piece, below which a voice is taken for no voice."""
MOST_DB = 30.0
"""Of the ratio; nothing is gained beyond."""

_HZ = np.arange(LOW) * RATE_HZ / 2 / (BINS - 1)
_SHARES = (1 / (1 + _HZ / 2000)).astype(np.float32)
IMPORTANCE = _SHARES / _SHARES.sum()
"""Of the bins: more where the ear divides finer."""


def low_gains(gains: Tensor) -> Tensor:
    """Bands' gains at the bins below 8 kHz: the lower part of `models.denoiser.network.spread`."""
    import tensorflow as tf

    wide = tf.matmul(gains[..., SINGLE:], SPREAD[:, : LOW - SINGLE])
    return tf.concat([gains[..., :SINGLE], wide], axis=-1)


def losses(gains: Tensor, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of each lane.

    Parameters
    ----------
    gains : tensor, shape (lanes, FRAMES, BANDS)
        As the network gives them: each for the frame before.
    batch : mapping
        See `models.denoiser.mixing.shapes_of`.

    Returns
    -------
    dict of str to tensor, shape (lanes,)
        By the names of `WEIGHTS`; ``total`` is their weighted sum. All are finite, also on silence.
    """
    import tensorflow as tf

    gains = gains[:, LOOKAHEAD:]
    heard, wanted, cosine, heard_high, wanted_high = (
        batch[name][:, :-LOOKAHEAD]
        for name in ("noisy", "clean", "cosine", "noisy_high", "clean_high")
    )
    given = low_gains(gains) * heard
    loud, soft = _compressed(wanted), _compressed(given)
    apart = tf.square(loud - soft)
    # |a - b|^2 of complex numbers, from their lengths and the angle between them.
    turned = apart + 2 * loud * soft * (1 - cosine)
    high = _compressed(wanted_high) - _compressed(gains[..., SPEECH_BANDS:] * heard_high)
    made = {
        "magnitude": _mean(apart * IMPORTANCE),
        "phase": _mean(turned * IMPORTANCE),
        "eaten": _mean(tf.square(tf.nn.relu(loud - soft)) * IMPORTANCE),
        "high": _mean(tf.square(high) / high.shape[-1]),
        "high_eaten": _mean(tf.square(tf.nn.relu(high)) / high.shape[-1]),
        "ratio": _ratio(wanted, given, cosine) * batch["speaks"],
    }
    made["total"] = tf.add_n([WEIGHTS[name] * values for name, values in made.items()])
    return made


def _compressed(magnitude: Tensor) -> Tensor:
    import tensorflow as tf

    return tf.pow(tf.square(magnitude) + FLOOR, POWER / 2)


def _mean(values: Tensor) -> Tensor:
    """Over frames; bins and bands are weighted already and summed."""
    import tensorflow as tf

    return tf.reduce_sum(values, axis=[1, 2]) / values.shape[1]


def _ratio(wanted: Tensor, given: Tensor, cosine: Tensor) -> Tensor:
    """What differs against the speech, in dB: lower is better, 0 is a mask that is shut."""
    import tensorflow as tf

    wrong = tf.square(wanted - given) + 2 * wanted * given * (1 - cosine)
    power = tf.reduce_sum(tf.square(wanted), axis=[1, 2])
    # Where nobody speaks for a while, against a voice of little power.
    least = QUIET_VOICE * wanted.shape[1] * wanted.shape[2]
    share = tf.reduce_sum(wrong, axis=[1, 2]) / (power + least)
    return 10 / np.log(10) * tf.math.log(share + 10 ** (-MOST_DB / 10))
