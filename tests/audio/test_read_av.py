from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from raypipe.audio.probe import probe
from raypipe.audio.read import open_sound
from raypipe.errors import UnreadableAudio, UnsupportedAudio
from tests import signals
from tests.audio import files

av = pytest.importorskip("av")


def encode_with_ffmpeg(
    path: Path, codec: str, sound: NDArray[np.float32], sample_format: str, rate_hz: int = 48000
) -> None:
    """Encode ``(channels, samples)``, already in the range of the sample format."""
    with av.open(str(path), "w") as container:
        layout = {1: "mono", 2: "stereo"}[len(sound)]
        stream = container.add_stream(codec, rate=rate_hz, layout=layout)
        stream.codec_context.format = sample_format
        step = 1024
        for start in range(0, sound.shape[1], step):
            block = np.ascontiguousarray(sound[:, start : start + step])
            if not sample_format.endswith("p"):
                block = np.ascontiguousarray(block.T).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(block, format=sample_format, layout=layout)
            frame.sample_rate, frame.pts = rate_hz, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_alac_in_m4a_comes_out_to_the_bit(tmp_path: Path) -> None:
    path = tmp_path / "x.m4a"
    values = (signals.noise(20_001, 2) * 32767).astype(np.int16)
    encode_with_ffmpeg(path, "alac", values, "s16p")
    info, samples = files.read(str(path))
    assert (info.decoder, info.subtype, info.sequential) == ("av", "alac", True)
    assert np.array_equal(samples, values / np.float32(32768))


def test_24_bit_alac_is_wide_and_exact(tmp_path: Path) -> None:
    path = tmp_path / "x.m4a"
    values = (signals.noise(5000, 2) * (2**23 - 1)).astype(np.int32) << 8
    encode_with_ffmpeg(path, "alac", values, "s32p")
    info, samples = files.read(str(path))
    assert info.wide
    assert np.array_equal(samples, values / 2.0**31)


def test_aac_keeps_length_and_alignment(tmp_path: Path) -> None:
    path = tmp_path / "x.m4a"
    sound = signals.bursts(30_011)
    encode_with_ffmpeg(path, "aac", sound, "fltp")
    info, samples = files.read(str(path))
    assert (info.rate_hz, info.subtype) == (48000, "aac")
    assert samples.shape == sound.shape
    spectra = np.fft.rfft(samples[0], 60_022), np.fft.rfft(sound[0], 60_022)
    assert int(np.argmax(np.fft.irfft(spectra[0] * np.conj(spectra[1])))) == 0


def test_cuts_and_seeks_give_the_samples_of_one_read(tmp_path: Path) -> None:
    path = tmp_path / "x.m4a"
    encode_with_ffmpeg(path, "aac", signals.bursts(20_000, 2), "fltp")
    info, whole = files.read(str(path))
    with open_sound(str(path), info) as reader:
        cut = []
        while not reader.at_end:
            cut.append(reader.read(777))
        assert np.array_equal(np.concatenate(cut, axis=1), whole)
        for start in (15_000, 100, 0):
            reader.seek(start)
            assert np.array_equal(reader.read(500), whole[:, start : start + 500])


def test_a_name_with_a_colon_or_without_utf8_is_only_a_name(tmp_path: Path) -> None:
    plain = tmp_path / "x.m4a"
    encode_with_ffmpeg(plain, "aac", signals.bursts(5000), "fltp")
    for name in (b"http:x.m4a", b"\xff.m4a"):
        path = str(tmp_path) + "/" + name.decode(errors="surrogateescape")
        plain.rename(path)
        assert probe(path).decoder == "av"
        plain = Path(path)


def test_a_change_of_rate_in_mid_file_is_unsupported(tmp_path: Path) -> None:
    first, second, both = (tmp_path / name for name in ("a.aac", "b.aac", "c.aac"))
    encode_with_ffmpeg(first, "aac", signals.bursts(20_000), "fltp", 48000)
    encode_with_ffmpeg(second, "aac", signals.bursts(20_000), "fltp", 24000)
    both.write_bytes(first.read_bytes() + second.read_bytes())
    with (
        open_sound(str(both)) as reader,
        pytest.raises(UnsupportedAudio, match="changes from 48000 Hz and 1 channels to 24000 Hz"),
    ):
        reader.read(100_000)


def test_a_playlist_cannot_make_other_files_be_read(tmp_path: Path) -> None:
    files.write(str(tmp_path / "x.wav"), signals.tone(1000), files.target("WAV", "PCM_16"))
    path = tmp_path / "x.m4a"
    path.write_text(f"ffconcat version 1.0\nfile {tmp_path}/x.wav\n")
    with pytest.raises(UnreadableAudio):
        probe(str(path))
    path.write_text(f"#EXTM3U\n#EXTINF:1,\n{tmp_path}/x.wav\n#EXT-X-ENDLIST\n")
    with pytest.raises(UnreadableAudio):
        probe(str(path))


def test_a_video_without_sound_says_so(tmp_path: Path) -> None:
    path = tmp_path / "x.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(stream.encode(None))
    with pytest.raises(UnreadableAudio, match="holds no audio stream"):
        probe(str(path))
