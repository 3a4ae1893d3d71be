"""Noise: recorded, made by code, or many voices; as the spectrum of a piece.

Comes in: the library of noise and speech, random numbers. Goes out: spectra. What was recorded
at a low rate gets bands above it, so that noise there is as common as below.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft

from models.denoiser.data import Clip, Library
from models.denoiser.network import RATE_HZ
from models.denoiser.shapes import (
    BINS,
    HZ,
    LOWEST,
    NOISE_ABOVE_DB,
    SAMPLES,
    Rng,
    Spectrum,
    above_db,
    band,
    curve_db,
    fill_above,
    gain,
    piece,
)

RECORDED = 0.78
"""Share of recorded noise."""
VOICES = 0.08
"""Share of many voices."""
NARROW = 0.2
"""How often noise has nothing above some frequency: there, a voice above it must be left alone."""
TWICE = 0.35
"""How often two noises sound together."""


def noise(rng: Rng, library: Library) -> Spectrum:
    """One of all noises, of any loudness."""
    made = _one(rng, library)
    if rng.random() < TWICE:
        second = _one(rng, library)
        made = made + second * np.float32(_power_ratio(made, second) * 10 ** rng.uniform(-1, 0.3))
    shape_db = curve_db(rng, 4, 3)
    if rng.random() < NARROW:
        shape_db = shape_db + band(0, float(np.exp(rng.uniform(np.log(4000), np.log(14000)))))
    made = made * gain(shape_db)
    made[:LOWEST] = 0
    return made


def _power_ratio(first: Spectrum, second: Spectrum) -> float:
    return float(np.linalg.norm(first) / (np.linalg.norm(second) + 1e-12))


def _one(rng: Rng, library: Library) -> Spectrum:
    drawn = rng.random()
    if drawn < RECORDED and library.noise:
        return recorded(rng, library)
    if drawn < RECORDED + VOICES:
        return voices(rng, library)
    made = MADE[int(rng.choice(len(MADE), p=SHARES))](rng)
    return np.asarray(made, np.complex64)


def recorded(rng: Rng, library: Library) -> Spectrum:
    """A piece of a recording; classes with more sound come somewhat more often."""
    labels = sorted(library.noise)
    sizes = [np.sqrt(sum(len(clip.samples) for clip in library.noise[name])) for name in labels]
    clips = library.noise[labels[int(rng.choice(len(labels), p=np.array(sizes) / sum(sizes)))]]
    sizes = [float(len(clip.samples)) for clip in clips]
    clip = clips[int(rng.choice(len(clips), p=np.array(sizes) / sum(sizes)))]
    speed = float(np.exp(rng.uniform(np.log(0.6), np.log(1.6))))
    spectrum = piece(rng, clip.samples, clip.rate_hz, speed, loop=True)
    if clip.rate_hz < 32_000 and rng.random() < 0.8:
        fill_above(spectrum, clip.rate_hz / 2 * speed)
        spectrum *= gain(above_db(rng, NOISE_ABOVE_DB))
    return _varied(rng, spectrum)


def _varied(rng: Rng, spectrum: Spectrum) -> Spectrum:
    """As it is, backwards, without its course in time, or swelling: half an hour of noise is
    soon known by heart."""
    drawn = rng.random()
    if drawn < 0.35:
        return spectrum.conj()
    if drawn < 0.5:
        turns = rng.uniform(0, 2 * np.pi, len(spectrum)).astype(np.float32)
        return np.asarray(spectrum * np.exp(1j * turns), np.complex64)
    return _swell(rng, spectrum) if drawn < 0.6 else spectrum


def voices(rng: Rng, library: Library) -> Spectrum:
    """Three to eight people of the library at once."""
    clips = [clip for some in library.speech.values() for clip in some]
    total = np.zeros(BINS, np.complex64)
    for _ in range(int(rng.integers(3, 9))):
        clip: Clip = clips[int(rng.integers(len(clips)))]
        one = piece(rng, clip.samples, clip.rate_hz, float(rng.uniform(0.85, 1.15)), loop=True)
        total += one * np.float32(10 ** rng.uniform(-0.4, 0) / (np.linalg.norm(one) + 1e-9))
    return total


def coloured(rng: Rng) -> Spectrum:
    """White to brown noise under a random curve, at times in a band only or swelling."""
    parts = rng.standard_normal((2, BINS), dtype=np.float32)
    slope = float(rng.choice([0, -0.5, -1])) + rng.normal(0, 0.15)
    spectrum = (parts[0] + 1j * parts[1]) * np.maximum(HZ / 100, 0.3) ** np.float32(slope)
    spectrum *= gain(curve_db(rng, 5, 3))
    if rng.random() < 0.25:
        centre = float(np.exp(rng.uniform(np.log(100), np.log(18000))))
        off = np.log((HZ + 1) / centre) / rng.uniform(0.1, 0.8)
        spectrum *= np.exp(-(off**2)).astype(np.float32)
    if rng.random() < 0.4:
        return _swell(rng, spectrum.astype(np.complex64))
    return np.asarray(spectrum, np.complex64)


def _swell(rng: Rng, spectrum: Spectrum) -> Spectrum:
    """Louder and softer, slowly or quickly."""
    from scipy.fft import irfft

    knots = int(rng.choice([5, 12, 40]))
    levels = np.interp(np.arange(SAMPLES), np.linspace(0, SAMPLES, knots), rng.normal(0, 8, knots))
    sound = irfft(spectrum, SAMPLES) * np.exp(levels * (np.log(10) / 20))
    made: Spectrum = rfft(sound.astype(np.float32))
    return made


def hum(rng: Rng) -> NDArray[np.complex64]:
    """The mains, a fan or an engine: a low tone that drifts a little, with harmonics."""
    time = np.arange(SAMPLES, dtype=np.float32) / RATE_HZ
    base = float(rng.choice([50, 60, 100, 120, rng.uniform(30, 400)]))
    phase = 2 * np.pi * base * (time + rng.uniform(0, 0.003) * np.sin(rng.uniform(1, 6) * time))
    sound = np.zeros(SAMPLES, np.float32)
    fall = rng.uniform(0.5, 2)
    for number in range(1, int(rng.integers(3, 16))):
        sound += rng.uniform(0.2, 1) * number**-fall * np.sin(number * phase + rng.uniform(0, 6))
    sound += 10 ** rng.uniform(-3, -1) * rng.standard_normal(SAMPLES, dtype=np.float32)
    made: Spectrum = rfft(sound)
    return made


def clicks(rng: Rng) -> Spectrum:
    """Short bursts, a few or many, over very little noise."""
    sound = 1e-3 * rng.standard_normal(SAMPLES, dtype=np.float32)
    for _ in range(int(rng.integers(2, 40))):
        length = int(rng.integers(2, 1500))
        burst = rng.standard_normal(length, dtype=np.float32)
        burst *= np.exp(-5 * np.arange(length, dtype=np.float32) / length)
        start = int(rng.integers(SAMPLES - length))
        sound[start : start + length] += rng.uniform(0.1, 1) * burst
    made: Spectrum = rfft(sound)
    return made


def tones(rng: Rng) -> Spectrum:
    """Something like music: notes of several harmonics that are struck and fade."""
    sound = np.zeros(SAMPLES, np.float32)
    for _ in range(int(rng.integers(3, 14))):
        length = int(rng.integers(RATE_HZ // 8, RATE_HZ * 2))
        start = int(rng.integers(SAMPLES - length))
        time = np.arange(length, dtype=np.float32) / RATE_HZ
        base = 55 * 2 ** (int(rng.integers(0, 61)) / 12)
        note = np.zeros(length, np.float32)
        for number in range(1, int(rng.integers(2, 9))):
            note += rng.uniform(0.1, 1) / number * np.sin(np.float32(6.2832 * base * number) * time)
        note *= np.exp(-rng.uniform(0.5, 6) * time) * np.minimum(1, time * rng.uniform(20, 500))
        sound[start : start + length] += rng.uniform(0.3, 1) * note
    made: Spectrum = rfft(sound)
    return made


MADE: tuple[Callable[[Rng], Spectrum], ...] = (coloured, hum, clicks, tones)
SHARES = (0.66, 0.12, 0.1, 0.12)
