"""How loud the active part of a recording is, and how much of it is pause.

Comes in: sound, in stretches. Goes out: active level and activity factor as ITU-T P.56 (method B)
defines them: an envelope, smoothed twice over 30 ms, is compared with thresholds in steps of 6 dB;
after it was above one, the sound counts as active for another 200 ms; the threshold that lies
15.9 dB below the level of what it calls active is the right one.

References
----------
ITU-T Recommendation P.56, Objective measurement of active speech level (12/2011).
"""

from __future__ import annotations

import math

import numpy as np
from scipy.signal import lfilter

from raypipe.quality.value import Missing
from raypipe.types import Samples

TIME_CONSTANT_S = 0.03
HANGOVER_S = 0.2
MARGIN_DB = 15.9
STEPS = 24
"""Thresholds from half of full scale down to -144 dBFS."""

ENVELOPE_HZ = 400
"""The envelope is looked at so often: it cannot change by more than 0.7 dB in between."""


class Activity:
    """Adds a sound up.

    Parameters
    ----------
    rate_hz : int
        Sampling rate in Hz.

    Notes
    -----
    Several channels count as one, whose sample is the root of the mean of their squares.
    """

    def __init__(self, rate_hz: int) -> None:
        self._every = max(1, rate_hz // ENVELOPE_HZ)
        self._hangover = round(HANGOVER_S * rate_hz / self._every)
        decay = math.exp(-1 / (TIME_CONSTANT_S * rate_hz))
        self._filter = np.array([1 - decay]), np.array([1.0, -decay])
        self._state = np.zeros((2, 1))
        self._thresholds = 0.5 ** np.arange(1, STEPS + 1)
        self._active = np.zeros(STEPS, np.int64)
        self._since = np.full(STEPS, np.iinfo(np.int64).max // 2)
        self._looks = 0
        self._energy = 0.0
        self._samples = 0

    def add(self, sound: Samples) -> None:
        """Take a stretch in, ``(channels, samples)``."""
        power = np.mean(np.square(sound, dtype=np.float64), axis=0)
        envelope = np.sqrt(power)
        for turn in range(2):
            envelope, self._state[turn] = lfilter(*self._filter, envelope, zi=self._state[turn])
        first = -self._samples % self._every
        looks = envelope[first :: self._every]
        self._energy += float(power.sum())
        self._samples += len(power)
        self._looks += len(looks)
        if not len(looks):
            return
        at = np.arange(len(looks))
        for step, threshold in enumerate(self._thresholds):
            last = np.maximum.accumulate(np.where(looks >= threshold, at, -1 - self._since[step]))
            since = at - last
            self._active[step] += np.count_nonzero(since <= self._hangover)
            self._since[step] = since[-1]

    def result(self) -> tuple[float, float] | Missing:
        """Active level in dBFS and activity factor (0 to 1), or why there are none."""
        if not self._energy or not self._looks:
            return Missing("digital silence")
        share = self._active / self._looks
        mean = self._energy / self._samples
        below = None
        for threshold, factor in zip(self._thresholds, share, strict=True):
            if not factor:
                continue
            level_db = 10 * math.log10(mean / factor)
            over_db = level_db - 20 * math.log10(threshold) - MARGIN_DB
            if over_db >= 0:
                if below is None:
                    return level_db, float(factor)
                part = -below[0] / (over_db - below[0])
                level_db = below[1] + part * (level_db - below[1])
                return level_db, min(1.0, mean / 10 ** (level_db / 10))
            below = over_db, level_db
        return Missing("too quiet")
