"""Where parts of an artifact go until it is whole: unfinished files with short names.

A sink takes stretches in order, then gives the path of a complete file that is
ready to be published. `SoundSink` writes as it goes; `ScaledSoundSink` keeps the
samples until it knows the gain that the whole file needs; `WholeSink` has the
file from the worker.
"""

from __future__ import annotations

import contextlib
import math
import os
from typing import Protocol

import numpy as np

from raypipe.audio.encode import LINEAR_BITS, encode, waits_for_gain
from raypipe.audio.write import open_writer
from raypipe.errors import StorageError
from raypipe.storage import storage_error
from raypipe.types import Part, SoundTarget

ROUNDING = 2.0**-22
"""What the gain and its product may be off in float32."""

SPOOL_BLOCK = 1 << 16
"""Samples a channel that are read back at a time when a file is scaled."""


class Sink(Protocol):
    """Takes an artifact's parts; gives a complete file."""

    path: str
    """Path of the file, complete once `finish` has returned."""
    gain_db: float
    """Gain that was given to the artifact."""

    def write(self, part: Part) -> None:
        """Take the next stretch."""

    def finish(self) -> None:
        """Complete the file at `path`."""

    def abort(self) -> None:
        """Leave nothing behind."""


def open_sink(part: Part, path: str, clip: str) -> Sink:
    """A sink for the artifact that this first part belongs to."""
    if part.path:
        return WholeSink(part.path)
    if part.data.dtype.kind == "f" and waits_for_gain(part.target, clip):
        return ScaledSoundSink(path, part.target)
    return SoundSink(path, part.target)


def is_integer(target: SoundTarget) -> bool:
    """True where samples beyond full scale cannot be written."""
    return target.subtype in LINEAR_BITS


class WholeSink:
    """Stands for a file that the worker has written itself: its sound came in one piece."""

    gain_db = 0.0

    def __init__(self, path: str) -> None:
        self.path = path

    def write(self, part: Part) -> None:
        """There is one part, and it is there."""
        assert part.path == self.path, f"{part.path} came after {self.path}"

    def finish(self) -> None:
        """It is complete."""

    def abort(self) -> None:
        """Remove the file."""
        with contextlib.suppress(OSError):
            os.unlink(self.path)


class SoundSink:
    """Encodes as the parts come."""

    gain_db = 0.0

    def __init__(self, path: str, target: SoundTarget) -> None:
        self.path = path
        self._writer = open_writer(path, target)
        self._written = 0

    def write(self, part: Part) -> None:
        """Take the next stretch."""
        assert part.start == self._written, f"part at {part.start}, {self._written} were written"
        self._writer.write(part.data)
        self._written += part.data.shape[1]

    def finish(self) -> None:
        """Close the file."""
        self._writer.close()

    def abort(self) -> None:
        """Close and remove the file."""
        with contextlib.suppress(OSError, StorageError):
            self._writer.abort()
        with contextlib.suppress(OSError):
            os.unlink(self.path)


class ScaledSoundSink:
    """Keeps float samples, then writes them turned down just so that none clips."""

    def __init__(self, path: str, target: SoundTarget) -> None:
        self.path = path
        self.gain_db = 0.0
        self._target = target
        self._spool_path = path + ".spool"
        self._dtype: np.dtype[np.generic] = np.dtype(np.float32)
        self._written = 0
        self._highest = self._lowest = 0.0
        try:
            # Unbuffered: a full disk must show itself at the write, not at the close.
            self._spool = open(self._spool_path, "w+b", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise storage_error(error, self._spool_path, "create") from error

    def write(self, part: Part) -> None:
        """Take the next stretch."""
        assert part.start == self._written, f"part at {part.start}, {self._written} were written"
        self._dtype = part.data.dtype
        self._highest = float(np.max(part.data, initial=self._highest))
        self._lowest = float(np.min(part.data, initial=self._lowest))
        try:
            data = memoryview(np.ascontiguousarray(part.data.T).tobytes())
            while data:
                data = data[self._spool.write(data) :]
        except OSError as error:
            raise storage_error(error, self._spool_path, "write") from error
        self._written += part.data.shape[1]

    def finish(self) -> None:
        """Write the scaled file."""
        gain = self._gain()
        self.gain_db = 20 * math.log10(gain)
        channels = self._target.channels
        frame_bytes = channels * self._dtype.itemsize
        writer = open_writer(self.path, self._target)
        self._spool.seek(0)
        while block := self._read_back(SPOOL_BLOCK * frame_bytes):
            samples = np.frombuffer(block, self._dtype).reshape(-1, channels).T
            if gain != 1.0:
                samples = samples * self._dtype.type(gain)
            writer.write(encode(samples, self._target).data)
        writer.close()
        self._remove_spool()

    def _gain(self) -> float:
        """The largest gain up to 1 with which no sample is beyond the integers' range."""
        top = 1.0 - 2.0 ** (1 - LINEAR_BITS[self._target.subtype])
        fits = min(top / max(self._highest, top), 1.0 / max(-self._lowest, 1.0))
        return fits if fits == 1.0 else fits * (1.0 - ROUNDING)

    def _read_back(self, size: int) -> bytes:
        """So many bytes of the spool, fewer only at its end."""
        parts = []
        try:
            while size and (part := self._spool.read(size)):
                parts.append(part)
                size -= len(part)
        except OSError as error:
            raise storage_error(error, self._spool_path, "read") from error
        return b"".join(parts)

    def abort(self) -> None:
        """Remove what was kept."""
        self._remove_spool()
        with contextlib.suppress(OSError):
            os.unlink(self.path)

    def _remove_spool(self) -> None:
        self._spool.close()
        with contextlib.suppress(OSError):
            os.unlink(self._spool_path)
