"""Parts become a whole file, or nothing; a file that is turned down keeps its shape."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile as sf
from numpy.typing import NDArray

from raypipe.audio.encode import Encoded, encode
from raypipe.errors import StorageError
from raypipe.results import sinks
from raypipe.results.sinks import ScaledSoundSink, Sink, SoundSink, is_integer, open_sink
from raypipe.types import Samples, SoundTarget
from tests.results.made import floats, part, target
from tests.signals import noise, tone

BITS = {"PCM_U8": 8, "PCM_16": 16, "PCM_24": 24, "PCM_32": 32}


def loud(frames: int = 5000, channels: int = 2, peak: float = 2.5) -> NDArray[np.float32]:
    sound = noise(frames, channels)
    return (sound * (peak / np.abs(sound).max())).astype(np.float32)


def scaled(
    path: Path, sound: NDArray[Any], subtype: str, cuts: Sequence[int] = ()
) -> tuple[ScaledSoundSink, NDArray[Any]]:
    """Put a sound through; what the file then holds, full scale at 1, in float64."""
    wanted = target(len(sound), subtype)
    sink = ScaledSoundSink(str(path), wanted)
    edges = [0, *cuts, sound.shape[1]]
    for start, stop in pairwise(edges):
        sink.write(floats(sound[:, start:stop], start, wanted))
    sink.finish()
    return sink, sf.read(path, dtype="float64", always_2d=True)[0].T


@pytest.mark.parametrize(
    ("clip", "subtype", "dtype", "kind"),
    [
        ("scale", "PCM_16", np.float32, ScaledSoundSink),
        ("scale", "PCM_32", np.float64, ScaledSoundSink),
        ("scale", "FLOAT", np.float32, SoundSink),
        ("scale", "DOUBLE", np.float64, SoundSink),
        ("scale", "PCM_16", np.int16, SoundSink),
        ("count", "PCM_16", np.int16, SoundSink),
        ("count", "FLOAT", np.float32, SoundSink),
    ],
)
def test_only_floats_for_integer_files_wait_for_their_gain(
    tmp_path: Path, clip: str, subtype: str, dtype: type, kind: type
) -> None:
    first = floats(np.zeros((1, 0), dtype), 0, target(1, subtype))
    sink = open_sink(first, str(tmp_path / "x"), clip)
    assert type(sink) is kind
    sink.abort()


def test_integer_files_are_those_of_pcm_and_alac() -> None:
    for subtype in ("PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "ALAC_16"):
        assert is_integer(target(1, subtype))
    for subtype in ("FLOAT", "DOUBLE", "VORBIS", "OPUS", "MPEG_LAYER_III"):
        assert not is_integer(target(1, subtype))


def test_parts_in_order_make_the_file(tmp_path: Path) -> None:
    sound = noise(1000, 2)
    sink = SoundSink(str(tmp_path / "x"), target(2, "FLOAT"))
    for start, stop in ((0, 1), (1, 1), (1, 999), (999, 1000)):
        sink.write(part(sound[:, start:stop], start, target(2, "FLOAT")))
    sink.finish()
    assert np.array_equal(sf.read(tmp_path / "x", dtype="float32")[0].T, sound)
    assert (sink.gain_db, sink.path) == (0.0, str(tmp_path / "x"))


@pytest.mark.parametrize("kind", [SoundSink, ScaledSoundSink])
@pytest.mark.parametrize("start", [0, 99, 101])
def test_a_part_out_of_order_is_a_bug(tmp_path: Path, kind: type[Sink], start: int) -> None:
    sink: Any = kind(str(tmp_path / "x"), target(1, "FLOAT"))  # type: ignore[call-arg]
    sink.write(part(noise(100), 0, target(1, "FLOAT")))
    with pytest.raises(AssertionError, match=f"part at {start}, 100 were written"):
        sink.write(part(noise(100), start, target(1, "FLOAT")))
    sink.abort()


@pytest.mark.parametrize("kind", [SoundSink, ScaledSoundSink])
@pytest.mark.parametrize("written", [0, 100])
def test_an_aborted_file_leaves_nothing(tmp_path: Path, kind: type[Sink], written: int) -> None:
    sink: Any = kind(str(tmp_path / "x"), target(1, "FLOAT"))  # type: ignore[call-arg]
    if written:
        sink.write(part(noise(written), 0, target(1, "FLOAT")))
    sink.abort()
    assert os.listdir(tmp_path) == []


def test_a_finished_file_is_all_that_is_left(tmp_path: Path) -> None:
    scaled(tmp_path / "x", loud(), "PCM_16")
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize("subtype", BITS)
def test_a_loud_file_is_turned_down_to_full_scale_and_keeps_its_shape(
    tmp_path: Path, subtype: str
) -> None:
    """One step, and float32's own rounding (2^-24) where the steps are finer."""
    sound = loud()
    sink, held = scaled(tmp_path / "x", sound, subtype)
    gain = 10 ** (sink.gain_db / 20)
    step = 2.0 ** (1 - BITS[subtype])
    assert gain == pytest.approx(1 / 2.5, rel=max(step, 1e-6))
    assert np.abs(held - sound.astype(np.float64) * gain).max() <= step + 2**-23
    assert np.abs(held).max() >= 1 - 2 * step - 2**-21


