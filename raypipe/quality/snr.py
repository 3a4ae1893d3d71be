"""The signal-to-noise ratio of speech in noise, estimated from how its amplitudes are spread.

Comes in: sound, in stretches. Goes out: decibels, or why there are none. WADA-SNR takes speech
for Gamma-distributed (shape 0.4: many small samples, few large ones) and noise for Gaussian;
the gap between the logarithm of the mean amplitude and the mean of the logarithm then depends
on the ratio alone.

Good for: speech with a steady, broad background, from some -5 to 30 dB, where it is within a
few dB. Not for: music and tones, other voices as the noise, sound that a gate has cut pauses
out of (it reads high), hard limiting (it reads low).

References
----------
C. Kim and R. M. Stern, Robust signal-to-noise ratio estimation based on waveform amplitude
distribution analysis, Interspeech 2008, 2598-2601.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, erf, gammainc, gammaincinv, gammaln

from raypipe.quality.value import Missing, Value
from raypipe.types import Samples

SHAPE = 0.4
"""Of the Gamma distribution of speech amplitudes, as the paper fits it."""

LOWEST_DB, HIGHEST_DB = -10, 60
"""Beyond these the curve is so flat that a reading says nothing."""

FAR = 16
"""Standard deviations of the noise at which a speech sample hardly feels it."""

MOST_TERMS = 300
"""Of the series for nearer ones, whose largest terms are at FAR ** 2 / 2."""

QUANTILES = 4000


class AmplitudeSpread:
    """Adds up what the estimate needs, for each channel.

    Exact zeros are left out: digital silence is neither speech nor noise.
    """

    def __init__(self, channels: int) -> None:
        self._count = np.zeros(channels, np.int64)
        self._sum = np.zeros(channels)
        self._logs = np.zeros(channels)
        self._silent = True

    def add(self, sound: Samples) -> None:
        """Take a stretch in, ``(channels, samples)``; its mean is taken off, as an offset is no
        sound. Stretches should be about a second long."""
        amplitudes = np.abs(sound - sound.mean(axis=1, keepdims=True, dtype=np.float64))
        amplitudes[sound == 0] = 0
        there = amplitudes > 0
        self._silent = self._silent and not sound.any()
        self._count += there.sum(axis=1)
        self._sum += amplitudes.sum(axis=1)
        self._logs += np.log(np.where(there, amplitudes, 1.0)).sum(axis=1)

    def estimate(self) -> Value:
        """Ratio in dB of the loudest channel, held between `LOWEST_DB` and `HIGHEST_DB`; or why
        none can be given."""
        loudest = int(np.argmax(self._sum))
        if not self._count[loudest]:
            return Missing("digital silence" if self._silent else "nothing but an offset")
        mean = self._sum[loudest] / self._count[loudest]
        return from_spread(math.log(mean) - self._logs[loudest] / self._count[loudest])


def from_spread(spread: float) -> Value:
    """Ratio in dB from log of mean minus mean of log, both of the absolute samples."""
    decibels, spreads = curve()
    lowest = float(spreads[0])
    if spread < LEAST_SPREAD:
        return Missing("its amplitudes are not spread as those of speech or noise are")
    if spread <= lowest:
        return float(LOWEST_DB)
    return float(np.interp(spread, spreads, decibels))


LEAST_SPREAD = 0.38
"""Gaussian noise comes to 0.4097; a sine to 0.24, a square to 0."""


@cache
def curve() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The spread that each ratio from `LOWEST_DB` to `HIGHEST_DB` comes to.

    Worked out anew rather than taken from the paper's table, which was simulated: for a given
    speech sample the noisy one is Gaussian around it, so that its mean amplitude and the mean of
    its logarithm (that of a noncentral chi-square variable) are known; these are averaged over the
    quantiles of the speech.

    Returns
    -------
    ndarray
        Decibels, rising, in steps of 1.
    ndarray
        Log of mean minus mean of log, rising.
    """
    speech = _speech()
    decibels = np.arange(LOWEST_DB, HIGHEST_DB + 1, dtype=np.float64)
    power = np.mean(speech**2)
    spreads = [_spread(speech, math.sqrt(power / 10 ** (db / 10))) for db in decibels]
    return decibels, np.array(spreads)


def _speech() -> NDArray[np.float64]:
    """Amplitudes that stand for the distribution: its means over `QUANTILES` equal shares.

    The mean of a Gamma variable between two quantiles is that of one with shape + 1.
    """
    edges = gammaincinv(SHAPE, np.linspace(0, 1, QUANTILES + 1))
    edges[-1] = np.inf
    shares = np.diff(gammainc(SHAPE + 1, edges))
    return np.asarray(SHAPE * shares * QUANTILES)


def _spread(speech: NDArray[np.float64], noise: float) -> float:
    """For speech samples of one sign (the noise has both) and noise of this standard deviation."""
    ratio = speech / noise
    mean = noise * (
        math.sqrt(2 / math.pi) * np.exp(-(ratio**2) / 2) + ratio * erf(ratio / math.sqrt(2))
    )
    logs = float(_log_amplitude(ratio).mean()) + math.log(noise)
    return math.log(float(mean.mean())) - logs


def _log_amplitude(ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of ``log |ratio + g|`` for standard Gaussian g.

    Far out it is the logarithm itself, less what its curvature takes away.
    """
    far = np.maximum(ratio, FAR)
    beyond = np.log(far) - 1 / (2 * far**2) - 3 / (4 * far**4)
    return np.where(ratio < FAR, np.interp(ratio, *_near()), beyond)


@cache
def _near() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ratios from 0 to `FAR` and what they come to: a Poisson mixture of digamma values."""
    ratios = np.linspace(0, FAR, 100 * FAR + 1)
    half = np.maximum(ratios, 1e-9)[:, None] ** 2 / 2
    terms = np.arange(MOST_TERMS)
    weights = np.exp(terms * np.log(half) - half - gammaln(terms + 1))
    return ratios, (math.log(2) + weights @ digamma(0.5 + terms)) / 2
