"""Up to which frequency a recording holds anything.

Comes in: sound, in stretches. Goes out: a bandwidth in Hz. A telephone call or an old 16 kHz
recording that somebody has resampled to 48 kHz ends at 3.4 or 8 kHz; above is nothing, or the
resampler's rounding, or the steady hiss of what it was played through.

From the long-term spectrum in bands of 100 Hz: the highest band that stands above the rounding
noise of 16 bit and is not `DEPTH_DB` below the strongest; and where the top of the spectrum is a
flat and steady shelf, on which the sound stands by `RISE_DB` and more, the beginning of that shelf.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from raypipe.quality.value import TOO_LARGE, Missing, Value
from raypipe.types import Samples

WINDOW_S = 0.04
BAND_HZ = 100.0
LEAKS_NOTHING = 12.0
"""Kaiser's beta: side lobes 90 dB down, a main lobe of some four bins to each side."""

LOWEST_RATE_HZ = 1000
LEAST = 1e-30
"""Power that stands for none."""

DEPTH_DB = 85.0
"""What a resampler of middling quality leaves of its mirror images, and less than the range between
a voice and the air above it in a quiet room."""

ROUNDING_DB = 20 * math.log10(1 / 32768) - 10 * math.log10(12)
"""Power of 16-bit rounding, -101.1 dB re full scale squared, spread evenly up to half the rate."""

OVER_ROUNDING_DB = 10.0

FLAT_DB = 3.0
"""A shelf lies within this on either side of its middle ..."""

SHELF_HZ = 1000.0
"""... is at least so wide ..."""

STEADY_DB = 3.0
"""... does not come and go, as the hiss of an s does: the mean of its power is no more above the
mean of its level in dB (noise that is steady comes to 1 dB) ..."""

RISE_DB = 10.0
"""... and within half an octave below its beginning the spectrum has risen by so much."""


class LongTermSpectrum:
    """Adds up power spectra of a sound.

    Parameters
    ----------
    rate_hz : int
        Sampling rate in Hz.
    """

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._size = 1 << max(4, math.ceil(math.log2(max(1.0, WINDOW_S * rate_hz))))
        self._window = np.kaiser(self._size, LEAKS_NOTHING).astype(np.float32)
        self._bins = max(1, round(BAND_HZ * self._size / rate_hz))
        self._bands = (self._size // 2 + 1) // self._bins
        self._power = np.zeros(self._bands)
        self._level_db = np.zeros(self._bands)
        self._count = 0

    @np.errstate(over="ignore", invalid="ignore")  # floats far beyond full scale
    def add(self, sound: Samples) -> None:
        """Take a stretch in, ``(channels, samples)``; its end is left over where it fills no
        window, unless nothing was there before."""
        channels, length = sound.shape
        windows = length // self._size
        if not windows and not self._count and length:
            sound = np.pad(sound, ((0, 0), (0, self._size - length)))
            windows = 1
        if not windows:
            return
        cut = sound[:, : windows * self._size].astype(np.float32, copy=False)
        frames = cut.reshape(channels * windows, self._size) * self._window
        for some in np.array_split(frames, max(1, len(frames) // 64)):
            power = np.square(np.abs(np.fft.rfft(some, axis=1)), dtype=np.float64)
            power = power[:, : self._bands * self._bins]
            mean = power.reshape(len(some), self._bands, self._bins).mean(axis=2)
            self._power += mean.sum(axis=0)
            self._level_db += 10 * np.log10(np.maximum(mean, LEAST)).sum(axis=0)
        self._count += channels * windows

    def density_db(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Middle of each band in Hz, and the mean power density there, in dB re full scale squared
        per Hz (a full-scale square spread over 1 Hz is 0)."""
        scale = 2 / (self._rate_hz * float(np.square(self._window, dtype=np.float64).sum()))
        density = self._power * scale / max(1, self._count)
        middle = (np.arange(self._bands) + 0.5) * self._bins * self._rate_hz / self._size
        return middle, 10 * np.log10(np.maximum(density, LEAST))

    def bandwidth_hz(self) -> Value:
        """The highest frequency in use, or why there is none."""
        if self._rate_hz < LOWEST_RATE_HZ:
            return Missing(f"a rate below {LOWEST_RATE_HZ} Hz")
        if not np.isfinite(self._power).all():
            return TOO_LARGE
        if not self._power.any():
            return Missing("digital silence")
        middle, level_db = self.density_db()
        half = (middle[1] - middle[0]) / 2
        rounding_db = ROUNDING_DB - 10 * math.log10(self._rate_hz / 2) + OVER_ROUNDING_DB
        there = level_db > max(rounding_db, float(level_db.max()) - DEPTH_DB)
        if not there.any():
            return Missing("nothing above the rounding noise of 16 bit")
        top = int(np.flatnonzero(there)[-1])
        mean_db = 10 * np.log10(np.maximum(self._power / self._count, LEAST))
        steady = mean_db - self._level_db / self._count < STEADY_DB
        top = _below_shelf(level_db, steady, top, round(SHELF_HZ / (2 * half)))
        return float(min(middle[top] + half, self._rate_hz / 2))


def _below_shelf(
    level_db: NDArray[np.float64], steady: NDArray[np.bool_], top: int, least: int
) -> int:
    """The highest band that is no part of a shelf at the top; `top` where there is none."""
    # The last bands may lie in the slope of a converter's filter.
    for last in range(top, max(-1, top - max(2, top // 10)), -1):
        middle_db = float(np.median(level_db[max(0, last - least + 1) : last + 1]))
        flat = np.abs(level_db[: last + 1] - middle_db) <= FLAT_DB
        outside = np.flatnonzero(~(flat & steady[: last + 1]))
        begin = int(outside[-1]) + 1 if len(outside) else 0
        if last - begin + 1 < least:
            continue
        near = level_db[int(begin / math.sqrt(2)) : begin]
        if len(near) and near.max() >= middle_db + RISE_DB:
            return begin - 1
        return top
    return top
