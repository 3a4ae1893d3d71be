"""The recordings, decoded once and read from then on as arrays.

Comes in: the folder of audio, a folder for the cache. Goes out: a `Library` of one part: what
is spoken and what makes noise, each at its own rate, 16 bit, first channel, memory-mapped, so
that several processes share it.
"""

from __future__ import annotations

import json
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.denoiser.split import Part, Recording, recordings

Samples = NDArray[np.int16]

CLEAN_DB = 40.0
"""Between a recording's loud and quiet frames, with which it counts fully as speech."""
NOISY_SHARE = 0.15
"""How often one is still taken that has no difference at all."""


@dataclass(frozen=True)
class Clip:
    """A recording's sound."""

    samples: Samples
    rate_hz: int
    source: str
    label: str
    weight: float = 1.0
    """How often it is taken beside the others of its set."""


@dataclass(frozen=True)
class Library:
    """Of one part: speech by set, noise by class."""

    speech: dict[str, list[Clip]]
    noise: dict[str, list[Clip]]


def load(audio: Path, cache: Path, part: Part) -> Library:
    """A part's recordings; the first time they are decoded into the cache.

    Parameters
    ----------
    audio : Path
        The folder of audio; see `models.denoiser.split`.
    cache : Path
        Made if it is not there. What is in it is taken as it is.
    part : {"train", "validation", "test"}
        Which one.
    """
    sound, index = cache / f"{part}.npy", cache / f"{part}.json"
    if not index.exists():
        cache.mkdir(parents=True, exist_ok=True)
        _decode(audio, recordings(audio, part), sound, index)
    entries: list[dict[str, Any]] = json.loads(index.read_text())
    samples = np.load(sound, mmap_mode="r")
    speech: dict[str, list[Clip]] = defaultdict(list)
    noise: dict[str, list[Clip]] = defaultdict(list)
    for entry in entries:
        some = samples[entry["start"] : entry["stop"]]
        clip = Clip(some, entry["rate_hz"], entry["source"], entry["label"], entry["weight"])
        (speech if entry["kind"] == "speech" else noise)[entry["label"]].append(clip)
    return Library(dict(speech), dict(noise))


def cleanness(samples: Samples, rate_hz: int) -> float:
    """How often a recording of speech is to be taken: less if it is noisy itself."""
    size = rate_hz // 50
    if len(samples) < 10 * size:
        return NOISY_SHARE
    blocks = samples[: len(samples) // size * size].reshape(-1, size).astype(np.float32)
    loudness = 10 * np.log10(np.mean(blocks**2, axis=1) + 1)
    low, high = np.percentile(loudness, [5, 95])
    return float(np.clip((high - low) / CLEAN_DB, NOISY_SHARE, 1))


def _decode(audio: Path, found: list[Recording], sound: Path, index: Path) -> None:
    import soundfile

    decoded, entries, start = [], [], 0
    for one in found:
        samples, rate_hz = soundfile.read(audio / one.path, dtype="int16", always_2d=True)
        first = np.ascontiguousarray(samples[:, 0])
        weight = cleanness(first, rate_hz) if one.kind == "speech" else 1.0
        entry = {"kind": one.kind, "label": one.label, "source": one.source, "weight": weight}
        entries.append({**entry, "rate_hz": rate_hz, "start": start, "stop": start + len(first)})
        decoded.append(first)
        start += len(first)
    unfinished = sound.with_suffix(".part")
    with unfinished.open("wb") as file:
        np.save(file, np.concatenate(decoded))
    os.replace(unfinished, sound)
    # Last: where the index is, the sound is whole.
    index.write_text(json.dumps(entries))
