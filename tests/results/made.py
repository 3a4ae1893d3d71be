"""Files, outcomes and pieces as the rooms in front of this one would hand them over."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from numpy.typing import NDArray

from raypipe.audio.encode import encode
from raypipe.dsp.level import LevelMeter
from raypipe.types import (
    AudioFile,
    Done,
    Levels,
    Part,
    Piece,
    SoundInfo,
    SoundTarget,
)

RATE_HZ = 16_000
NOTHING = Levels(None, None)


def audio_file(name: str = "a.wav", output: str | None = None) -> AudioFile:
    return AudioFile(f"/in/{name}", name, name if output is None else output, 1000, 77)


def info(channels: int = 1, subtype: str = "PCM_16") -> SoundInfo:
    return SoundInfo(RATE_HZ, channels, None, "WAV", subtype)


def done(file: AudioFile, frames: int = 16_000, **more: Any) -> Done:
    return Done(file, {"sound": file.output}, info(), frames, NOTHING, NOTHING, **more)


def target(channels: int = 1, subtype: str = "PCM_16", container: str = "WAV") -> SoundTarget:
    return SoundTarget(container, subtype, "FILE", RATE_HZ, channels)


def part(
    sound: NDArray[Any], start: int = 0, wanted: SoundTarget | None = None, output: str = "a.wav"
) -> Part:
    """Encoded as a worker would."""
    wanted = wanted or target(len(sound))
    encoded = encode(sound, wanted)
    return Part("sound", output, wanted, start, encoded.data, encoded.clipped)


def floats(sound: NDArray[Any], start: int, wanted: SoundTarget, output: str = "a.wav") -> Part:
    """Not encoded: its gain is known only at its end."""
    return Part("sound", output, wanted, start, sound)


def pieces_of(
    ticket: int,
    file: AudioFile,
    sound: NDArray[Any],
    cuts: Sequence[int],
    wanted: SoundTarget,
    *,
    scale: bool = False,
) -> list[Piece]:
    """A file's pieces, cut before the samples `cuts`."""  # fmt: skip
    meter = LevelMeter(RATE_HZ, len(sound))
    state = meter.reset(len(sound))
    edges = [0, *cuts, sound.shape[1]]
    pieces = []
    for start, stop in pairwise(edges):
        stretch = sound[:, start:stop]
        level, state = meter.process(stretch, state)
        make = floats if scale else part
        last = stop == edges[-1] and len(pieces) == len(cuts)
        pieces.append(
            Piece(
                ticket=ticket,
                file=file,
                info=info(len(sound), wanted.subtype),
                parts=(make(stretch, start, wanted, file.output),),
                start=start,
                first=not pieces,
                ended=last,
                frames=stretch.shape[1],
                level_in=level,
                level_out=level,
                notes=("odd", "odd") if last else (),
                busy_s=0.5,
                worker="worker-1",
            )
        )
    return pieces


def temporaries(private: str) -> list[str]:
    return sorted(os.listdir(os.path.join(private, "tmp")))
