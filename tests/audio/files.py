"""Writing and reading whole files in the tests of this room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raypipe.audio import rawpcm
from raypipe.audio.encode import encode
from raypipe.audio.read import open_sound
from raypipe.audio.write import open_writer
from raypipe.errors import RaypipeError
from raypipe.types import RawLayout, SoundInfo, SoundTarget

LOSSY = ("OGG", "MP3")
SUFFIXES = {"WAVEX": ".wav", "MAT4": ".mat", "MAT5": ".mat"}


def target(
    container: str, subtype: str, channels: int = 1, rate_hz: int = 16000, endian: str = "FILE"
) -> SoundTarget:
    return SoundTarget(container, subtype, endian, rate_hz, channels)


def path_for(folder: Path, stem: str, container: str) -> str:
    return str(folder / (stem + SUFFIXES.get(container, "." + container.lower())))


def layout_for(wanted: SoundTarget) -> RawLayout | None:
    if wanted.container != "RAW":
        return None
    return rawpcm.layout_of(wanted.subtype, wanted.endian, wanted.rate_hz, wanted.channels)


def write(path: str, samples: NDArray[Any], wanted: SoundTarget) -> None:
    writer = open_writer(path, wanted)
    try:
        writer.write(encode(samples, wanted).data)
        writer.close()
    except RaypipeError:
        writer.abort()
        raise


def read(path: str, raw: RawLayout | None = None) -> tuple[SoundInfo, NDArray[Any]]:
    with open_sound(path, raw=raw) as reader:
        samples = reader.read(1 << 22)
        assert reader.at_end
        assert reader.notes == []
        return reader.info, samples


def same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other)
