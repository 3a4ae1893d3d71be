"""One recording as it is measured: first from its beginning to its end, then at chosen places.

Comes in: a file. Goes out: its samples at a rate of choice, in stretches; then mono excerpts of
it. A short recording's mono sound is kept for that; of a long one the excerpts are read again, so
that memory does not grow with its length.
"""

from __future__ import annotations

from math import gcd

import numpy as np
import soxr
from numpy.typing import NDArray

from raypipe.audio.read import SoundReader, open_sound
from raypipe.dsp.resample import Resample
from raypipe.errors import UnsupportedAudio
from raypipe.types import RawLayout, Samples

QUALITY = "HQ"

MOST_READ = 1 << 20
"""Samples a channel that are decoded at once, however much higher the file's own rate is."""


class Track:
    """A file open for measuring.

    Parameters
    ----------
    path : str
        File or address.
    layout : RawLayout or None
        For headerless files.
    keep_truncated : bool
        See `open_sound`.
    kept_s : float
        Up to this length the mono sound is kept.
    rate_hz : int, optional
        Rate that it is wanted at; its own by default.

    Raises
    ------
    AudioError, OSError, StorageError
        As `open_sound`; also from `read` and `excerpt`.
    """

    def __init__(
        self,
        path: str,
        layout: RawLayout | None,
        *,
        keep_truncated: bool,
        kept_s: float,
        rate_hz: int | None = None,
    ) -> None:
        self._path = path
        self.reader: SoundReader = open_sound(path, None, layout, keep_truncated=keep_truncated)
        self.info = self.reader.info
        self.rate_hz = rate_hz or self.info.rate_hz
        self.frames = 0
        """Samples per channel given so far, at `rate_hz`."""
        self._resample = Resample(self.info.rate_hz, self.rate_hz)
        self._same = self.info.rate_hz == self.rate_hz
        self._state = self._resample.reset(self.info.channels)
        self._ready: Samples = np.zeros((self.info.channels, 0), np.float32)
        self._flushed = False
        self._most_kept = round(kept_s * self.rate_hz)
        self._kept: list[NDArray[np.float32]] | None = []
        self._last = 0, np.zeros(0, np.float32)

    def read(self, frames: int) -> Samples:
        """Next samples, ``(channels, n)``; n is less than `frames` only at the end."""
        sound = self._own(frames) if self._same else self._resampled(frames)
        self.frames += sound.shape[1]
        if self.frames > self._most_kept:
            self._kept = None
        if self._kept is not None:
            self._kept.append(mono(sound))
        return sound

    def _own(self, frames: int) -> Samples:
        sound = self.reader.read(frames)
        if self.info.wide:
            largest = np.max(np.abs(sound), initial=0.0)
            if largest > np.finfo(np.float32).max:
                raise UnsupportedAudio(self._path, f"has a sample of {largest:.3g}")
        return sound

    def _resampled(self, frames: int) -> Samples:
        while self._ready.shape[1] < frames and not self._flushed:
            wanted = frames * self.info.rate_hz // self.rate_hz
            sound = self._own(min(max(1, wanted), MOST_READ))
            made, self._state = self._resample.process(sound, self._state)
            parts = [self._ready, made]
            if not sound.shape[1]:
                parts.append(self._resample.flush(self._state))
                self._flushed = True
            self._ready = np.concatenate([part for part in parts if part.size] or parts[:1], axis=1)
        sound, self._ready = self._ready[:, :frames], self._ready[:, frames:]
        return sound

    def rest(self) -> int:
        """Samples that are left, at `rate_hz`; reads to the end."""
        left = 0
        while (count := self.read(1 << 18).shape[1]) > 0:
            left += count
        return left

    @property
    def kept(self) -> bool:
        """True where all of it is kept."""
        return self._kept is not None

    def excerpt(self, start: int, stop: int, wanted_hz: int | None = None) -> NDArray[np.float32]:
        """Mono sound from `start` to before `stop` (at `rate_hz`), once all was read.

        Parameters
        ----------
        start, stop : int
            Within the sound.
        wanted_hz : int, optional
            Rate of what is given.
        """
        if self._kept is not None:
            if len(self._kept) > 1:
                self._kept = [np.concatenate(self._kept)]
            whole = self._kept[0] if self._kept else np.zeros(0, np.float32)
            return resampled(whole[start:stop], self.rate_hz, wanted_hz or self.rate_hz)
        own_hz, rate_hz = self.info.rate_hz, self.rate_hz
        # Only such a sample lies at the same instant at both rates.
        early = start % (rate_hz // gcd(own_hz, rate_hz))
        first, last = (start - early) * own_hz // rate_hz, -(-stop * own_hz // rate_hz)
        sound = resampled(self._again(first, last), own_hz, rate_hz)
        return resampled(sound[early : early + stop - start], rate_hz, wanted_hz or rate_hz)

    def _again(self, first: int, last: int) -> NDArray[np.float32]:
        """Mono sound at the file's own rate; what the excerpt before had of it is not decoded
        again, as going back in a compressed file is to begin anew."""
        begin, before = self._last
        known = before[first - begin : last - begin] if begin <= first else before[:0]
        self.reader.seek(first + len(known))
        sound = mono(self.reader.read(last - first - len(known)))
        self._last = first, np.concatenate([known, sound])
        return self._last[1]

    def close(self) -> None:
        """Close the file."""
        self.reader.close()


def mono(sound: Samples) -> NDArray[np.float32]:
    """Mean of the channels, ``(samples,)``."""
    return np.asarray(sound.mean(axis=0, dtype=np.float64), np.float32)


def resampled(sound: NDArray[np.float32], rate_hz: int, wanted_hz: int) -> NDArray[np.float32]:
    """A whole sound at another rate, ``(samples,)``."""
    if rate_hz == wanted_hz or not len(sound):
        return sound
    return np.asarray(soxr.resample(sound, rate_hz, wanted_hz, quality=QUALITY), np.float32)
