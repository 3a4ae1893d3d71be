"""Pairs of noisy and clean speech, made as they are needed.

Comes in: a library, a seed and the number of a batch. Goes out: that batch, always the same::

    speech: speed, curve, bands above its own, room, phone band, level -> clean
    noise:  see `models.denoiser.noises`, scaled to the SNR            -> + clean, clipping -> noisy

What is wanted is the speech as it sounds in its room. Nothing is wanted where there is only
noise, and the same as is heard where there is only speech.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft

from models.denoiser.data import Library
from models.denoiser.network import BINS, FRAME, GATHER, HOP, SINGLE, SPEECH_BANDS
from models.denoiser.noises import noise
from models.denoiser.shapes import (
    FRAMES,
    HZ,
    SAMPLES,
    SPEECH_ABOVE_DB,
    Rng,
    Spectrum,
    above_db,
    band,
    curve_db,
    fill_above,
    gain,
    piece,
    room,
)
from raypipe.inference.front_ends import root_hann

LOW = BINS // 3 + 1
"""Bins of the speech band, up to 8 kHz; there the loss looks at each."""

SETS = {"librispeech": 0.72, "speech-to-intent": 0.15, "fullband-48k": 0.13}
"""How often speech comes from each. The full-band set has 1 % of the sound."""

LEVEL_DB = (-50.0, -10.0)
"""Of the speech, RMS while somebody speaks, re full scale."""
WINDOW = root_hann(FRAME, HOP)


@dataclass(frozen=True)
class Pair:
    """A piece of sound.

    Attributes
    ----------
    noisy, clean : array, shape (SAMPLES,), float32
        What is heard, and what is wanted of it.
    snr_db : float
        Speech while somebody speaks, against noise, both below 8 kHz; infinite without noise,
        minus infinite without speech.
    """

    noisy: NDArray[np.float32]
    clean: NDArray[np.float32]
    snr_db: float


Batch = dict[str, NDArray[np.float32]]
"""See `shapes_of`."""


def shapes_of(lanes: int) -> dict[str, tuple[int, ...]]:
    """A batch's arrays.

    ``bands`` are what the network hears. ``noisy`` and ``clean`` are magnitudes below 8 kHz,
    ``cosine`` of the angle between the two; ``noisy_high`` and ``clean_high`` the bands above.
    These are in units of the clean speech's (or else the noise's) RMS, so that soft sound
    counts as much as loud sound. ``speaks`` is 1 where there is speech.
    """
    low, high = (lanes, FRAMES, LOW), (lanes, FRAMES, GATHER.shape[1] - SPEECH_BANDS + SINGLE)
    return {
        "bands": (lanes, FRAMES, SINGLE + GATHER.shape[1]),
        "noisy": low,
        "clean": low,
        "cosine": low,
        "noisy_high": high,
        "clean_high": high,
        "speaks": (lanes,),
    }


def mix(library: Library, seed: int, number: int, batch: Batch) -> None:
    """Fill a batch: lane by lane, from nothing but the seed and the batch's number."""
    for lane in range(len(batch["speaks"])):
        rng = np.random.default_rng([seed, number, lane])
        put(pair(rng, library), batch, lane)


def pair(rng: Rng, library: Library) -> Pair:
    """Noisy and clean sound of all kinds that are trained."""
    kind = rng.random()
    snr_db = float(rng.uniform(-8, 24) if kind < 0.87 else rng.uniform(24, 45))
    if kind > 0.975:
        snr_db = -np.inf
    elif kind > 0.95:
        snr_db = np.inf
    clean = np.zeros(SAMPLES, np.float32)
    level_db = rng.uniform(*LEVEL_DB)
    line = gain(_line_db(rng))
    if snr_db > -np.inf:
        clean = irfft(speech(rng, library) * line, SAMPLES)
        clean *= 10 ** (level_db / 20) / (active_rms(clean) + 1e-9)
    noisy = clean
    if snr_db < np.inf:
        spectrum = noise(rng, library) * line
        wanted_db = level_db - (snr_db if snr_db > -np.inf else 0)
        added = irfft(spectrum, SAMPLES) * 10 ** (wanted_db / 20) / (low_rms(spectrum) + 1e-9)
        noisy = clean + added.astype(np.float32)
    if rng.random() < 0.01:
        noisy = noisy * np.float32(0)
        clean = noisy
    return _limit(rng, Pair(noisy, clean, snr_db))


