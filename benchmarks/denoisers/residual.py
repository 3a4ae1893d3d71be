"""What is left of the noise: does it twinkle (musical noise), and does it swell with the voice?

Comes in: clean speech, the noise that was added, and the output, at one rate. Goes out:

- kurtosis ratio: fourth moment of the power spectrum over its second squared, output against
  noisy, in pauses, frequency by frequency, geometric mean. Stationary noise that is made softer
  keeps it at 1; single tones that come and go drive it up.
- pumping: how much less the noise is reduced while somebody speaks than in pauses, in dB, in
  cells of the spectrogram in which the noise stands 20 dB above the speech.
- unrest: by how much more than the noise itself its rest goes up and down in pauses, in dB of
  standard deviation of its level, in frames of 32 ms.

Reference: Y. Uemura, Y. Takahashi, H. Saruwatari, K. Shikano and K. Kondo, "Automatic
optimization scheme of spectral subtraction based on musical noise assessment via higher-order
statistics", IWAENC 2008.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.denoisers.bands import Marks, Sound, spectrogram

COVERED_DB = 20.0
QUIET_DB = -45.0
SPOKEN_DB = -25.0
SETTLED_S = 1.0
"""Denoisers need the beginning to hear what the noise is."""


@dataclass(frozen=True, slots=True)
class Residual:
    """What was measured of one sound."""

    reduced_db: float
    """In pauses."""
    kurtosis_ratio: float
    pumping_db: float
    unrest_db: float


def measure(clean: Sound, noise: Sound, made: Sound, rate_hz: int) -> Residual:
    """Look at what is left of the noise.

    Parameters
    ----------
    clean, noise, made : array, shape (samples,)
        Aligned; `noise` is what stands beside `clean` in the sound that was denoised.
    rate_hz : int
        Of all three.
    """
    frame = 2 * round(0.016 * rate_hz)
    hop = frame // 4
    speech, mixed, before, after = (
        spectrogram(sound, frame, hop)[round(SETTLED_S * rate_hz / hop) :]
        for sound in (clean, clean + noise, noise, made)
    )
    level_db = 10 * np.log10(speech.sum(1) / speech.sum(1).max() + 1e-12)
    spoken = level_db > SPOKEN_DB
    pause = np.convolve(level_db > QUIET_DB, np.ones(33), "same") == 0
    covered = before > speech * 10 ** (COVERED_DB / 10)
    in_pauses = _reduced_db(mixed, after, covered & pause[:, None])
    in_speech = _reduced_db(mixed, after, covered & spoken[:, None])
    ratio = _kurtosis(after[pause]) / _kurtosis(mixed[pause])
    return Residual(
        in_pauses, float(np.exp(np.mean(np.log(ratio)))), in_pauses - in_speech,
        _unrest_db(after[pause]) - _unrest_db(mixed[pause]),
    )  # fmt: skip


def _reduced_db(before: Sound, after: Sound, cells: Marks) -> float:
    return float(10 * np.log10(before[cells].sum() / (after[cells].sum() + 1e-20)))


def _kurtosis(power: Sound) -> Sound:
    """Of each frequency; the mean and the top bins, where there may be nothing, left out."""
    inner = power[:, 2:-2] + 1e-20
    ratio: Sound = np.mean(inner**4, axis=0) / np.mean(inner**2, axis=0) ** 2
    return ratio


def _unrest_db(power: Sound) -> float:
    return float(np.std(10 * np.log10(power.sum(1) + 1e-20)))
