from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raypipe.audio.read import open_sound
from raypipe.audio.read_soundfile import SequentialSoundFile
from raypipe.errors import TruncatedAudio, UnreadableAudio, UnsupportedAudio
from raypipe.types import RawLayout
from tests import signals
from tests.audio import files

RATE_HZ = {"OPUS": 48000, "GSM610": 8000}
CHANNELS = {"GSM610": 1, "G721_32": 1, "NMS_ADPCM_16": 1, "DPCM_16": 1}
READABLE = [
    *(("WAV", s) for s in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW")),
    *(("WAV", s) for s in ("IMA_ADPCM", "MS_ADPCM", "GSM610", "G721_32", "NMS_ADPCM_16")),
    *(("CAF", s) for s in ("ALAC_16", "ALAC_24", "PCM_24")),
    *(("OGG", s) for s in ("VORBIS", "OPUS")),
    *((c, "PCM_16") for c in ("FLAC", "AIFF", "AU", "RF64", "W64", "PAF", "MAT5", "NIST")),
    ("MP3", "MPEG_LAYER_III"),
    ("AIFF", "IMA_ADPCM"),
]


def make(folder: Path, container: str, subtype: str, frames: int = 20000) -> str:
    """A file as libsndfile alone writes it."""
    channels = CHANNELS.get(subtype, 2)
    path = folder / f"{container}-{subtype}.x"
    samples = signals.bursts(frames, channels)
    with SequentialSoundFile(
        str(path),
        "w",
        RATE_HZ.get(subtype, 16000),
        channels,
        format=container,
        subtype=subtype,
    ) as file:
        file.write(np.ascontiguousarray(samples.T))
    return str(path)


@pytest.mark.parametrize(("container", "subtype"), READABLE)
def test_reads_in_any_cut_and_seeks_anywhere_give_the_samples_of_one_read(
    container: str, subtype: str, tmp_path: Path
) -> None:
    path = make(tmp_path, container, subtype)
    with open_sound(path) as reader:
        whole = reader.read(1 << 20)
        info = reader.info
    assert whole.shape[1] >= 20000
    assert whole.dtype == (np.float64 if info.wide else np.float32)
    rng = np.random.default_rng(signals.SEED)
    with open_sound(path, info) as reader:
        cut = []
        while not reader.at_end:
            cut.append(reader.read(int(rng.integers(1, 3000))))
        assert np.array_equal(np.concatenate(cut, axis=1), whole)
        for start in (12345, 0, 19999, 100, 101, 7000, whole.shape[1], 3):
            reader.seek(start)
            assert reader.position == start
            assert np.array_equal(reader.read(500), whole[:, start : start + 500]), start


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(moves=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 900)), max_size=6))
def test_any_order_of_seeks_and_reads_gives_the_same_samples(
    moves: list[tuple[int, int]], tmp_path: Path
) -> None:
    for container, subtype in (("MP3", "MPEG_LAYER_III"), ("FLAC", "PCM_16")):
        path = make(tmp_path, container, subtype, 3000)
        with open_sound(path) as reader:
            whole = reader.read(9000)
            for start, frames in moves:
                reader.seek(start)
                assert np.array_equal(reader.read(frames), whole[:, start : start + frames])
                assert reader.at_end == (reader.position == 3000)


def test_at_end_is_true_only_where_nothing_more_comes(tmp_path: Path) -> None:
    path = make(tmp_path, "WAV", "PCM_16", 100)
    with open_sound(path) as reader:
        assert not reader.at_end
        reader.read(99)
        assert not reader.at_end
        reader.read(1)
        assert reader.at_end
        assert reader.read(5).shape == (2, 0)


def test_an_empty_sound_is_at_its_end_at_once(tmp_path: Path) -> None:
    for container, subtype in (("WAV", "PCM_16"), ("FLAC", "PCM_16"), ("OGG", "VORBIS")):
        path = files.path_for(tmp_path, "x", container)
        files.write(path, signals.tone(0), files.target(container, subtype))
        with open_sound(path) as reader:
            assert reader.at_end
            assert reader.read(10).shape == (1, 0)


