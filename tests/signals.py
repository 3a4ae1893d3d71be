"""Small seeded test signals, ``(channels, samples)`` in float32 within full scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SEED = 20240607


def tone(
    frames: int, channels: int = 1, rate_hz: int = 16000, freq_hz: float = 440.0
) -> NDArray[np.float32]:
    """A sine with faded ends, a little higher in each further channel."""
    time_s = np.arange(frames) / rate_hz
    fade = np.minimum(1.0, np.minimum(np.arange(frames), np.arange(frames)[::-1]) / 64)
    waves = [np.sin(2 * np.pi * freq_hz * (1 + 0.1 * c) * time_s) for c in range(channels)]
    return (0.5 * fade * np.array(waves).reshape(channels, frames)).astype(np.float32)


def noise(
    frames: int, channels: int = 1, level: float = 0.9, seed: int = SEED
) -> NDArray[np.float32]:
    """White noise between ``-level`` and ``level``, different in each channel."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-level, level, (channels, frames)).astype(np.float32)


def clicks(frames: int, channels: int = 1, every: int = 1000) -> NDArray[np.float32]:
    """Single samples of half scale in silence."""
    sound = np.zeros((channels, frames), np.float32)
    sound[:, every // 2 :: every] = 0.5
    return sound


def bursts(frames: int, channels: int = 1, seed: int = SEED) -> NDArray[np.float32]:
    """Soft noise whose loudness rises and falls: speech-like, with one clear alignment."""
    rng = np.random.default_rng(seed)
    rough = rng.standard_normal((channels, frames + 7))
    smooth = sum(rough[:, shift : shift + frames] for shift in range(8)) / 8
    swell = 0.2 + np.abs(np.sin(np.arange(frames) / 2500))
    return (0.3 * swell * smooth).astype(np.float32)
