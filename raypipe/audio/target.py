"""Which file a sound becomes: container, subtype, byte order.

In come what was found in the source and the wanted output format, out goes a
`SoundTarget` that libsndfile (or `rawpcm`) really can write, with notes on what could
not be kept. The tables below list what reads back bit for bit; libsndfile offers more,
but pads, rounds the rate or breaks the sound there.
"""

from __future__ import annotations

import io
from dataclasses import replace
from functools import lru_cache

import soundfile as sf

from raypipe.audio import rawpcm
from raypipe.errors import UnsupportedAudio, UsageError
from raypipe.types import RawLayout, SoundInfo, SoundTarget

_PCM = frozenset({"PCM_16", "PCM_24", "PCM_32"})
_FLOATS = frozenset({"FLOAT", "DOUBLE"})
_LOGS = frozenset({"ULAW", "ALAW"})
_WAVE = _PCM | _FLOATS | _LOGS | {"PCM_U8"}
WRITABLE: dict[str, frozenset[str]] = {
    "WAV": _WAVE,
    "WAVEX": _WAVE,
    "RF64": _WAVE,
    "W64": _WAVE,
    "AIFF": _PCM | _FLOATS | _LOGS | {"PCM_S8", "PCM_U8"},
    "AU": _PCM | _FLOATS | _LOGS | {"PCM_S8"},
    # libsndfile's ALAC encoder breaks loud stereo beyond 16 bit.
    "CAF": _PCM | _FLOATS | _LOGS | {"PCM_S8", "ALAC_16"},
    "FLAC": frozenset({"PCM_S8", "PCM_16", "PCM_24"}),
    "OGG": frozenset({"VORBIS", "OPUS"}),
    "MP3": frozenset({"MPEG_LAYER_III"}),
    "NIST": _PCM | _LOGS | {"PCM_S8"},
    "IRCAM": frozenset({"PCM_16", "PCM_32", "FLOAT"}) | _LOGS,
    "PVF": frozenset({"PCM_S8", "PCM_16", "PCM_32"}),
    "MAT4": frozenset({"PCM_16", "PCM_32"}) | _FLOATS,
    "MAT5": frozenset({"PCM_16", "PCM_32", "PCM_U8"}) | _FLOATS,
    "PAF": frozenset({"PCM_S8", "PCM_16"}),
    "SVX": frozenset({"PCM_S8", "PCM_16"}),
    "AVR": frozenset({"PCM_S8", "PCM_16", "PCM_U8"}),
    "MPC2K": frozenset({"PCM_16"}),
    "HTK": frozenset({"PCM_16"}),
    "RAW": _PCM | _FLOATS | {"PCM_U8", "PCM_S8"},
}
"""Subtypes by container that read back with the same length and, unless lossy, samples."""
_CONTAINER_OF_SUFFIX = {
    ".wav": "WAV",
    ".wave": "WAV",
    ".bwf": "WAV",
    ".rf64": "RF64",
    ".w64": "W64",
    ".aiff": "AIFF",
    ".aif": "AIFF",
    ".aifc": "AIFF",
    ".au": "AU",
    ".snd": "AU",
    ".caf": "CAF",
    ".flac": "FLAC",
    ".ogg": "OGG",
    ".oga": "OGG",
    ".opus": "OGG",
    ".mp3": "MP3",
    ".nist": "NIST",
    ".sph": "NIST",
    ".ircam": "IRCAM",
    ".sf": "IRCAM",
    ".pvf": "PVF",
    ".mat": "MAT5",
    ".paf": "PAF",
    ".fap": "PAF",
    ".svx": "SVX",
    ".iff": "SVX",
    ".8svx": "SVX",
    ".avr": "AVR",
    ".mpc2k": "MPC2K",
    ".htk": "HTK",
    ".raw": "RAW",
    ".pcm": "RAW",
}
_SUFFIX_OF_FORMAT = {
    "wav": ".wav",
    "rf64": ".rf64",
    "w64": ".w64",
    "aiff": ".aiff",
    "au": ".au",
    "caf": ".caf",
    "flac": ".flac",
    "ogg": ".ogg",
    "opus": ".opus",
    "mp3": ".mp3",
    "raw": ".raw",
}
_FAMILIES = (frozenset({"WAV", "WAVEX", "RF64", "W64"}), frozenset({"MAT4", "MAT5"}))
"""Containers that go by the same extension."""
_LOSSY = frozenset({"OGG", "MP3"})
_FOUR_GIB = 2**32 - 2**16
"""Most bytes of sound that a 32-bit chunk size can name, with room for the other chunks."""
_BYTES = {"PCM_S8": 1, "PCM_U8": 1, "ULAW": 1, "ALAW": 1, "PCM_16": 2, "PCM_24": 3, "DOUBLE": 8}


def output_suffix(suffix: str, output_format: str) -> str:
    """Extension of the output, from the input's extension alone.

    Parameters
    ----------
    suffix : str
        The input's extension with its dot, in any case; may be empty.
    output_format : str
        ``keep``, or one of the formats that raypipe writes.

    Raises
    ------
    UsageError
        Where the format is unknown.
    """
    if output_format == "keep":
        return suffix if suffix.lower() in _CONTAINER_OF_SUFFIX else ".flac"
    if output_format not in _SUFFIX_OF_FORMAT:
        known = ", ".join(["keep", *_SUFFIX_OF_FORMAT])
        raise UsageError(f"output format {output_format!r} is unknown; known are {known}")
    return _SUFFIX_OF_FORMAT[output_format]


