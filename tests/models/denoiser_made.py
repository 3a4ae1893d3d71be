"""A small library of made-up speech and noise, and the folder that it would come from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile as sf

from models.denoiser.data import Clip, Library

RATES_HZ = {"librispeech": 16_000, "fullband-48k": 48_000}


def buzz(seed: int, rate_hz: int, seconds: float) -> np.ndarray:
    """Something like speech: harmonics, in syllables."""
    rng = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate_hz)) / rate_hz
    sound = sum(np.sin(2 * np.pi * 120 * n * time + seed) / n for n in range(1, 30))
    syllables = np.arange(0, seconds + 1, 0.2)
    loud = np.interp(time, syllables, rng.random(len(syllables)) ** 2)
    return (4000 * sound * loud).astype(np.int16)


def hiss(seed: int, rate_hz: int, seconds: float) -> np.ndarray:
    """Noise."""
    rng = np.random.default_rng(seed)
    return (3000 * rng.standard_normal(int(seconds * rate_hz))).clip(-32768, 32767).astype(np.int16)


def library() -> Library:
    """Two speakers, two classes of noise."""
    speech = {name: [Clip(buzz(1, rate, 5), rate, name, name)] for name, rate in RATES_HZ.items()}
    noise = {
        "rain": [Clip(hiss(2, 44_100, 4), 44_100, "1-2", "rain")],
        "dishes": [Clip(hiss(3, 16_000, 2), 16_000, "dishes", "dishes")],
    }
    return Library(speech, noise)


def folder(path: Path) -> Path:
    """The same as files, with a speaker and a noise for each part."""
    files = {f"speech/librispeech/{n}-1-0000.flac": (n, 16_000) for n in range(200, 280)}
    files |= {f"noise/esc-10/rain/1-{n}-A.ogg": (n, 44_100) for n in range(9)}
    files["speech/fullband-48k/p230_1.flac"] = 5, 48_000
    for name, (seed, rate_hz) in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        make = buzz if name.startswith("speech") else hiss
        sf.write(path / name, make(seed, rate_hz, 1.5 if seed >= 200 else 3), rate_hz)
    return path
