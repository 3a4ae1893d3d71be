"""Decoding with PyAV (FFmpeg): what libsndfile cannot read.

In come a path, out come ``(channels, samples)`` blocks of the first audio stream. PyAV is an
optional package; it is imported only when a file needs it. FFmpeg gets an open file, never
the name, so that no name can make it fetch anything else.
"""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from raypipe.audio.read_soundfile import reason_of
from raypipe.errors import UnreadableAudio, UnsupportedAudio
from raypipe.storage.inputs import open_input
from raypipe.types import Samples, SoundInfo, dtype_of

if TYPE_CHECKING:
    import av.audio.frame
    import av.container

_NAMES = (
    "m4a m4b mp4 m4v mov aac adts ac3 eac3 dts webm mka mkv wma asf wmv amr ape mpc mpp tta wv spx"
    " 3gp 3g2 avi tak dsf dff mlp thd ra rm mpg mpeg ts flv"
)
SUFFIXES = frozenset(f".{name}" for name in _NAMES.split())
"""Extensions that are taken as audio because FFmpeg reads them."""
_GUESSED_LENGTH = frozenset({"aac", "mp3", "ac3", "eac3", "dts", "amr", "flac", "asf"})
"""Formats of FFmpeg whose length is a guess from the bit rate, or includes unheard sound."""
_FORMATS: dict[str, tuple[type[np.generic], int]] = {
    "u8": (np.uint8, 7),
    "s16": (np.int16, 15),
    "s32": (np.int32, 31),
    "s64": (np.int64, 63),
    "flt": (np.float32, 0),
    "dbl": (np.float64, 0),
}
"""FFmpeg's sample formats: how they are stored, and the bits below full scale."""
_MOST_PADDING = 8192
"""Samples; above the longest packet of the codecs that pad (HE-AAC: 2048; Vorbis: 8192)."""
_WIDE = frozenset({"s32", "s64", "dbl"})


class NoPyav(Exception):
    """PyAV is not installed."""


def probe_av(path: str) -> SoundInfo:
    """Describe a file by its first audio stream.

    Raises
    ------
    NoPyav
        Where PyAV is not installed.
    UnreadableAudio
        Where FFmpeg finds no audio that it can decode.
    """
    file, container = _open(path)
    try:
        stream = _audio_stream(path, container)
        codec = stream.codec_context
        sample_format = codec.format.name.removesuffix("p") if codec.format else ""
        name = container.format.name.split(",")[0]
        frames = None
        if stream.duration and stream.time_base and name not in _GUESSED_LENGTH:
            frames = round(stream.duration * stream.time_base * codec.sample_rate)
        return SoundInfo(
            rate_hz=codec.sample_rate,
            channels=codec.channels,
            frames=frames,
            container=name,
            subtype=codec.name,
            decoder="av",
            sequential=True,
            wide=sample_format in _WIDE,
        )
    finally:
        container.close()
        file.close()