def _limit(rng: Rng, made: Pair) -> Pair:
    """Below full scale; at times clipped, or in the coarse steps of a telephone line."""
    noisy, clean = made.noisy, made.clean
    peak = float(np.abs(noisy).max())
    drawn = rng.random()
    if drawn < 0.02:
        noisy = np.clip(noisy, -rng.uniform(0.2, 0.9) * peak, rng.uniform(0.2, 0.9) * peak)
    elif drawn < 0.035 and peak > 0:
        coded = np.sign(noisy) * np.log1p(255 * np.abs(noisy) / peak) / np.log(256)
        coded = np.round(coded * 127) / 127
        noisy = np.sign(coded) * np.expm1(np.abs(coded) * np.log(256)) / 255 * peak
    if peak > 1:
        noisy, clean = noisy / peak, clean / peak
    return Pair(noisy.astype(np.float32), clean.astype(np.float32), made.snr_db)


def speech(rng: Rng, library: Library) -> Spectrum:
    """Somebody who speaks, of any loudness, perhaps in a room."""
    names = [name for name in SETS if name in library.speech]
    shares = np.array([SETS[name] for name in names])
    clips = library.speech[names[int(rng.choice(len(names), p=shares / shares.sum()))]]
    weights = np.array([clip.weight * len(clip.samples) for clip in clips])
    clip = clips[int(rng.choice(len(clips), p=weights / weights.sum()))]
    speed = float(rng.uniform(0.82, 1.22)) if rng.random() < 0.8 else 1.0
    spectrum = piece(rng, clip.samples, clip.rate_hz, speed, loop=False)
    shape_db = curve_db(rng, 3, 2)
    if clip.rate_hz < 32_000 and rng.random() < 0.75:
        fill_above(spectrum, clip.rate_hz / 2 * speed)
        shape_db = shape_db + above_db(rng, SPEECH_ABOVE_DB)
    if rng.random() < 0.15:
        shape_db = shape_db + band(0, float(rng.choice([8000, 11000, 16000, 20000])))
    spectrum *= gain(shape_db)
    if rng.random() < 0.2:
        spectrum *= room(rng)
    return spectrum


def _line_db(rng: Rng) -> NDArray[np.float32]:
    """Through what all came that is heard: often a recording at 16 kHz, now and then a phone."""
    drawn = rng.random()
    if drawn < 0.33:
        return band(0, float(rng.uniform(7200, 8000)))
    if drawn < 0.36:
        return band(300, 3400)
    if drawn < 0.4:
        return band(50, float(rng.uniform(3800, 7200)))
    return np.zeros_like(HZ)


def active_rms(samples: NDArray[np.float32]) -> float:
    """RMS of those 30 ms that are less than 30 dB under the loudest."""
    blocks = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    power = np.mean(blocks**2, axis=1)
    return float(np.sqrt(power[power >= 1e-3 * power.max()].mean()))


def low_rms(spectrum: Spectrum) -> float:
    """RMS of a piece's part below 8 kHz."""
    low = spectrum[HZ <= 8000].view(np.float32)
    return float(np.sqrt(2 * np.dot(low, low)) / SAMPLES)


def put(made: Pair, batch: Batch, lane: int) -> None:
    """Write a pair into a lane of a batch, as spectra."""
    noisy, clean = _spectra(made.noisy), _spectra(made.clean)
    heard, wanted = np.abs(noisy), np.abs(clean)
    speaks = bool(made.clean.any())
    reference = wanted if speaks else heard
    scale = np.float32(1 / (np.sqrt(np.mean(reference[:, :LOW] ** 2)) + 1e-9))
    batch["speaks"][lane] = speaks
    bands, wide = batch["bands"][lane], heard[:, SINGLE:] @ GATHER
    bands[:, :SINGLE], bands[:, SINGLE:] = heard[:, :SINGLE], wide
    both = (noisy[:, :LOW].real * clean[:, :LOW].real) + (noisy[:, :LOW].imag * clean[:, :LOW].imag)
    product = heard[:, :LOW] * wanted[:, :LOW]
    batch["cosine"][lane] = both / np.maximum(product, 1e-20)
    batch["noisy"][lane] = heard[:, :LOW] * scale
    batch["clean"][lane] = wanted[:, :LOW] * scale
    high = slice(SPEECH_BANDS - SINGLE, None)
    batch["noisy_high"][lane] = wide[:, high] * scale
    batch["clean_high"][lane] = (wanted[:, SINGLE:] @ GATHER[:, high]) * scale


def _spectra(samples: NDArray[np.float32]) -> NDArray[np.complex64]:
    frames = np.lib.stride_tricks.sliding_window_view(samples, FRAME)[::HOP][:FRAMES]
    made: NDArray[np.complex64] = rfft(frames * WINDOW)
    return made
