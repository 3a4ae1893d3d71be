"""Folders of sound for the benchmarks, made on the spot and seeded.

Noise alone where only the machinery counts; speech-like sound in noise where a denoiser is
to do what it does: voices of gliding pitch and moving formants, in syllables and pauses.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

RATE_HZ = 16_000
BANK_S = 96
"""Sound that is made; every file is another stretch of it, in another mix."""
SHORTEST_S, LONGEST_S = 1.0, 1800.0
"""Bounds of mixed lengths."""


def make_files(folder: Path, files: int, seconds: float, rate_hz: int = RATE_HZ) -> Path:
    """So many mono WAV files of noise, 16 bit; distinct content, written fast."""
    folder.mkdir(parents=True, exist_ok=True)
    length = round(seconds * rate_hz)
    noise = np.random.default_rng(1).integers(-3000, 3000, length + files, np.int16)
    for number in range(files):
        sf.write(folder / f"{number:06}.wav", noise[number : number + length], rate_hz)
    return folder


def make_long(path: Path, seconds: float, rate_hz: int = RATE_HZ) -> Path:
    """One long file of noise, written in pieces."""
    block = np.random.default_rng(2).integers(-3000, 3000, rate_hz * 10, np.int16)
    with sf.SoundFile(path, "w", rate_hz, 1, "PCM_16") as out:
        left = round(seconds * rate_hz)
        while left > 0:
            out.write(block[:left])
            left -= len(block)
    return path


def make_speech(
    folder: Path,
    lengths_s: Sequence[float],
    rate_hz: int = RATE_HZ,
    channels: int = 1,
    suffix: str = ".wav",
) -> Path:
    """A file of speech-like sound in noise for each length, 16 bit.

    Parameters
    ----------
    folder : Path
        Made if it is not there.
    lengths_s : sequence of float
        Seconds of each file.
    rate_hz, channels : int
        Of every file; channels differ in their noise.
    suffix : str
        ``.wav`` or ``.flac``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, length_s in enumerate(lengths_s):
        sound = noisy_speech(round(length_s * rate_hz), rate_hz, channels, number)
        sf.write(folder / f"{number:06}{suffix}", sound.T, rate_hz, "PCM_16")
    return folder


def noisy_speech(
    frames: int, rate_hz: int = RATE_HZ, channels: int = 1, seed: int = 0
) -> NDArray[np.float32]:
    """Speech-like sound in noise, 0 to 15 dB under it; ``(channels, frames)``, peaks under 1."""
    chance = np.random.default_rng(seed)
    voice, noise = _banks(rate_hz)
    places = chance.integers(0, len(voice), 1 + channels)
    below = 10 ** (-chance.uniform(0, 15) / 20)
    speech = _stretch(voice, places[0], frames)
    rows = [speech + below * _stretch(noise, place, frames) for place in places[1:]]
    return (chance.uniform(0.6, 0.8) * np.array(rows)).astype(np.float32)


def mixed_lengths(total_s: float, longest_s: float = LONGEST_S, seed: int = 3) -> list[float]:
    """Log-uniform lengths in seconds, from a second to `longest_s`, that add up to `total_s`."""
    chance = np.random.default_rng(seed)
    lengths: list[float] = []
    left_s = total_s
    while left_s > 0:
        drawn = float(np.exp(chance.uniform(np.log(SHORTEST_S), np.log(longest_s))))
        # A rest of under a second would be no length of this kind.
        drawn = drawn if left_s - drawn >= SHORTEST_S else left_s
        lengths.append(min(drawn, longest_s))
        left_s -= lengths[-1]
    return lengths


def _stretch(bank: NDArray[np.float32], place: int, frames: int) -> NDArray[np.float32]:
    stretch: NDArray[np.float32] = np.take(bank, np.arange(place, place + frames), mode="wrap")
    return stretch


@lru_cache(maxsize=2)
def _banks(rate_hz: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Voice and noise, of the same loudness while the voice speaks."""
    voice = _voice(rate_hz)
    noise = np.random.default_rng(4).standard_normal(len(voice)).astype(np.float32)
    noise[1:] += 0.7 * noise[:-1]
    spoken = np.abs(voice) > 0.01
    noise *= np.sqrt(np.mean(voice[spoken] ** 2) / np.mean(noise**2))
    return voice, noise


def _voice(rate_hz: int) -> NDArray[np.float32]:
    """Harmonics of a gliding pitch under moving formants, in syllables and pauses; peak 0.7."""
    chance = np.random.default_rng(5)
    frames = BANK_S * rate_hz
    syllables = BANK_S * 5
    at = np.linspace(0, syllables, frames, endpoint=False)
    knots = np.arange(syllables + 1)

    def glide(low: float, high: float) -> NDArray[np.float64]:
        return np.interp(at, knots, chance.uniform(low, high, syllables + 1))

    phase = 2 * np.pi * np.cumsum(glide(90, 220)) / rate_hz
    formants = [glide(300, 800), glide(900, 2200), glide(2300, 3200)]
    pitch_hz = np.gradient(phase) * rate_hz / (2 * np.pi)
    voice = np.zeros(frames)
    for harmonic in range(1, 28):
        here_hz = harmonic * pitch_hz
        gain = sum(1 / (1 + ((here_hz - formant) / 120) ** 2) for formant in formants)
        voice += gain * np.cos(harmonic * phase) / np.sqrt(harmonic)
    loud = chance.uniform(0.3, 1, syllables) * (chance.random(syllables) > 0.25)
    voice *= loud[at.astype(int)] * np.sin(np.pi * (at % 1)) ** 2
    scaled: NDArray[np.float32] = (0.7 * voice / np.abs(voice).max()).astype(np.float32)
    return scaled
