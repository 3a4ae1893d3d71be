"""Writing sound: what `encode` made, into one file.

In come ``(channels, samples)`` arrays in the target's dtype, out comes a file that reads
back with the same length, rate, channels and (unless the format is lossy) samples. The same
sound gives the same bytes at any time: time stamps and random numbers that libsndfile puts
into files are taken out again. Every byte goes through `Sink`, because libsndfile forgets
what the system says when it completes a file.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any, Protocol

import numpy as np
import soundfile as sf
from numpy.typing import NDArray

from raypipe.audio import rawpcm
from raypipe.audio.complete import complete
from raypipe.audio.read_soundfile import PLAIN, SequentialSoundFile, reason_of
from raypipe.errors import StorageError, UnsupportedAudio
from raypipe.storage import show, storage_error
from raypipe.types import SoundTarget

_SHORT_SIZES = frozenset({"WAV", "WAVEX", "AIFF", "AU"})
_FOUR_GIB = 2**32 - 2**16
"""Bytes that a file with 32-bit sizes can hold, with room for other chunks."""
_BLOCK = 1 << 14
"""Samples a channel that libsndfile is given at once; it crashes on long stretches of Vorbis."""
_PLAIN_BLOCK = 1 << 18
"""The same of what is not compressed: each call costs as much as copying this many bytes."""
_BLOCKWISE = frozenset({"OGG", "MP3"})
"""Containers whose encoders give other bytes where the sound is handed over in other cuts."""
_EMPTY_IMPOSSIBLE = frozenset({"MPEG_LAYER_III", "OPUS"})
_FLAC_BITS = {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24}
_COMPRESSION = {"OPUS": 0.5, "FLAC": 0.5}
"""libsndfile's setting by subtype or container, 0 to 1; where none stands its default is good.
Opus: at the default rate its speech coder shifts 24 kHz mono by up to a sample. FLAC: level 4
of 8, as small as the default 5 in seven eighths of its time."""


class SoundWriter(Protocol):
    """One file being written."""

    def write(self, data: NDArray[Any]) -> None:
        """Append ``(channels, samples)`` as `encode` gave them."""

    def close(self) -> None:
        """Complete the file."""

    def abort(self) -> None:
        """Close without completing; the file that remains is of no use."""


def open_writer(path: str, target: SoundTarget) -> SoundWriter:
    """Create a file, or empty it where it exists.

    Raises
    ------
    StorageError
        Where the storage refuses; `write` and `close` raise it as well.
    UnsupportedAudio
        Where libsndfile refuses the target.
    """
    sink = Sink(path)
    if target.container == "RAW":
        return RawWriter(sink, target)
    try:
        return SoundfileWriter(sink, target)
    except (sf.LibsndfileError, ValueError) as error:
        sink.close()
        sink.check()
        raise UnsupportedAudio(path, reason_of(error)) from error


class Sink:
    """The bytes of a file, in the words that libsndfile's virtual files use.

    It keeps the first error of the system instead of raising it through C code.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._error: OSError | None = None
        try:
            self._file = open(os.fsencode(path), "wb+", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise storage_error(error, path, "create") from error

    def write(self, data: bytes) -> int:
        """Write all, or nothing more once an error was met."""
        view = memoryview(data)
        done = 0
        while done < len(view) and self._error is None:
            try:
                done += self._file.write(view[done:])
            except OSError as error:
                self._error = error
        return done

    def readinto(self, buffer: Any) -> int:
        """Read back what was written; some formats complete their header from it."""
        return self._file.readinto(buffer) or 0

    def read(self, size: int) -> bytes:
        """As `readinto`."""
        return self._file.read(size) or b""

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Current position."""
        return self._file.tell()

    def close(self) -> None:
        """Close; network file systems report a full disk only here."""
        try:
            self._file.close()
        except OSError as error:
            self._error = self._error or error

    def check(self) -> None:
        """Raise what the system said.

        Raises
        ------
        StorageError
            Where a write or the close failed.
        """
        if self._error is not None:
            raise storage_error(self._error, self.path, "write") from self._error


class RawWriter:
    """Bare samples."""

    def __init__(self, sink: Sink, target: SoundTarget) -> None:
        self._sink = sink
        self._target = target

    def write(self, data: NDArray[Any]) -> None:
        """Append ``(channels, samples)``."""
        self._sink.write(rawpcm.to_bytes(data, self._target.subtype, self._target.endian))
        self._sink.check()

    def close(self) -> None:
        """Complete the file."""
        self._sink.close()
        self._sink.check()

    def abort(self) -> None:
        """Close."""
        self._sink.close()


class SoundfileWriter:
    """A file in one of libsndfile's formats."""

    def __init__(self, sink: Sink, target: SoundTarget) -> None:
        self._sink = sink
        self._target = target
        self._written = 0
        self._block = _PLAIN_BLOCK if target.subtype in PLAIN else _BLOCK
        self._rest: NDArray[Any] = np.zeros((target.channels, 0), np.float32)
        self._file = SequentialSoundFile(
            sink,
            "w",
            target.rate_hz,
            target.channels,
            format=target.container,
            subtype=target.subtype,
            endian=target.endian,
            compression_level=_COMPRESSION.get(target.subtype)
            or _COMPRESSION.get(target.container),
        )

    def write(self, data: NDArray[Any]) -> None:
        """Append ``(channels, samples)``."""
        if self._target.container in _BLOCKWISE:
            data = np.concatenate([self._rest, data], axis=1) if self._rest.size else data
            whole = data.shape[1] - data.shape[1] % _BLOCK
            self._rest = data[:, whole:].copy()
            data = data[:, :whole]
        self._hand_over(data)

    def _hand_over(self, data: NDArray[Any]) -> None:
        try:
            for start in range(0, data.shape[1], self._block):
                self._file.write(np.ascontiguousarray(data[:, start : start + self._block].T))
        except (sf.LibsndfileError, AssertionError) as error:
            # soundfile asserts that everything was written.
            self._sink.check()
            raise self._failure(reason_of(error)) from error
        self._sink.check()
        self._written += data.shape[1]
        if self._target.container in _SHORT_SIZES and self._sink.tell() > _FOUR_GIB:
            raise UnsupportedAudio(
                self._sink.path, f"{self._target.container} cannot hold more than 4 GiB"
            )

    def close(self) -> None:
        """Complete the file and see that it names as many samples as were written."""
        self._hand_over(self._rest)
        if not self._written and self._target.subtype in _EMPTY_IMPOSSIBLE:
            self.abort()
            raise UnsupportedAudio(
                self._sink.path, f"{self._target.subtype} cannot hold a sound of 0 samples"
            )
        self._close_file()
        self._sink.check()
        if not self._written and self._target.container == "FLAC":
            self._write_empty_flac()
        complete(self._sink, self._target, self._written)
        self._verify()
        self._sink.close()
        self._sink.check()

    def abort(self) -> None:
        """Close."""
        with contextlib.suppress(StorageError):
            self._close_file()
        self._sink.close()

    def _close_file(self) -> None:
        try:
            self._file.close()
        except sf.LibsndfileError as error:
            self._sink.check()
            raise self._failure(reason_of(error)) from error

    def _verify(self) -> None:
        """Some encoders collect the sound elsewhere and copy it at the end, errors or not."""
        self._sink.seek(0)
        try:
            with SequentialSoundFile(self._sink) as back:
                held = back.frames
        except sf.LibsndfileError as error:
            raise self._failure(reason_of(error)) from error
        if self._written and held != self._written:
            raise self._failure(f"holds {held} of {self._written} samples after closing")

    def _write_empty_flac(self) -> None:
        """libsndfile writes nothing at all for FLAC without samples.

        The stream information block alone: block sizes 4096, then 20 bits of rate, 3 of
        channels - 1, 5 of bits - 1, 36 of length, and no checksum.
        """
        fields = (
            self._target.rate_hz << 44
            | (self._target.channels - 1) << 41
            | (_FLAC_BITS[self._target.subtype] - 1) << 36
        )
        sizes = bytes([0x10, 0, 0x10, 0]) + bytes(6)
        self._sink.seek(0)
        self._sink.write(b"fLaC\x80\0\0\x22" + sizes + fields.to_bytes(8, "big") + bytes(16))

    def _failure(self, reason: str) -> StorageError:
        return StorageError(f"{show(self._sink.path)}: cannot write: {reason}")
