"""The nouns that travel through raypipe.

::

    AudioFile ─► Segment ─► FrameBatch ─► BatchResult (small facts, to the driver)
                                     └──► Piece (samples, to a collector) ─► Outcome
    Outcome = Done | Skipped | Failed

All are frozen and picklable. Samples stand in a `Piece` alone; what the driver
sees is small, up to `State`, the few kilobytes that a recurrent model remembers.

Time is whole samples at the file's own rate, half-open ``[start, stop)``.
Arrays are ``(channels, samples)``; inside a batch each channel is a lane.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Samples: TypeAlias = NDArray[Any]
"""Sound: float32 (float64 where the source is wider), shape ``(channels, samples)``."""

State: TypeAlias = dict[str, NDArray[Any]]
"""What a stage remembers between calls: arrays by name, the lane on axis 0."""


MOST_HZ = 1_536_000
"""Highest sampling rate that is taken for one: twice what recorders offer."""

MOST_CHANNELS = 64
"""More than that is a damaged header."""


@dataclass(frozen=True, slots=True)
class RawLayout:
    """How headerless samples are to be read (``--raw``)."""

    rate_hz: int
    """Sampling rate in Hz."""
    channels: int = 1
    """Interleaved channels."""
    sample: str = "s16le"
    """Sample type: u8, s8, s16le, s16be, s24le, s24be, s32le, s32be, f32le, f32be, f64le, f64be."""


@dataclass(frozen=True, slots=True)
class SoundInfo:
    """What a decoder says about a file once it has opened it."""

    rate_hz: int
    """Sampling rate in Hz."""
    channels: int
    """Number of channels, at least 1."""
    frames: int | None
    """Samples per channel as the header claims; None where it claims nothing credible.
    A claim, not a fact: readers go on until nothing comes."""
    container: str
    """libsndfile's major format (``WAV``, ``FLAC``, ``OGG`` ...), ``RAW``, or PyAV's name."""
    subtype: str
    """libsndfile's subtype (``PCM_16``, ``FLOAT``, ``VORBIS`` ...), or PyAV's codec name."""
    endian: str = "FILE"
    """libsndfile's endianness (``FILE``, ``LITTLE``, ``BIG``)."""
    decoder: str = "soundfile"
    """Which reader opens it: ``soundfile``, ``raw`` or ``av``."""
    sequential: bool = False
    """True where only decoding from the start gives exact samples (MP3, Opus, AAC ...)."""
    wide: bool = False
    """True where float32 cannot hold every sample (PCM_32, DOUBLE); read as float64."""
    notes: tuple[str, ...] = ()
    """Oddities found while opening that a person should hear of."""


@dataclass(frozen=True, slots=True)
class AudioFile:
    """One listed input, before anybody has opened it."""

    path: str
    """Where it is opened."""
    name: str
    """Path relative to the input's root with ``/`` between the parts; how reports name it."""
    output: str
    """Path relative to the output's root."""
    size: int
    """Bytes."""
    mtime_ns: int
    """Time of the last change, in nanoseconds; 0 where nobody tells."""
    layout: RawLayout | None = None
    """How its samples lie there, if it is headerless and the user has said so."""
    etag: str = ""
    """What a store calls this very content, where it does."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of one file, with everything a worker needs to step it."""

    ticket: int
    """Number of the open file in this run; a reopened file gets a new one."""
    file: AudioFile
    """The file that it is a stretch of."""
    start: int
    """First sample, at the file's own rate."""
    collector: int
    """Index of the collector that this file's sound goes to."""
    info: SoundInfo | None = None
    """What was found at opening; None for a file's first segment."""
    state: State | None = None
    """State that the segment before left; None for a file's first segment."""


@dataclass(frozen=True, slots=True)
class FrameBatch:
    """Segments of different files that step together on one worker."""

    number: int
    """Counts up in a run."""
    segments: tuple[Segment, ...]
    """In the order in which they take the lanes."""
    segment_s: float
    """How much of each file to read; less comes only where a file ends."""


@dataclass(frozen=True, slots=True)
class Stepped:
    """What a worker says of one segment that it has stepped."""

    ticket: int
    info: SoundInfo
    """What the decoder says of the file."""
    read: int
    """Samples read from ``start`` on."""
    ended: bool
    """True where the file ends in this segment."""
    state: State | None
    """State for the next segment; None once the file has ended."""


@dataclass(frozen=True, slots=True)
class Refused:
    """One segment's file turned out to be at fault; its neighbours stepped."""

    ticket: int
    reason: str
    info: SoundInfo | None = None
    """What the decoder said of the file, where it got so far."""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """The small facts of one stepped batch; the sound goes to the collectors."""

    number: int
    """The batch's."""
    answers: tuple[Stepped | Refused, ...]
    """One for each segment, in the batch's order."""
    busy_s: dict[str, float] = field(default_factory=dict)
    """Seconds by part of the work: read, resample, step, level, encode."""
    lane_s: float = 0.0
    """Seconds of sound that were stepped, all lanes."""
    longest_s: float = 0.0
    """Seconds of sound of the longest lane."""
    rss_bytes: int = 0
    """The worker's resident memory."""


