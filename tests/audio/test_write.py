from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from raypipe.audio.encode import encode
from raypipe.audio.target import WRITABLE, target_for
from raypipe.audio.write import open_writer
from raypipe.errors import StorageError, UnsupportedAudio
from tests import signals
from tests.audio import files

LENGTHS = (0, 1, 127, 128, 129, 20000)
MOST_CHANNELS = {"SVX": 1, "HTK": 1, "AVR": 2, "MPC2K": 2}


@pytest.mark.parametrize("container", [c for c in WRITABLE if c not in files.LOSSY])
def test_every_lossless_file_read_encoded_and_written_again_is_the_same(
    container: str, tmp_path: Path
) -> None:
    for subtype in sorted(WRITABLE[container]):
        for channels in (1, 2, 6):
            if channels > MOST_CHANNELS.get(container, 6):
                continue
            for frames in LENGTHS:
                case = (container, subtype, channels, frames)
                first, second = (files.path_for(tmp_path, stem, container) for stem in "ab")
                wanted = files.target(container, subtype, channels)
                source = signals.noise(frames, channels, 1.0)
                files.write(first, source, wanted)
                raw = files.layout_for(wanted)
                info, samples = files.read(first, raw)
                assert samples.shape == (channels, frames), case
                assert (info.container, info.subtype) == (container, subtype), case
                again, notes = target_for(info, "keep", Path(second).suffix)
                assert notes == (), case
                assert encode(samples, again).clipped == 0, case
                files.write(second, samples, again)
                info_again, samples_again = files.read(second, raw)
                assert files.same(samples, samples_again), case
                assert info == info_again, case
                if subtype in ("FLOAT", "DOUBLE"):
                    assert np.array_equal(samples, source), case


@pytest.mark.parametrize(
    ("container", "subtype", "rates_hz"),
    [
        ("MP3", "MPEG_LAYER_III", (8000, 16000, 44100)),
        ("OGG", "VORBIS", (16000, 44100)),
        ("OGG", "OPUS", (8000, 16000, 24000, 48000)),
    ],
)
def test_lossy_files_keep_length_rate_channels_and_alignment(
    container: str, subtype: str, rates_hz: tuple[int, ...], tmp_path: Path
) -> None:
    for rate_hz in rates_hz:
        for channels in (1, 2):
            for frames in (1, 127, 20000):
                path = files.path_for(tmp_path, "x", container)
                sound = signals.bursts(frames, channels)
                files.write(path, sound, files.target(container, subtype, channels, rate_hz))
                info, back = files.read(path)
                assert (info.rate_hz, info.channels, info.subtype) == (rate_hz, channels, subtype)
                assert back.shape == sound.shape
            spectra = np.fft.rfft(back[0], 2 * frames), np.fft.rfft(sound[0], 2 * frames)
            peak = int(np.argmax(np.fft.irfft(spectra[0] * np.conj(spectra[1]))))
            assert peak == 0, (subtype, rate_hz, channels, peak)


