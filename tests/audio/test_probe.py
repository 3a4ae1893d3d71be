from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raypipe.audio.probe import find_audio_suffixes, probe
from raypipe.audio.read import open_sound
from raypipe.errors import AudioError, UnreadableAudio, UnsupportedAudio
from raypipe.types import RawLayout
from tests import signals
from tests.audio import files


def wav(frames: int = 1000, subtype: str = "PCM_16") -> bytes:
    """A WAV whose data chunk is its last."""
    width = {"PCM_16": 2, "PCM_24": 3}[subtype]
    body = np.arange(frames * width, dtype=np.uint8).tobytes()
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 16000, 16000 * width, width, 8 * width)
    size = 4 + len(fmt) + 8 + len(body)
    head = struct.pack("<4sI4s", b"RIFF", size, b"WAVE") + fmt
    return head + struct.pack("<4sI", b"data", len(body)) + body


def test_says_what_a_file_is(tmp_path: Path) -> None:
    path = files.path_for(tmp_path, "x", "WAV")
    files.write(path, signals.tone(1000, 2), files.target("WAV", "PCM_24", 2))
    info = probe(path)
    assert (info.rate_hz, info.channels, info.frames) == (16000, 2, 1000)
    assert (info.container, info.subtype, info.decoder) == ("WAV", "PCM_24", "soundfile")
    assert not info.sequential
    assert not info.wide
    assert info.notes == ()


def test_wide_means_that_float32_is_too_narrow(tmp_path: Path) -> None:
    for subtype, wide in (("PCM_32", True), ("DOUBLE", True), ("PCM_24", False), ("FLOAT", False)):
        path = files.path_for(tmp_path, "x", "WAV")
        files.write(path, signals.tone(10), files.target("WAV", subtype))
        assert probe(path).wide is wide


def test_raw_needs_a_layout(tmp_path: Path) -> None:
    path = tmp_path / "x.RAW"
    path.write_bytes(bytes(1001))
    with pytest.raises(UnreadableAudio, match=r"--raw rate=\.\.\.,channels=\.\.\.,sample="):
        probe(str(path))
    info = probe(str(path), RawLayout(8000, 2, "s16be"))
    assert (info.container, info.subtype, info.endian, info.decoder) == (
        "RAW",
        "PCM_16",
        "BIG",
        "raw",
    )
    assert info.frames == 250
    assert info.notes == ("the last 1 bytes are no whole sample and were left out",)


def test_what_is_no_file_is_refused_without_hanging(tmp_path: Path) -> None:
    pipe, empty = tmp_path / "pipe.wav", tmp_path / "empty.wav"
    os.mkfifo(pipe)
    empty.touch()
    for path, reason in (
        (str(tmp_path), "is a folder"),
        (str(pipe), "is a pipe"),
        (str(empty), "is empty"),
        ("/dev/zero", "a device"),
        (str(tmp_path / "gone.wav"), "No such file"),
        (str(tmp_path / "a\0b.wav"), "null"),
    ):
        with pytest.raises(UnreadableAudio, match=reason):
            probe(path)


def test_absurd_headers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    for channels, rate_hz, reason in (
        (1, 98_000_000, "claims a rate of 98000000 Hz"),
        (100, 16000, "claims 100 channels"),
    ):
        data = bytearray(wav())
        struct.pack_into("<HII H", data, 22, channels, rate_hz, 2 * rate_hz, 2 * channels)
        path.write_bytes(data)
        with pytest.raises(UnsupportedAudio, match=reason):
            probe(str(path))


def test_a_name_that_is_not_utf8_is_no_hindrance(tmp_path: Path) -> None:
    path = os.fsdecode(os.fsencode(str(tmp_path)) + b"/\xff\n.wav")
    files.write(path, signals.tone(100), files.target("WAV", "PCM_16"))
    assert files.read(path)[1].shape == (1, 100)


