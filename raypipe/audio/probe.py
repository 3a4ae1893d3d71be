"""What a file is, before any of its sound is used.

In comes a path, out goes a `SoundInfo`: libsndfile is asked first, then PyAV; bare samples
are described by the user's layout. Headers are claims, and are checked where a lie would
cost sound: absurd rates, impossible lengths, data chunks that promise more than there is.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import lru_cache
from pathlib import PurePath

import soundfile as sf

from raypipe.audio import chunks, rawpcm, read_av
from raypipe.audio.read_soundfile import (
    SequentialSoundFile,
    is_sequential,
    opened_virtual,
    reason_of,
    unclosed_wav,
)
from raypipe.errors import UnreadableAudio, UnsupportedAudio
from raypipe.storage import is_address
from raypipe.storage.inputs import input_size, kept_open, open_input
from raypipe.types import MOST_CHANNELS, MOST_HZ, RawLayout, SoundInfo

_SOUNDFILE_NAMES = (
    "wav wave bwf rf64 w64 aif aiff aifc au snd caf flac ogg oga opus mp1 mp2 mp3 nist sph ircam"
    " sf pvf paf svx 8svx iff avr sds voc htk xi wve mpc2k"
)
_LONGEST_S = 10_000 * 3600
"""A claim beyond ten thousand hours is taken for a placeholder."""
_MISREAD = frozenset({("PAF", "PCM_24")})
"""What libsndfile does not read alike in all cuts."""
_WIDE = frozenset({"PCM_32", "ALAC_32", "DOUBLE"})


@lru_cache(maxsize=1)
def find_audio_suffixes() -> frozenset[str]:
    """Extensions, lower case with their dot, that are taken as audio in a folder."""
    by_soundfile = frozenset(f".{name}" for name in _SOUNDFILE_NAMES.split())
    return by_soundfile.union(rawpcm.HEADERLESS) | read_av.SUFFIXES


def probe(path: str, raw: RawLayout | None = None) -> SoundInfo:
    """Open a file and say what it is.

    Parameters
    ----------
    path : str
        A file, or the address of an object.
    raw : RawLayout or None
        How to read ``.raw`` and ``.pcm`` files.

    Raises
    ------
    UnreadableAudio
        Where it is no regular file, is empty, or no decoder opens it.
    UnsupportedAudio
        Where its rate or channel count is absurd.
    """
    with kept_open(path):
        size = _size_of(path)
        if PurePath(path).suffix.lower() in rawpcm.HEADERLESS:
            info = _probe_raw(path, raw, size)
        else:
            info = _probe_coded(path, size)
    if not 0 < info.rate_hz <= MOST_HZ:
        raise UnsupportedAudio(
            path, f"claims a rate of {info.rate_hz} Hz, wanted is 1 to {MOST_HZ} Hz"
        )
    if not 0 < info.channels <= MOST_CHANNELS:
        raise UnsupportedAudio(
            path, f"claims {info.channels} channels, wanted are 1 to {MOST_CHANNELS}"
        )
    return info


def _size_of(path: str) -> int:
    """Bytes of a regular file; anything else could block for ever when opened."""
    try:
        return input_size(path)
    except (OSError, ValueError) as error:
        raise UnreadableAudio(path, reason_of(error)) from error


def _probe_raw(path: str, raw: RawLayout | None, size: int) -> SoundInfo:
    if raw is None:
        raise UnreadableAudio(
            path, "has no header, so --raw rate=...,channels=...,sample=... is needed"
        )
    subtype, endian = rawpcm.names_of(raw)
    frames, rest = divmod(size, rawpcm.bytes_per_sample(subtype) * raw.channels)
    left = f"the last {rest} bytes are no whole sample and were left out"
    return SoundInfo(
        rate_hz=raw.rate_hz,
        channels=raw.channels,
        frames=frames,
        container="RAW",
        subtype=subtype,
        endian=endian,
        decoder="raw",
        wide=subtype in _WIDE,
        notes=(left,) if rest else (),
    )


def _probe_coded(path: str, size: int) -> SoundInfo:
    if size == 0:
        raise UnreadableAudio(path, "is empty (0 bytes)")
    try:
        return _probe_soundfile(path)
    except sf.LibsndfileError as refusal:
        refused = reason_of(refusal)
    except OSError as error:
        raise UnreadableAudio(path, f"cannot be read: {reason_of(error)}") from error
    try:
        return _believe(read_av.probe_av(path), _promise(path))
    except read_av.NoPyav:
        if PurePath(path).suffix.lower() in read_av.SUFFIXES:
            reason = "this format needs PyAV: pip install raypipe[av]"
        else:
            reason = f"{refused} (pip install raypipe[av] adds more decoders)"
        raise UnreadableAudio(path, reason) from None
    except UnreadableAudio as error:
        raise UnreadableAudio(path, f"{refused}; {error.reason}") from error


def _probe_soundfile(path: str) -> SoundInfo:
    with open_input(path) as bare:
        promise = chunks.promise(chunks.walk(bare))
        virtual = unclosed_wav(bare) or (bare if is_address(path) else None)
        if virtual is None:
            kept, opened = None, SequentialSoundFile(os.fsencode(path))
        else:
            kept, opened = opened_virtual(virtual)
        with opened as file:
            info = SoundInfo(
                rate_hz=file.samplerate,
                channels=file.channels,
                frames=file.frames,
                container=file.format,
                subtype=file.subtype,
                endian=file.endian,
                wide=file.subtype in _WIDE,
            )
            if 0 < info.channels <= MOST_CHANNELS:
                # Some files open but give nothing: then the other decoder has its turn.
                file.read(1, always_2d=True)
        if kept is not None:
            kept.check()
    if (info.container, info.subtype) in _MISREAD:
        raise UnsupportedAudio(path, f"libsndfile misreads {info.subtype} in {info.container}")
    if info.frames is not None and info.frames > _LONGEST_S * max(1, info.rate_hz):
        info = replace(info, frames=None)
    info = _believe(info, promise)
    return replace(info, sequential=is_sequential(info.container, info.subtype, info.frames))


def _promise(path: str) -> chunks.Promise | None:
    with open_input(path) as file:
        return chunks.promise(chunks.walk(file))


def _believe(info: SoundInfo, promise: chunks.Promise | None) -> SoundInfo:
    """Put the header's own count in place of the one that a decoder has cut to the file."""
    if promise is None:
        return info
    if promise.streaming and promise.held:
        note = "the header gives no length; the sound was read to the end of the file"
        return replace(info, notes=(note,))
    if info.frames is not None and not promise.streaming and promise.promised > promise.held > 0:
        return replace(info, frames=max(info.frames, _scaled(info, promise)))
    return info


def _scaled(info: SoundInfo, promise: chunks.Promise) -> int:
    """Sample frames in the promised bytes."""
    sizes = {"ULAW": 1, "ALAW": 1}
    try:
        width = sizes.get(info.subtype) or rawpcm.bytes_per_sample(info.subtype)
    except KeyError:
        return int((info.frames or 0) * promise.promised / promise.held)
    return promise.promised // (width * info.channels)
