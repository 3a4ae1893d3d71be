from __future__ import annotations

import pytest

from raypipe.audio.target import output_suffix, target_for
from raypipe.errors import UnsupportedAudio, UsageError
from raypipe.types import RawLayout, SoundInfo


def info(container: str, subtype: str, **changes: object) -> SoundInfo:
    values: dict[str, object] = {"rate_hz": 44100, "channels": 2, "frames": 1000}
    return SoundInfo(container=container, subtype=subtype, **{**values, **changes})  # type: ignore[arg-type]


def test_suffix_is_kept_where_the_container_can_be_written_else_flac() -> None:
    kept = {s: output_suffix(s, "keep") for s in (".wav", ".WAV", ".opus", ".m4a", ".bit", "")}
    assert kept == {
        ".wav": ".wav",
        ".WAV": ".WAV",
        ".opus": ".opus",
        ".m4a": ".flac",
        ".bit": ".flac",
        "": ".flac",
    }
    assert output_suffix(".mp3", "wav") == ".wav"


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"'wma' is unknown; known are keep, wav"):
        output_suffix(".wav", "wma")


@pytest.mark.parametrize(
    ("container", "subtype", "endian", "suffix"),
    [
        ("WAV", "PCM_24", "FILE", ".wav"),
        ("WAV", "PCM_16", "BIG", ".wav"),
        ("WAVEX", "FLOAT", "FILE", ".wav"),
        ("RF64", "DOUBLE", "FILE", ".wav"),
        ("W64", "PCM_U8", "FILE", ".w64"),
        ("AIFF", "PCM_16", "LITTLE", ".aiff"),
        ("OGG", "OPUS", "FILE", ".ogg"),
        ("MAT4", "FLOAT", "BIG", ".mat"),
        ("CAF", "ALAC_16", "FILE", ".caf"),
    ],
)
def test_what_can_be_written_is_kept(
    container: str, subtype: str, endian: str, suffix: str
) -> None:
    rate_hz = 48000 if subtype == "OPUS" else 44100
    target, notes = target_for(
        info(container, subtype, endian=endian, rate_hz=rate_hz), "keep", suffix
    )
    assert (target.container, target.subtype, target.endian) == (container, subtype, endian)
    assert (target.rate_hz, target.channels) == (rate_hz, 2)
    assert notes == ()


@pytest.mark.parametrize(
    ("source", "output_format", "suffix", "expected"),
    [
        (("WAV", "FLOAT"), "flac", ".flac", ("FLAC", "PCM_24")),
        (("WAV", "DOUBLE"), "flac", ".flac", ("FLAC", "PCM_24")),
        (("WAV", "PCM_U8"), "flac", ".flac", ("FLAC", "PCM_S8")),
        (("WAV", "IMA_ADPCM"), "keep", ".wav", ("WAV", "PCM_16")),
        (("CAF", "ALAC_24"), "keep", ".caf", ("CAF", "PCM_24")),
        (("FLAC", "PCM_S8"), "wav", ".wav", ("WAV", "PCM_U8")),
        (("OGG", "VORBIS"), "wav", ".wav", ("WAV", "PCM_16")),
        (("WAV", "PCM_16"), "ogg", ".ogg", ("OGG", "VORBIS")),
        (("MP3", "MPEG_LAYER_II"), "keep", ".mp2", ("FLAC", "PCM_16")),
        (("MP3", "MPEG_LAYER_III"), "keep", ".flac", ("FLAC", "PCM_16")),
        (("WAV", "PCM_24"), "keep", ".mp3", ("WAV", "PCM_24")),
        (("mov", "aac"), "keep", ".flac", ("FLAC", "PCM_16")),
    ],
)
def test_what_cannot_be_kept_becomes_the_nearest_and_is_noted(
    source: tuple[str, str], output_format: str, suffix: str, expected: tuple[str, str]
) -> None:
    target, notes = target_for(info(*source), output_format, suffix)
    assert (target.container, target.subtype) == expected
    changed = [
        f"{kind} {old} became {new}"
        for kind, old, new in zip(("container", "subtype"), source, expected, strict=True)
        if old != new
    ]
    assert list(notes) == changed


def test_av_sources_keep_their_depth_in_flac() -> None:
    wide = info("mov", "alac", decoder="av", wide=True)
    assert target_for(wide, "keep", ".flac")[0].subtype == "PCM_24"


@pytest.mark.parametrize(
    ("output_format", "rate_hz", "channels"),
    [("mp3", 96000, 2), ("mp3", 44100, 6), ("opus", 44100, 1), ("flac", 44100, 9)],
)
def test_what_fits_nowhere_is_unsupported(output_format: str, rate_hz: int, channels: int) -> None:
    suffix = output_suffix(".wav", output_format)
    with pytest.raises(UnsupportedAudio, match=f"{channels} channels at {rate_hz} Hz"):
        target_for(info("WAV", "PCM_16", rate_hz=rate_hz, channels=channels), output_format, suffix)


def test_a_wav_beyond_four_gib_becomes_rf64() -> None:
    target, notes = target_for(info("WAV", "PCM_24", frames=2**30), "keep", ".wav")
    assert target.container == "RF64"
    assert notes == ("container WAV became RF64",)


def test_raw_files_keep_their_layout() -> None:
    raw = RawLayout(8000, 3, "s24be")
    source = info("RAW", "PCM_24", endian="BIG", decoder="raw", rate_hz=8000, channels=3)
    target, notes = target_for(source, "keep", ".pcm", raw)
    assert target.raw == raw
    assert notes == ()