def target_for(
    info: SoundInfo, output_format: str, suffix: str, raw: RawLayout | None = None
) -> tuple[SoundTarget, tuple[str, ...]]:
    """What a source becomes, and what of it could not be kept.

    Parameters
    ----------
    info : SoundInfo
        What the decoder found.
    output_format : str
        As given to `output_suffix`.
    suffix : str
        The output's extension, as `output_suffix` gave it.
    raw : RawLayout or None
        Sample type for a ``RAW`` output; the source's own rate and channels are kept.

    Raises
    ------
    UnsupportedAudio
        Where no subtype of the container can hold this rate and so many channels. The path
        is not known here and stays empty.
    """
    container = _container_for(info, output_format, suffix)
    if container == "RAW":
        return _raw_target(info, raw)
    wanted = SoundTarget(container, info.subtype, info.endian, info.rate_hz, info.channels)
    for target in _candidates(wanted, suffix, info.wide):
        if _writable(target):
            target = _widen_size(target, info.frames)
            return target, _notes(info, target)
    raise UnsupportedAudio(
        "", f"{_named(container, suffix)} cannot hold {info.channels} channels at {info.rate_hz} Hz"
    )


def _named(container: str, suffix: str) -> str:
    if suffix.lower() == ".opus":
        return "Opus (8, 12, 16, 24 or 48 kHz)"
    return container


def _container_for(info: SoundInfo, output_format: str, suffix: str) -> str:
    """The extension's container, or a sibling of it that the source already has."""
    named = _CONTAINER_OF_SUFFIX.get(suffix.lower(), "FLAC")
    if output_format != "keep":
        return "WAVEX" if (named, info.container) == ("WAV", "WAVEX") else named
    sibling = any({named, info.container} <= family for family in _FAMILIES)
    # A WAV that is called .mp3 is not made lossy because of its name.
    misnamed = named in _LOSSY and info.container in WRITABLE.keys() - _LOSSY
    return info.container if sibling or misnamed else named


def _candidates(wanted: SoundTarget, suffix: str, wide: bool) -> list[SoundTarget]:
    """Targets in the order of preference: as it was, then the nearest that loses least."""
    subtypes = [wanted.subtype, *_substitutes(wanted.subtype, wanted.container, wide)]
    if suffix.lower() == ".opus":
        subtypes = ["OPUS"]
    endians = dict.fromkeys([wanted.endian, "FILE"])
    return [replace(wanted, subtype=s, endian=e) for s in dict.fromkeys(subtypes) for e in endians]


def _substitutes(subtype: str, container: str, wide: bool) -> tuple[str, ...]:
    if container == "OGG":
        return ("VORBIS",)
    if container == "MP3":
        return ("MPEG_LAYER_III",)
    if subtype in ("PCM_S8", "PCM_U8"):
        return ("PCM_U8", "PCM_S8", "PCM_16", "PCM_24")
    if subtype in ("PCM_32", "ALAC_32") or (container != "FLAC" and subtype in _FLOATS):
        return ("PCM_32", "DOUBLE", "PCM_24", "FLOAT", "PCM_16")
    if subtype in ("PCM_24", "ALAC_20", "ALAC_24", "DWVW_24", *_FLOATS, *_WIDE_CODECS) or wide:
        return ("PCM_24", "PCM_32", "PCM_16")
    return ("PCM_16", "PCM_24")


_WIDE_CODECS = ("pcm_f32le", "pcm_f32be", "pcm_f64le", "pcm_f64be", "pcm_s24le", "pcm_s24be")
"""PyAV's names of codecs whose samples need more than 16 bits."""


def _raw_target(info: SoundInfo, raw: RawLayout | None) -> tuple[SoundTarget, tuple[str, ...]]:
    if raw is not None and info.decoder != "raw":
        subtype, endian = rawpcm.names_of(raw)
    elif info.subtype in WRITABLE["RAW"]:
        subtype, endian = info.subtype, info.endian
    else:
        subtype, endian = "PCM_16", "LITTLE"
    layout = rawpcm.layout_of(subtype, endian, info.rate_hz, info.channels)
    target = SoundTarget("RAW", subtype, endian, info.rate_hz, info.channels, layout)
    return target, _notes(info, target)


def _widen_size(target: SoundTarget, frames: int | None) -> SoundTarget:
    """RF64 instead of WAV where the sound is too long for 32-bit sizes."""
    size = (frames or 0) * target.channels * _BYTES.get(target.subtype, 4)
    if target.container in ("WAV", "WAVEX") and size > _FOUR_GIB:
        return replace(target, container="RF64", endian="FILE")
    return target


def _notes(info: SoundInfo, target: SoundTarget) -> tuple[str, ...]:
    notes = []
    if target.container != info.container:
        notes.append(f"container {info.container} became {target.container}")
    if target.subtype != info.subtype:
        notes.append(f"subtype {info.subtype} became {target.subtype}")
    return tuple(notes)


@lru_cache(maxsize=1024)
def _writable(target: SoundTarget) -> bool:
    """Whether libsndfile keeps this rate and so many channels: written in memory, read back."""
    if target.subtype not in WRITABLE.get(target.container, frozenset()):
        return False
    memory = io.BytesIO()
    shape = (target.rate_hz, target.channels)
    try:
        with sf.SoundFile(
            memory,
            "w",
            *shape,
            format=target.container,
            subtype=target.subtype,
            endian=target.endian,
        ) as trial:
            trial.buffer_write(bytes(8 * target.channels), "int32")
        memory.seek(0)
        with sf.SoundFile(memory) as back:
            return (back.samplerate, back.channels, back.subtype) == (*shape, target.subtype)
    except (sf.LibsndfileError, ValueError):
        return False
