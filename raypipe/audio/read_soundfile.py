"""Decoding with libsndfile.

In comes a path, out come ``(channels, samples)`` blocks, until nothing comes. Two habits of
soundfile are avoided: it seeks after every read, which changes the samples of MP3 and Opus
and fails on damaged FLAC, and it takes the header's frame count for a fact.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any, BinaryIO

import numpy as np
import soundfile as sf

from raypipe.audio import chunks, mp3tag
from raypipe.audio.kept_errors import Kept
from raypipe.errors import UnreadableAudio
from raypipe.storage import is_address
from raypipe.storage.inputs import open_input
from raypipe.types import Samples, SoundInfo, dtype_of

PLAIN = frozenset(
    {"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"}
)
"""Subtypes in which every sample has its place."""
_SEEKABLE = PLAIN | {"IMA_ADPCM", "MS_ADPCM"}
_SAME_AS_16_BIT = frozenset({"WAV", "WAVEX", "RF64", "FLAC"})
"""Containers whose 16-bit samples, scaled, are libsndfile's own floats."""
_SKIPPED = 1 << 16
"""Samples a channel that are decoded at a time to get back to a place."""
_NO_MP3_FRAME = 7
"""libsndfile's error number, whose own words speak of a missing file."""
_UNSEEKABLE = frozenset({"SDS", "MP3", "OGG", "XI"})


class SequentialSoundFile(sf.SoundFile):  # type: ignore[misc]
    """A sound file that soundfile leaves alone between reads and writes."""

    def seekable(self) -> bool:
        """False: soundfile then neither seeks after a read nor caps it at the header's count."""
        return False


def is_sequential(container: str, subtype: str, frames: int | None) -> bool:
    """True where seeking was found not to give the very samples that decoding gives."""
    return frames is None or container in _UNSEEKABLE or subtype not in _SEEKABLE


def unclosed_wav(file: BinaryIO) -> chunks.UnclosedFile | None:
    """A file that says how long its sound is, for a WAV whose recorder never wrote that.

    libsndfile reads placeholders near 2**31 and 2**32 to the end of the file, but not 0.
    """
    layout = chunks.walk(file)
    promise = chunks.promise(layout)
    data = layout.find(b"data")
    if data is None or promise is None or data.size or not promise.streaming or not promise.held:
        return None
    return chunks.UnclosedFile(file, data.offset - 4, promise.held)


def opened_virtual(file: Any) -> tuple[Kept, SequentialSoundFile]:
    """An open file as libsndfile sees it, from its first byte on, and what keeps its errors.

    Raises
    ------
    sf.LibsndfileError
        Where libsndfile refuses it.
    OSError, StorageError
        Where its bytes cannot be read.
    """
    file.seek(0)
    kept = Kept(file)
    try:
        opened = SequentialSoundFile(kept)
    except sf.LibsndfileError:
        kept.check()
        raise
    kept.check()
    return kept, opened


