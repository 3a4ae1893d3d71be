"""Reading sound: one reader for every decoder.

In come a path and what `probe` found, out come ``(channels, samples)`` arrays that do not
depend on how a file is cut into reads: a read is short only where the sound ends, and
`SoundReader.seek` gives the very samples that decoding from the start gives.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Protocol

import numpy as np

from raypipe.audio import mp3tag
from raypipe.audio.probe import probe
from raypipe.audio.read_av import AvDecoder
from raypipe.audio.read_raw import RawDecoder
from raypipe.audio.read_soundfile import PLAIN, SoundfileDecoder
from raypipe.errors import TruncatedAudio, UnreadableAudio, UnsupportedAudio
from raypipe.storage.inputs import kept_open, open_input
from raypipe.types import RawLayout, Samples, SoundInfo, dtype_of

_BLOCK = 1 << 16
"""Samples a channel that are decoded at a time where they are thrown away."""
_ESTIMATED = frozenset({"MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III", "VORBIS", "OPUS"})
"""Subtypes whose claimed length is often a little off."""
_BEYOND = 1024
"""Samples a channel that are asked for where the claim says that none are left."""
_MANY_SAMPLES = 1 << 22
"""Samples, all channels, that are asked of a decoder at once (it gets that much memory)."""


class Decoder(Protocol):
    """What each of the decoders can do."""

    def read(self, frames: int) -> Samples:
        """Next samples, at most so many; none at the end."""

    def seek(self, start: int) -> bool:
        """Go to a sample; False where that cannot be done exactly."""

    def close(self) -> None:
        """Close the file."""


_DECODERS: dict[str, Callable[[str, SoundInfo], Decoder]] = {
    "soundfile": SoundfileDecoder,
    "raw": RawDecoder,
    "av": AvDecoder,
}


def open_sound(
    path: str,
    info: SoundInfo | None = None,
    raw: RawLayout | None = None,
    *,
    keep_truncated: bool = False,
) -> SoundReader:
    """Open a file for reading from its first sample.

    Parameters
    ----------
    path : str
        A file, or the address of an object.
    info : SoundInfo or None
        What `probe` found earlier; None to probe now.
    raw : RawLayout or None
        For `probe`.
    keep_truncated : bool
        Whether sound that ends early becomes a note instead of an error.

    Raises
    ------
    AudioError
        As `probe` does.
    """
    with kept_open(path):
        return SoundReader(path, probe(path, raw) if info is None else info, keep_truncated)


class SoundReader:
    """A file open for reading.

    Attributes
    ----------
    info : SoundInfo
        What the decoder says of the file.
    position : int
        The next sample that `read` gives.
    nonfinite : int
        NaN and infinite samples found.
    notes : list of str
        Oddities found while reading, beside those in `info`.
    """

    def __init__(self, path: str, info: SoundInfo, keep_truncated: bool = False) -> None:
        self.info = info
        self.position = 0
        self.nonfinite = 0
        self.notes: list[str] = []
        self._path = path
        self._keep_truncated = keep_truncated
        self._ended = False
        self._judged = False
        self._most = max(1, _MANY_SAMPLES // info.channels)
        # libsndfile never gives more of these than it has counted.
        self._counted = info.decoder == "soundfile" and info.container in ("WAV", "WAVEX", "RF64")
        self._counted = self._counted and info.subtype in PLAIN
        self._integers = info.subtype.startswith(("PCM_", "ALAC_"))
        self._none: Samples = np.zeros((info.channels, 0), dtype_of(info))
        self._ahead = self._none
        self._decoder: Decoder = _DECODERS[info.decoder](path, info)

    @property
    def at_end(self) -> bool:
        """True where nothing more comes."""
        ended = self._ended
        if self._counted and self.position == self.info.frames:
            return True
        if not ended and not self._ahead.shape[1] and (self.info.frames or 0) <= self.position:
            self._ahead = self._next(1)
            ended = not self._ahead.shape[1]
            if ended:
                self._judge_end()
        return ended and not self._ahead.shape[1]

    def read(self, frames: int) -> Samples:
        """Next samples.

        Parameters
        ----------
        frames : int
            Samples a channel wanted.

        Returns
        -------
        Samples
            Shape ``(channels, n)``, float64 where `info` says wide, else float32. n is less
            than `frames` only where the sound ends.

        Raises
        ------
        UnreadableAudio
            Where decoding breaks off.
        TruncatedAudio
            Where the sound ends before the place that its header promises.
        UnsupportedAudio
            Where samples are NaN or infinite, or rate or channels change.
        """
        parts = []
        missing = frames
        while missing > 0:
            block = self._next(missing)
            if not block.shape[1]:
                break
            parts.append(block)
            missing -= block.shape[1]
            self.position += block.shape[1]
        if missing > 0:
            self._judge_end()
        if len(parts) == 1:
            return parts[0]
        return np.concatenate(parts, axis=1) if parts else self._none

    def seek(self, start: int) -> None:
        """Go to a sample, exact to the bit.

        Parameters
        ----------
        start : int
            At most the sound's length.

        Raises
        ------
        UnreadableAudio
            Where the sound ends before `start`.
        """
        if start == self.position:
            return
        forward = start > self.position
        exact = not self.info.sequential and self._decoder.seek(start)
        if exact:
            self._ahead, self._ended, self.position = self._none, False, start
            return
        if not forward or not self.info.sequential:
            self._reopen()
        while self.position < start:
            got = self.read(min(_BLOCK, start - self.position)).shape[1]
            if not got:
                reason = f"sample {start} was asked for, the sound ends at {self.position}"
                raise UnreadableAudio(self._path, reason)

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._decoder.close()

    def __enter__(self) -> SoundReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _reopen(self) -> None:
        self._decoder.close()
        self._decoder = _DECODERS[self.info.decoder](self._path, self.info)
        self._ahead, self._ended, self.position = self._none, False, 0

    def _next(self, frames: int) -> Samples:
        """What was looked at ahead, or a checked block of the decoder's."""
        if self._ahead.shape[1]:
            block, self._ahead = self._ahead, self._none
            return block
        if self._ended:
            return self._none
        left = (self.info.frames or self._most) - self.position
        try:
            block = self._decoder.read(min(frames, self._most, max(left, _BEYOND)))
        except UnreadableAudio as error:
            if not self._keep_truncated:
                raise
            self.notes.append(error.reason)
            self._judged = True
            block = self._none
        if not block.shape[1]:
            self._ended = True
        elif not self._integers and not np.isfinite(block).all():
            self._refuse_nonfinite(block)
        return block

    def _refuse_nonfinite(self, block: Samples) -> None:
        """Count to the end, so that the reason does not depend on where a read began or ended."""
        here = self.position
        first = here + int(np.argmin(np.isfinite(block).all(axis=0)))
        while block.shape[1]:
            self.nonfinite += int(np.count_nonzero(~np.isfinite(block)))
            block = self._decoder.read(self._most)
        raise UnsupportedAudio(
            self._path, f"{self.nonfinite} samples are NaN or infinite, first at sample {first}"
        )

    def _judge_end(self) -> None:
        """Compare the end with the claim, once."""
        claim = self.info.frames
        if self.position == 0 and self.info.decoder == "av":
            raise UnreadableAudio(self._path, "holds no sound that FFmpeg can decode")
        if claim is None or self.position == claim or self._judged:
            return
        self._judged = True
        rate = self.info.rate_hz
        # Lossy streams begin and end in mid-frame: half a second, or 2 %, is no loss.
        slack = max(rate // 2, claim // 50) if self._is_lossy() else 0
        if abs(claim - self.position) <= slack or self._is_estimate():
            return
        if self.position > claim:
            self.notes.append(f"header promises {claim} samples, {self.position} came")
            return
        reason = (
            f"header promises {claim} samples ({claim / rate:.2f} s), "
            f"the sound ends at {self.position} ({self.position / rate:.2f} s)"
        )
        if not self._keep_truncated:
            raise TruncatedAudio(self._path, reason)
        self.notes.append(reason)

    def _is_lossy(self) -> bool:
        return self.info.decoder == "av" or self.info.subtype in _ESTIMATED

    def _is_estimate(self) -> bool:
        """True where the claim was guessed from a bit rate."""
        if self.info.subtype in _ESTIMATED and self.info.container not in ("MP3", "OGG"):
            return True
        if self.info.container != "MP3":
            return False
        with open_input(self._path) as file:
            return not mp3tag.tells_length(file)
