"""Headerless samples: from bytes to float arrays and back, in all layouts of `RawLayout`.

In come a layout's sample type and interleaved bytes, or what `encode` made;
out go ``(channels, samples)`` arrays, or interleaved bytes. Integers stand for
``value / 2 ** (bits - 1)``, so that full scale is 1.0; float types are taken as they are.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from raypipe.errors import UsageError
from raypipe.types import RawLayout, Samples

HEADERLESS = (".raw", ".pcm")
"""Endings of files that say nothing of themselves."""

_SUBTYPES = {
    "u8": ("PCM_U8", "LITTLE"),
    "s8": ("PCM_S8", "LITTLE"),
    "s16le": ("PCM_16", "LITTLE"),
    "s16be": ("PCM_16", "BIG"),
    "s24le": ("PCM_24", "LITTLE"),
    "s24be": ("PCM_24", "BIG"),
    "s32le": ("PCM_32", "LITTLE"),
    "s32be": ("PCM_32", "BIG"),
    "f32le": ("FLOAT", "LITTLE"),
    "f32be": ("FLOAT", "BIG"),
    "f64le": ("DOUBLE", "LITTLE"),
    "f64be": ("DOUBLE", "BIG"),
}
_SAMPLES = {names: sample for sample, names in _SUBTYPES.items()}
_BYTES = {"PCM_U8": 1, "PCM_S8": 1, "PCM_16": 2, "PCM_24": 3, "PCM_32": 4, "FLOAT": 4, "DOUBLE": 8}


def names_of(layout: RawLayout) -> tuple[str, str]:
    """Subtype and endianness of a layout in libsndfile's words.

    Raises
    ------
    UsageError
        Where the sample type is unknown, or rate or channels make no sense.
    """
    if layout.sample not in _SUBTYPES:
        raise UsageError(
            f"raw sample type {layout.sample!r} is unknown; known are {', '.join(_SUBTYPES)}"
        )
    if layout.rate_hz <= 0 or layout.channels <= 0:
        raise UsageError(
            f"raw layout needs a rate and channels above 0, "
            f"not {layout.rate_hz} Hz and {layout.channels} channels"
        )
    return _SUBTYPES[layout.sample]


def layout_of(subtype: str, endian: str, rate_hz: int, channels: int) -> RawLayout:
    """The layout that libsndfile's words stand for; the inverse of `names_of`."""
    order = "BIG" if endian == "BIG" and _BYTES[subtype] > 1 else "LITTLE"
    return RawLayout(rate_hz, channels, _SAMPLES[subtype, order])


def bytes_per_sample(subtype: str) -> int:
    """Bytes that one sample of one channel takes."""
    return _BYTES[subtype]


def from_bytes(data: bytes, subtype: str, endian: str, channels: int) -> Samples:
    """Decode interleaved bytes.

    Parameters
    ----------
    data : bytes
        A whole number of sample frames.

    Returns
    -------
    Samples
        Shape ``(channels, samples)``; float64 for PCM_32 and DOUBLE, else float32.
    """
    order = ">" if endian == "BIG" else "<"
    sound: Samples
    if subtype == "FLOAT":
        sound = np.frombuffer(data, f"{order}f4").astype(np.float32)
    elif subtype == "DOUBLE":
        sound = np.frombuffer(data, f"{order}f8").astype(np.float64)
    elif subtype == "PCM_32":
        sound = np.frombuffer(data, f"{order}i4") * 2.0**-31
    elif subtype == "PCM_24":
        sound = _widen_24(data, endian) * np.float32(2.0**-31)
    elif subtype == "PCM_16":
        sound = np.frombuffer(data, f"{order}i2") * np.float32(2.0**-15)
    elif subtype == "PCM_S8":
        sound = np.frombuffer(data, np.int8) * np.float32(2.0**-7)
    else:
        sound = (np.frombuffer(data, np.uint8).astype(np.float32) - 128) * np.float32(2.0**-7)
    return np.ascontiguousarray(sound.reshape(-1, channels).T)


def to_bytes(data: NDArray[Any], subtype: str, endian: str) -> bytes:
    """Interleave and pack what `encode` made of samples for this subtype.

    Parameters
    ----------
    data : ndarray
        Shape ``(channels, samples)``: int16 for PCM_16, left-aligned int32 for the other
        integers, float32 for FLOAT, float64 for DOUBLE.
    """
    order: Literal["<", ">"] = ">" if endian == "BIG" else "<"
    turned = data.T
    if subtype == "PCM_24":
        columns = slice(0, 3) if endian == "BIG" else slice(1, 4)
        packed = np.ascontiguousarray(turned, f"{order}i4")
        return packed.view(np.uint8).reshape(-1, 4)[:, columns].tobytes()
    if subtype == "PCM_S8":
        return (turned >> 24).astype(np.int8).tobytes()
    if subtype == "PCM_U8":
        return ((turned >> 24) + 128).astype(np.uint8).tobytes()
    return turned.astype(turned.dtype.newbyteorder(order)).tobytes()


def _widen_24(data: bytes, endian: str) -> NDArray[np.float32]:
    """24-bit integers as float32, left-aligned in 32 bits (exact: 24 significant bits)."""
    octets = np.frombuffer(data, np.uint8).reshape(-1, 3)
    wide = np.zeros((len(octets), 4), np.uint8)
    if endian == "BIG":
        wide[:, :3] = octets
        return wide.view(">i4").reshape(-1).astype(np.float32)
    wide[:, 1:] = octets
    return wide.view("<i4").reshape(-1).astype(np.float32)