@pytest.mark.parametrize(
    ("container", "subtype"),
    [("WAV", "FLOAT"), ("AIFF", "DOUBLE"), ("MAT5", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS")],
)
def test_the_same_sound_gives_the_same_bytes_at_any_time(
    container: str, subtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = set()
    for number in range(2):
        path = files.path_for(tmp_path, str(number), container)
        files.write(path, signals.tone(16000), files.target(container, subtype))
        digests.add(hashlib.sha256(Path(path).read_bytes()).hexdigest())
        if number == 0:
            time.sleep(1.1)  # libsndfile's time stamps count whole seconds
    assert len(digests) == 1


def test_ogg_pages_keep_valid_checksums_after_their_serial_was_changed(tmp_path: Path) -> None:
    path = files.path_for(tmp_path, "x", "OGG")
    files.write(path, signals.noise(60000), files.target("OGG", "VORBIS"))
    data = Path(path).read_bytes()
    pages = data.split(b"OggS")[1:]
    assert len(pages) > 3
    for body in pages:
        page = bytearray(b"OggS" + body)
        stored = int.from_bytes(page[22:26], "little")
        page[22:26] = bytes(4)
        value = 0
        for byte in page:
            value ^= byte << 24
            for _ in range(8):
                value = (value << 1 ^ (0x04C11DB7 if value >> 31 else 0)) & 0xFFFFFFFF
        assert value == stored
        assert page[14:18] == b"\x01\0\0\0"


def test_cutting_the_writes_does_not_change_the_file(tmp_path: Path) -> None:
    sound = signals.noise(5000, 2)
    for container, subtype in (("WAV", "PCM_24"), ("FLAC", "PCM_16"), ("OGG", "VORBIS")):
        wanted = files.target(container, subtype, 2)
        whole, cut = (files.path_for(tmp_path, stem, container) for stem in "ab")
        files.write(whole, sound, wanted)
        writer = open_writer(cut, wanted)
        for start, stop in ((0, 0), (0, 1), (1, 4000), (4000, 5000)):
            writer.write(encode(sound[:, start:stop], wanted).data)
        writer.close()
        assert Path(whole).read_bytes() == Path(cut).read_bytes()


def test_a_long_stretch_of_vorbis_is_written_in_one_call(tmp_path: Path) -> None:
    path = files.path_for(tmp_path, "x", "OGG")
    silence = np.zeros((1, 12_000_000), np.float32)
    files.write(path, silence, files.target("OGG", "VORBIS"))
    assert sf.info(path).frames == silence.shape[1]


def test_lossy_formats_that_cannot_be_empty_say_so(tmp_path: Path) -> None:
    for container, subtype in (("MP3", "MPEG_LAYER_III"), ("OGG", "OPUS")):
        path = files.path_for(tmp_path, "x", container)
        with pytest.raises(UnsupportedAudio, match="0 samples"):
            files.write(path, signals.tone(0), files.target(container, subtype))


def test_a_missing_folder_is_a_storage_error_that_names_the_path(tmp_path: Path) -> None:
    path = str(tmp_path / "no" / "x.wav")
    with pytest.raises(StorageError, match=r"no/x\.wav: cannot create"):
        open_writer(path, files.target("WAV", "PCM_16"))


def test_abort_closes_the_file(tmp_path: Path) -> None:
    for container, subtype in (("WAV", "PCM_16"), ("RAW", "PCM_16"), ("MP3", "MPEG_LAYER_III")):
        path = files.path_for(tmp_path, "x", container)
        writer = open_writer(path, files.target(container, subtype))
        writer.write(encode(signals.tone(100), files.target(container, subtype)).data)
        writer.abort()
        Path(path).unlink()


class _FullDisk(io.FileIO):
    """A file on a disk with so many bytes left."""

    left = 0

    def write(self, data: object) -> int:  # type: ignore[override]
        view = memoryview(data)  # type: ignore[arg-type]
        if self.left <= 0:
            raise OSError(28, "No space left on device")
        taken = view[: self.left]
        _FullDisk.left -= len(taken)
        return super().write(taken)


@pytest.mark.parametrize(
    ("container", "subtype"),
    [
        ("WAV", "PCM_16"),
        ("FLAC", "PCM_16"),
        ("MP3", "MPEG_LAYER_III"),
        ("OGG", "VORBIS"),
        ("OGG", "OPUS"),
        ("CAF", "ALAC_16"),
        ("RAW", "PCM_16"),
    ],
)
def test_a_full_disk_is_reported_wherever_it_fills_up(
    container: str, subtype: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = files.target(container, subtype)
    path = files.path_for(tmp_path, "x", container)
    sound = signals.noise(20000, level=0.3)
    files.write(path, sound, wanted)
    size = Path(path).stat().st_size
    monkeypatch.setattr(
        "raypipe.audio.write.open", lambda name, mode, **_: _FullDisk(name, "w+"), raising=False
    )
    for left in (0, 100, size // 2, size - 1):
        _FullDisk.left = left
        writer = None
        with pytest.raises(StorageError, match="no space is left"):
            writer = open_writer(path, wanted)
            for start in range(0, 20000, 1000):
                writer.write(encode(sound[:, start : start + 1000], wanted).data)
            writer.close()
        if writer is not None:
            writer.abort()


def test_a_full_tmpfs_is_a_storage_error(tmp_path: Path) -> None:
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    if mount is None or subprocess.run([mount, *options], capture_output=True).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    try:
        wanted = files.target("FLAC", "PCM_16")
        with pytest.raises(StorageError, match=r"x\.flac: cannot write: no space is left"):
            files.write(str(tmp_path / "x.flac"), signals.noise(200_000), wanted)
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)