def test_doubles_are_scaled_as_doubles(tmp_path: Path) -> None:
    sound = np.random.default_rng(5).uniform(-3, 3, (1, 4000))
    sink, held = scaled(tmp_path / "x", sound, "PCM_32")
    assert np.abs(held - sound * 10 ** (sink.gain_db / 20)).max() <= 2.0**-31


@pytest.mark.parametrize("sign", [1, -1])
def test_a_quiet_file_is_left_as_it_is(tmp_path: Path, sign: int) -> None:
    sound = sign * tone(3000, 2)
    sink, held = scaled(tmp_path / "x", sound, "PCM_16")
    assert sink.gain_db == 0.0
    assert np.array_equal(held * 2**15, np.rint(sound.astype(np.float64) * 2**15))


@pytest.fixture
def clipped(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Samples that the encoder had to hold at full scale, call by call."""
    counts: list[int] = []

    def counting(samples: Samples, wanted: SoundTarget) -> Encoded:
        encoded = encode(samples, wanted)
        counts.append(encoded.clipped)
        return encoded

    monkeypatch.setattr(sinks, "encode", counting)
    return counts


def test_a_file_turned_down_for_its_low_peak_does_not_clip(
    tmp_path: Path, clipped: list[int]
) -> None:
    sound = loud()
    sound[sound > 2] = 2.0
    sound[0, 77] = -2.5
    scaled(tmp_path / "x", sound, "PCM_16")
    assert clipped == [0]


@pytest.mark.parametrize("subtype", BITS)
@pytest.mark.parametrize("peak", [2.5, 1.0])
def test_a_file_turned_down_for_its_high_peak_does_not_clip(
    tmp_path: Path, clipped: list[int], subtype: str, peak: float
) -> None:
    sound = np.clip(loud(), -0.5, 0.5)
    sound[0, 77] = peak
    scaled(tmp_path / "x", sound, subtype)
    assert clipped == [0]


def test_cuts_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sound = loud()
    scaled(tmp_path / "whole", sound, "PCM_16")
    monkeypatch.setattr(sinks, "SPOOL_BLOCK", 999)
    scaled(tmp_path / "cut", sound, "PCM_16", cuts=(0, 1, 1, 2000, 4999))
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "cut").read_bytes()


def test_a_file_without_samples_is_written_too(tmp_path: Path) -> None:
    sink, held = scaled(tmp_path / "x", np.zeros((2, 0), np.float32), "PCM_16")
    assert (held.shape, sink.gain_db) == ((2, 0), 0.0)


def test_a_place_that_is_not_there_is_the_storages_fault(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot create"):
        SoundSink(str(tmp_path / "nowhere/x"), target())


def test_a_spool_that_cannot_be_made_is_the_storages_fault(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot create"):
        ScaledSoundSink(str(tmp_path / "nowhere/x"), target())


@pytest.fixture
def on_a_full_disk(tmp_path: Path) -> ScaledSoundSink:
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no /dev/full here")
    os.symlink("/dev/full", tmp_path / "x.spool")
    return ScaledSoundSink(str(tmp_path / "x"), target())


@pytest.mark.parametrize("frames", [1, 50_000])
def test_a_full_disk_is_the_storages_fault(
    on_a_full_disk: ScaledSoundSink, tmp_path: Path, frames: int
) -> None:
    with pytest.raises(StorageError, match=r"x\.spool: cannot write: no space is left"):
        on_a_full_disk.write(floats(loud(frames, 1), 0, target()))
    on_a_full_disk.abort()
    assert os.listdir(tmp_path) == []
