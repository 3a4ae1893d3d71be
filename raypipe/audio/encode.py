"""From float samples to the numbers that a file stores.

In come ``(channels, samples)`` floats, out goes the same shape in the dtype that the
writer is handed: int16 for 16 bit, int32 with the value in the upper bits for every other
integer depth, float32 or float64 as they are. Rounding is our own (to nearest, ties to
even), because libsndfile's float conversion depends on the format; reading a PCM file and
encoding what was read gives the file's integers back bit for bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raypipe.errors import UnsupportedAudio
from raypipe.types import Samples, SoundTarget

LINEAR_BITS = {"PCM_S8": 8, "PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32, "ALAC_16": 16}
"""Depth of the integer subtypes, by their names; their range ends one step below +1."""

_BITS = LINEAR_BITS | {"ULAW": 16, "ALAW": 16}
"""The companded ones are cut down from 16 bit by the writer."""

LARGEST = {
    "PCM_S8": 127 / 128, "PCM_U8": 127 / 128, "DPCM_8": 127 / 128,
    "ULAW": 32_124 / 32_768, "ALAW": 32_256 / 32_768,
    "pcm_s8": 127 / 128, "pcm_u8": 127 / 128,
    "pcm_mulaw": 32_124 / 32_768, "pcm_alaw": 32_256 / 32_768,
}  # fmt: skip
"""Largest positive sample of the subtypes, libsndfile's and FFmpeg's, that end well below 1."""


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """Sound as a writer takes it."""

    data: NDArray[Any]
    """Shape ``(channels, samples)``; int16, int32 (left-aligned), float32 or float64."""
    clipped: int
    """Samples beyond full scale that were held there; 0 for float and lossy targets."""


def waits_for_gain(target: SoundTarget, clip: str) -> bool:
    """True where a sound is to be turned down so that it fits: once all of it is known.

    Parameters
    ----------
    target : SoundTarget
        Where the sound goes; only its subtype matters.
    clip : str
        See `RunSettings.clip`.
    """
    return clip == "scale" and target.subtype in LINEAR_BITS


def encode(samples: Samples, target: SoundTarget) -> Encoded:
    """Convert samples to what `open_writer` takes for this target.

    Parameters
    ----------
    samples : Samples
        float32 or float64, shape ``(channels, samples)``; left as it is.
    target : SoundTarget
        Where the sound goes; only its subtype matters.

    Raises
    ------
    UnsupportedAudio
        Where a sample is NaN or infinite. The path is not known here and stays empty.
    """
    low, high = _extent(samples)
    if not (np.isfinite(low) and np.isfinite(high)):
        raise UnsupportedAudio("", "the processed sound holds NaN or infinite samples")
    bits = _BITS.get(target.subtype)
    if bits is None:
        wanted = np.float64 if target.subtype == "DOUBLE" else np.float32
        return Encoded(samples.astype(wanted), 0)
    # float32 has 24 significant bits: enough for every step of up to 24 bits, and scaling by
    # a power of two is exact.
    scaled = samples * np.float32(2.0 ** (bits - 1)) if bits <= 24 else samples * 2.0**31
    if bits > 24:
        scaled = scaled.astype(np.float64, copy=False)
    np.rint(scaled, out=scaled)
    top = 2 ** (bits - 1)
    clipped = 0
    # Rounding keeps order, so the extremes alone tell whether anything lies outside.
    if np.rint(low * top) < -top or np.rint(high * top) > top - 1:
        clipped = int(np.count_nonzero(scaled > top - 1) + np.count_nonzero(scaled < -top))
        np.clip(scaled, -top, top - 1, out=scaled)
    if bits == 16:
        return Encoded(scaled.astype(np.int16), clipped)
    return Encoded(np.left_shift(scaled.astype(np.int32), 32 - bits), clipped)


def _extent(samples: Samples) -> tuple[float, float]:
    if samples.size == 0:
        return 0.0, 0.0
    return float(samples.min()), float(samples.max())
