"""Decoding with libsndfile.

In comes a path, out come ``(channels, samples)`` blocks, until nothing comes. Two habits of
soundfile are avoided: it seeks after every read, which changes the samples of MP3 and Opus
and fails on damaged FLAC, and it takes the header's frame count for a fact.
"""

from __future__ import annotations

import contextlib
import os
from typing import BinaryIO

import numpy as np
import soundfile as sf

from raypipe.audio import mp3tag
from raypipe.errors import UnreadableAudio
from raypipe.types import Samples, SoundInfo, dtype_of

_PLAIN = frozenset(
    {"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"}
)
_SEEKABLE = _PLAIN | {"IMA_ADPCM", "MS_ADPCM"}
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
    if (container, subtype) == ("PAF", "PCM_24") or frames is None:
        return True
    return container in _UNSEEKABLE or subtype not in _SEEKABLE


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
        self._channels = info.channels
        self._bytes: BinaryIO | None = None
        self._unbounded: mp3tag.UnboundedFile | None = None
        self._file = self._open(info)

    def _open(self, info: SoundInfo) -> SequentialSoundFile:
        try:
            if info.container == "MP3":
                self._bytes = open(os.fsencode(self._path), "rb")  # noqa: SIM115
                if not mp3tag.tells_length(self._bytes):
                    # Without the file's name libsndfile misses MP3s that begin with junk.
                    with contextlib.suppress(sf.LibsndfileError):
                        self._unbounded = mp3tag.UnboundedFile(self._bytes)
                        return SequentialSoundFile(self._unbounded)
            return SequentialSoundFile(os.fsencode(self._path))
        except (OSError, sf.LibsndfileError) as error:
            self.close()
            raise UnreadableAudio(self._path, reason_of(error)) from error

    def read(self, frames: int) -> Samples:
        """Next samples, at most so many; none at the end.

        Raises
        ------
        UnreadableAudio
            Where libsndfile cannot go on.
        """
        block = np.empty((frames, self._channels), self._dtype)
        if self._unbounded is not None:
            # soundfile drops what it got before an error; NaN shows how far it came.
            block.fill(np.nan)
        try:
            block = self._file.read(out=block)
        except sf.LibsndfileError as error:
            if self._unbounded is None or not self._unbounded.exhausted:
                reason = f"decoding broke off: {reason_of(error)}"
                raise UnreadableAudio(self._path, reason) from error
            # The last frame of an MP3 is often incomplete.
            block = block[: np.count_nonzero(~np.isnan(block[:, 0]))]
        sound: Samples = np.ascontiguousarray(block.T)
        return sound

    def seek(self, start: int) -> bool:
        """Go to a sample; False where libsndfile cannot."""
        try:
            self._file.seek(start)
        except sf.LibsndfileError:
            return False
        return True

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
