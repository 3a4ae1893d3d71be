"""Folders of sound for the benchmarks, made on the spot and seeded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile as sf

RATE_HZ = 16_000


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
