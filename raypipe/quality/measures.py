"""Measures of one sound by itself: level, loudness, noise, clipping, bandwidth, pauses.

Comes in: samples, whole or in stretches of any length. Goes out: `Measures`. Cutting changes
nothing: the work is done on a grid of whole seconds. Memory is that of the stretch, and 0.7 MB for
each hour.

0 dBFS is the power of a full-scale square wave; a full-scale sine is -3.01 dBFS, as in ITU-R
BS.1770 (AES17 would call it 0).
"""

from __future__ import annotations

import math
from array import array
from dataclasses import dataclass, field, fields

import numpy as np

from raypipe.dsp.k_weighting import design_for
from raypipe.dsp.level import HOPS_IN_BLOCK, LOWEST_RATE_HZ, LevelMeter, LevelSum
from raypipe.quality.activity import Activity
from raypipe.quality.clipping import ClippedRuns
from raypipe.quality.snr import AmplitudeSpread
from raypipe.quality.spectrum import LongTermSpectrum
from raypipe.quality.value import TOO_LARGE, Missing, Value, parted
from raypipe.types import Levels, Samples

FRAME_S = 0.05
FRAMES_IN_GRAIN = 20
"""Sound is worked on in grains of a second."""

FLOOR_PERCENTILE = 10
"""The noise floor is what so many percent of frames do not exceed: pauses, or the quietest part."""

MOST_AT_ONCE = 1 << 20
"""Samples a channel; longer stretches are taken in several."""

SILENCE = Missing("digital silence")

MOST_DB = 300.0
"""Peak in dBFS up to which float32 holds a second's squares."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What one sound says of itself; None where there is nothing to say, with the reason in
    `missing`."""

    duration_s: float = 0.0
    """Length."""
    peak_dbfs: float | None = None
    """Largest sample of all channels."""
    clipped_share: float | None = None
    """Samples that stand at full scale in runs of three or more, as a share of all (0 to 1)."""
    clipped_runs: int | None = None
    """Such runs."""
    loudness_lufs: float | None = None
    """Integrated loudness, ITU-R BS.1770-4 with both gates, as `raypipe.dsp.level` works it out."""
    active_level_dbfs: float | None = None
    """Level while there is something to hear, ITU-T P.56."""
    silence_share: float | None = None
    """Share of the time that is pause by ITU-T P.56: 15.9 dB below the active level for more than
    200 ms (0 to 1)."""
    noise_floor_dbfs: float | None = None
    """Level that a tenth of all 50 ms frames does not exceed; frames of digital silence are left
    out."""
    snr_db: float | None = None
    """Speech against noise, estimated by WADA-SNR: see `raypipe.quality.snr` for what it is worth.
    Held between -10 and 60."""
    bandwidth_hz: float | None = None
    """Frequency above which there is nothing but a noise floor."""
    missing: dict[str, str] = field(default_factory=dict)
    """Why a field is None, by its name."""


def measure(samples: Samples, rate_hz: int) -> Measures:
    """Measure a sound.

    Parameters
    ----------
    samples : ndarray
        ``(channels, samples)`` or ``(samples,)``, float, full scale at 1, finite.
    rate_hz : int
        Sampling rate in Hz.

    Returns
    -------
    Measures
        See there.
    """
    sound = np.atleast_2d(np.asarray(samples))
    meter = Meter(rate_hz, len(sound))
    meter.add(sound)
    return meter.measures()