@pytest.mark.parametrize("container", ["WAV", "W64", "AIFF", "AU", "CAF"])
def test_sound_that_ends_early_is_an_error_or_a_note(container: str, tmp_path: Path) -> None:
    path = files.path_for(tmp_path, "x", container)
    files.write(path, signals.noise(32000), files.target(container, "PCM_16"))
    os.truncate(path, Path(path).stat().st_size // 2)
    promise = r"header promises 32000 samples \(2\.00 s\), the sound ends at 1\d{4} \(\d\.\d\d s\)"
    with open_sound(path) as reader, pytest.raises(TruncatedAudio, match=promise):
        while reader.read(5000).shape[1] == 5000:
            pass
    with open_sound(path, keep_truncated=True) as reader:
        assert 0 < reader.read(32000).shape[1] < 32000
        assert reader.at_end
        assert len(reader.notes) == 1
        assert reader.notes[0].startswith("header promises 32000 samples")


def test_a_flac_that_breaks_off_says_where_in_any_cut(tmp_path: Path) -> None:
    path = files.path_for(tmp_path, "x", "FLAC")
    sound = signals.noise(32000)
    files.write(path, sound, files.target("FLAC", "PCM_16"))
    _, whole = files.read(path)
    data = bytearray(Path(path).read_bytes())
    data[len(data) // 2 : len(data) // 2 + 3000] = bytes(3000)
    Path(path).write_bytes(data)
    reasons = set()
    for frames in (100, 4096, 50000):
        with open_sound(path) as reader, pytest.raises(UnreadableAudio) as caught:
            while reader.read(frames).shape[1]:
                pass
        reasons.add(caught.value.reason)
        with open_sound(path, keep_truncated=True) as reader:
            kept = [reader.read(frames) for _ in range(40000 // frames + 1)]
            assert reader.at_end
            assert reader.notes == [caught.value.reason]
        samples = np.concatenate(kept, axis=1)
        assert 10000 < samples.shape[1] < 22000
        assert np.array_equal(samples, whole[:, : samples.shape[1]])
    assert len(reasons) == 1
    assert f"decoding broke off at sample {samples.shape[1]}: libsndfile says" in reasons.pop()


def test_a_cut_mp3_with_a_length_header_is_truncated(tmp_path: Path) -> None:
    path = files.path_for(tmp_path, "x", "MP3")
    files.write(path, signals.noise(160_000), files.target("MP3", "MPEG_LAYER_III"))
    os.truncate(path, Path(path).stat().st_size // 2)
    with open_sound(path) as reader, pytest.raises(TruncatedAudio, match="promises 160000 samples"):
        reader.read(200_000)


def test_an_mp3_without_a_length_header_is_read_to_its_end(tmp_path: Path) -> None:
    """The first frames are large, so that a guess from them is far too short."""
    path = tmp_path / "x.mp3"
    sound = np.concatenate([signals.noise(44100), np.zeros((1, 441_000), np.float32)], axis=1)
    with SequentialSoundFile(
        str(path),
        "w",
        44100,
        1,
        format="MP3",
        subtype="MPEG_LAYER_III",
        compression_level=0.0,
        bitrate_mode="VARIABLE",
    ) as file:
        file.write(sound[0])
    data = path.read_bytes()
    path.write_bytes(data[data.index(b"\xff\xfb", 10) :])
    assert sf.info(path).frames < 200_000
    with open_sound(str(path)) as reader:
        samples = reader.read(1 << 20)
        assert reader.at_end
        assert reader.notes == []
        assert 0 <= samples.shape[1] - sound.shape[1] < 3 * 1152
        reader.seek(300_000)
        assert np.array_equal(reader.read(1000), samples[:, 300_000:301_000])


def test_nan_and_infinity_are_counted_and_refused_in_any_cut(tmp_path: Path) -> None:
    path = str(tmp_path / "x.wav")
    sound = signals.tone(5000, 2)
    sound[0, 1234], sound[1, 1234], sound[1, 4000] = np.nan, np.inf, -np.inf
    sf.write(path, sound.T, 16000, subtype="FLOAT")
    for frames in (100, 1235, 5000):
        with (
            open_sound(path) as reader,
            pytest.raises(
                UnsupportedAudio, match="3 samples are NaN or infinite, first at sample 1234"
            ),
        ):
            while not reader.at_end:
                reader.read(frames)
        assert reader.nonfinite == 3


def test_raw_sound_is_read_in_any_cut(tmp_path: Path) -> None:
    path = tmp_path / "x.raw"
    values = np.arange(-600, 600, dtype=">i2").reshape(-1, 3)
    path.write_bytes(values.tobytes() + b"\1")
    raw = RawLayout(16000, 3, "s16be")
    info, whole = files.read(str(path), raw)
    assert np.array_equal(whole, values.T / np.float32(32768))
    with open_sound(str(path), info) as reader:
        reader.seek(150)
        assert np.array_equal(reader.read(1000), whole[:, 150:])


def test_a_file_that_shrank_since_it_was_probed_is_refused(tmp_path: Path) -> None:
    path = make(tmp_path, "AU", "PCM_16", 1000)
    with open_sound(path) as reader:
        info = reader.info
    make(tmp_path, "AU", "PCM_16", 10)
    with open_sound(path, info) as reader, pytest.raises((UnreadableAudio, TruncatedAudio)):
        reader.seek(500)
        reader.read(100)


def test_a_vanished_file_is_unreadable(tmp_path: Path) -> None:
    path = make(tmp_path, "WAV", "PCM_16", 10)
    with open_sound(path) as reader:
        info = reader.info
    Path(path).unlink()
    with pytest.raises(UnreadableAudio):
        open_sound(path, info)
