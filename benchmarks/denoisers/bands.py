"""What a denoiser does above 8 kHz, beside what it does below.

Comes in: clean speech at 48 kHz, the noisy sound, and the output. Goes out: decibels. Kept:
energy above 8 kHz of the output against that of the clean speech, in voiced and in fricative
frames. Reduced: energy of the noisy sound against that of the output in pauses, above and below.
Frames of 30 ms are told apart by the clean speech alone:

- voiced: within 25 dB of the loudest, most of it below 2 kHz;
- fricative: within 40 dB of the loudest, most of it above 4 kHz, for 40 ms at least (a click, of
  lips or of a mouse, is no speech);
- pause: 45 dB below the loudest, and nothing louder within 60 ms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_opening

from benchmarks.denoisers.mixing import FULL_HZ

Sound = NDArray[np.float64]
Marks = NDArray[np.bool_]

FRAME, HOP = 1440, 480
SPLIT_HZ, TOP_HZ, LOWEST_HZ = 8_000, 20_000, 100
VOICED_DB, FRICATIVE_DB, PAUSE_DB = -25.0, -40.0, -45.0
LASTS = 4
"""Frames of 10 ms in a row that a fricative takes at least."""
AROUND = 6
"""Frames of 10 ms on each side of a pause that must be quiet, too."""
AUDIBLE_DB = 6.0
"""Speech above 8 kHz counts in frames where it stands so far above the noise there: of what the
noise covers nobody can say whether it was kept."""


@dataclass(frozen=True, slots=True)
class Bands:
    """What was measured of one sound; NaN where there were no such frames."""

    voiced_db: float
    fricative_db: float
    voiced: int
    """Frames that it was measured on."""
    fricative: int
    reduced_below_db: float
    reduced_above_db: float


def spectrogram(sound: Sound, frame: int = FRAME, hop: int = HOP) -> Sound:
    """Power, ``(frames, bins)``; Hann window."""
    frames = np.lib.stride_tricks.sliding_window_view(sound, frame)[::hop]
    power: Sound = np.abs(np.fft.rfft(frames * np.hanning(frame))) ** 2
    return power


def between(power: Sound, low_hz: float, high_hz: float, rate_hz: int = FULL_HZ) -> Sound:
    """Energy of each frame between two frequencies."""
    hz = np.linspace(0, rate_hz / 2, power.shape[1])
    energy: Sound = power[:, (hz >= low_hz) & (hz < high_hz)].sum(axis=1)
    return energy


def frames_by_kind(clean: Sound) -> dict[str, Marks]:
    """Which frames are ``voiced``, ``fricative`` or ``pause``; `clean` as a spectrogram."""
    whole = between(clean, LOWEST_HZ, TOP_HZ)
    level_db = 10 * np.log10(whole / whole.max() + 1e-12)
    low, high = between(clean, LOWEST_HZ, 2000), between(clean, 4000, TOP_HZ)
    quiet = level_db < PAUSE_DB
    around = np.convolve(~quiet, np.ones(2 * AROUND + 1), "same") > 0
    return {
        "voiced": (level_db > VOICED_DB) & (low > 0.5 * whole),
        "fricative": binary_opening(
            (level_db > FRICATIVE_DB) & (high > 0.5 * whole), np.ones(LASTS, bool)
        ),
        "pause": ~around,
    }


def measure(clean: Sound, noisy: Sound, made: Sound) -> Bands:
    """Hold an output against what went in and what should have come out.

    Parameters
    ----------
    clean, noisy, made : array, shape (samples,)
        At 48 kHz, aligned.
    """
    before, mixed, after = (spectrogram(sound) for sound in (clean, noisy, made))
    noise = between(spectrogram(noisy - clean), SPLIT_HZ, TOP_HZ)
    kinds = frames_by_kind(before)
    speech = between(before, SPLIT_HZ, TOP_HZ)
    audible = speech > noise * 10 ** (AUDIBLE_DB / 10)
    voiced, fricative = kinds["voiced"] & audible, kinds["fricative"] & audible
    high = between(after, SPLIT_HZ, TOP_HZ)
    pause = kinds["pause"]
    reduced = [
        _ratio_db(between(mixed, low, top)[pause], between(after, low, top)[pause])
        for low, top in ((LOWEST_HZ, SPLIT_HZ), (SPLIT_HZ, TOP_HZ))
    ]
    return Bands(
        _ratio_db(high[voiced], speech[voiced]), _ratio_db(high[fricative], speech[fricative]),
        int(voiced.sum()), int(fricative.sum()), *reduced,
    )  # fmt: skip


def _ratio_db(one: Sound, other: Sound) -> float:
    if not len(one):
        return float("nan")
    return float(10 * np.log10((one.sum() + 1e-20) / (other.sum() + 1e-20)))
