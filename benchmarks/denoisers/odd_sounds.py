"""Sounds that are no noisy speech: what comes out must still be nothing absurd.

Comes in: clean speech at 48 kHz. Goes out: sounds by name, and for an output what can be said
of it against its input.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import soxr
from numpy.typing import NDArray

from benchmarks.denoisers.bands import Sound

SECONDS = 5.0
BLOCK_S = 0.05
AUDIBLE_DB = -70.0
"""Blocks softer than that are not asked about their gain."""


@dataclass(frozen=True, slots=True)
class Odd:
    """A sound, ``(channels, samples)``."""

    name: str
    sound: Sound
    rate_hz: int


@dataclass(frozen=True, slots=True)
class Looked:
    """What an output is against its input."""

    finite: bool
    level_in_db: float
    level_out_db: float
    peak_in: float
    peak_out: float
    most_gain_db: float
    """Of any 50 ms of any channel; NaN where nothing is audible."""


def odd_sounds(speech: Sound, rate_hz: int = 48_000) -> Iterator[Odd]:
    """All of them.

    Parameters
    ----------
    speech : array, shape (samples,)
        Clean, at `rate_hz`.
    """
    chance = np.random.default_rng(11)
    time_s = np.arange(round(SECONDS * rate_hz)) / rate_hz
    speech = np.resize(speech, len(time_s)) * 0.1 / np.std(speech)
    hiss = chance.standard_normal(len(time_s))
    noisy = speech + 0.02 * hiss
    click = np.zeros(len(time_s))
    click[len(click) // 2] = 1.0
    yield Odd("music", music(time_s), rate_hz)
    yield Odd("soft hiss, -80 dBFS", 1e-4 * hiss[None], rate_hz)
    yield Odd("digital zero", np.zeros((1, len(time_s))), rate_hz)
    yield Odd("square, full scale", np.sign(np.sin(2 * np.pi * 440 * time_s + 0.1))[None], rate_hz)
    yield Odd("offset 0.5", np.full((1, len(time_s)), 0.5), rate_hz)
    yield Odd("one click", click[None], rate_hz)
    yield Odd("sine, 1 kHz", 0.5 * np.sin(2 * np.pi * 1000 * time_s)[None], rate_hz)
    phone = soxr.resample(noisy, rate_hz, 8_000, quality="VHQ")
    yield Odd("telephone, 8 kHz", _telephone(phone)[None], 8_000)
    yield Odd("noisy speech, 96 kHz", soxr.resample(noisy, rate_hz, 96_000)[None], 96_000)
    yield Odd("stereo: speech, hiss", np.stack([speech, 0.02 * hiss]), rate_hz)
    yield Odd("stereo: noisy, zero", np.stack([noisy, 0 * noisy]), rate_hz)
    yield Odd("speech, 30 dB too loud", np.clip(30 * noisy, -1, 1)[None], rate_hz)
    yield Odd("speech, 40 dB too soft", 0.01 * noisy[None], rate_hz)


def music(time_s: Sound) -> Sound:
    """Four chords of decaying strings over a beat, in stereo."""
    out = np.zeros((2, len(time_s)))
    chance = np.random.default_rng(12)
    for bar, chord in enumerate(
        ((220, 277, 330), (196, 247, 294), (175, 220, 262), (165, 208, 247))
    ):
        start_s = bar * SECONDS / 4
        since_s = np.maximum(0, time_s - start_s)
        live = (time_s >= start_s) & (time_s < start_s + SECONDS / 4)
        for place, note_hz in enumerate(chord):
            tone = sum(
                np.sin(2 * np.pi * note_hz * n * since_s) * np.exp(-since_s * n) / n
                for n in range(1, 20)
            )
            out[place % 2] += 0.12 * live * tone
            out[1 - place % 2] += 0.05 * live * tone
        for beat in range(4):
            hit_s = start_s + beat * SECONDS / 16
            after_s = time_s - hit_s
            drum = np.exp(-60 * np.maximum(0, after_s)) * (after_s >= 0)
            out += 0.15 * drum * chance.standard_normal(len(time_s))
    out *= 0.5 / np.abs(out).max()
    return out


def look(before: Sound, after: Sound, rate_hz: int) -> Looked:
    """Hold an output against its input; both ``(channels, samples)``."""
    block = round(BLOCK_S * rate_hz)
    levels = [_levels_db(sound, block) for sound in (before, after)]
    audible = levels[0] > AUDIBLE_DB
    gains = (levels[1] - levels[0])[audible]
    return Looked(
        bool(np.isfinite(after).all()), _db(before), _db(after),
        float(np.abs(before).max()), float(np.abs(after).max()),
        float(gains.max()) if len(gains) else float("nan"),
    )  # fmt: skip


def _levels_db(sound: Sound, block: int) -> NDArray[np.float64]:
    whole = sound[:, : sound.shape[1] // block * block]
    power = np.mean(whole.reshape(len(sound), -1, block) ** 2, axis=2)
    level_db: NDArray[np.float64] = 10 * np.log10(power + 1e-12)
    return level_db


def _db(sound: Sound) -> float:
    return float(10 * np.log10(np.mean(sound**2) + 1e-12))


def _telephone(sound: Sound) -> Sound:
    """300 to 3400 Hz, by its spectrum."""
    spectrum = np.fft.rfft(sound)
    hz = np.linspace(0, 4000, len(spectrum))
    passed: Sound = np.fft.irfft(spectrum * ((hz > 300) & (hz < 3400)), len(sound))
    return passed
