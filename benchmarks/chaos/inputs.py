"""What is enhanced: files of several formats, rates and lengths, and two that cannot be.

Noise, seeded: every sample of a recurrent model's answer then depends on all that came before, so
that a state that is lost, mixed up or used twice changes the bytes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile as sf

RATES_HZ = (16_000, 8_000, 48_000)
SUFFIXES = (".wav", ".flac")
SHORTEST_S, SHORT_S = 0.2, 4.0
LONG_EVERY = 8
"""One file of so many is long: it comes in many segments, and its state travels between them."""

BROKEN = {"broken/empty.wav": b"", "broken/no_sound.flac": b"This is no sound.\n" * 40}
"""Files that must fail, alike in every run."""


def make_inputs(folder: Path, files: int, longest_s: float) -> None:
    """So many files, the broken ones among them.

    Parameters
    ----------
    folder : Path
        Made, with three folders in it.
    files : int
        All files.
    longest_s : float
        Seconds of the longest.
    """
    chance = np.random.default_rng(77)
    for number in range(files - len(BROKEN)):
        shortest_s, most_s = SHORTEST_S, SHORT_S
        if number % LONG_EVERY == 0:
            shortest_s, most_s = longest_s / 2, longest_s
        rate_hz = RATES_HZ[number % len(RATES_HZ)]
        frames = round(chance.uniform(shortest_s, most_s) * rate_hz)
        sound = 0.1 * chance.standard_normal((frames, 1 + number // 3 % 2))
        place = folder / ("some", "more/deep")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        sf.write(place / f"{number:03}{SUFFIXES[number // 2 % 2]}", sound, rate_hz)
    for name, content in BROKEN.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