class Meter:
    """Measures a sound that comes in stretches.

    Parameters
    ----------
    rate_hz : int
        Sampling rate in Hz.
    channels : int
        Number of channels.
    full_scale : float
        Largest positive sample that the recording's format has.
    """

    def __init__(self, rate_hz: int, channels: int, full_scale: float = 1.0) -> None:
        self._rate_hz = rate_hz
        self._frame = max(1, round(FRAME_S * rate_hz))
        self._grain = self._frame * FRAMES_IN_GRAIN
        self._rest: Samples = np.zeros((channels, 0), np.float32)
        self._meter = LevelMeter(rate_hz, channels)
        self._meter_state = self._meter.reset(channels)
        self._levels = LevelSum(rate_hz, channels)
        self._clipped = ClippedRuns(channels, full_scale)
        self._activity = Activity(rate_hz)
        self._spread = AmplitudeSpread(channels)
        self._spectrum = LongTermSpectrum(rate_hz)
        self._frames = array("d")
        self._samples = 0

    def add(self, sound: Samples) -> None:
        """Take a stretch in, ``(channels, samples)``."""
        for start in range(0, sound.shape[1], MOST_AT_ONCE):
            self._add(sound[:, start : start + MOST_AT_ONCE])

    def _add(self, sound: Samples) -> None:
        self._samples += sound.shape[1]
        measured, self._meter_state = self._meter.process(sound, self._meter_state)
        self._levels.add(measured)
        self._clipped.add(sound)
        sound = np.concatenate([self._rest, sound], axis=1)
        whole = sound.shape[1] // self._grain * self._grain
        for start in range(0, whole, self._grain):
            self._take(sound[:, start : start + self._grain])
        self._rest = sound[:, whole:].copy()

    def _take(self, grain: Samples) -> None:
        """A second, or the end of the sound."""
        self._activity.add(grain)
        self._spread.add(grain)
        self._spectrum.add(grain)
        frames = grain.shape[1] // self._frame
        if not frames:
            return
        cut = grain[:, : frames * self._frame].reshape(len(grain), frames, self._frame)
        power = np.mean(np.square(cut, dtype=np.float64), axis=(0, 2))
        self._frames.extend(power.tolist())

    def measures(self) -> Measures:
        """What all of it comes to; nothing may be added after that."""
        if self._rest.shape[1]:
            self._take(self._rest)
            self._rest = self._rest[:, :0]
        if not self._samples:
            return all_missing("it holds no samples")
        self._clipped.finish()
        levels = self._levels.levels()
        channels = len(self._rest)
        activity = self._activity.result()
        level, active = (activity, 0.0) if isinstance(activity, Missing) else activity
        found = {
            "duration_s": self._samples / self._rate_hz,
            "peak_dbfs": SILENCE if levels.peak_db is None else levels.peak_db,
            "clipped_share": self._clipped.samples / (self._samples * channels),
            "clipped_runs": self._clipped.runs,
            "loudness_lufs": self._no_loudness(levels) if levels.lufs is None else levels.lufs,
            "active_level_dbfs": level,
            "silence_share": 1 - active,
            "noise_floor_dbfs": self._noise_floor(),
            "snr_db": self._spread.estimate(),
            "bandwidth_hz": self._spectrum.bandwidth_hz(),
        }
        return Measures(**parted(found))

    def _no_loudness(self, levels: Levels) -> Missing:
        if self._rate_hz < LOWEST_RATE_HZ:
            return Missing(f"a rate below {LOWEST_RATE_HZ} Hz")
        if self._samples < HOPS_IN_BLOCK * design_for(self._rate_hz).hop:
            return Missing("shorter than a gating block (some 400 ms)")
        if levels.peak_db is not None and levels.peak_db > MOST_DB:
            return TOO_LARGE
        return Missing("nothing is louder than -70 LUFS")

    def _noise_floor(self) -> Value:
        power = np.frombuffer(self._frames, np.float64)
        heard = power[power > 0]
        if not len(heard):
            return SILENCE if len(power) else Missing("shorter than 50 ms")
        return 10 * math.log10(float(np.percentile(heard, FLOOR_PERCENTILE)))


def all_missing(reason: str) -> Measures:
    """Measures of a sound that has none."""
    names = [f.name for f in fields(Measures) if f.name not in ("duration_s", "missing")]
    return Measures(missing=dict.fromkeys(names, reason))
