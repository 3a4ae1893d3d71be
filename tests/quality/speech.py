"""Sound that is spread, and comes and goes, like speech in noise; seeded, float32, one channel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SEED = 20240607


def gamma_speech(frames: int, shape: float = 0.4, seed: int = SEED) -> NDArray[np.float64]:
    """Samples whose amplitudes are Gamma-distributed, of either sign, with unit power."""
    rng = np.random.default_rng(seed)
    sound = rng.gamma(shape, size=frames) * rng.choice([-1.0, 1.0], frames)
    return sound / np.sqrt(np.mean(sound**2))


def hiss(frames: int, level_db: float = 0.0, seed: int = SEED + 1) -> NDArray[np.float64]:
    """White Gaussian noise of a level in dBFS."""
    noise = np.random.default_rng(seed).standard_normal(frames)
    return noise / np.sqrt(np.mean(noise**2)) * 10 ** (level_db / 20)


def syllables(seconds: float, rate_hz: int, seed: int = SEED) -> NDArray[np.float64]:
    """Harmonics of a gliding voice in bursts four times a second, with pauses of half a second
    every two: what intelligibility and quality measures take for speech."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    pitch = 120 + 25 * np.sin(2 * np.pi * 0.4 * time_s)
    phase = 2 * np.pi * np.cumsum(pitch) / rate_hz
    sound = np.zeros(len(time_s))
    for number in range(1, 28):
        formant = sum(np.exp(-(((number * 120 - f) / 350) ** 2)) for f in (500, 1500, 2500))
        sound += (0.15 + formant) / number**0.5 * np.sin(number * phase + rng.uniform(0, 6))
    sound *= np.clip(np.sin(2 * np.pi * 2 * time_s) ** 2, 0.02, 1) * (time_s % 2 < 1.5)
    fricative = rng.standard_normal(len(time_s)) * (np.sin(2 * np.pi * 2 * time_s + 1.5) ** 8)
    sound += 0.2 * fricative * (time_s % 2 < 1.5)
    return 0.1 * sound / np.sqrt(np.mean(sound**2))
