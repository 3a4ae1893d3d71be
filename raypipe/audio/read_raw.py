"""Reading headerless samples (``.raw``, ``.pcm``) in a given layout.

In come a path and what `probe` made of the layout, out come ``(channels, samples)`` blocks.
"""

from __future__ import annotations

from raypipe.audio import rawpcm
from raypipe.audio.read_soundfile import reason_of
from raypipe.errors import UnreadableAudio
from raypipe.storage.inputs import open_input
from raypipe.types import Samples, SoundInfo


class RawDecoder:
    """One open file of bare samples.

    Raises
    ------
    UnreadableAudio
        Where the system refuses the file.
    """

    def __init__(self, path: str, info: SoundInfo) -> None:
        self._path = path
        self._info = info
        self._frame_bytes = rawpcm.bytes_per_sample(info.subtype) * info.channels
        try:
            self._file = open_input(path)
        except OSError as error:
            raise UnreadableAudio(path, reason_of(error)) from error

    def read(self, frames: int) -> Samples:
        """Next samples, at most so many; none at the end. A part of a sample is left out."""
        try:
            data = self._file.read(frames * self._frame_bytes)
        except OSError as error:
            raise UnreadableAudio(self._path, reason_of(error)) from error
        whole = data[: len(data) - len(data) % self._frame_bytes]
        return rawpcm.from_bytes(whole, self._info.subtype, self._info.endian, self._info.channels)

    def seek(self, start: int) -> bool:
        """Go to a sample."""
        self._file.seek(start * self._frame_bytes)
        return True

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._file.close()