@pytest.mark.parametrize("container", ["WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF"])
def test_a_data_chunk_that_promises_more_keeps_its_promise_as_the_claim(
    container: str, tmp_path: Path
) -> None:
    path = files.path_for(tmp_path, "x", container)
    files.write(path, signals.noise(1000, 2), files.target(container, "PCM_16", 2))
    assert probe(path).frames == 1000
    os.truncate(path, Path(path).stat().st_size - 402)
    info = probe(path)
    assert info.frames == 1000
    assert info.notes == ()


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF, 0xFFFFFFFF - 36, 0x80000000])
def test_a_stream_that_never_wrote_its_length_is_read_to_the_end(size: int, tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    data = bytearray(wav(1000))
    struct.pack_into("<I", data, 40, size)
    path.write_bytes(data)
    with open_sound(str(path)) as reader:
        assert reader.read(5000).shape == (1, 1000)
        assert reader.info.notes == (
            "the header gives no length; the sound was read to the end of the file",
        )


def test_a_flac_of_unknown_length_claims_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.flac"
    files.write(str(path), signals.tone(5000), files.target("FLAC", "PCM_16"))
    data = bytearray(path.read_bytes())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    path.write_bytes(data)
    with open_sound(str(path)) as reader:
        assert reader.info.frames is None
        assert reader.info.sequential
        assert reader.read(9000).shape == (1, 5000)
        assert reader.at_end


def test_without_pyav_the_reason_names_the_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    for name, reason in (
        ("x.m4a", r"needs PyAV: pip install raypipe\[av\]"),
        ("x.wav", r"libsndfile says: .* \(pip install raypipe\[av\] adds"),
    ):
        path = tmp_path / name
        path.write_bytes(b"no sound at all")
        with pytest.raises(UnreadableAudio, match=reason):
            probe(str(path))


def test_suffixes_are_lower_case_and_hold_each_decoder() -> None:
    suffixes = find_audio_suffixes()
    assert {".wav", ".flac", ".opus", ".raw", ".pcm", ".m4a", ".webm"} <= suffixes
    assert all(s.startswith(".") and s == s.lower() for s in suffixes)
    assert not {".txt", ".json", ".jpg", ".zip"} & suffixes


def read_or_refuse(path: str, raw: RawLayout | None = None) -> None:
    """Samples or an `AudioError`; anything else is what the fuzz tests look for."""
    try:
        with open_sound(path, raw=raw) as reader:
            while reader.read(4096).shape[1] == 4096 and reader.position < 1 << 20:
                pass
    except AudioError as error:
        assert error.reason
        assert "\n" not in error.reason


FUZZ = settings(
    max_examples=60,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def flac() -> bytes:
    import io

    memory = io.BytesIO()
    sf.write(memory, signals.tone(3000)[0], 16000, format="FLAC")
    return memory.getvalue()


WHOLE = {".wav": wav(), ".flac": flac()}


@FUZZ
@given(
    suffix=st.sampled_from(sorted(WHOLE)),
    changes=st.lists(st.tuples(st.integers(0, 120), st.integers(0, 255)), max_size=6),
    cut=st.one_of(st.none(), st.integers(1, 1000)),
)
def test_damaged_headers_give_samples_or_an_audio_error(
    suffix: str, changes: list[tuple[int, int]], cut: int | None, tmp_path: Path
) -> None:
    data = bytearray(WHOLE[suffix])
    for at, value in changes:
        data[at] = value
    path = tmp_path / f"x{suffix}"
    path.write_bytes(data[:cut])
    read_or_refuse(str(path))


@FUZZ
@given(
    data=st.binary(max_size=400),
    sample=st.sampled_from(["u8", "s8", "s16le", "s24be", "s32le", "f32le", "f64be"]),
    channels=st.integers(1, 5),
)
def test_random_bytes_as_raw_give_samples_or_an_audio_error(
    data: bytes, sample: str, channels: int, tmp_path: Path
) -> None:
    path = tmp_path / "x.raw"
    path.write_bytes(data)
    read_or_refuse(str(path), RawLayout(8000, channels, sample))
