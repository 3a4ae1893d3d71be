"""Finishing touches to files that libsndfile has written.

In comes a complete file that is open for reading and writing; its samples stay as they are.
Two things are put right: what makes two files of the same sound differ (the time in PEAK
chunks and MATLAB headers, a random serial number in every page of Ogg), and the length of
8-bit AIFF files, in which libsndfile counts the pad byte.

References
----------
RFC 3533, The Ogg Encapsulation Format Version 0 (page layout and checksum).
"""

from __future__ import annotations

import re
import struct
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from raypipe.audio import chunks
from raypipe.types import SoundTarget

_OGG_SERIAL = 1
_OGG_POLYNOMIAL = 0x04C11DB7
_SERIAL_AT, _CHECKSUM_AT, _SEGMENTS_AT = 14, 22, 26
_PEAK_HOLDERS = frozenset({"WAV", "WAVEX", "RF64", "AIFF"})
_ONE_BYTE = frozenset({"PCM_S8", "PCM_U8", "ULAW", "ALAW"})
_SSND_LEAD = 8
"""Bytes of offset and block size before the sound of an AIFF."""
_MAT5_TEXT_BYTES = 116
_MAT5_DATE = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_NO_DATE = b"1970-01-01 00:00:00"


class ReadWrite(Protocol):
    """An open file."""

    def read(self, size: int) -> bytes:
        """Read."""

    def write(self, data: bytes) -> int:
        """Write."""

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move."""


def complete(file: ReadWrite, target: SoundTarget, frames: int) -> None:
    """Put fixed values in place of times and random numbers, and lengths right.

    Parameters
    ----------
    file : ReadWrite
        A complete file.
    target : SoundTarget
        What it was written as.
    frames : int
        Samples a channel that were written.
    """
    if target.container == "OGG":
        _fix_serials(file)
    elif target.container == "MAT5":
        file.seek(0)
        text = _MAT5_DATE.sub(_NO_DATE, file.read(_MAT5_TEXT_BYTES))
        file.seek(0)
        file.write(text)
    elif target.container in _PEAK_HOLDERS and target.subtype in ("FLOAT", "DOUBLE"):
        _forget_peak_time(file)
    elif (
        target.container == "AIFF" and target.subtype in _ONE_BYTE and frames * target.channels % 2
    ):
        _fix_aiff_length(file, frames, frames * target.channels)


def _forget_peak_time(file: ReadWrite) -> None:
    peak = chunks.walk(file).find(b"PEAK")
    if peak is not None:
        # Version, then the time in seconds since 1970.
        file.seek(peak.offset + 4)
        file.write(bytes(4))


def _fix_aiff_length(file: ReadWrite, frames: int, odd_bytes: int) -> None:
    layout = chunks.walk(file)
    common, sound = layout.find(b"COMM"), layout.find(b"SSND")
    if common is None or sound is None:
        return
    file.seek(common.offset + 2)
    file.write(struct.pack(">I", frames))
    file.seek(sound.offset - 4)
    file.write(struct.pack(">I", _SSND_LEAD + odd_bytes))


def _fix_serials(file: ReadWrite) -> None:
    position = 0
    end = file.seek(0, 2)
    while position < end:
        file.seek(position)
        head = file.read(_SEGMENTS_AT + 1)
        if len(head) <= _SEGMENTS_AT or head[:4] != b"OggS":
            return
        sizes = file.read(head[_SEGMENTS_AT])
        length = _SEGMENTS_AT + 1 + len(sizes) + sum(sizes)
        serial, checksum = struct.unpack_from("<I4xI", head, _SERIAL_AT)
        # The checksum is linear: a change of bytes changes it by the checksum of the change.
        change = struct.pack("<I", serial ^ _OGG_SERIAL)
        checksum ^= _checksum(change, length - _SERIAL_AT - len(change))
        file.seek(position + _SERIAL_AT)
        file.write(struct.pack("<I", _OGG_SERIAL))
        file.seek(position + _CHECKSUM_AT)
        file.write(struct.pack("<I", checksum))
        position += length


def _checksum(data: bytes, zeros: int) -> int:
    """Ogg's CRC-32 of these bytes and so many zero bytes after them."""
    value = 0
    for byte in data:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1 ^ (_OGG_POLYNOMIAL if value >> 31 else 0)) & 0xFFFFFFFF
    for power, matrix in enumerate(_ZERO_BYTES):
        if zeros >> power & 1:
            value = _times(matrix, value)
    return value


def _times(matrix: NDArray[np.uint32], value: int) -> int:
    """Product over two elements (addition is exclusive or); column i is for bit i."""
    bits = (value >> np.arange(32) & 1).astype(bool)
    return int(np.bitwise_xor.reduce(matrix[bits], initial=0))


def _zero_byte_powers(count: int) -> list[NDArray[np.uint32]]:
    """What 1, 2, 4, 8 ... zero bytes do to a checksum."""
    columns = []
    for bit in range(32):
        value = 1 << bit
        for _ in range(8):
            value = (value << 1 ^ (_OGG_POLYNOMIAL if value >> 31 else 0)) & 0xFFFFFFFF
        columns.append(value)
    powers = [np.array(columns, np.uint32)]
    for _ in range(count - 1):
        last = powers[-1]
        powers.append(np.array([_times(last, int(column)) for column in last], np.uint32))
    return powers


_ZERO_BYTES = _zero_byte_powers(17)
"""Enough for the longest page, 65,307 bytes."""