class SoundfileDecoder:
    """One open file.

    Parameters
    ----------
    path : str
        The file.
    info : SoundInfo
        What `probe` found.

    Raises
    ------
    UnreadableAudio
        Where libsndfile refuses the file.
    """

    def __init__(self, path: str, info: SoundInfo) -> None:
        self._path = path
        self._dtype = dtype_of(info)
        self._info = info
        self._as_16_bit = info.subtype == "PCM_16" and info.container in _SAME_AS_16_BIT
        self._channels = info.channels
        self._position = 0
        self._failure: UnreadableAudio | None = None
        self._bytes: BinaryIO | None = None
        self._kept: Kept | None = None
        self._unbounded: mp3tag.UnboundedFile | None = None
        self._file = self._open(info)

    def _open(self, info: SoundInfo) -> SequentialSoundFile:
        try:
            if is_address(self._path) or info.container in ("MP3", "WAV", "WAVEX"):
                self._bytes = open_input(self._path)
                return self._open_mended(self._bytes, info.container)
            return SequentialSoundFile(os.fsencode(self._path))
        except (OSError, sf.LibsndfileError) as error:
            self.close()
            raise UnreadableAudio(self._path, reason_of(error)) from error

    def _open_mended(self, file: BinaryIO, container: str) -> SequentialSoundFile:
        """Open a file whose header would make libsndfile stop before its end."""
        # Without the file's name libsndfile misses MP3s that begin with junk.
        plain = file if is_address(self._path) else None
        if container in ("WAV", "WAVEX"):
            return self._opened(unclosed_wav(file) or plain)
        if container == "MP3" and not mp3tag.tells_length(file):
            with contextlib.suppress(sf.LibsndfileError):
                self._unbounded = mp3tag.UnboundedFile(file)
                return self._opened(self._unbounded)
        return self._opened(plain)

    def _opened(self, file: Any) -> SequentialSoundFile:
        """An open file as libsndfile sees it, or the local one at the path."""
        if file is None:
            return SequentialSoundFile(os.fsencode(self._path))
        self._kept, opened = opened_virtual(file)
        return opened

    def read(self, frames: int) -> Samples:
        """Next samples, at most so many; none at the end.

        Raises
        ------
        UnreadableAudio
            Where libsndfile cannot go on.
        """
        if self._failure is not None:
            raise self._failure
        if self._as_16_bit:
            try:
                return self._read_16(frames)
            except sf.LibsndfileError:
                self._check()
                self._begin_again()
        # soundfile drops what it got before an error; NaN shows how far it came.
        block = np.full((frames, self._channels), np.nan, self._dtype)
        try:
            block = self._file.read(out=block)
            self._check()
        except sf.LibsndfileError as error:
            self._check()
            block = block[: np.count_nonzero(~np.isnan(block[:, 0]))]
            # The last frame of an MP3 is often incomplete.
            if self._unbounded is None or not self._unbounded.exhausted:
                reason = f"decoding broke off at sample {self._position + len(block)}"
                self._failure = UnreadableAudio(self._path, f"{reason}: {reason_of(error)}")
                self._failure.__cause__ = error
                if not len(block):
                    raise self._failure from error
        self._position += len(block)
        sound: Samples = np.ascontiguousarray(block.T)
        return sound

    def _read_16(self, frames: int) -> Samples:
        """The same samples as libsndfile's own floats, in a third of its time."""
        block = self._file.read(frames, dtype="int16", always_2d=True)
        self._check()
        self._position += len(block)
        sound = np.multiply(block.T, np.float32(2.0**-15), dtype=np.float32, order="C")
        plain: Samples = sound
        return plain

    def _begin_again(self) -> None:
        """Go to where we are with the reads that tell how far they came before an error."""
        self._as_16_bit = False
        self._file.close()
        self._file = self._open(self._info)
        left = got = self._position
        while left and got:
            got = len(self._file.read(min(left, _SKIPPED), dtype="float32", always_2d=True))
            left -= got

    def seek(self, start: int) -> bool:
        """Go to a sample; False where libsndfile cannot."""
        try:
            self._file.seek(start)
        except sf.LibsndfileError:
            self._check()
            return False
        self._check()
        self._position = start
        return True

    def _check(self) -> None:
        """Raise what reading the bytes met: that is not for libsndfile to explain."""
        if self._kept is None:
            return
        try:
            self._kept.check()
        except OSError as error:
            raise UnreadableAudio(self._path, f"cannot be read: {reason_of(error)}") from error

    def close(self) -> None:
        """Close the file; may be called twice."""
        if hasattr(self, "_file"):
            self._file.close()
        if self._bytes is not None:
            self._bytes.close()


def reason_of(error: Exception) -> str:
    """One clause from an error of libsndfile or the system."""
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if isinstance(error, sf.LibsndfileError) and error.code == _NO_MP3_FRAME:
        return "libsndfile says: No MPEG frame found"
    text = error.error_string if isinstance(error, sf.LibsndfileError) else str(error)
    text = " ".join(text.split()).rstrip(".")
    return f"libsndfile says: {text}"
