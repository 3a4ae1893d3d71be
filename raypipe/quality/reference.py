"""A sound against a reference of it: how much of it is the reference, and how much is something
else.

Comes in: both sounds, in step, in stretches of any length. Goes out: SI-SDR, SNR, the difference of
their levels. `delay` says by how much one comes later; nothing here moves it back.

References
----------
J. Le Roux, S. Wisdom, H. Erdogan and J. R. Hershey, SDR - half-baked or well done?, ICASSP 2019.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, next_fast_len, rfft

from raypipe.quality.value import Missing, Value
from raypipe.types import Samples

LEAST_RESEMBLANCE = 0.1
"""Of the correlation's peak to the product of both norms; speech under 15 dB of noise has 0.18."""

CHANCE = 0.3
"""As much is asked for of sounds as long as the longest delay, and less by the root of how much
longer they are: two people's voices come to 0.43 in 0.25 s, 0.26 in 1 s and 0.15 in 2 s, where
delays of up to 1 s are looked for."""

CLEAR_RESEMBLANCE = 0.7
"""What resembles so much may be as short as it likes."""


OFFSET = 1e-12
"""Share of a sound's energy that rounding may leave of an offset once the mean is taken off."""


class Pair:
    """Adds up a sound and its reference."""

    def __init__(self) -> None:
        self._count = 0
        self._sums = np.zeros(2)
        self._products = np.zeros((2, 2))
        self._error = 0.0

    def add(self, sound: Samples, reference: Samples) -> None:
        """Take a stretch of both in, of the same shape; several channels count as one after the
        other."""
        pair = np.stack([np.ravel(reference), np.ravel(sound)]).astype(np.float64, copy=False)
        self._count += pair.shape[1]
        self._sums += pair.sum(axis=1)
        self._products += pair @ pair.T
        self._error += float(np.sum(np.square(pair[1] - pair[0])))

    def si_sdr_db(self) -> Value:
        """Scale-invariant signal-to-distortion ratio; infinite for a scaled copy.

        The means are taken off first, as an offset is not heard.
        """
        if wrong := self._without():
            return wrong
        (reference, cross), (_, sound) = self._products - (
            np.outer(self._sums, self._sums) / self._count
        )
        if reference <= OFFSET * self._products[0, 0]:
            return Missing("the reference holds nothing but an offset")
        if sound <= OFFSET * self._products[1, 1]:
            return Missing("holds nothing but an offset")
        target = cross**2 / reference
        return _ratio_db(target, sound - target, sound)

    def snr_db(self) -> Value:
        """Power of the reference against that of the difference; infinite for the same sound."""
        if wrong := self._without():
            return wrong
        return _ratio_db(float(self._products[0, 0]), self._error, 0.0)

    def level_difference_db(self) -> Value:
        """Level of the sound above that of the reference."""
        if wrong := self._without():
            return wrong
        return 10 * math.log10(self._products[1, 1] / self._products[0, 0])

    def _without(self) -> Missing | None:
        """What is missing, if anything is."""
        reference, sound = self._products.diagonal()
        return _silent(self._count, sound, reference)


def _silent(count: int, sound: float, reference: float) -> Missing | None:
    if not count:
        return Missing("there are no samples to compare")
    if reference <= 0:
        return Missing("the reference is digital silence")
    return Missing("digital silence") if sound <= 0 else None


def _ratio_db(target: float, rest: float, whole: float) -> float:
    """10 log10 of target over rest; what is left of a difference of `whole`s may be rounding."""
    if rest <= whole * 1e-15:
        return math.inf
    return 10 * math.log10(target / rest) if target > 0 else -math.inf


def si_sdr_db(sound: Samples, reference: Samples) -> Value:
    """SI-SDR of a whole sound in dB; see `Pair.si_sdr_db`.

    Parameters
    ----------
    sound, reference : ndarray
        Of the same shape.
    """
    return _pair(sound, reference).si_sdr_db()


def snr_db(sound: Samples, reference: Samples) -> Value:
    """Power of the reference against that of the difference, in dB."""
    return _pair(sound, reference).snr_db()


def _pair(sound: Samples, reference: Samples) -> Pair:
    if np.shape(sound) != np.shape(reference):
        raise ValueError(f"shapes differ: {np.shape(sound)} and {np.shape(reference)}")
    pair = Pair()
    pair.add(sound, reference)
    return pair


def delay(excerpts: Iterable[tuple[Samples, Samples]], most: int) -> Value:
    """Samples by which a sound comes later than its reference, from their cross-correlation.

    Parameters
    ----------
    excerpts : iterable of pairs of ndarray
        Sound and reference, ``(samples,)`` each, of the same length; several excerpts vote
        together.
    most : int
        Longest delay that is looked for, either way.

    Returns
    -------
    float or Missing
        A whole number, negative where the sound comes earlier; missing where the two do not
        resemble each other.
    """
    total: NDArray[np.float64] = np.zeros(2 * most + 1)
    norms = np.zeros(2)
    count = 0
    for sound, reference in excerpts:
        if not len(sound):
            continue
        count += len(sound)
        x, r = (
            np.asarray(s, np.float64) - np.mean(s, dtype=np.float64) for s in (sound, reference)
        )
        size = next_fast_len(len(x) + most, real=True)
        both = irfft(rfft(x, size) * np.conj(rfft(r, size)), size)
        reach = min(most, size // 2)
        total[most : most + reach + 1] += both[: reach + 1]
        total[most - reach : most] += both[size - reach :]
        norms += float(x @ x), float(r @ r)
    if wrong := _silent(count, *norms):
        return wrong
    best = int(np.argmax(np.abs(total)))
    by_chance = CHANCE * math.sqrt(most / count)
    wanted = min(CLEAR_RESEMBLANCE, max(LEAST_RESEMBLANCE, by_chance))
    if abs(total[best]) < wanted * math.sqrt(norms[0] * norms[1]):
        return Missing("does not resemble the reference")
    return float(best - most)
