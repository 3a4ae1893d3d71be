"""Spectra of whole pieces and what shapes them: rates, curves, rooms, bands above the recording's.

Comes in: sound at its own rate and a generator of random numbers. Goes out: spectra of
`SAMPLES` at 48 kHz. As everything is a product over one long transform, changing rate and
speed, filters and rooms cost next to nothing; the piece is taken as a circle, so that a room's
tail at the end is heard at the beginning, as of something said before.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len, rfft

from models.denoiser.network import FRAME, HOP, RATE_HZ

FRAMES = 300
SAMPLES = 145_800
"""Of a piece: not less than `FRAMES` frames need, and quick to transform."""
BINS = SAMPLES // 2 + 1
HZ = np.linspace(0, RATE_HZ / 2, BINS, dtype=np.float32)

Spectrum = NDArray[np.complex64]
Rng = np.random.Generator

KNOTS_HZ = np.array([30, 80, 200, 500, 1200, 3000, 6500, 11000, 17000, 24000.0])
"""Where random curves are drawn."""
LOWEST = int(20 / RATE_HZ * SAMPLES)
"""Bins below 20 Hz: no sound."""
FADE = 240
"""Samples at the ends of a cut piece, 5 to 15 ms."""

ABOVE_HZ = np.array([7500, 10000, 14000, 18000, 23900.0])
SPEECH_ABOVE_DB = np.array([-2, -7, -12, -15, -20.0])
"""Level of speech there beside that at 4 to 8 kHz: measured on the full-band training
recordings, where it hardly depends on the sound that is spoken; it differs by 8 dB."""
NOISE_ABOVE_DB = np.array([0, -2, -4, -7, -10.0])

assert SAMPLES >= (FRAMES - 1) * HOP + FRAME


def piece(rng: Rng, samples: NDArray[np.int16], rate_hz: int, speed: float, loop: bool) -> Spectrum:
    """A random part of a recording, at another speed, as a spectrum at 48 kHz.

    Parameters
    ----------
    rng : Generator
        Says where it begins.
    samples : array, shape (n,), int16
        The recording.
    rate_hz : int
        Its rate.
    speed : float
        How much faster it becomes.
    loop : bool
        Repeat what is too short, else put silence around it.
    """
    wanted = next_fast_len(round(SAMPLES / RATE_HZ * rate_hz * speed), real=True)
    if len(samples) >= wanted:
        start = int(rng.integers(len(samples) - wanted + 1))
        cut = _floats(samples[start : start + wanted])
        _fade(cut)
    else:
        cut = np.zeros(wanted, np.float32)
        whole = _floats(samples)
        _fade(whole)
        start = int(rng.integers(wanted - len(samples) + 1))
        cut[start : start + len(whole)] = whole
        if loop:
            cut = np.roll(np.resize(whole, wanted), start)
    made = np.zeros(BINS, np.complex64)
    spectrum = rfft(cut)
    size = min(BINS, len(spectrum))
    made[:size] = spectrum[:size] * np.float32(SAMPLES / wanted)
    # Some recordings stand on an offset, which would count as their loudness.
    made[:LOWEST] = 0
    return made


def _floats(samples: NDArray[np.int16]) -> NDArray[np.float32]:
    return samples.astype(np.float32) * np.float32(1 / 32768)


def _fade(samples: NDArray[np.float32]) -> None:
    size = min(FADE, len(samples) // 2)
    ramp = np.arange(size, dtype=np.float32) / max(1, size)
    samples[:size] *= ramp
    samples[len(samples) - size :] *= ramp[::-1]


def fill_above(spectrum: Spectrum, top_hz: float) -> None:
    """Copy the 4 kHz below `top_hz` upwards, mirrored again and again, to 24 kHz.

    Mirrored spectra are conjugated: else what is copied would run backwards in time.
    """
    top = int(top_hz * 0.97 / RATE_HZ * SAMPLES)
    width = int(4000 / RATE_HZ * SAMPLES)
    above = np.arange(top, BINS)
    turn, place = np.divmod(above - top, width)
    mirrored = turn % 2 == 0
    copied = spectrum[np.where(mirrored, top - 1 - place, top - width + place)]
    spectrum[top:] = np.where(mirrored, copied.conj(), copied)


def curve_db(rng: Rng, spread_db: float, tilt_db: float = 0.0) -> NDArray[np.float32]:
    """A random smooth filter in dB at each bin, with a random tilt over the whole range."""
    heights = rng.normal(0, spread_db, len(KNOTS_HZ))
    heights += rng.normal(0, tilt_db) * np.linspace(-1, 1, len(KNOTS_HZ))
    return at_bins(KNOTS_HZ, heights - heights.mean())


def above_db(rng: Rng, levels_db: NDArray[np.float64]) -> NDArray[np.float32]:
    """How much weaker the copied bands are, around given levels."""
    drawn = levels_db + rng.normal(0, 5) + rng.normal(0, 3, len(levels_db))
    drawn[0] = levels_db[0]
    made = at_bins(ABOVE_HZ, np.minimum(drawn, 6))
    made[ABOVE_HZ[0] > HZ] = 0
    return made


def at_bins(hz: NDArray[np.float64], db: NDArray[np.float64]) -> NDArray[np.float32]:
    """Lines between points over the logarithm of the frequency, at each bin."""
    coarse = np.geomspace(20, RATE_HZ / 2, 200)
    return np.interp(HZ, coarse, np.interp(np.log(coarse), np.log(hz), db)).astype(np.float32)


def band(low_hz: float, high_hz: float) -> NDArray[np.float32]:
    """A band-pass in dB, with edges of 5 % of their frequency."""
    db = np.zeros(BINS, np.float32)
    if high_hz < RATE_HZ / 2:
        db -= 100 * np.clip((HZ - high_hz) / (0.05 * high_hz), 0, 1)
    if low_hz > 0:
        db -= 100 * np.clip((low_hz - HZ) / (0.3 * low_hz), 0, 1)
    return db


def _soft_db(power: float) -> NDArray[np.float32]:
    """What a room takes of the highs: 3 dB at 8 kHz."""
    return np.asarray(-3 * (HZ[1:] / 8000) ** power, np.float32)


def gain(db: NDArray[np.float32]) -> NDArray[np.float32]:
    """Decibels to factors."""
    factors: NDArray[np.float32] = np.exp(db * np.float32(np.log(10) / 20))
    return factors


def room(rng: Rng) -> Spectrum:
    """The response of a room: direct sound, and noise that decays by 60 dB in 0.1 to 0.8 s."""
    decay_s = rng.uniform(0.1, 0.8)
    length = int(decay_s * RATE_HZ)
    tail = rng.standard_normal(length, dtype=np.float32)
    tail *= np.exp(np.float32(-6.9 / length) * np.arange(length, dtype=np.float32))
    tail[: int(rng.uniform(0.001, 0.01) * RATE_HZ)] = 0
    tail *= 10 ** (-rng.uniform(0, 15) / 20) / np.sqrt(np.sum(tail**2) + 1e-9)
    response = np.zeros(SAMPLES, np.float32)
    response[:length] = tail
    response[0] = 1
    spectrum: Spectrum = rfft(response)
    # The air and the walls take the highs.
    spectrum[1:] = 1 + (spectrum[1:] - 1) * gain(_soft_db(rng.uniform(0.5, 1)))
    return spectrum