class AvDecoder:
    """One open file.

    Raises
    ------
    UnreadableAudio
        Where FFmpeg refuses the file.
    """

    def __init__(self, path: str, info: SoundInfo) -> None:
        self._path = path
        self._info = info
        self._file, self._container = _open(path)
        self._end: int | None = None
        self._blocks = self._decode()
        self._rest: Samples = np.zeros((info.channels, 0), dtype_of(info))

    def read(self, frames: int) -> Samples:
        """Next samples, at most so many; none at the end.

        Raises
        ------
        UnreadableAudio
            Where FFmpeg cannot go on.
        UnsupportedAudio
            Where rate or channels change in mid-file.
        """
        while self._rest.shape[1] == 0:
            block = next(self._blocks, None)
            if block is None:
                return self._rest
            self._rest = block
        taken, self._rest = self._rest[:, :frames], self._rest[:, frames:]
        return taken

    def seek(self, start: int) -> bool:
        """Seeking in compressed streams is not exact: always False."""
        return False

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._blocks.close()
        self._container.close()
        self._file.close()

    def _decode(self) -> Generator[Samples, None, None]:
        """Blocks as they come, less the padding at the end.

        FFmpeg takes off what an encoder put in front, but not what it put behind: the rest of
        its last packet, beyond the time at which the container says that this packet ends.
        """
        done = 0
        beyond: list[Samples] = []
        for block in self._frames():
            done += block.shape[1]
            beyond.append(block)
            if self._end is None or done <= self._end or done - self._end > _MOST_PADDING:
                yield from beyond
                beyond = []
        if self._end is not None and beyond:
            rest = np.concatenate(beyond, axis=1)
            yield rest[:, : rest.shape[1] - (done - self._end)]

    def _frames(self) -> Generator[Samples, None, None]:
        from av.error import FFmpegError

        stream = _audio_stream(self._path, self._container)
        expected = (self._info.rate_hz, self._info.channels)
        done = 0
        try:
            for frame in self._packets(stream):
                found = (frame.sample_rate, frame.layout.nb_channels)
                if found != expected:
                    raise UnsupportedAudio(
                        self._path,
                        f"changes from {expected[0]} Hz and {expected[1]} channels to "
                        f"{found[0]} Hz and {found[1]} channels at sample {done}",
                    )
                done += frame.samples
                yield _samples_of(frame, self._info)
        except (FFmpegError, OSError) as error:
            reason = f"decoding broke off at sample {done}: FFmpeg says: {_words(error)}"
            raise UnreadableAudio(self._path, reason) from error

    def _packets(self, stream: Any) -> Generator[Any, None, None]:
        """Frames, while keeping account of where the packets so far end."""
        exact = stream.time_base == Fraction(1, self._info.rate_hz)
        for packet in self._container.demux(stream):
            if exact and packet.pts is not None and packet.duration:
                self._end = max(self._end or 0, packet.pts + packet.duration)
            yield from packet.decode()


def _open(path: str) -> tuple[BinaryIO, av.container.InputContainer]:
    try:
        import av
        import av.logging
        from av.error import FFmpegError
    except ImportError as error:
        raise NoPyav from error
    av.logging.set_level(av.logging.PANIC)
    try:
        file = open_input(path)
    except OSError as error:
        raise UnreadableAudio(path, reason_of(error)) from error
    try:
        options = {"protocol_whitelist": ""}
        return file, av.open(file, "r", options=options, **_lenient(av.__version__))
    except (FFmpegError, OSError, ValueError) as error:
        file.close()
        raise UnreadableAudio(path, f"FFmpeg says: {_words(error)}") from error


def _lenient(version: str) -> dict[str, Any]:
    """Tags in an unknown encoding are no reason to refuse the sound.

    PyAV 19 never refuses them, and no longer takes the word for it.
    """
    return {"metadata_errors": "replace"} if int(version.split(".")[0]) < 19 else {}


def _audio_stream(path: str, container: av.container.InputContainer) -> Any:
    if not container.streams.audio:
        raise UnreadableAudio(path, "holds no audio stream")
    stream = container.streams.audio[0]
    codec = stream.codec_context
    if codec is None:
        raise UnreadableAudio(path, "FFmpeg knows no decoder for its audio stream")
    codec.thread_count = 1
    return stream


def _samples_of(frame: av.audio.frame.AudioFrame, info: SoundInfo) -> Samples:
    """A frame as ``(channels, samples)`` floats, full scale at 1.0."""
    kind = frame.format.name.removesuffix("p")
    stored, bits = _FORMATS[kind]
    if frame.format.is_planar:
        planes = [
            np.frombuffer(memoryview(plane), stored)[: frame.samples] for plane in frame.planes
        ]
        values = np.stack(planes)
    else:
        count = frame.samples * info.channels
        values = (
            np.frombuffer(memoryview(frame.planes[0]), stored)[:count].reshape(-1, info.channels).T
        )
    sound: Samples = np.array(values, dtype_of(info), order="C")
    if stored == np.uint8:
        sound -= 128
    if bits:
        sound *= sound.dtype.type(2.0**-bits)
    return sound


def _words(error: Exception) -> str:
    """What an FFmpeg or system error says, in one clause."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split()).rstrip(".")
