"""What is for training, validation and test: by speaker and by recording of noise.

Comes in: the folder of audio, one folder for each set in it. Goes out: its recordings, each
with the part that it belongs to. Nobody is heard in two parts and no recording of noise is in
two; which part that is follows from names alone, so it never changes::

    speech/librispeech       by speaker, in the order of their names' hashes: 40 test, 25 validation
    speech/speech-to-intent  names no speakers: training
    speech/fullband-48k      by speaker: `FULLBAND_TEST`, the others training
    noise/esc-10             by recording (the number in the name; its clips share it), of each
                             class a sixth (at least one) test and an eighth validation
    noise/blanket,           whole files: `NOISE_TEST`, `NOISE_VALIDATION`, the others training
    noise/speech-commands    but for `SHARE_ALIKE`
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = ("train", "validation", "test")

SOUND_FILES = {".flac", ".ogg", ".wav"}
TEST_SPEAKERS, VALIDATION_SPEAKERS = 40, 25
"""Of LibriSpeech's 251."""
TEST_SHARE, VALIDATION_SHARE = 6, 8
"""Of each class of ESC-10 one recording in so many."""

FULLBAND_TEST = frozenset({"p252", "p298", "p341", "p361"})
"""Two men, two women; each speaks one of the utterances."""
NOISE_TEST = frozenset(
    {"blanket/city", "blanket/coffee-shop", "blanket/train", "speech-commands/exercise_bike"}
)
SHARE_ALIKE = frozenset({"blanket/pink-noise", "blanket/white-noise"})
"""Left out: code makes such noise, too, and without a licence that binds what is made of it."""
NOISE_VALIDATION = frozenset({"blanket/boat", "blanket/wind", "speech-commands/running_tap"})


@dataclass(frozen=True)
class Recording:
    """A file of the audio folder.

    Attributes
    ----------
    path : str
        Inside the folder, with slashes.
    kind : {"speech", "noise"}
        Which it holds.
    collection : str
        Folder of its set: ``librispeech``, ``esc-10`` ...
    label : str
        Class of the noise; for speech the same as `collection`.
    source : str
        Who speaks, or which recording it was cut from: what must not be in two parts.
    part : {"train", "validation", "test"}
        What it is for.
    """

    path: str
    kind: Literal["speech", "noise"]
    collection: str
    label: str
    source: str
    part: Part


def recordings(audio: Path, part: Part | None = None) -> list[Recording]:
    """All recordings in the folder, or those of one part, in the order of their paths.

    Raises
    ------
    FileNotFoundError
        If there is no sound in it.
    """
    found = sorted(
        path.relative_to(audio).as_posix()
        for path in audio.rglob("*")
        if path.suffix.lower() in SOUND_FILES
    )
    if not found:
        raise FileNotFoundError(
            f"{audio}: no sound files in it or below, wanted speech/ and noise/"
        )
    used = [one for one in divide(found) if one.source not in SHARE_ALIKE]
    return [one for one in used if part in (None, one.part)]


def divide(paths: Iterable[str]) -> list[Recording]:
    """Say what each file is and belongs to.

    Parameters
    ----------
    paths : iterable of str
        Inside the audio folder; of a set and class all, as shares are counted.

    Raises
    ------
    ValueError
        If a path is of none of the sets.
    """
    known = [_known(path) for path in paths]
    groups: dict[tuple[str, str], set[str]] = defaultdict(set)
    for _, _, collection, label, source in known:
        groups[collection, label].add(source)
    parts = {
        (collection, label, source): part
        for (collection, label), sources in groups.items()
        for source, part in _parts(collection, sources).items()
    }
    return [Recording(*one, parts[one[2:]]) for one in known]


def _known(path: str) -> tuple[str, Literal["speech", "noise"], str, str, str]:
    """Path, kind, collection, label, source."""
    match path.split("/"):
        case ["speech", ("librispeech" | "speech-to-intent") as collection, name]:
            return path, "speech", collection, collection, name.split("-")[0]
        case ["speech", "fullband-48k", name]:
            return path, "speech", "fullband-48k", "fullband-48k", name.split("_")[0]
        case ["noise", "esc-10", label, name]:
            return path, "noise", "esc-10", label, name.rsplit("-", 1)[0]
        case ["noise", ("blanket" | "speech-commands") as collection, name]:
            label = name.rsplit(".", 1)[0]
            return path, "noise", collection, label, f"{collection}/{label}"
    raise ValueError(f"{path}: of none of the sets of speech and noise that are known")


def _parts(collection: str, sources: set[str]) -> dict[str, Part]:
    if collection == "fullband-48k":
        return {source: "test" if source in FULLBAND_TEST else "train" for source in sources}
    if collection in ("blanket", "speech-commands"):
        return {source: _listed(source) for source in sources}
    ordered = sorted(sources, key=lambda source: hashlib.sha256(source.encode()).digest())
    test, validation = 0, 0
    if collection == "librispeech":
        test, validation = TEST_SPEAKERS, VALIDATION_SPEAKERS
    if collection == "esc-10":
        test, validation = (
            max(1, len(ordered) // share) for share in (TEST_SHARE, VALIDATION_SHARE)
        )
    return {
        source: "test" if place < test else "validation" if place < test + validation else "train"
        for place, source in enumerate(ordered)
    }


def _listed(source: str) -> Part:
    if source in NOISE_TEST:
        return "test"
    return "validation" if source in NOISE_VALIDATION else "train"