@dataclass(frozen=True, slots=True)
class SoundTarget:
    """How one sound is to be written."""

    container: str
    """libsndfile's major format, or ``RAW``."""
    subtype: str
    """libsndfile's subtype."""
    endian: str
    """libsndfile's endianness."""
    rate_hz: int
    channels: int
    raw: RawLayout | None = None
    """Layout of the samples where the container is ``RAW``."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Level of a stretch of sound, to be added up by a collector."""

    peak: float
    """Largest absolute sample."""
    energies: NDArray[Any]
    """K-weighted mean square of each 100 ms hop that was completed; shape ``(hops,)``."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A stretch of one artifact of a file."""

    name: str
    """The artifact's: ``sound`` for the processed sound."""
    output: str
    """Path relative to the output's root."""
    target: SoundTarget
    """How it is to be written; its type chooses the sink."""
    start: int
    """First sample, at the target's rate; parts come in order and without gaps."""
    data: NDArray[Any]
    """``(channels, samples)`` in the dtype that the target's writer takes."""
    clipped: int = 0
    """Samples held at full scale."""
    path: str = ""
    """An unfinished file that the worker has written whole; then `data` is empty."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """What a worker made of one segment, on its way to a collector."""

    ticket: int
    file: AudioFile
    info: SoundInfo
    parts: tuple[Part, ...]
    """One for each artifact."""
    start: int
    """Samples of the file that came before those of this piece."""
    first: bool
    """True in a file's first piece."""
    ended: bool
    """True in its last."""
    frames: int
    """Samples read from the file for it."""
    level_in: Measured
    level_out: Measured
    notes: tuple[str, ...]
    """What could not be kept, or was odd."""
    busy_s: float
    """This file's share of the worker's time."""
    worker: str


@dataclass(frozen=True, slots=True)
class Levels:
    """Level of a sound, whole file, all channels."""

    peak_db: float | None
    """Sample peak in dB relative to full scale; None for digital silence."""
    lufs: float | None
    """Integrated loudness (ITU-R BS.1770-4); None where nothing passes its gate."""
    floor_db: float | None = None
    """Noise floor: K-weighted level of the quiet moments, on the scale of `lufs`; None where the
    sound is too short or nobody measured it."""


@dataclass(frozen=True, slots=True)
class Done:
    """The file's artifacts stand complete in the output."""

    file: AudioFile
    artifacts: dict[str, str]
    """Path relative to the output's root, by name (``sound`` for the processed sound)."""
    info: SoundInfo
    frames: int
    """Samples per channel, counted."""
    level_in: Levels
    level_out: Levels
    clipped: int = 0
    """Output samples beyond full scale of an integer subtype, held at full scale."""
    gain_db: float = 0.0
    """Gain given to the whole file so that it does not clip (``--clip scale``)."""
    notes: tuple[str, ...] = ()
    """What could not be kept, or was odd."""
    busy_s: float = 0.0
    """Share of the workers' time that this file took."""
    worker: str = ""
    """Worker that stepped the last segment."""

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.frames / self.info.rate_hz


@dataclass(frozen=True, slots=True)
class Skipped:
    """Nothing was done, on purpose."""

    file: AudioFile
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The file is at fault; nothing of it stands in the output."""

    file: AudioFile
    reason: str
    info: SoundInfo | None = None
    notes: tuple[str, ...] = ()


Outcome: TypeAlias = Done | Skipped | Failed


@dataclass(frozen=True, slots=True)
class Scored:
    """The file was measured; nothing was written."""

    file: AudioFile
    info: SoundInfo
    frames: int
    """Samples per channel, counted."""
    values: dict[str, float]
    """Measures by name, see `raypipe.quality`; rounded, so that they are the same everywhere."""
    missing: dict[str, str]
    """Why there is no number for the other measures that were asked for, by name."""
    notes: tuple[str, ...] = ()
    """What a person should know to read them."""
    worker: str = ""


@dataclass(frozen=True, slots=True)
class Fault:
    """A collector could not write this file, and the file is the reason."""

    ticket: int
    reason: str


@dataclass(frozen=True, slots=True)
class Published:
    """A collector has put this file's artifacts in place."""

    ticket: int
    done: Done
    publish_s: float = field(default=0.0, compare=False)
    """Seconds that the collector has worked since it last told; in one of a call's answers."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A piece that does not follow on the one before: its sound was lost on the way."""

    ticket: int
    text: str


Collected: TypeAlias = Published | Fault | Gap


def samples_in(seconds: float, rate_hz: int) -> int:
    """Whole samples in so many seconds, at least one: here alone seconds become samples."""
    return max(1, round(seconds * rate_hz))


def dtype_of(info: SoundInfo) -> np.dtype[Any]:
    """The dtype in which a file's samples are read: float64 where float32 is too narrow."""
    return np.dtype(np.float64 if info.wide else np.float32)
