"""Noisy speech and the clean speech in it, from real recordings, seeded.

Comes in: speech recordings and noise recordings. Goes out: for each `Pair` the noisy sound at
48 kHz, the same at 16 kHz, and the clean speech at 16 kHz, all aligned to the sample.

The signal-to-noise ratio is that of what is judged: both sounds as they are below 8 kHz. The
level of speech is its active level (ITU-T P.56), that of noise its plain power over the stretch.
What noise has above 8 kHz comes on top, as it does in a real recording.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr
from numpy.typing import NDArray

from raypipe.quality.activity import Activity

Sound = NDArray[np.float64]

FULL_HZ, JUDGED_HZ = 48_000, 16_000
SNRS_DB = (-5.0, 0.0, 5.0, 10.0, 15.0, 20.0)
CLEAN_DB = 40.0
"""Speech with so little noise counts as clean."""
SHORTEST_S, LONGEST_S = 5.0, 8.0
SPEECH_DB = -26.0
"""Active level of the speech against full scale, as in ITU-T's listening tests."""
PEAK = 0.95
"""Where a noisy sound would go beyond, the whole pair is softer."""
RECIPE = "1"
"""Counts up when the same pairs come to sound otherwise."""


@dataclass(frozen=True, slots=True)
class Pair:
    """What goes into one noisy sound."""

    name: str
    speech: Path
    noise: Path
    noise_class: str
    snr_db: float
    seconds: float
    speech_at: float
    """Where the stretch begins, as a share of what is left of the recording behind it."""
    noise_at: float
    """Likewise; a noise that is shorter than the pair goes round."""

    def facts(self) -> dict[str, object]:
        """All of it as JSON takes it, with file names in the place of paths."""
        return asdict(self) | {"speech": self.speech.name, "noise": self.noise.name}


def plan_pairs(
    speech: Sequence[Path],
    noises: Mapping[str, Sequence[Path]],
    snrs_db: Sequence[float],
    count: int,
    seed: int = 5,
) -> list[Pair]:
    """Who is mixed with what.

    Every SNR, every class of noise and every recording has its even share: SNRs take turns with
    each pair, classes with each round of SNRs, recordings within their class.

    Parameters
    ----------
    speech : sequence of Path
        Speech recordings.
    noises : mapping
        Noise recordings by class.
    snrs_db : sequence of float
        In dB.
    count : int
        Pairs.
    seed : int
        Of all that is drawn.
    """
    chance = np.random.default_rng(seed)
    voices = _shuffled(speech, chance)
    classes = sorted(noises)
    queues = {name: _shuffled(noises[name], chance) for name in classes}
    turns: dict[str, int] = defaultdict(int)
    pairs = []
    for number in range(count):
        # One more after each full round, or an SNR would always meet the same classes.
        name = classes[(number + number // np.lcm(len(classes), len(snrs_db))) % len(classes)]
        noise = queues[name][turns[name] % len(queues[name])]
        turns[name] += 1
        snr_db = snrs_db[number % len(snrs_db)]
        pairs.append(
            Pair(
                f"{number:03}_{snr_db:+g}dB_{name}", voices[number % len(voices)], noise, name,
                snr_db, round(chance.uniform(SHORTEST_S, LONGEST_S), 2),
                chance.random(), chance.random(),
            )
        )  # fmt: skip
    return pairs


def mix(pair: Pair) -> tuple[Sound, Sound]:
    """Clean and noisy, both at 48 kHz; shape ``(samples,)``, full scale at 1."""
    frames = round(pair.seconds * FULL_HZ)
    voice = _stretch(_read(pair.speech), frames, pair.speech_at)
    noise = _stretch(_read(pair.noise), frames, pair.noise_at)
    voice = voice * _gain(SPEECH_DB - active_db(to_judged(voice)))
    power = np.mean(to_judged(noise) ** 2)
    if not power:
        raise ValueError(f"{pair.noise.name}: this stretch is silent")
    noisy = voice + noise * _gain(SPEECH_DB - pair.snr_db - 10 * np.log10(power))
    softer = min(1.0, PEAK / np.abs(noisy).max())
    return voice * softer, noisy * softer


def to_judged(sound: Sound) -> Sound:
    """Sound of 48 kHz at the rate at which it is judged."""
    low: Sound = soxr.resample(sound, FULL_HZ, JUDGED_HZ, quality="VHQ")
    return low


def active_db(speech: Sound) -> float:
    """Level in dBFS of what is spoken in it, by ITU-T P.56; `speech` at 16 kHz."""
    activity = Activity(JUDGED_HZ)
    activity.add(speech[None])
    found = activity.result()
    if not isinstance(found, tuple):
        raise ValueError(f"nobody speaks here: {found}")
    return found[0]


def _gain(gain_db: float) -> float:
    return float(10 ** (gain_db / 20))


def _shuffled(paths: Sequence[Path], chance: np.random.Generator) -> list[Path]:
    ordered = sorted(paths)
    return [ordered[place] for place in chance.permutation(len(ordered))]


def _read(path: Path) -> Sound:
    """First channel at 48 kHz, without its mean: one of LibriSpeech's voices stands on an offset
    six times its own level, which would count as speech."""
    sound, rate_hz = sf.read(path, always_2d=True)
    full: Sound = soxr.resample(sound[:, 0], rate_hz, FULL_HZ, quality="VHQ")
    full -= full.mean()
    return full


def _stretch(sound: Sound, frames: int, at: float) -> Sound:
    """So many samples of it, from a place that is chosen by a share; it goes round if short."""
    if len(sound) >= frames:
        start = round(at * (len(sound) - frames))
        return sound[start : start + frames]
    start = int(at * len(sound))
    return np.resize(np.roll(sound, -start), frames)
