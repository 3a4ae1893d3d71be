"""Samples at full scale, in runs: what overload leaves behind.

Comes in: sound, in stretches. Goes out: how many samples stand in runs, and how many runs. A
single sample at full scale is no damage (normalising to 0 dB gives one); three in a row are.
"""

from __future__ import annotations

import numpy as np

from raypipe.types import Samples

FULL_SCALE = 1 - 2 / 32768
"""The largest positive 16-bit sample is one step below 1; one more for rounding. Float samples
beyond 1 count, too: whoever plays them clips them."""

RUN = 3
"""Samples in a row that count as clipped."""


class ClippedRuns:
    """Counts, for each channel on its own, also across stretches.

    Parameters
    ----------
    channels : int
        Number of channels.
    full_scale : float
        Largest positive sample that there can be; no more than `FULL_SCALE` is asked for.
    """

    def __init__(self, channels: int, full_scale: float = FULL_SCALE) -> None:
        self._top = min(full_scale, FULL_SCALE)
        self.samples = 0
        """Samples in runs that have ended."""
        self.runs = 0
        self._open = np.zeros(channels, np.int64)

    def add(self, sound: Samples) -> None:
        """Take a stretch in, ``(channels, samples)``."""
        if not sound.shape[1]:
            return
        at_top = np.abs(sound) >= self._top
        if not at_top.any():
            self._end(self._open)
            self._open[:] = 0
            return
        for channel, marks in enumerate(at_top):
            edges = np.flatnonzero(np.diff(np.concatenate(([False], marks, [False])).view(np.int8)))
            begins, ends = edges[::2], edges[1::2]
            lengths = ends - begins
            if len(begins) and begins[0] == 0:
                lengths[0] += self._open[channel]
            else:
                self._end(self._open[channel : channel + 1])
            self._open[channel] = 0
            if len(ends) and ends[-1] == len(marks):
                self._open[channel] = lengths[-1]
                lengths = lengths[:-1]
            self._end(lengths)

    def _end(self, lengths: Samples) -> None:
        long = lengths[lengths >= RUN]
        self.samples += int(long.sum())
        self.runs += len(long)

    def finish(self) -> None:
        """Count the runs that the end of the sound has cut."""
        self._end(self._open)
        self._open[:] = 0
