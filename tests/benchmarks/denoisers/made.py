"""Small recordings, made: a voice of tone bursts at 16 kHz, noise at 48 kHz, noise of half a
second."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile as sf


def voice(seconds: float = 9.0, rate_hz: int = 16_000) -> np.ndarray:
    """Tones in syllables, half of the time."""
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    tone = np.sin(2 * np.pi * 300 * time_s) + 0.5 * np.sin(2 * np.pi * 1500 * time_s)
    return 0.2 * tone * (time_s % 2 < 1)


def recordings(folder: Path) -> tuple[list[Path], dict[str, list[Path]]]:
    """Two voices, and three noises in two classes."""
    chance = np.random.default_rng(1)
    speech = [folder / f"voice{n}.wav" for n in range(2)]
    for number, path in enumerate(speech):
        # An offset, as some recordings have it; it must not count as speech.
        sf.write(path, 0.3 * number + voice(), 16_000, "FLOAT")
    noises = {"hiss": [folder / "hiss.wav"], "short": [folder / "a.wav", folder / "b.wav"]}
    for path, seconds in (
        (folder / "hiss.wav", 12),
        (folder / "a.wav", 0.5),
        (folder / "b.wav", 1),
    ):
        sf.write(path, 0.1 * chance.standard_normal(int(seconds * 48_000)), 48_000, "FLOAT")
    return speech, noises
