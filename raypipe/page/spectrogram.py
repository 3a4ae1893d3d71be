"""Sound as a picture: power over time and frequency, in decibels.

Comes in: samples. Goes out: a matrix of decibels whose rows stand evenly on the
mel scale, from 0 Hz to the Nyquist frequency: up to 1 kHz they are nearly linear
in frequency, above that logarithmic, much as the ear has it. Power is that of a
bin of the Fourier transform, on which a sine of full scale reads 0 dB; a row of
many bins has their mean, so that noise looks the same at all heights.

References
----------
D. O'Shaughnessy, Speech Communication: Human and Machine (1987), for the mel scale.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raypipe.types import Samples

WIDTH, HEIGHT = 640, 240
"""Pixels at most: about what a page has room for."""

WINDOW_S = 0.04
"""Harmonics of a low voice (80 Hz) stand apart at this length."""
LEAST_WINDOW, MOST_WINDOW = 64, 16384
"""Samples."""

LOWEST_DB = -160.0
"""Below what 24 bits can hold; digital silence reads this."""

FRAMES_AT_A_TIME = 256


def mel(frequency_hz: Any) -> Any:
    """Mels of a frequency, or of an array of them."""
    return 2595 * np.log10(1 + np.asarray(frequency_hz, np.float64) / 700)


def hertz(mels: Any) -> Any:
    """The inverse of `mel`."""
    return 700 * (10 ** (np.asarray(mels, np.float64) / 2595) - 1)


def spectrogram(
    sound: Samples, rate_hz: int, top_hz: float, seconds: float | None = None
) -> NDArray[np.float32]:
    """Power of a bin in decibels, mean of all channels.

    Parameters
    ----------
    sound : ndarray
        ``(channels, samples)``, at least one sample.
    rate_hz : int
        Its sampling rate.
    top_hz : float
        Frequency of the picture's upper edge; what lies above the sound's own Nyquist frequency
        reads `LOWEST_DB`.
    seconds : float, optional
        Time of the picture's right edge, if not where the sound ends; what lies between reads
        `LOWEST_DB`.

    Returns
    -------
    ndarray of float32
        Shape ``(HEIGHT, columns)``, the highest frequency first.
    """
    length = _window_length(rate_hz)
    samples = sound.shape[1]
    share = 1.0 if seconds is None else min(1.0, samples / (seconds * rate_hz))
    columns = max(1, min(round(WIDTH * share), samples * 4 // length))
    power = np.zeros((length // 2 + 1, columns))
    # Two frames a column, each centred where it stands; what is outside the sound is silence.
    starts = (np.arange(2 * columns) + 0.5) * samples / (2 * columns) - length / 2
    window = np.hanning(length + 1)[:-1]
    padded = np.zeros(samples + 2 * length)
    for channel in sound:
        padded[length : length + samples] = channel
        for begin in range(0, 2 * columns, FRAMES_AT_A_TIME):
            some = np.floor(starts[begin : begin + FRAMES_AT_A_TIME]).astype(int) + length
            frames = padded[some[:, None] + np.arange(length)] * window
            of_frames = np.abs(np.fft.rfft(frames, axis=1)) ** 2
            for offset in (0, 1):
                power[:, (begin + offset) // 2 : (begin + len(some)) // 2] += of_frames[offset::2].T
    power *= 1 / (2 * len(sound) * (window.sum() / 2) ** 2)
    rows = _rows(rate_hz, length, top_hz) @ power
    decibels = np.asarray(10 * np.log10(np.maximum(rows, 10 ** (LOWEST_DB / 10))), np.float32)
    missing = min(WIDTH, round(columns / share)) - columns
    return np.pad(decibels, ((0, 0), (0, missing)), constant_values=LOWEST_DB)


def _window_length(rate_hz: int) -> int:
    nearest = 2 ** round(np.log2(max(rate_hz * WINDOW_S, 1)))
    return int(min(max(nearest, LEAST_WINDOW), MOST_WINDOW))


def _rows(rate_hz: int, length: int, top_hz: float) -> NDArray[np.float64]:
    """Weight of each bin in each row of the picture, ``(HEIGHT, bins)``.

    A row that holds bins is their mean; one between two bins is interpolated.
    """
    bin_hz = rate_hz / length
    edges = hertz(np.linspace(mel(top_hz), 0.0, HEIGHT + 1))
    weights = np.zeros((HEIGHT, length // 2 + 1))
    for row, (high, low) in enumerate(pairwise(edges)):
        if low > rate_hz / 2:
            continue
        first, last = int(np.ceil(low / bin_hz)), int(np.floor(high / bin_hz))
        last = min(last, length // 2)
        if last > first:
            weights[row, first : last + 1] = 1 / (last + 1 - first)
        else:
            at = min((low + high) / 2 / bin_hz, length // 2)
            below = int(at)
            weights[row, below] = 1 - (at - below)
            if below < length // 2:
                weights[row, below + 1] = at - below
    return weights


def shades(
    decibels: NDArray[np.float32], bottom_db: float, top_db: float, steps: int
) -> NDArray[np.uint8]:
    """Indices into a palette of `steps` colours, the first for `bottom_db` and less."""
    along = (decibels - bottom_db) / (top_db - bottom_db)
    return np.asarray(np.round(np.clip(along, 0, 1) * (steps - 1)), np.uint8)
